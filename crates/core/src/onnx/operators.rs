//! The operators that the model server runs. A test in `mlops-serve` compares this list with what the server's engine has
//! registered, so that a plan refuses exactly what a load would refuse.

/// Operator names, in order. Operator sets (`ai.onnx`, `ai.onnx.ml`, `com.microsoft`) do not overlap in them.
#[rustfmt::skip]
pub const OPERATORS: &[&str] = &[
    "Abs", "Acos", "Acosh", "Add", "And", "ArgMax", "ArgMin", "ArrayFeatureExtractor", "Asin", "Asinh", "Atan",
    "Atanh", "Attention", "AveragePool", "BatchNormalization", "BiasGelu", "BitShift", "BitwiseAnd", "BitwiseNot",
    "BitwiseOr", "BitwiseXor", "BlackmanWindow", "Cast", "CastLike", "CategoryMapper", "Ceil", "Celu", "Clip",
    "Compress", "Concat", "Constant", "ConstantLike", "ConstantOfShape", "Conv", "ConvInteger", "ConvTranspose",
    "Cos", "Cosh", "CumSum", "DFT", "DepthToSpace", "DequantizeLinear", "Div", "Dropout", "DynamicQuantizeLinear",
    "Einsum", "Elu", "Equal", "Erf", "Exp", "Expand", "EyeLike", "FastGelu", "Flatten", "Floor", "GRU", "Gather",
    "GatherBlockQuantized", "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool", "GlobalLpPool",
    "GlobalMaxPool", "Greater", "GreaterOrEqual", "GridSample", "GroupNormalization", "GroupQueryAttention",
    "HammingWindow", "HannWindow", "HardSigmoid", "HardSwish", "Hardmax", "Identity", "If", "InstanceNormalization",
    "IsInf", "IsNaN", "LRN", "LSTM", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "LinearClassifier",
    "LinearRegressor", "Log", "LogSoftmax", "LpNormalization", "MatMul", "MatMulInteger", "MatMulNBits", "Max",
    "MaxPool", "Mean", "MeanVarianceNormalization", "MelWeightMatrix", "Min", "Mish", "Mod", "Mul",
    "MultiHeadAttention", "Multinomial", "Neg", "NonMaxSuppression", "NonZero", "Normalizer", "Not", "OneHot", "Or",
    "PRelu", "Pad", "ParametricSoftplus", "Pow", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "QuickGelu",
    "RMSNormalization", "RNN", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Range",
    "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Resize", "RotaryEmbedding", "Round", "Rsqrt",
    "STFT", "ScaledTanh", "Scaler", "Scan", "Scatter", "ScatterElements", "ScatterND", "Selu", "Shape", "Shrink",
    "Sigmoid", "Sign", "SimplifiedLayerNormalization", "Sin", "Sinh", "Size", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization", "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split", "Sqrt",
    "Squeeze", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Tile", "TopK", "Transpose",
    "TreeEnsembleClassifier", "Trilu", "Unsqueeze", "Where", "Xor", "ZipMap",
];

/// Whether the model server runs the operator.
pub fn is_supported_operator(op: &str) -> bool {
    OPERATORS.binary_search(&op).is_ok()
}
