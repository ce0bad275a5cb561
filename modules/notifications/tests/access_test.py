"""What the function of a webhook, the pipe of the registry and AWS Chatbot may do, and what they may not: the policies of examples/complete before an evaluator of IAM."""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["CHECKOUT"]) / "scripts" / "parts"))
import simulate  # noqa: E402

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "complete"
EVALUATOR = simulate.Evaluator(os.environ.get("MINISTACK", ""))  # scripts/test-modules says where it is
MODULE = "module.notifications"
HERE = f"eu-west-1:{simulate.ACCOUNT}"
TICKET = f"arn:aws:sns:{HERE}:serving-prod-ticket"
PAGE = f"arn:aws:sns:{HERE}:serving-prod-page"
STREAM = f"arn:aws:dynamodb:{HERE}:table/serving-prod/stream/2026-01-01T00:00:00.000"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:serving-prod/slack-webhook-AbCdEf"


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if EVALUATOR.missing:
            return
        with tempfile.TemporaryDirectory() as work:
            cls.documents = simulate.documents(EXAMPLE, work)

    def setUp(self):
        if EVALUATOR.missing:
            name = self.id().rsplit(".", 1)[1].removeprefix("test_")
            print(f"\nSKIP notifications_{name}: {EVALUATOR.missing}", flush=True)
            self.skipTest(EVALUATOR.missing)

    def policy(self, name):
        return self.documents[f"{MODULE}.aws_iam_role_policy.{name}"]

    def test_the_pipe_reads_the_stream_and_publishes_to_its_topic(self):
        policy = self.policy("registry[models]")
        [messages] = [statement["Resource"] for statement in json.loads(policy)["Statement"] if statement["Sid"] == "EncryptMessages"]
        records = f"arn:aws:kms:{HERE}:key/11111111-2222-3333-4444-555555555555"
        EVALUATOR.check(
            self,
            policy,
            allowed=[
                ("dynamodb:GetRecords", STREAM),
                ("dynamodb:GetShardIterator", STREAM),
                ("dynamodb:DescribeStream", STREAM),
                ("sns:Publish", TICKET),
                ("kms:Decrypt", records, {"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"}),
                ("kms:GenerateDataKey", messages, {"kms:ViaService": "sns.eu-west-1.amazonaws.com"}),
            ],
            denied=[
                ("dynamodb:GetRecords", STREAM.replace("serving-prod", "other")),
                ("dynamodb:GetItem", STREAM.split("/stream/")[0]),
                ("dynamodb:PutItem", STREAM.split("/stream/")[0]),
                ("sns:Publish", PAGE),
                ("sns:Subscribe", TICKET),
                ("kms:Decrypt", records),
                ("kms:Decrypt", records, {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
                ("kms:GenerateDataKey", records, {"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"}),
            ],
        )

    def test_another_pipe_may_not_take_the_role(self):
        def call(pipe):
            return ("sts:AssumeRole", "*", {"aws:SourceAccount": simulate.ACCOUNT, "aws:SourceArn": f"arn:aws:pipes:{HERE}:pipe/{pipe}"})

        EVALUATOR.check(self, self.documents[f"{MODULE}.aws_iam_role.registry[models]"], allowed=[call("serving-prod-models")], denied=[call("other"), ("sts:AssumeRole", "*")])

    def test_a_function_reads_the_secret_of_its_webhook_alone(self):
        EVALUATOR.check(
            self,
            self.policy("slack[models]"),
            allowed=[("secretsmanager:GetSecretValue", SECRET)],
            denied=[
                ("secretsmanager:GetSecretValue", SECRET.replace("slack-webhook", "other")),
                ("secretsmanager:PutSecretValue", SECRET),
                ("sns:Publish", TICKET),
                ("logs:DeleteLogGroup", "*"),
                ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/any"),
            ],
        )


if __name__ == "__main__":
    unittest.main()
