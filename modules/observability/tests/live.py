"""A bench for tests: real model servers under load, and a real Prometheus that watches them with the rules of examples/complete."""

import contextlib
import hashlib
import http.client
import json
import os
import queue
import random
import re
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "complete"
# scripts/test-modules says where these are.
PROMETHEUS = os.environ.get("PROMETHEUS", "")
MLOPS = os.environ.get("MLOPS", "")
CHECKOUT = Path(os.environ["CHECKOUT"])
PATIENCE = 60
MODEL = CHECKOUT / "crates/serve/tests/models/add.onnx"
COLUMNS = ["a[0]", "a[1]", "b[0]", "b[1]"]
# A request carries as many rows as that.
BATCH = 20


def row(random, moved=0):
    """One row, as those that the model's reference is made of; or with its first value moved away from them."""
    return [random.gauss(moved, 1), random.uniform(0, 10), random.choice([1, 2, 5]), random.expovariate(1)]


def request_of(rows):
    """What the model is asked about them."""
    return {
        "inputs": [
            {"name": name, "datatype": "FP32", "shape": [len(rows), 2], "data": [value for row in rows for value in row[first : first + 2]]}
            for name, first in [("a", 0), ("b", 2)]
        ]
    }


def missing():
    """What cannot be had here, or nothing."""
    for program, why in [(PROMETHEUS, "prometheus cannot be had here (it is built with Go)"), (MLOPS, "mlops is not built")]:
        if not os.access(program, os.X_OK):
            return why
    return None


def named(path):
    """A file as the server is told of it."""
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


class Admin(http.client.HTTPConnection):
    """The admin side of a server, on its socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))

    def ask(self, method, path, body=None):
        self.request(method, path, json.dumps(body) if body is not None else None)
        answer = self.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {said!r}")
        return json.loads(said)


class Bench(contextlib.ExitStack):
    """Ends what it started."""

    def __enter__(self):
        super().__enter__()
        self.work = Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.outputs = self.apply()
        self.reference = self.refer()
        return self

    def refer(self):
        """The model's reference, of rows that were drawn as a steady load is."""
        seen = random.Random(1)
        table = [COLUMNS] + [row(seen) for _ in range(5000)]
        (self.work / "rows.csv").write_text("\n".join(",".join(map(str, cells)) for cells in table))
        subprocess.run([MLOPS, "reference", "--model", MODEL, "--rows", "rows.csv", "--out", "reference.json"], cwd=self.work, check=True, capture_output=True)
        return self.work / "reference.json"

    def spec(self, variant, version):
        """What the server is told of a version: all of them are the same model."""
        model = named(MODEL)
        return {"variant": variant, "model": "add", "version": version, "digest": f"sha256:{model['sha256']}", "file": model, "reference": named(self.reference)}

    def apply(self):
        """The rules and dashboards of the example."""
        state = f"-state={self.work}/state"
        terraform = os.environ["TF"]
        subprocess.run([terraform, "apply", "-auto-approve", "-input=false", "-no-color", "-lock=false", state], cwd=EXAMPLE, check=True, capture_output=True)
        said = subprocess.run([terraform, "output", "-json", state], cwd=EXAMPLE, check=True, capture_output=True, text=True).stdout
        return {name: output["value"] for name, output in json.loads(said).items()}

    def start(self, *command):
        """A program, and a queue of the lines that it writes to standard error."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.work)
        lines = queue.Queue()

        def pump():
            for line in process.stderr:
                lines.put(line)
            lines.put("")

        thread = threading.Thread(target=pump)
        thread.start()

        def stop():
            process.kill()
            process.wait()
            thread.join()
            process.stderr.close()

        self.callback(stop)
        return lines

    def line(self, lines, pattern):
        """The first group of the first line that the pattern matches."""
        seen, until = [], time.monotonic() + PATIENCE
        while line := lines.get(timeout=max(0, until - time.monotonic())):
            seen.append(line)
            if found := re.search(pattern, line):
                return found.group(1)
        raise AssertionError(f"ended without {pattern}:\n{''.join(seen)}")

    def serve(self, endpoint, variants, weights):
        """A model server with these revisions, named VARIANT-VERSION; its address, and its admin side."""
        revisions = [name for shares in weights.values() for name in shares]
        configuration = {
            "endpoint": endpoint,
            "listen": "127.0.0.1:0",
            "admin_socket": str(self.work / f"{endpoint}.sock"),
            "nonce": "bench",
            "variants": {"variants": variants},
            "weights": weights,
            "preload": [{"revision": name, "spec": self.spec(*self.parts(name))} for name in revisions],
        }
        (self.work / f"{endpoint}.json").write_text(json.dumps(configuration))
        lines = self.start(MLOPS, "serve", "--foreground", "--config", f"{endpoint}.json")
        return self.line(lines, r'"address":"([^"]+)"'), Admin(configuration["admin_socket"])

    @staticmethod
    def parts(revision):
        variant, version = revision.rsplit("-", 1)
        return variant, int(version)

    def load(self, server, endpoint, pause=lambda: 0.005, refused=5, moved=lambda: 0):
        """Requests until the end; each of so many is one that is refused. How far the first value of their rows has moved may change."""
        end = threading.Event()
        asked = random.Random(2)

        def send():
            number = 0
            while not end.is_set():
                number += 1
                rows = [row(asked, moved()) for _ in range(BATCH)]
                body = json.dumps(request_of(rows) if number % refused else {"inputs": []}).encode()
                request = urllib.request.Request(f"http://{server}/v2/models/{endpoint}/infer", data=body)
                try:
                    urllib.request.urlopen(request, timeout=PATIENCE).read()
                except urllib.error.HTTPError as answer:
                    answer.close()
                end.wait(pause())

        thread = threading.Thread(target=send)
        thread.start()
        self.callback(thread.join)
        self.callback(end.set)

    def watch(self, servers, interval):
        """A Prometheus with the example's rules, which scrapes as the example's collector does, but these servers and more often than anybody would."""
        (self.work / "rules.yml").write_text(re.sub(r'"interval": "\w+"', f'"interval": "{interval}"', self.outputs["rules"]["groups"]))
        collector = json.loads(self.outputs["collectors"]["fraud"]["container"]["environment"][0]["value"])
        scraping = collector["receivers"]["prometheus"]["config"]
        [job] = scraping["scrape_configs"]
        if job["static_configs"] != [{"targets": ["127.0.0.1:8080"]}]:
            raise AssertionError(f"the collector scrapes {job['static_configs']}")
        job["static_configs"] = [{"targets": servers}]
        scraping["global"] = {"scrape_interval": interval, "scrape_timeout": interval}
        (self.work / "prometheus.yml").write_text(json.dumps({**scraping, "rule_files": ["rules.yml"]}))
        lines = self.start(PROMETHEUS, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0")
        self.prometheus = self.line(lines, r"[Ll]istening on.* address=(127[0-9.:]+)")

    def ask(self, path, **parameters):
        with urllib.request.urlopen(f"http://{self.prometheus}{path}?{urllib.parse.urlencode(parameters)}", timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def dashboards(self):
        return {name: json.loads(body) for name, body in self.outputs["dashboards"].items()}


def of_prometheus(panel):
    """The panel's queries that a Prometheus answers; none where it asks CloudWatch."""
    return [target for target in panel["targets"] if "expr" in target]


def query(target, interval):
    """As Grafana asks it of the endpoint fraud."""
    return target["expr"].replace("$__rate_interval", interval).replace("$endpoint", "fraud")
