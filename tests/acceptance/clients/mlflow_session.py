"""What people do with MLflow's client, against the registry that it is given.

Every step asserts what came of it. Arguments: the server's URL, a directory that an ONNX model was saved to,
and the model's file.
"""

import pathlib
import sys
import time

import mlflow
import numpy
import onnx
from mlflow.exceptions import MlflowException
from mlflow.models import Model

url, directory, file = sys.argv[1:]
mlflow.set_tracking_uri(url)
mlflow.set_registry_uri(url)
client = mlflow.MlflowClient()


def refused(code, *parts):
    class Refused:
        def __enter__(self):
            return self

        def __exit__(self, kind, error, trace):
            assert kind is not None and issubclass(kind, MlflowException), f"not refused: {kind}"
            assert error.error_code == code, f"{error.error_code}: {error}"
            for part in parts:
                assert part in str(error), f"no {part!r} in {error}"
            return True

    return Refused()


# A model as MLflow itself saves it.
mlflow.onnx.save_model(onnx.load(file), directory, save_as_external_data=False)
source = pathlib.Path(directory).as_uri()

# Models.
made = client.create_registered_model("digits", tags={"team": "vision"}, description="reads digits")
assert (made.name, made.description, made.tags) == ("digits", "reads digits", {"team": "vision"})
with refused("RESOURCE_ALREADY_EXISTS", "digits"):
    client.create_registered_model("digits")
with refused("RESOURCE_DOES_NOT_EXIST", "nothing"):
    client.get_registered_model("nothing")
client.update_registered_model("digits", "reads handwritten digits")
client.set_registered_model_tag("digits", "tier", "gold")
client.delete_registered_model_tag("digits", "team")
found = client.get_registered_model("digits")
assert (found.description, found.tags) == ("reads handwritten digits", {"tier": "gold"})
assert found.creation_timestamp <= found.last_updated_timestamp <= time.time() * 1000
with refused("NOT_IMPLEMENTED", "identity"):
    client.rename_registered_model("digits", "numbers")

# Versions: waits until READY.
one = client.create_model_version("digits", source, run_id="run-1", tags={"k": "v", "mlops.metric.accuracy": "0.91"})
one = client.get_model_version("digits", one.version)
assert (one.version, one.status, one.source, one.run_id) == ("1", "READY", source, "run-1"), one
assert one.tags["k"] == "v"
two = mlflow.register_model(source, "digits", tags={"mlops.metric.accuracy": "0.97"})
assert two.version == "2"
client.update_model_version("digits", "2", "better")
client.set_model_version_tag("digits", "2", "checked", "yes")
client.delete_model_version_tag("digits", "1", "k")
two = client.get_model_version("digits", "2")
assert (two.description, two.tags["checked"], two.current_stage) == ("better", "yes", "None")
assert two.tags["mlops.metric.accuracy"] == "0.97", two.tags
assert "k" not in client.get_model_version("digits", "1").tags
with refused("RESOURCE_DOES_NOT_EXIST", "version=9"):
    client.get_model_version("digits", "9")
with refused("INVALID_PARAMETER_VALUE", "keeps no runs"):
    client.create_model_version("digits", "runs:/0123456789abcdef0123456789abcdef/model")
try:
    client.create_model_version("digits", pathlib.Path(directory, "absent").as_uri())
    raise AssertionError("a source that is not there was registered")
except MlflowException as error:
    assert "FAILED_REGISTRATION" in str(error) and "does not exist" in str(error), error

# Aliases.
client.set_registered_model_alias("digits", "champion", "1")
assert client.get_model_version_by_alias("digits", "champion").version == "1"
client.set_registered_model_alias("digits", "champion", "2")
assert client.get_model_version_by_alias("digits", "champion").aliases == ["champion"]
assert client.get_registered_model("digits").aliases == {"champion": "2"}
client.set_registered_model_alias("digits", "old", "1")
client.delete_registered_model_alias("digits", "old")
with refused("INVALID_PARAMETER_VALUE", "old"):
    client.get_model_version_by_alias("digits", "old")

