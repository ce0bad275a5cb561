#!/bin/sh
# Makes a virtual environment for Python when it is missing or its pins changed.
# usage: venv.sh VENV_DIRECTORY REQUIREMENTS WHAT_IT_IS_FOR
set -eu
venv=$1 requirements=$2 what=$3

if ! cmp -s "$requirements" "$venv/installed.txt"; then
    echo "installing $what into $venv" >&2
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
    cp "$requirements" "$venv/installed.txt"
fi
