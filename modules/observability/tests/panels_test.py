"""A real Prometheus, with the module's rules, scrapes a real model server under load: each query of each panel returns numbers."""

import math
import re
import time
import unittest
import urllib.error

import live


class Panels(unittest.TestCase):
    def test_every_panel_has_data(self):
        if why := live.missing():
            print(f"\nSKIP observability_every_panel_has_data: {why}", flush=True)
            return
        with live.Bench() as self.bench:
            self.assert_panels()

    def assert_panels(self):
        # In the middle of a rollout: two versions of one variant. Another variant gets a copy of each request.
        server, _ = self.bench.serve(
            "fraud",
            {"main": {"traffic": 10000}, "next": {"traffic": 0, "shadow": 10000}},
            {"main": {"main-1": 8000, "main-3": 2000}, "next": {"next-2": 10000}},
        )
        self.bench.load(server, "fraud")
        # The same model under a load that its reference does not know.
        other, _ = self.bench.serve("ranking", {"main": {"traffic": 10000}}, {"main": {"main-1": 10000}})
        self.bench.load(other, "ranking", moved=lambda: 2)
        self.bench.watch([server, other], "500ms")

        dashboards = self.bench.dashboards()
        panels = [(dashboard, panel["title"], target) for dashboard in dashboards.values() for panel in dashboard["panels"] for target in live.of_prometheus(panel)]
        self.assertEqual({dashboard["title"] for dashboard, _, _ in panels}, {f"serving-prod: {name}" for name in ("cost", "endpoint", "fleet", "fraud", "rollout")})
        self.assertGreater(len(panels), 30)
        for dashboard, title, target in panels:
            with self.subTest(dashboard=dashboard["title"], panel=title, legend=target["legendFormat"]):
                self.assert_numbers(live.query(target, "5s"), target["legendFormat"])
        self.assertEqual(self.bench.ask("/api/v1/label/endpoint/values", **{"match[]": "mlops_requests_in_flight"}), ["fraud", "ranking"])
        self.assert_drift()
        rules = [rule for group in self.bench.ask("/api/v1/rules")["groups"] for rule in group["rules"]]
        self.assertEqual([rule["lastError"] for rule in rules if rule["health"] == "err"], [])

    def assert_drift(self):
        """What has moved is far from its reference, and what has not is near; nothing is judged before there were rows enough."""
        values = [("input", name) for name in live.COLUMNS] + [("output", "sum[0]"), ("output", "sum[1]")]
        expected = {(endpoint, version, *value) for endpoint, version in [("fraud", "1"), ("fraud", "3"), ("ranking", "1")] for value in values}
        until = time.monotonic() + live.PATIENCE
        while True:
            found = self.bench.ask("/api/v1/query", query="feature:mlops_feature_values:psi")["result"]
            far = {tuple(series["metric"][label] for label in ("endpoint", "version", "side", "feature")): float(series["value"][1]) for series in found}
            if far.keys() == expected:
                break
            self.assertLess(time.monotonic(), until, f"of {sorted(expected)} there is {sorted(far)}")
            time.sleep(0.2)
        moved = {("ranking", "1", "input", "a[0]"), ("ranking", "1", "output", "sum[0]")}
        for value, index in far.items():
            with self.subTest(value=value):
                if value in moved:
                    self.assertGreater(index, 0.2)
                else:
                    self.assertLess(index, 0.1)
        alerts = self.bench.ask("/api/v1/alerts")["alerts"]
        told = {tuple(alert["labels"][label] for label in ("endpoint", "version", "side", "feature")) for alert in alerts if alert["labels"]["alertname"] == "MlopsDrift"}
        self.assertEqual(told, moved)
        rows = self.bench.ask("/api/v1/query", query="min(sum without (bin) (bin:mlops_feature_values:increase1d) and on (endpoint, revision, side, feature) feature:mlops_feature_values:psi)")["result"]
        self.assertGreaterEqual(float(rows[0]["value"][1]), 1000)

    def assert_numbers(self, query, legend):
        """The query returns a number, with the labels that its legend names."""
        until = time.monotonic() + live.PATIENCE
        while True:
            try:
                found = self.bench.ask("/api/v1/query", query=query)["result"]
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
