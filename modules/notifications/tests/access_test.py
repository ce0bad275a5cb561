"""What the function of a webhook, the pipe of the registry and AWS Chatbot may do, and what they may not: the policies of examples/complete before an evaluator of IAM."""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["CHECKOUT"]) / "scripts" / "parts"))
import simulate  # noqa: E402

HERE = f"eu-west-1:{simulate.ACCOUNT}"
TICKET = f"arn:aws:sns:{HERE}:serving-prod-ticket"
PAGE = f"arn:aws:sns:{HERE}:serving-prod-page"
STREAM = f"arn:aws:dynamodb:{HERE}:table/serving-prod/stream/2026-01-01T00:00:00.000"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:serving-prod/slack-webhook-AbCdEf"


class Access(simulate.Access):
    module = "notifications"
    evaluator = simulate.Evaluator(os.environ.get("MINISTACK", ""))  # scripts/test-modules says where it is
    example = Path(__file__).resolve().parent.parent / "examples" / "complete"

    def test_the_pipe_reads_the_stream_and_publishes_to_its_topic(self):
        policy = self.policy("registry[models]")
        messages = self.resource("registry[models]", "EncryptMessages")
        records = f"arn:aws:kms:{HERE}:key/11111111-2222-3333-4444-555555555555"
        self.check(
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

        self.check(self.document("aws_iam_role.registry[models]"), allowed=[call("serving-prod-models")], denied=[call("other"), ("sts:AssumeRole", "*")])

    def test_a_function_reads_the_secret_of_its_webhook_alone(self):
        self.check(
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
