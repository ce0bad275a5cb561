#!/bin/sh
# Runs Python in a virtual environment with the AWS command line and its libraries, made when it is missing or its pins changed.
# usage: python.sh VENV_DIRECTORY ARGUMENT...
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
venv=$1
shift

if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    echo "installing the AWS command line into $venv" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
exec "$venv/bin/python" "$@"
