"""Starts versitygw with a directory of its own."""

import os
import shutil
import sys
import tempfile

import listening


def main():
    binary = sys.argv[1]
    # Objects carry their metadata in extended attributes, which a directory in memory may not have.
    home = tempfile.mkdtemp(prefix="versitygw-")
    data, versions = os.path.join(home, "data"), os.path.join(home, "versions")

    def command(port):
        serve = [binary, "--port", f"127.0.0.1:{port}", "--region", "eu-west-1", "--keep-alive", "--quiet"]
        return [*serve, "posix", "--versioning-dir", versions, data]

    try:
        os.makedirs(data)
        os.makedirs(versions)
        listening.run(command, {"ROOT_ACCESS_KEY": "AKIDEXAMPLE", "ROOT_SECRET_KEY": "secret"})
    finally:
        shutil.rmtree(home, ignore_errors=True)


main()
