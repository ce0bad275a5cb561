#!/usr/bin/env python3
"""Train the quickstart's four digit classifiers and write them as ONNX.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python train.py            # rewrites models/, heldout.json and metrics.json
    venv/bin/python train.py --check    # trains again and fails if a committed file differs

Every model takes `pixels` (FP32 [N, 64], 0 to 16 each) and answers `label` (INT64 [N]) and `probabilities`
(FP32 [N, 10]). They differ in how good they are:

v1    a linear model that saw 120 images
v2    a small network that saw all of the training images
v3a   the same network, stopped early on a fifth of the images: worse than v2 on held-out images
v3b   a larger network, as good as v2 or better when its estimator is measured in Python. Its exported graph sharpens
      each answer by a temperature looked up per digit, in a table that was filled for eight digits only: asked about an
      8 or a 9, the graph fails at run time. That is the kind of fault that no offline metric shows.

Runs are reproducible: seeds are fixed, one thread computes, and weights are rounded to a grid that is far coarser than
what two processors' arithmetic may differ by.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

# Before numpy is imported: the order of additions in a parallel matrix product is not fixed.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).resolve().parent
SEED = 20
HELD_OUT = 360
DIGITS = 10
PIXELS = 64
MAX_PIXEL = 16.0
# Weights become multiples of this: 2 ** -10 leaves accuracy as it is.
GRID = 1024.0
# The newest operator set whose operators here are unchanged since, so that most runtimes know it.
OPSET = 17
IR_VERSION = 8


def split():
    """The training and the held-out images, as whole numbers from 0 to 16, with their labels."""
    digits = load_digits()
    return train_test_split(
        digits.data.astype(np.float64), digits.target, test_size=HELD_OUT, random_state=SEED, stratify=digits.target
    )


def on_grid(weights):
    return np.round(weights * GRID) / GRID


def linear(images, labels):
    """A logistic regression on scaled pixels; returns the estimator with its weights on the grid."""
    model = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8).fit(images / MAX_PIXEL, labels)
    model.coef_, model.intercept_ = on_grid(model.coef_), on_grid(model.intercept_)
    return model, [(model.coef_.T, model.intercept_)]


def network(images, labels, hidden, epochs):
    """A network with one hidden layer on scaled pixels; returns the estimator with its weights on the grid."""
    model = MLPClassifier(
        (hidden,), solver="sgd", learning_rate_init=0.1, momentum=0.9, batch_size=64, alpha=1e-3,
        max_iter=epochs, n_iter_no_change=epochs, random_state=SEED,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs is what we want
        model.fit(images / MAX_PIXEL, labels)
    model.coefs_ = [on_grid(c) for c in model.coefs_]
    model.intercepts_ = [on_grid(i) for i in model.intercepts_]
    return model, list(zip(model.coefs_, model.intercepts_))


def graph(name, layers, temperatures=None):
    """The layers as an ONNX graph of plain operators.

    scikit-learn's estimators answer a class, not its position; here class and position are the same number, so ArgMax is
    the label and no operator outside the standard set is needed.
    """
    weights, nodes = [], []

    def constant(constant_name, value, dtype=np.float32):
        weights.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), constant_name))
        return constant_name

    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    # Pixels are scaled in the first layer's weights: a division by 16 is exact.
    (first, bias), *rest = layers
    value = "pixels"
    for i, (w, b) in enumerate([(first / MAX_PIXEL, bias), *rest]):
        last = i == len(layers) - 1
        names = [value, constant(f"weight{i}", w), constant(f"bias{i}", b)]
        value = node("Gemm", names, "logits" if last else f"layer{i}")
        if not last:
            value = node("Relu", [value], f"active{i}")
    if temperatures is not None:
        # The temperature of the digit that seems likeliest: one row of the table for each image, then the row's entry.
        likeliest = node("ArgMax", [value], "likeliest", axis=1, keepdims=1)
        shape = node("Shape", [likeliest], "rows_by_one")
        rows = node("Mul", [shape, constant("one_by_width", [1, len(temperatures)], np.int64)], "rows_by_width")
        table = node("Expand", [constant("temperature_table", [temperatures]), rows], "tables")
        value = node("Div", [value, node("GatherElements", [table, likeliest], "temperature", axis=1)], "sharpened")
    node("Softmax", [value], "probabilities", axis=1)
    node("ArgMax", ["probabilities"], "label", axis=1, keepdims=0)

    body = helper.make_graph(
        nodes, name,
        inputs=[helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", PIXELS])],
        outputs=[
            helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", DIGITS]),
        ],
        initializer=weights,
    )  # fmt: skip
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="train.py"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def asked_one_by_one(model, images):
    """The graph's answer for each image on its own; None where the graph fails."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # the failures are expected and counted
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    answers = []
    for image in images.astype(np.float32):
        try:
            answers.append(int(session.run(["label"], {"pixels": image[None, :]})[0][0]))
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
            answers.append(None)
    return answers


