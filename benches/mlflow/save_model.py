"""Save an ONNX file as an MLflow model: save_model.py MODEL.onnx DIRECTORY"""

import sys

import mlflow.onnx
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

source, directory = sys.argv[1:]
# The signature is the graph's own: with it, MLflow turns {"inputs": [[...]]} into one tensor.
signature = ModelSignature(
    inputs=Schema([TensorSpec(np.dtype("float32"), (-1, 64), "pixels")]),
    outputs=Schema([TensorSpec(np.dtype("int64"), (-1,), "label"), TensorSpec(np.dtype("float32"), (-1, 10), "probabilities")]),
)
mlflow.onnx.save_model(onnx.load(source), directory, signature=signature, pip_requirements=[])
