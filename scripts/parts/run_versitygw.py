"""Starts versitygw on this machine only, with a directory of its own, on a free port; tells which, and ends with its standard input."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def start(binary, home, port):
    """The server once it answers, or None if it ended: somebody else may have taken the port."""
    data, versions = os.path.join(home, "data"), os.path.join(home, "versions")
    os.makedirs(data, exist_ok=True)
    os.makedirs(versions, exist_ok=True)
    command = [binary, "--port", f"127.0.0.1:{port}", "--region", "eu-west-1", "--keep-alive", "--quiet"]
    command += ["posix", "--versioning-dir", versions, data]
    keys = {"ROOT_ACCESS_KEY": "AKIDEXAMPLE", "ROOT_SECRET_KEY": "secret"}
    server = subprocess.Popen(command, env={**os.environ, **keys}, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    while server.poll() is None:
        if answers(port):
            return server
        time.sleep(0.02)
    return None


def main():
    binary = sys.argv[1]
    # Objects carry their metadata in extended attributes, which a directory in memory may not have.
    home = tempfile.mkdtemp(prefix="versitygw-")
    server = None
    try:
        for _ in range(5):
            port = free_port()
            server = start(binary, home, port)
            if server:
                break
        else:
            sys.exit(f"{binary} does not start")
        print(f"listening on 127.0.0.1:{port}", flush=True)
        while os.read(0, 4096):
            pass
    finally:
        if server:
            server.kill()
            server.wait()
        shutil.rmtree(home, ignore_errors=True)


main()