def measure(estimator, model, images, labels):
    """What is claimed (the estimator, measured in Python) and what the exported graph does."""
    scaled = images / MAX_PIXEL
    predicted = estimator.predict(scaled)
    answers = asked_one_by_one(model, images)
    answered = [(a, p) for a, p in zip(answers, predicted) if a is not None]
    disagreements = sum(a != p for a, p in answered)
    if disagreements:
        raise SystemExit(f"{model.graph.name}: the graph and its estimator disagree on {disagreements} images")
    return {
        "accuracy": round(float(np.mean(predicted == labels)), 4),
        "log_loss": round(float(log_loss(labels, estimator.predict_proba(scaled))), 4),
        "graph_accuracy": round(float(np.mean([a == label for a, label in zip(answers, labels)])), 4),
        "graph_errors": round(answers.count(None) / len(answers), 4),
    }


def one_line_per_row(held_out, labels):
    """JSON with one image to a line: small, and a diff shows which image changed."""
    head = {"input": "pixels", "datatype": "FP32", "shape": [len(labels), PIXELS], "labels": [int(n) for n in labels]}
    rows = ",\n".join(json.dumps([int(p) for p in row], separators=(",", ":")) for row in held_out)
    return json.dumps(head, separators=(",", ":"))[:-1] + ',"pixels":[\n' + rows + "\n]}\n"


def build():
    """Every file this script writes: path -> bytes."""
    train, held_out, train_labels, labels = split()
    candidates = {
        "digits-v1": (linear(train[:120], train_labels[:120]), None),
        "digits-v2": (network(train, train_labels, hidden=32, epochs=40), None),
        "digits-v3a": (network(train[:287], train_labels[:287], hidden=32, epochs=20), None),
        "digits-v3b": (network(train, train_labels, hidden=96, epochs=60), [0.9, 1.1, 1.0, 1.0, 0.9, 1.0, 0.9, 1.0]),
    }
    files, metrics = {}, {}
    for name, ((estimator, layers), temperatures) in candidates.items():
        model = graph(name, layers, temperatures)
        metrics[name] = measure(estimator, model, held_out, labels)
        files[f"models/{name}.onnx"] = model.SerializeToString(deterministic=True)
    files["heldout.json"] = one_line_per_row(held_out, labels).encode()
    files["metrics.json"] = (json.dumps(metrics, indent=2) + "\n").encode()
    return files, metrics


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file differs")
    check = parser.parse_args().check
    files, metrics = build()
    differing = []
    for name, content in files.items():
        path = HERE / name
        same = path.is_file() and path.read_bytes() == content
        if check:
            differing += [] if same else [name]
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        print(f"{name:24} {len(content):7} bytes{'' if same else '  differs' if check else '  written'}")
    for name, row in metrics.items():
        print(f"{name:12} " + "  ".join(f"{k}={v:.4f}" for k, v in row.items()))
    if differing:
        sys.exit(f"these files are not what train.py makes: {', '.join(differing)}")


if __name__ == "__main__":
    main()
