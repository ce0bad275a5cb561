"""Starts ministack on this machine only, on a port that the system gives, tells which, and ends with its standard input."""

import asyncio
import os
import socket
import sys
import threading


def end_with_input():
    while os.read(0, 4096):
        pass
    os._exit(0)


def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    # Read when the package is imported.
    os.environ.update(
        GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", IOT_MTLS_ENABLED="0", LOG_LEVEL="ERROR"
    )
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.loglevel = "ERROR"
    config.keep_alive_timeout = 75
    threading.Thread(target=end_with_input, daemon=True).start()

    async def run():
        task = asyncio.create_task(serve(app, config))
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.02)
        print(f"listening on 127.0.0.1:{port}", flush=True)
        await task

    asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
