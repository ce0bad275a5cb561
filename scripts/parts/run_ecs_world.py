"""Starts a world in which ECS runs real containers: a dockerd of its own, and ministack on it, patched by what lies in `ecs`.

Says as JSON where everything is, then `listening on 127.0.0.1:PORT`, where the API of AWS is; ends with its standard input, and leaves nothing.

    endpoint    the API, as this machine reaches it
    containers  the API, as containers reach it (their AWS_ENDPOINT_URL), and the registry of images (ECR) without its scheme
    docker      the socket of dockerd

A load balancer's DNS name is an address of this machine, on which its listeners listen, so that their URLs work from here and from containers.
"""

import asyncio
import concurrent.futures
import ctypes
import json
import os
import signal
import socket
import sys
import tempfile
import threading

import run_ministack
from run_dockerd import CannotRun, Dockerd, call

# Where tasks of ECS find the credentials of their role.
CREDENTIALS = "169.254.170.2"
CLONE_NEWNET = 0x40000000


class Addresses:
    """Addresses of the host on dockerd's link, one for each load balancer."""

    def __init__(self, dockerd):
        self.dockerd = dockerd
        self.free = [dockerd.address(last) for last in range(120, 9, -1)]

    def take(self):
        address = self.free.pop()
        call("ip", "address", "add", f"{address}/32", "dev", self.dockerd.device)
        return address

    def give_back(self, address):
        call("ip", "address", "delete", f"{address}/32", "dev", self.dockerd.device)
        self.free.append(address)


def listen_within(dockerd, address, port):
    """A listener on an address of dockerd's namespace. A socket stays in the namespace in which it was made, whoever holds it."""
    pid = dockerd.process.pid
    call("nsenter", "--target", str(pid), "--net", "ip", "address", "add", f"{address}/32", "dev", "lo")
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/proc/{pid}/ns/net") as namespace:
                if libc.setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            listener = run_ministack.listen(address, port)
            socket.send_fds(theirs, [b"."], [listener.fileno()])
        except OSError as error:
            print(f"{address}: {error}", file=sys.stderr)
        finally:
            os._exit(0)
    theirs.close()
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(child, 0)
    if not descriptors:
        raise CannotRun(f"nobody listens on {address} in dockerd's namespace")
    return socket.socket(fileno=descriptors[0])


async def serve_door(app, address, port):
    """Serves an application on one port; returns what ends that."""
    from hypercorn.asyncio import serve

    listener, ended = run_ministack.listen(address, port), asyncio.Event()
    config = run_ministack.configuration(listener)
    config.graceful_timeout = 0.2
    listener.listen(128)
    task = asyncio.create_task(serve(app, config, shutdown_trigger=ended.wait))
    listener.detach()

    async def end():
        ended.set()
        await task

    return end


def both(host):
    """Two listeners on one port: this machine's own, and the one that containers reach."""
    while True:
        inner = run_ministack.listen()
        try:
            return inner, run_ministack.listen(host, inner.getsockname()[1])
        except OSError:
            inner.close()


async def run(dockerd):
    # A request that is passed on holds a thread while it waits.
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(64))
    inner, outer = both(dockerd.host)
    port = inner.getsockname()[1]
    os.environ.pop("HOSTNAME", None)  # ministack takes it for a container of its own
    os.environ.update(DOCKER_HOST=f"unix://{dockerd.socket}", MINISTACK_DOCKER_TIMEOUT="120")
    run_ministack.settle(port)
    from ecs import account, balancing, certificates, health, images, machines, quotas, scaling, services

    checks = health.Checks(balancing.users)
    balancing.install(checks.routable)
    services.install(f"http://{dockerd.host}:{port}", balancing.users, checks)
    account.install()
    certificates.install()
    quotas.install()
    machines.install()
    scaling.install(balancing.users)
    images.install(f"http://127.0.0.1:{port}")
    balancing.Doors(Addresses(dockerd), serve_door).install()
    checks.install()

    where = {
        "endpoint": f"http://127.0.0.1:{port}",
        "containers": f"http://{dockerd.host}:{port}",
        "docker": f"unix://{dockerd.socket}",
    }
    print(json.dumps(where), flush=True)
    await run_ministack.serve(inner, outer, listen_within(dockerd, CREDENTIALS, 80))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="mlops-ecs-", ignore_cleanup_errors=True) as directory:
        try:
            dockerd = Dockerd(directory)
        except CannotRun as error:
            print(f"missing: a machine on which dockerd runs: {error}", file=sys.stderr)
            print("to do:   run as the superuser on Linux (Debian, Ubuntu: apt-get install docker.io)", file=sys.stderr)
            sys.exit(3)
        try:
            # ministack has threads that nothing ends, so it is a process of its own to us: it goes when the input does, and we tidy up.
            child = os.fork()
            if child == 0:
                libc = ctypes.CDLL(None)
                libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
                asyncio.run(run(dockerd))
                os._exit(1)

            def watch():
                os.waitpid(child, 0)
                os.kill(os.getpid(), signal.SIGTERM)

            threading.Thread(target=watch, daemon=True).start()
            run_ministack.end_with_input()
            os.kill(child, signal.SIGKILL)
        finally:
            dockerd.stop()


if __name__ == "__main__":
    main()
