"""The dashboards of examples/complete before the types that Grafana generates from its schemas; and whether their pictures are of them."""

import copy
import html
import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "complete"
PICTURES = HERE.parent / "pictures"
GRAFANA_TYPES = os.environ.get("GRAFANA_TYPES", "")


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


class Dashboards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.work = Path(temporary.name)
        state = f"-state={cls.work}/state"
        terraform = os.environ["TF"]  # scripts/test-modules says which
        run(terraform, "apply", "-auto-approve", "-input=false", "-no-color", "-lock=false", state, cwd=EXAMPLE)
        said = json.loads(run(terraform, "output", "-json", state, "dashboards", cwd=EXAMPLE))
        cls.dashboards = {name: json.loads(body) for name, body in said.items()}

    def judge(self, dashboards):
        """What the compiler says against them, in lines."""
        lines = [(HERE / "grafana.ts").read_text()]
        for name, dashboard in dashboards.items():
            kinds = ["PrometheusPanel" if panel["datasource"]["type"] == "prometheus" else "CloudWatchPanel" for panel in dashboard["panels"]]
            lines.append(f"export const {name}: Of<[{', '.join(kinds)}]> = {json.dumps(dashboard)};")
        (self.work / "dashboards.ts").write_text("\n".join(lines))
        modules = self.work / "node_modules"
        if not modules.exists():
            modules.symlink_to(Path(GRAFANA_TYPES) / "node_modules")
        compiler = modules / "typescript" / "lib" / "tsc.js"
        arguments = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--pretty", "false", "dashboards.ts"]
        done = subprocess.run(["node", str(compiler), *arguments], cwd=self.work, capture_output=True, text=True)
        return [line for line in done.stdout.splitlines() if "error" in line] or ([done.stderr] if done.returncode else [])

    def test_grafana_knows_every_attribute_of_every_dashboard(self):
        if not os.path.isdir(GRAFANA_TYPES):
            print("\nSKIP observability_grafana_knows_every_attribute: the types of Grafana cannot be had here (npm fetches them)", flush=True)
            return
        self.assertEqual(self.judge(self.dashboards), [])

    def test_what_grafana_does_not_know_is_found(self):
        if not os.path.isdir(GRAFANA_TYPES):
            print("\nSKIP observability_what_grafana_does_not_know_is_found: the types of Grafana cannot be had here (npm fetches them)", flush=True)
            return

        def wrong(change):
            broken = copy.deepcopy(self.dashboards["cost"])
            change(broken, broken["panels"][0], next(panel for panel in broken["panels"] if panel["datasource"]["type"] == "cloudwatch"))
            return broken

        mistakes = {
            "right": wrong(lambda *_: None),
            "misspelt": wrong(lambda dashboard, _, __: dashboard.update(titel="cost")),
            "incomplete": wrong(lambda dashboard, _, __: dashboard.pop("schemaVersion")),
            "elsewhere": wrong(lambda _, panel, __: panel["options"]["legend"].update(placement="side")),
            "quoted": wrong(lambda _, panel, __: panel["gridPos"].update(x="0")),
            "query": wrong(lambda _, panel, __: panel["targets"][0].update(legendformat="{{endpoint}}")),
            "metric": wrong(lambda _, __, panel: panel["targets"][0].update(statistics="Maximum")),
        }
        said = self.judge(mistakes)
        # Each stands on a line of its own.
        first = len((self.work / "dashboards.ts").read_text().splitlines()) - len(mistakes) + 1
        found = {int(re.match(r"dashboards\.ts\((\d+),", line).group(1)) - first for line in said}
        self.assertEqual([list(mistakes)[index] for index in sorted(found)], list(mistakes)[1:], said)

    def test_each_dashboard_of_the_module_has_a_picture_with_its_panels(self):
        self.assertEqual({path.stem for path in PICTURES.glob("*.svg")}, set(self.dashboards) - {"fraud"}, "run scripts/dashboard-pictures")
        for path in sorted(PICTURES.glob("*.svg")):
            with self.subTest(path.name):
                picture = path.read_text()
                drawn = [html.unescape(title) for title in re.findall(r'font-size="13"[^>]*>([^<]*)</text>', picture)]
                self.assertEqual(drawn, [panel["title"] for panel in self.dashboards[path.stem]["panels"]], "run scripts/dashboard-pictures")
                self.assertIn("not a picture of Grafana", picture)
                self.assertIn(f"pictures/{path.name}", (HERE.parent / "README.md").read_text())


if __name__ == "__main__":
    unittest.main()
