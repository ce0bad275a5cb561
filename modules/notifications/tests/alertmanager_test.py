"""The configuration of examples/complete, applied on the stub, asked by the real amtool: which topic hears of which alert, and what it is told."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "complete"
AMTOOL = os.environ.get("AMTOOL", "")


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


class Alertmanager(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        state = f"-state={cls.work.name}/state"
        terraform = os.environ["TF"]  # scripts/test-modules says which
        run(terraform, "apply", "-auto-approve", "-input=false", "-no-color", "-lock=false", state, cwd=EXAMPLE)
        output = json.loads(run(terraform, "output", "-json", state, "alertmanager", cwd=EXAMPLE))
        cls.config = Path(cls.work.name) / "alertmanager.yml"
        cls.config.write_text(output["config"])

    def amtool(self, name, *arguments):
        if not os.access(AMTOOL, os.X_OK):
            print(f"\nSKIP {name}: amtool cannot be had here (it is built with Go)", flush=True)
            return None
        return run(AMTOOL, *arguments)

    def test_amtool_takes_the_configuration(self):
        said = self.amtool("notifications_amtool_takes_the_configuration", "check-config", str(self.config))
        if said is not None:
            self.assertIn("SUCCESS", said)
            self.assertIn("2 receivers", said)

    def test_alerts_go_where_the_routes_say(self):
        for labels, topic in [
            (["severity=critical", "alertname=A"], "page"),
            (["severity=warning", "endpoint=fraud"], "ticket"),
            (["severity=info"], "ticket"),
            (["alertname=A"], "ticket"),
        ]:
            with self.subTest(labels):
                said = self.amtool("notifications_alerts_go_where_the_routes_say", "config", "routes", "test", f"--config.file={self.config}", *labels)
                if said is None:
                    return
                self.assertEqual(said.strip(), topic)

    def test_a_message_is_of_the_form_that_chatbot_shows_whatever_an_annotation_holds(self):
        annotation = 'says "no",\n\tand \\ ends'
        alert = {"status": "firing", "labels": {"alertname": "A"}, "annotations": {"summary": annotation}}
        bare = {"status": "firing", "labels": {"alertname": "A", "endpoint": 'fr"aud'}, "annotations": {}}
        data = {"receiver": "page", "status": "firing", "alerts": [alert, bare], "groupLabels": {"alertname": "A", "endpoint": 'fr"aud'}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": ""}
        facts = Path(self.work.name) / "data.json"
        facts.write_text(json.dumps(data))
        said = self.amtool(
            "notifications_a_message_is_of_the_form_that_chatbot_shows",
            "template", "render", "--template.glob=", f"--template.data={facts}", f"--template.text={self.message()}",
        )  # fmt: skip
        if said is None:
            return
        content = json.loads(said)
        self.assertEqual((content["version"], content["source"]), ("1.0", "custom"))
        self.assertEqual(content["content"]["title"], "FIRING: A fr'aud")
        self.assertEqual(content["content"]["description"], "[firing] says 'no', and ' ends; [firing] A fr'aud; ")

    def message(self):
        """The template of the first receiver, as Alertmanager reads it: a quoted scalar of YAML is one of JSON, but for folded lines."""
        text = self.config.read_text().split('"message": ', 1)[1].split('\n    "send_resolved"', 1)[0]
        return json.loads(" ".join(line.strip() for line in text.splitlines()))


if __name__ == "__main__":
    unittest.main()
