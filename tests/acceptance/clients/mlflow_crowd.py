"""Sixteen clients that register versions of one model at once. Arguments: the server's URL and the model's file."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import mlflow

url, file = sys.argv[1:]
CLIENTS = 16
mlflow.set_tracking_uri(url)
mlflow.set_registry_uri(url)
mlflow.MlflowClient().create_registered_model("crowd")
together = Barrier(CLIENTS)


def register(_):
    client = mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
    together.wait()
    return int(client.create_model_version("crowd", file).version)


with ThreadPoolExecutor(CLIENTS) as pool:
    numbers = sorted(pool.map(register, range(CLIENTS)))
assert numbers == list(range(1, CLIENTS + 1)), numbers
ready = mlflow.MlflowClient().search_model_versions("name = 'crowd'")
assert {version.status for version in ready} == {"READY"} and len(ready) == CLIENTS, ready
print("done")
