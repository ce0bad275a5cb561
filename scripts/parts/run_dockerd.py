"""Starts a dockerd of its own, which shares nothing with another one on this machine, tells how to reach it, and ends with its standard input.

Needs the superuser. dockerd lives in mount, process and network namespaces of its own, so its containers, shims, mounts, bridge and sysctls end
with it, whatever ends us: the kernel takes a namespace away when its first process is killed. What namespaces do not hold is its directory and its
control groups. They are removed at the end; what a SIGKILL left of them is a directory of the caller's and empty groups, which the next start removes.

    host                          198.18.N.1   (and .10 to .120, for whoever needs addresses: a load balancer)
      | veth mlopsN/uplink
    dockerd's namespace           198.18.N.2   routes, so packets need no translation, and nobody needs iptables
      | docker0                   198.18.N.129
    containers                    198.18.N.130 to .254

The host reaches containers, and containers reach the host, by these addresses. 198.18.0.0/15 is set apart for tests of networks (RFC 2544), so that
no machine routes it; who makes the link mlopsN has N.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 60  # seconds until it answers, on a machine that is busy
LOG = "dockerd.log"


class CannotRun(Exception):
    """This machine does not let dockerd run."""


class Unix(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(*command):
    """Runs a command; its message as an error if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Dockerd:
    """A running dockerd."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.socket = self.directory / "docker.sock"
        self.process = None
        self.number = None
        if os.geteuid():
            raise CannotRun("it needs the superuser")
        for tool in ("dockerd", "containerd", "runc", "ip", "unshare", "setpriv", "nsenter"):
            if not any(os.access(Path(folder) / tool, os.X_OK) for folder in os.get_exec_path()):
                raise CannotRun(f"there is no {tool}")
        try:
            self.enclose()
            self.link()
            self.begin()
        except BaseException:
            self.stop()
            raise

    @property
    def host(self):
        """The host's address, as containers reach it."""
        return self.address(1)

    @property
    def device(self):
        """The host's end of the link."""
        return f"mlops{self.number}"

    def address(self, last):
        return f"198.18.{self.number}.{last}"

    def enclose(self):
        """Makes the namespaces. Their first process waits for a line and becomes dockerd then."""
        inside = "ip link set lo up && echo inside && read go && echo 1 >/proc/sys/net/ipv4/ip_forward && mount -t tmpfs none /run && exec \"$@\""
        command = [
            "dockerd",
            "--data-root", str(self.directory / "data"),
            "--exec-root", str(self.directory / "exec"),
            "--pidfile", str(self.directory / "pid"),
            "--host", f"unix://{self.socket}",
            # Packets are routed, so there is nothing to translate or to filter; and iptables may be missing, or its kernel part.
            "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--userland-proxy=false",
            # Our own namespace forwards already; the default would be refused where /proc/sys is read-only.
            "--ip-forward=false",
        ]  # fmt: skip
        # The storage driver is dockerd's own choice: overlay2 on most file systems, vfs where there is nothing else (within a container).
        wrapper = ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", "--mount-proc"]
        self.log = open(self.directory / LOG, "w+b")
        # The last arguments need the number, which the link decides: the shell gets them as one line.
        self.process = subprocess.Popen(
            [*wrapper, "sh", "-c", inside.replace('"$@"', '"$@" $go'), "sh", *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )  # fmt: skip
        if self.process.stdout.readline() != b"inside\n":
            self.process.wait()
            raise CannotRun(f"no namespaces: {self.said()}")

    def link(self):
        """Joins the namespace with the host by a link, whose name is the lease of its number."""
        inside = str(self.process.pid)
        for number in range(1, 255):
            made = subprocess.run(
                ["ip", "link", "add", f"mlops{number}", "type", "veth", "peer", "name", "uplink", "netns", inside], capture_output=True, text=True
            )
            if made.returncode == 0:
                self.number = number
                break
            if "exists" not in made.stderr:
                raise CannotRun(f"no link to its namespace: {made.stderr.strip()}")
        else:
            raise CannotRun("all its 254 networks are taken")
        enter = ("nsenter", "--target", inside, "--net")
        call("ip", "address", "add", f"{self.host}/25", "dev", self.device)
        call("ip", "link", "set", self.device, "up")
        call(*enter, "ip", "address", "add", f"{self.address(2)}/25", "dev", "uplink")
        call(*enter, "ip", "link", "set", "uplink", "up")
        call(*enter, "ip", "route", "add", "default", "via", self.host)
        call("ip", "route", "add", f"{self.address(128)}/25", "via", self.address(2))

    def begin(self):
        """Lets dockerd go, and waits until it answers."""
        self.remove_groups()
        last = [
            f"--bip={self.address(129)}/25",
            # What host.docker.internal is in containers.
            f"--host-gateway-ip={self.host}",
            f"--cgroup-parent=/{self.device}",
            # A registry that stands in for ECR speaks plain HTTP, and lies on the host.
            "--insecure-registry=198.18.0.0/15",
        ]
        self.process.stdin.write((" ".join(last) + "\n").encode())
        self.process.stdin.close()
        end = time.monotonic() + LIMIT
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise CannotRun(f"dockerd does not run here: {self.said()}")
            time.sleep(0.05)

    def answers(self):
        try:
            return self.ask("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def ask(self, method, path, body=None, headers=None):
        """A call of dockerd's API: status, and body."""
        connection = Unix(self.socket, timeout=600)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def said(self):
        """The end of what it said."""
        self.log.flush()
        text = (self.directory / LOG).read_text(errors="replace")
        failed = [line for line in text.splitlines() if "level=info" not in line and "level=warn" not in line]
        return " | ".join(failed[-3:]) or "it said nothing"

    def groups(self):
        root = Path("/sys/fs/cgroup")
        for path in [root / self.device, *root.glob(f"*/{self.device}")]:
            if path.is_dir():
                yield path

    def remove_groups(self):
        for group in self.groups():
            for path, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:
                    pass  # not empty: the kernel still takes a process away

    def stop(self):
        """Ends it and all that it started; what it wrote stays, in its directory."""
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.number is not None:
            # The link goes with its namespace, a little later: let the number be free when we are done.
            subprocess.run(["ip", "link", "delete", self.device], capture_output=True)
            end = time.monotonic() + 10
            while any(self.groups()) and time.monotonic() < end:
                self.remove_groups()
                time.sleep(0.02)


def main():
    # Ended by a signal, we tidy up as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="mlops-dockerd-") as own:
        directory = sys.argv[1] if len(sys.argv) > 1 else own
        try:
            dockerd = Dockerd(directory)
        except CannotRun as error:
            print(f"missing: a machine on which dockerd runs: {error}", file=sys.stderr)
            print("to do:   run as the superuser on Linux, with dockerd on the PATH", file=sys.stderr)
            sys.exit(3)
        try:
            print(json.dumps({"docker": f"unix://{dockerd.socket}", "host": dockerd.host}), flush=True)
            print(f"listening on unix://{dockerd.socket}", flush=True)
            while os.read(0, 4096):
                pass
        finally:
            dockerd.stop()


if __name__ == "__main__":
    main()
