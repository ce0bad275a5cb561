"""The rules of examples/complete, applied on the stub, evaluated by the real promtool over series of the model server (rules.promtool.yml)."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "complete"
PROMTOOL = os.environ.get("PROMTOOL", "")
CHECKOUT = Path(os.environ["CHECKOUT"])

# What crates/serve tells at /metrics.
FAMILIES = {
    "mlops_requests_total",
    "mlops_request_errors_total",
    "mlops_requests_refused_total",
    "mlops_request_duration_seconds_bucket",
    "mlops_request_duration_seconds_count",
    "mlops_request_duration_seconds_sum",
    "mlops_requests_in_flight",
    "mlops_feature_values_total",
    "mlops_feature_reference_ratio",
}


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        raise AssertionError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Rules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.work = Path(cls.temporary.name)
        state = f"-state={cls.work}/state"
        terraform = os.environ["TF"]  # scripts/test-modules says which
        run(terraform, "apply", "-auto-approve", "-input=false", "-no-color", "-lock=false", state, cwd=EXAMPLE)
        outputs = json.loads(run(terraform, "output", "-json", state, cwd=EXAMPLE))
        cls.rules = outputs["rules"]["value"]["groups"]
        cls.dashboards = {name: json.loads(body) for name, body in outputs["dashboards"]["value"].items()}
        cls.scraper = json.loads(outputs["scrapers"]["value"]["cluster"]["config"])
        (cls.work / "rules.yml").write_text(cls.rules)

    def promtool(self, name, *arguments):
        if not os.access(PROMTOOL, os.X_OK):
            print(f"\nSKIP {name}: promtool cannot be had here (it is built with Go)", flush=True)
            return None
        return run(PROMTOOL, *arguments, cwd=self.work)

    def queries(self):
        return [(dashboard["title"], target["expr"]) for dashboard in self.dashboards.values() for panel in dashboard["panels"] for target in panel["targets"] if "expr" in target]

    def test_promtool_takes_the_rules(self):
        said = self.promtool("observability_promtool_takes_the_rules", "check", "rules", "--lint=all", "--lint-fatal", "rules.yml")
        if said is not None:
            self.assertIn("SUCCESS", said)

    def test_promtool_takes_the_configuration_of_a_scraper(self):
        (self.work / "scraper.yml").write_text(json.dumps(self.scraper))
        said = self.promtool("observability_promtool_takes_the_configuration_of_a_scraper", "check", "config", "--agent", "scraper.yml")
        if said is not None:
            self.assertIn("SUCCESS", said)

    def test_a_scraper_runs_the_version_that_is_tried_here(self):
        [minor, patch] = re.search(r"^PROMETHEUS_VERSION=0\.3(\d+)\.(\d+)$", (CHECKOUT / "scripts/tools.sh").read_text(), re.MULTILINE).groups()
        variables = (HERE.parent / "variables.tf").read_text()
        self.assertIn(f'"quay.io/prometheus/prometheus:v3.{minor}.{patch}"', variables)

    def test_alerts_fire_when_they_should_and_only_then(self):
        shutil.copy(HERE / "rules.promtool.yml", self.work)
        said = self.promtool("observability_alerts_fire_when_they_should_and_only_then", "test", "rules", "rules.promtool.yml")
        if said is not None:
            self.assertIn("SUCCESS", said)

    def test_every_alert_has_a_series_that_fires_it(self):
        alerts = set(re.findall(r'"alert": "(\w+)"', self.rules))
        text = (HERE / "rules.promtool.yml").read_text()
        firing = {block.split()[0] for block in text.split("alertname: ")[1:] if "exp_labels" in block}
        self.assertEqual(alerts, firing)

    def test_queries_of_panels_are_promql(self):
        groups = [{"name": f"panel {index}", "rules": [{"record": "panel", "expr": expr.replace("$__rate_interval", "5m")}]} for index, (_, expr) in enumerate(self.queries())]
        (self.work / "panels.yml").write_text(json.dumps({"groups": groups}))
        said = self.promtool("observability_queries_of_panels_are_promql", "check", "rules", "--lint=none", "panels.yml")
        if said is not None:
            self.assertIn(f"{len(groups)} rules found", said)

    def test_only_what_the_model_server_tells_is_asked_for(self):
        recorded = set(re.findall(r'"record": "([^"]+)"', self.rules))
        asked = set(re.findall(r"(?<![\w:])mlops_\w+", self.rules + " ".join(expr for _, expr in self.queries())))
        self.assertEqual(asked - FAMILIES, set())
        panels = {name for _, expr in self.queries() for name in re.findall(r"(?:endpoint|feature|bin):\w+:\w+", expr)}
        self.assertEqual(panels - recorded, set())


if __name__ == "__main__":
    unittest.main()
