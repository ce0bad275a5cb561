"""Starts Toxiproxy, with its API on a free port."""

import sys

import listening

binary = sys.argv[1]
listening.run(lambda port: [binary, "-host", "127.0.0.1", "-port", str(port)], {"LOG_LEVEL": "error"})
