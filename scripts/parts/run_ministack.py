"""Starts ministack on this machine only, on a port that the system gives, tells which, and ends with its standard input."""

import asyncio
import os
import socket
import sys
import threading


def end_with_input():
    while os.read(0, 4096):
        pass


def listen(address="127.0.0.1", port=0):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    return listener


def settle(port):
    """Tells ministack where it is, which it reads when it is imported."""
    os.environ.update(GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", IOT_MTLS_ENABLED="0", LOG_LEVEL="ERROR")


def configuration(*listeners):
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.fileno()}" for listener in listeners]
    config.loglevel = "ERROR"
    config.keep_alive_timeout = 75
    return config


async def serve(*listeners):
    """Serves ministack until it is cancelled, and says so once it answers."""
    from hypercorn.asyncio import serve
    from ministack.app import app

    port = listeners[0].getsockname()[1]
    task = asyncio.create_task(serve(app, configuration(*listeners)))
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.02)
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await task


def main():
    listener = listen()
    settle(listener.getsockname()[1])

    def end():
        end_with_input()
        os._exit(0)

    threading.Thread(target=end, daemon=True).start()
    asyncio.run(serve(listener))


if __name__ == "__main__":
    sys.exit(main())
