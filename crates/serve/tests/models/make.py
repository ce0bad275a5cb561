"""Makes the small ONNX models of these tests, and beside each the answers that onnxruntime gives.

    python3 -m venv venv && venv/bin/pip install onnx skl2onnx scikit-learn onnxruntime numpy
    venv/bin/python make.py
"""

import json
import pathlib

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

HERE = pathlib.Path(__file__).parent
OPSET = {"": 17, "ai.onnx.ml": 3}


def save(name, model, inputs):
    model.doc_string = ""
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    answers = session.run(None, inputs)
    outputs = {}
    for meta, value in zip(session.get_outputs(), answers):
        if isinstance(value, list):  # ZipMap: one map a row
            value = numpy.array([list(row.values()) for row in value])
        outputs[meta.name] = value.tolist()
    case = {"inputs": {k: v.tolist() for k, v in inputs.items()}, "outputs": outputs}
    (HERE / f"{name}.json").write_text(json.dumps(case) + "\n")


def sklearn_models():
    x, y = load_iris(return_X_y=True)
    x = x.astype(numpy.float32)
    names = numpy.array(["setosa", "versicolor", "virginica"])[y]
    binary = (y == 2).astype(numpy.int64)
    rows = {"X": x[::15]}

    def sk(name, model, target, **options):
        model.fit(x, target)
        save(name, to_onnx(model, x[:1], target_opset=OPSET, **options), rows)

    logistic = LogisticRegression(max_iter=500)
    sk("iris_logistic", logistic, y, options={"zipmap": False})
    sk("iris_logistic_zipmap", LogisticRegression(max_iter=500), y)
    sk("iris_logistic_strings_zipmap", LogisticRegression(max_iter=500), names)
    sk("iris_logistic_binary", LogisticRegression(max_iter=500), binary, options={"zipmap": False})
    sk("iris_scaled_logistic", make_pipeline(StandardScaler(), LogisticRegression()), y, options={"zipmap": False})
    sk("iris_forest", RandomForestClassifier(5, max_depth=3, random_state=0), y, options={"zipmap": False})
    sk("iris_tree_binary", DecisionTreeClassifier(max_depth=3, random_state=0), binary, options={"zipmap": False})
    sk("iris_forest_binary", RandomForestClassifier(5, max_depth=3, random_state=0), binary, options={"zipmap": False})
    sk("iris_forest_strings", RandomForestClassifier(3, max_depth=2, random_state=0), names, options={"zipmap": False})
    sk("iris_mlp", MLPClassifier((4,), max_iter=300, random_state=0), y, options={"zipmap": False})
    sk("iris_linear_regression", LinearRegression(), x[:, 0])


def graph(name, nodes, inputs, outputs, feed, initializers=()):
    made = helper.make_graph(nodes, name, inputs, outputs, list(initializers))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    save(name, model, feed)


def tensor(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def hand_made_models():
    f, i, s, b = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING, TensorProto.BOOL
    graph(
        "add",
        [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Mul", ["a", "b"], ["product"])],
        [tensor("a", f, ["n", 2]), tensor("b", f, ["n", 2])],
        [tensor("sum", f, ["n", 2]), tensor("product", f, ["n", 2])],
        {"a": numpy.float32([[1, 2], [3, 4]]), "b": numpy.float32([[10, 20], [30, 40]])},
    )
    graph(
        "identity_int64",
        [helper.make_node("Identity", ["x"], ["y"])],
        [tensor("x", i, ["n"])],
        [tensor("y", i, ["n"])],
        {"x": numpy.int64([1, -2, 9007199254740993])},
    )
    graph(
        "identity_string",
        [helper.make_node("Identity", ["x"], ["y"])],
        [tensor("x", s, ["n"])],
        [tensor("y", s, ["n"])],
        {"x": numpy.array(["a", "é", ""], dtype=object)},
    )
    graph(
        "identity_bool",
        [helper.make_node("Not", ["x"], ["y"])],
        [tensor("x", b, ["n"])],
        [tensor("y", b, ["n"])],
        {"x": numpy.array([True, False])},
    )
    # Picks a row of a table of three by index: any other index is an error of the model.
    graph(
        "gather",
        [helper.make_node("Gather", ["table", "index"], ["row"], axis=0)],
        [tensor("index", i, ["n"])],
        [tensor("row", f, ["n", 2])],
        {"index": numpy.int64([2, 0])},
        [helper.make_tensor("table", f, [3, 2], [0, 1, 10, 11, 20, 21])],
    )
    # Powers of the matrix x xT, sixty times over: slow, and its requests are short.
    steps = [helper.make_node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(60)]
    graph(
        "slow",
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
            helper.make_node("MatMul", ["x", "t"], ["m0"]),
            *steps,
            helper.make_node("ReduceSum", ["m60"], ["y"], keepdims=0),
        ],
        [tensor("x", f, ["n", 1])],
        [tensor("y", f, [])],
        {"x": numpy.float32([[0.6], [0.7]])},
    )
    graph(
        "fixed_batch",
        [helper.make_node("Relu", ["x"], ["y"])],
        [tensor("x", f, [1, 3])],
        [tensor("y", f, [1, 3])],
        {"x": numpy.float32([[-1, 0, 2]])},
    )


sklearn_models()
hand_made_models()
