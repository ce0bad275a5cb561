"""A real Prometheus, with the module's rules, scrapes a real model server under load: each query of each panel returns numbers."""

import hashlib
import json
import math
import os
import queue
import re
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "complete"
# scripts/test-modules says where these are.
PROMETHEUS = os.environ.get("PROMETHEUS", "")
MLOPS = os.environ.get("MLOPS", "")
CHECKOUT = Path(os.environ["CHECKOUT"])
PATIENCE = 60
REQUEST = {
    "inputs": [
        {"name": "a", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]},
        {"name": "b", "datatype": "FP32", "shape": [2, 2], "data": [10, 20, 30, 40]},
    ]
}


def configuration(model):
    """One variant answers with two versions, as in the middle of a rollout; another gets a copy of each request."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()

    def revision(variant, version):
        spec = {"variant": variant, "model": "add", "version": version, "digest": f"sha256:{digest}", "file": {"path": str(model), "sha256": digest}}
        return {"revision": f"{variant}-{version}", "spec": spec}

    return {
        "endpoint": "fraud",
        "listen": "127.0.0.1:0",
        "nonce": "panels",
        "variants": {"variants": {"main": {"traffic": 10000}, "next": {"traffic": 0, "shadow": 10000}}},
        "weights": {"main": {"main-1": 8000, "main-3": 2000}, "next": {"next-2": 10000}},
        "preload": [revision("main", 1), revision("main", 3), revision("next", 2)],
    }


class Panels(unittest.TestCase):
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

        self.addCleanup(stop)
        return lines

    def line(self, lines, pattern):
        """The first group of the first line that the pattern matches."""
        seen, until = [], time.monotonic() + PATIENCE
        while line := lines.get(timeout=max(0, until - time.monotonic())):
            seen.append(line)
            if found := re.search(pattern, line):
                return found.group(1)
        raise AssertionError(f"ended without {pattern}:\n{''.join(seen)}")

    def ask(self, path, **parameters):
        with urllib.request.urlopen(f"http://{self.prometheus}{path}?{urllib.parse.urlencode(parameters)}", timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def load(self, server):
        """Requests until the end of the test; every fifth is one that is refused."""
        end = threading.Event()

        def send():
            number = 0
            while not end.is_set():
                number += 1
                body = json.dumps(REQUEST if number % 5 else {"inputs": []}).encode()
                request = urllib.request.Request(f"http://{server}/v2/models/fraud/infer", data=body)
                try:
                    urllib.request.urlopen(request, timeout=PATIENCE).read()
                except urllib.error.HTTPError as refused:
                    refused.close()
                end.wait(0.005)

        thread = threading.Thread(target=send)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(end.set)

    def apply(self):
        """The rules and dashboards of the example."""
        state = f"-state={self.work}/state"
        terraform = os.environ["TF"]
        subprocess.run([terraform, "apply", "-auto-approve", "-input=false", "-no-color", "-lock=false", state], cwd=EXAMPLE, check=True, capture_output=True)
        said = subprocess.run([terraform, "output", "-json", state], cwd=EXAMPLE, check=True, capture_output=True, text=True).stdout
        return {name: output["value"] for name, output in json.loads(said).items()}

    def test_every_panel_has_data(self):
        for program, origin in [(PROMETHEUS, "prometheus cannot be had here (it is built with Go)"), (MLOPS, "mlops is not built")]:
            if not os.access(program, os.X_OK):
                print(f"\nSKIP observability_every_panel_has_data: {origin}", flush=True)
                return
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.work = Path(temporary.name)
        outputs = self.apply()

        (self.work / "server.json").write_text(json.dumps(configuration(CHECKOUT / "crates/serve/tests/models/add.onnx")))
        lines = self.start(MLOPS, "serve", "--foreground", "--config", "server.json")
        server = self.line(lines, r'"address":"([^"]+)"')
        self.load(server)

        # The same rules, and what the collector scrapes, more often than anybody would.
        (self.work / "rules.yml").write_text(outputs["rules"]["groups"].replace('"interval": "30s"', '"interval": "500ms"'))
        collector = json.loads(outputs["collectors"]["fraud"]["container"]["environment"][0]["value"])
        scraping = collector["receivers"]["prometheus"]["config"]
        self.assertEqual(scraping["scrape_configs"][0]["static_configs"], [{"targets": ["127.0.0.1:8080"]}])
        scraping["scrape_configs"][0]["static_configs"] = [{"targets": [server]}]
        scraping["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms"}
        (self.work / "prometheus.yml").write_text(json.dumps({**scraping, "rule_files": ["rules.yml"]}))
        lines = self.start(PROMETHEUS, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:0")
        self.prometheus = self.line(lines, r'[Ll]istening on.* address=(127[0-9.:]+)')

        panels = [(dashboard, panel["title"], target) for dashboard in map(json.loads, outputs["dashboards"].values()) for panel in dashboard["panels"] for target in panel["targets"] if "expr" in target]
        # CloudWatch cannot be had: metrics of AWS are left to the schema (dashboards_test.py).
        self.assertEqual({dashboard["title"] for dashboard, _, _ in panels}, {f"serving-prod: {name}" for name in ("cost", "endpoint", "fleet", "fraud", "rollout")})
        self.assertGreater(len(panels), 30)
        for dashboard, title, target in panels:
            with self.subTest(dashboard=dashboard["title"], panel=title, legend=target["legendFormat"]):
                self.assert_numbers(target["expr"].replace("$__rate_interval", "5s").replace("$endpoint", "fraud"), target["legendFormat"])
        self.assertEqual(self.ask("/api/v1/label/endpoint/values", **{"match[]": "mlops_requests_in_flight"}), ["fraud"])
        rules = [rule for group in self.ask("/api/v1/rules")["groups"] for rule in group["rules"]]
        self.assertEqual([rule["lastError"] for rule in rules if rule["health"] == "err"], [])

    def assert_numbers(self, query, legend):
        """The query returns a number, with the labels that its legend names."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                found = self.ask("/api/v1/query", query=query)["result"]
            except (ConnectionError, urllib.error.URLError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code == 400:
                    raise
                found = []  # not up yet
            if any(math.isfinite(float(series["value"][1])) for series in found):
                break
            self.assertLess(time.monotonic(), until, f"{query} returns no number: {found}")
            time.sleep(0.2)
        for label in re.findall(r"{{(\w+)}}", legend):
            self.assertTrue(all(series["metric"].get(label) for series in found), f"{query} has no label {label}: {found}")


if __name__ == "__main__":
    unittest.main()