# Download, verified by the server, and load: by version, by alias, and the latest.
place = pathlib.Path(directory).with_name("downloaded")
place.mkdir()
mlflow.artifacts.download_artifacts("models:/digits/1", dst_path=str(place))
for path in pathlib.Path(directory).rglob("*"):
    if path.is_file():
        copy = place / path.relative_to(directory)
        assert copy.read_bytes() == path.read_bytes(), path
assert Model.load("models:/digits@champion").flavors["onnx"]["data"] == "model.onnx"
loaded = mlflow.onnx.load_model("models:/digits@champion")
assert loaded.SerializeToString() == onnx.load(file).SerializeToString()
name = loaded.graph.input[0].name
width = loaded.graph.input[0].type.tensor_type.shape.dim[1].dim_value
answer = mlflow.pyfunc.load_model("models:/digits/latest").predict({name: numpy.zeros((1, width), numpy.float32)})
assert answer, answer

# Copy to another model.
copy = client.copy_model_version("models:/digits@champion", "digits-eu")
assert (copy.version, copy.source) == ("1", "models:/digits/2"), copy
assert client.get_model_version_download_uri("digits-eu", "1") == client.get_model_version_download_uri("digits", "2")

# Search.
for name in ["churn", "fraud"]:
    client.create_registered_model(name, tags={"kind": "tabular"})
names = lambda **search: [model.name for model in client.search_registered_models(**search)]
assert names() == ["churn", "digits", "digits-eu", "fraud"]
assert names(filter_string="name LIKE 'digits%'", order_by=["name DESC"]) == ["digits-eu", "digits"]
assert names(filter_string="name ILIKE 'DIGITS' AND tags.tier = 'gold'") == ["digits"]
assert names(filter_string="tags.`kind` = 'tabular'") == ["churn", "fraud"]
page = client.search_registered_models(max_results=3)
assert len(page) == 3 and page.token
rest = client.search_registered_models(max_results=3, page_token=page.token)
assert [model.name for model in rest] == ["fraud"] and not rest.token
with refused("INVALID_PARAMETER_VALUE", "size"):
    client.search_registered_models(filter_string="size = 'big'")
versions = lambda **search: [(v.name, v.version) for v in client.search_model_versions(**search)]
ordered = ["version_number ASC"]
assert versions(filter_string="name = 'digits'", order_by=ordered) == [("digits", str(n)) for n in (1, 2, 3)]
assert versions(filter_string="run_id = 'run-1'") == [("digits", "1")]
assert versions(filter_string="tags.checked = 'yes'", order_by=["name"]) == [("digits", "2"), ("digits-eu", "1")]
assert versions(filter_string=f"source_path = '{source}'", order_by=ordered) == [("digits", "1"), ("digits", "2")]
assert client.get_registered_model("digits").latest_versions[0].version == "2"

# Stages, which are aliases here.
staged = client.transition_model_version_stage("digits", "2", "Staging")
assert (staged.current_stage, sorted(staged.aliases)) == ("Staging", ["champion", "staging"])
assert [v.version for v in client.get_latest_versions("digits", ["Staging"])] == ["2"]
archived = client.transition_model_version_stage("digits", "1", "Archived")
assert archived.current_stage == "Archived"
with refused("INVALID_PARAMETER_VALUE", "archived"):
    client.set_registered_model_alias("digits", "champion", "1")

# Delete.
with refused("RESOURCE_CONFLICT", "digits@champion"):
    client.delete_model_version("digits", "2")
client.delete_model_version("digits", "1")
with refused("RESOURCE_DOES_NOT_EXIST", "version=1"):
    client.get_model_version("digits", "1")
client.delete_registered_model("digits")
client.create_registered_model("digits")
assert client.create_model_version("digits", source).version == "4", "numbers outlive their model"
print("done")
