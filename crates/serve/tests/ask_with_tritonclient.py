"""Asks a model server what NVIDIA's own client asks: health, metadata, and inference in JSON and in binary.

    python ask_with_tritonclient.py HOST:PORT     (a server of the `add` and, as variant `text`, the `identity_string` model)
"""

import sys

import numpy
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1])

assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready("shop")
assert client.is_model_ready("shop", "1")
assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
metadata = client.get_model_metadata("shop")
assert metadata["inputs"][0] == {"name": "a", "datatype": "FP32", "shape": [-1, 2]}, metadata

a = numpy.array([[1, 2], [3, 4]], dtype=numpy.float32)
b = numpy.array([[10, 20], [30, 40]], dtype=numpy.float32)
for binary_in in (False, True):
    for binary_out in (False, True):
        inputs = [http.InferInput(name, [2, 2], "FP32") for name in ("a", "b")]
        for tensor, data in zip(inputs, (a, b)):
            tensor.set_data_from_numpy(data, binary_data=binary_in)
        outputs = [http.InferRequestedOutput(name, binary_data=binary_out) for name in ("sum", "product")]
        result = client.infer("shop", inputs, outputs=outputs, request_id="7")
        assert result.get_response()["id"] == "7"
        numpy.testing.assert_array_equal(result.as_numpy("sum"), a + b)
        numpy.testing.assert_array_equal(result.as_numpy("product"), a * b)
        # Without a list of outputs the client asks for all of them in binary.
        everything = client.infer("shop", inputs)
        numpy.testing.assert_array_equal(everything.as_numpy("product"), a * b)

words = numpy.array(["one", "zwölf", ""], dtype=object)
for binary in (False, True):
    tensor = http.InferInput("x", [3], "BYTES")
    tensor.set_data_from_numpy(words, binary_data=binary)
    answer = client.infer("text", [tensor]).as_numpy("y")
    assert [w.decode() for w in answer] == list(words), answer

try:
    wrong = http.InferInput("a", [1, 3], "FP32")
    wrong.set_data_from_numpy(numpy.zeros((1, 3), dtype=numpy.float32))
    client.infer("shop", [wrong])
    raise SystemExit("a wrong shape was accepted")
except InferenceServerException as error:
    assert "does not fit the model's [-1, 2]" in str(error), error

print("tritonclient: ok")
