"""What policies of IAM allow: asked of ministack's evaluator, which knows actions, resources and conditions with their operators.

A test of a module imports it. The program that answers is this file, run by ministack's Python: it reads questions as JSON from standard input, and
writes a decision for each: Allow, Deny or ImplicitDeny.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ACCOUNT = "123456789012"  # that of the stub
REGION = "eu-west-1"


class Evaluator:
    """Who decides: ministack, in this directory."""

    def __init__(self, ministack):
        self.python = Path(ministack) / "bin" / "python"
        self.missing = None if os.access(self.python, os.X_OK) else "ministack cannot be had here (pip fetches it)"

    def decide(self, document, calls):
        """The decision on each call, (action, resource) or (action, resource, context), by the text of a policy."""
        asked = json.dumps({"document": document, "calls": [list(call) + [{}] * (3 - len(call)) for call in calls]})
        done = subprocess.run([str(self.python), "-B", __file__], input=asked, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"nobody decides: {done.stderr}")
        return json.loads(done.stdout)


class Access(unittest.TestCase):
    """What the policies of a module's example allow, and what they do not."""

    module = None  # its name
    evaluator = None  # who decides
    example = None  # where the configuration lies

    @classmethod
    def setUpClass(cls):
        if cls.evaluator.missing:
            return
        with tempfile.TemporaryDirectory() as work:
            cls.documents = documents(cls.example, work)

    def setUp(self):
        if self.evaluator.missing:
            name = self.id().rsplit(".", 1)[1].removeprefix("test_")
            print(f"\nSKIP {self.module}_{name}: {self.evaluator.missing}", flush=True)
            self.skipTest(self.evaluator.missing)

    def document(self, address):
        """That of the module's resource or data source."""
        return self.documents[f"module.{self.module}.{address}"]

    def policy(self, name):
        """That of a role of the module."""
        return self.document(f"aws_iam_role_policy.{name}")

    def resource(self, name, sid):
        """What a statement of that policy is about: names that other modules give."""
        [resource] = [statement["Resource"] for statement in json.loads(self.policy(name))["Statement"] if statement["Sid"] == sid]
        return resource

    def check(self, document, allowed, denied):
        """Fails unless the policy allows each of the first calls, and none of the second."""
        self.assertTrue(allowed and denied)
        decisions = self.evaluator.decide(document, allowed + denied)
        self.assertEqual([(call, said) for call, said in zip(allowed, decisions) if said != "Allow"], [], "these are to be allowed")
        self.assertEqual([call for call, said in zip(denied, decisions[len(allowed) :]) if said == "Allow"], [], "these are to be denied")


def documents(example, work):
    """Applies a configuration on the stub. Its documents, by address: of policies of roles, of who may take roles, and of data sources."""
    state = Path(work) / "state"
    subprocess.run(
        [os.environ["TF"], "apply", "-auto-approve", "-input=false", "-no-color", "-lock=false", f"-state={state}"],
        cwd=example, check=True, capture_output=True,
    )  # fmt: skip
    found = {}
    for resource in json.loads(state.read_text())["resources"]:
        attribute = {"aws_iam_role_policy": "policy", "aws_iam_role": "assume_role_policy", "aws_iam_policy_document": "json"}.get(resource["type"])
        for instance in resource["instances"] if attribute else []:
            name = f"{resource.get('module', '')}.{resource['type']}.{resource['name']}".removeprefix(".")
            key = f"[{instance['index_key']}]" if "index_key" in instance else ""
            found[name + key] = instance["attributes"][attribute]
    return found


def answer():
    from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

    asked = json.load(sys.stdin)
    statements = parse_policy_document(asked["document"])
    if not statements:
        sys.exit(f"this is no policy: {asked['document']}")

    def decision(action, resource, context):
        # Keys have no case, and a list is a key of several values.
        call = EvalContext(
            principal_arn=f"arn:aws:iam::{ACCOUNT}:role/simulated",
            principal_type="AssumedRole",
            principal_account=ACCOUNT,
            action=action,
            resource_arn=resource,
            region=REGION,
            source_ip="10.0.0.1",
            secure_transport=True,
            service_context={key.lower(): value for key, value in context.items()},
        )
        return evaluate(call, [statements]).decision

    json.dump([decision(*call) for call in asked["calls"]], sys.stdout)


if __name__ == "__main__":
    answer()
