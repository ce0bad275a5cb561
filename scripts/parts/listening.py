"""Starts a program that listens on this machine only, on a free port; tells which, and ends with its standard input."""

import os
import socket
import subprocess
import sys
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


def start(command, environment, port):
    """The server once it answers, or None if it ended: somebody else may have taken the port."""
    server = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    while server.poll() is None:
        if answers(port):
            return server
        time.sleep(0.02)
    return None


def run(command, environment):
    """Runs `command(port)` with these variables beside our own, until standard input ends."""
    server = None
    try:
        for _ in range(5):
            port = free_port()
            server = start(command(port), environment, port)
            if server:
                break
        else:
            sys.exit(f"{command(0)[0]} does not start")
        print(f"listening on 127.0.0.1:{port}", flush=True)
        while os.read(0, 4096):
            pass
    finally:
        if server:
            server.kill()
            server.wait()
