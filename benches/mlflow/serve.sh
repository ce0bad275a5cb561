#!/bin/sh
# Serves an ONNX file with MLflow, in a virtual environment that it makes when it is missing or its pins changed.
# usage: serve.sh VENV_DIRECTORY MODEL.onnx PORT
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
venv=$1 model=$2 port=$3

"$here/../venv.sh" "$venv" "$here/requirements.txt" "MLflow (about 950 MB)"

export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true PATH="$venv/bin:$PATH"
saved=$venv/digits
rm -rf "$saved"
python "$here/save_model.py" "$model" "$saved" >&2
exec mlflow models serve --model-uri "$saved" --env-manager local --host 127.0.0.1 --port "$port"
