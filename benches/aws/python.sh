#!/bin/sh
# Runs Python in a virtual environment with the AWS command line and its libraries, made when it is missing or its pins changed.
# usage: python.sh VENV_DIRECTORY ARGUMENT...
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
venv=$1
shift

"$here/../venv.sh" "$venv" "$here/requirements.txt" "the AWS command line"
exec "$venv/bin/python" "$@"
