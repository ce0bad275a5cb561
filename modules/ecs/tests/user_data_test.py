"""The user data of examples/complete, as it is planned, run as an instance runs it: what stands in the agent's configuration afterwards."""

import base64
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "complete"
# What the AMI may have written before.
BEFORE = "ECS_IMAGE_PULL_BEHAVIOR=prefer-cached\n"
# A namespace of mounts of our own, in which /etc is empty but for the agent's directory, as that of an instance is there.
CONTAINER = """
set -eu
mount -t tmpfs none /etc
mkdir /etc/ecs
cp "$1/before" /etc/ecs/ecs.config
"$1/user_data"
cat /etc/ecs/ecs.config
"""


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def can_contain():
    """Whether this machine lets us have such a namespace."""
    try:
        tried = subprocess.run(["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/etc"], capture_output=True)
    except OSError:
        return False
    return tried.returncode == 0


class UserData(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        terraform = os.environ["TF"]  # scripts/test-modules says which
        plan = f"{cls.work.name}/plan"
        run(terraform, "plan", f"-out={plan}", "-input=false", "-no-color", "-lock=false", cwd=EXAMPLE)
        planned = json.loads(run(terraform, "show", "-json", plan, cwd=EXAMPLE))
        cls.scripts = {
            change["index"]: base64.b64decode(change["change"]["after"]["user_data"], validate=True)
            for change in planned["resource_changes"]
            if change["type"] == "aws_launch_template"
        }

    def configured(self, group):
        """What the agent reads after the script ran, line by line."""
        work = Path(self.work.name)
        (work / "before").write_text(BEFORE)
        script = work / "user_data"
        if can_contain():
            script.write_bytes(self.scripts[group])
            script.chmod(0o700)
            return run("unshare", "--map-root-user", "--mount", "sh", "-c", CONTAINER, "sh", str(work)).splitlines()
        # The same script, with the agent's directory elsewhere.
        (work / "ecs.config").write_text(BEFORE)
        script.write_bytes(self.scripts[group].replace(b"/etc/ecs/", f"{work}/".encode()))
        script.chmod(0o700)
        run(str(script))
        return (work / "ecs.config").read_text().splitlines()

    def test_each_group_has_a_script_that_cloud_init_takes(self):
        self.assertEqual(set(self.scripts), {"cpu", "gpu"})
        for group, script in self.scripts.items():
            with self.subTest(group):
                self.assertTrue(script.startswith(b"#!/bin/bash\n"))
                # The limit of EC2, before it is encoded.
                self.assertLess(len(script), 16384)
                subprocess.run(["bash", "-n"], input=script, check=True)

    def test_the_agent_is_told_of_its_cluster_and_keeps_what_it_was_told_before(self):
        for group in ("cpu", "gpu"):
            with self.subTest(group):
                lines = self.configured(group)
                self.assertEqual(lines[0], BEFORE.strip())
                for line in lines:
                    self.assertRegex(line, r"^ECS_[A-Z_]+=\S+$")
                settings = dict(line.split("=", 1) for line in lines)
                self.assertEqual(len(settings), len(lines), "a setting stands there twice")
                self.assertEqual(settings["ECS_CLUSTER"], "serving-prod")
                # Tasks have roles of their own, and reach no credentials of the instance.
                for wanted in ("ECS_AWSVPC_BLOCK_IMDS", "ECS_ENABLE_TASK_IAM_ROLE", "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST"):
                    self.assertEqual(settings[wanted], "true")

    def test_what_a_group_is_for_is_told_to_its_instances_alone(self):
        cpu, gpu = self.configured("cpu"), self.configured("gpu")
        self.assertIn("ECS_WARM_POOLS_CHECK=true", cpu)
        self.assertNotIn("ECS_WARM_POOLS_CHECK=true", gpu)
        for setting in ("ECS_ENABLE_GPU_SUPPORT=true", "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true"):
            self.assertIn(setting, gpu)
            self.assertNotIn(setting, cpu)


if __name__ == "__main__":
    unittest.main()
