"""What the roles of examples/complete may do, and what they may not: their policies before an evaluator of IAM."""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["CHECKOUT"]) / "scripts" / "parts"))
import simulate  # noqa: E402

HERE = f"eu-west-1:{simulate.ACCOUNT}"
TABLE = f"arn:aws:dynamodb:{HERE}:table/models-prod"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:fraud/token-AbCdEf"
LOGS = f"arn:aws:logs:{HERE}:log-group:/ecs/serving-prod"
ENDPOINTS = f"arn:aws:logs:{HERE}:log-group:/mlops/endpoints"


def keys(*partitions):
    return {"dynamodb:LeadingKeys": list(partitions)}


class Access(simulate.Access):
    module = "ecs"
    evaluator = simulate.Evaluator(os.environ.get("MINISTACK", ""))  # scripts/test-modules says where it is
    example = Path(__file__).resolve().parent.parent / "examples" / "complete"

    def test_an_execution_role_starts_its_own_server_and_no_other(self):
        images = self.resource("execution[fraud]", "PullImages")
        self.check(
            self.policy("execution[fraud]"),
            allowed=[
                ("logs:PutLogEvents", f"{LOGS}/servers/fraud:log-stream:server/1"),
                ("logs:CreateLogStream", f"{LOGS}/servers/fraud:log-stream:server/1"),
                ("logs:CreateLogStream", f"{ENDPOINTS}/serving-prod/fraud:log-stream:server/1"),
                ("logs:PutLogEvents", f"{ENDPOINTS}/serving-prod/fraud:log-stream:server/1"),
                ("ecr:GetAuthorizationToken", "*"),
                ("ecr:BatchGetImage", images),
                ("secretsmanager:GetSecretValue", SECRET),
            ],
            denied=[
                ("logs:PutLogEvents", f"{LOGS}/servers/search:log-stream:server/1"),
                ("logs:PutLogEvents", f"{ENDPOINTS}/serving-qa/fraud:log-stream:server/1"),
                ("logs:CreateLogGroup", f"{LOGS}/servers/fraud"),
                ("logs:GetLogEvents", f"{LOGS}/servers/fraud:log-stream:server/1"),
                ("ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/other"),
                ("ecr:PutImage", images),
                ("secretsmanager:GetSecretValue", SECRET.replace("token", "other")),
                ("secretsmanager:PutSecretValue", SECRET),
                ("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/any"),
                ("dynamodb:GetItem", TABLE, keys("registry")),
                ("s3:GetObject", "arn:aws:s3:::models-prod/any"),
            ],
        )

    def test_a_server_without_secrets_reads_none(self):
        self.check(
            self.policy("execution[search]"),
            allowed=[("logs:PutLogEvents", f"{LOGS}/servers/search:log-stream:server/1")],
            denied=[("secretsmanager:GetSecretValue", SECRET), ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/any")],
        )

    def test_a_task_role_reads_records_of_its_models_and_of_this_clusters_endpoints(self):
        self.check(
            self.policy("task[fraud]"),
            allowed=[
                ("dynamodb:GetItem", TABLE, keys("registry")),
                ("dynamodb:Query", TABLE, keys("model#fraud-cards")),
                ("dynamodb:BatchGetItem", TABLE, keys("model#fraud-cards", "endpoint#ecs/serving-prod/fraud")),
            ],
            denied=[
                ("dynamodb:GetItem", TABLE, keys("model#ranking")),
                ("dynamodb:BatchGetItem", TABLE, keys("model#fraud-cards", "model#ranking")),
                ("dynamodb:GetItem", TABLE, keys("endpoint#ecs/other/fraud")),
                ("dynamodb:GetItem", TABLE, keys("events#model#fraud-cards")),
                ("dynamodb:GetItem", TABLE.replace("models-prod", "other"), keys("registry")),
                ("dynamodb:PutItem", TABLE, keys("model#fraud-cards")),
                ("dynamodb:UpdateItem", TABLE, keys("model#fraud-cards")),
                ("dynamodb:DeleteItem", TABLE, keys("model#fraud-cards")),
            ],
        )
        self.check(
            self.policy("task[search]"),
            allowed=[("dynamodb:GetItem", TABLE, keys("model#ranking")), ("dynamodb:GetItem", TABLE, keys("model#search-web"))],
            denied=[("dynamodb:GetItem", TABLE, keys("model#ranking-2")), ("dynamodb:GetItem", TABLE, keys("model#fraud-cards"))],
        )

    def test_a_table_is_not_scanned_for_want_of_a_condition(self):
        # A scan has no leading keys, which ForAllValues takes for all: it must not be among the actions.
        self.check(self.policy("task[fraud]"), allowed=[("dynamodb:GetItem", TABLE, keys("registry"))], denied=[("dynamodb:Scan", TABLE), ("dynamodb:DescribeTable", TABLE)])

    def test_a_task_role_reads_artifacts_and_changes_none(self):
        objects, bucket, key = (self.resource("task[fraud]", sid) for sid in ("ReadArtifacts", "ListArtifacts", "UseKey"))
        artifact = objects.replace("*", "sha256/0a1b")
        self.check(
            self.policy("task[fraud]"),
            allowed=[
                ("s3:GetObject", artifact),
                ("s3:ListBucket", bucket),
                ("kms:Decrypt", key, {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
                ("kms:Decrypt", key, {"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"}),
            ],
            denied=[
                ("s3:PutObject", artifact),
                ("s3:DeleteObject", artifact),
                ("s3:GetObject", "arn:aws:s3:::other/sha256/0a1b"),
                ("kms:Decrypt", key),
                ("kms:Decrypt", key, {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}),
                ("kms:Encrypt", key, {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
                ("kms:GenerateDataKey", key, {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}),
            ],
        )

    def test_a_task_role_takes_part_in_sessions_and_starts_none(self):
        self.check(
            self.policy("task[fraud]"),
            allowed=[
                ("ssmmessages:OpenDataChannel", "*"),
                ("logs:PutLogEvents", f"{LOGS}/exec:log-stream:1"),
                ("kms:Decrypt", f"arn:aws:kms:{HERE}:key/1b2c3d4e-0000-4000-8000-0a1b2c3d4e5f"),
            ],
            denied=[
                ("ecs:ExecuteCommand", f"arn:aws:ecs:{HERE}:task/serving-prod/1"),
                ("ssm:StartSession", "*"),
                ("logs:PutLogEvents", f"{LOGS}/servers/fraud:log-stream:1"),
                ("logs:DeleteLogGroup", f"{LOGS}/exec"),
            ],
        )

    def test_an_agent_joins_this_cluster_and_reads_nothing_of_the_servers(self):
        cluster = f"arn:aws:ecs:{HERE}:cluster/serving-prod"
        instance = f"arn:aws:ecs:{HERE}:container-instance/serving-prod/1"
        self.check(
            self.policy("instances[instances]"),
            allowed=[
                ("ecs:RegisterContainerInstance", cluster),
                ("ecs:SubmitTaskStateChange", cluster),
                ("ecs:Poll", instance, {"ecs:cluster": cluster}),
                ("ecs:TagResource", instance, {"ecs:CreateAction": "RegisterContainerInstance"}),
            ],
            denied=[
                ("ecs:RegisterContainerInstance", cluster.replace("serving-prod", "other")),
                ("ecs:Poll", instance, {"ecs:cluster": cluster.replace("serving-prod", "other")}),
                ("ecs:TagResource", instance, {"ecs:CreateAction": "CreateService"}),
                ("ecs:TagResource", instance),
                ("ecs:RunTask", "*"),
                ("ecr:BatchGetImage", self.resource("execution[fraud]", "PullImages")),
                ("secretsmanager:GetSecretValue", SECRET),
                ("dynamodb:GetItem", TABLE, keys("registry")),
                ("iam:PassRole", "*"),
            ],
        )

    def test_roles_of_tasks_are_taken_by_tasks_of_this_account_alone(self):
        for kind in ("execution", "task"):
            with self.subTest(kind):
                role = f"arn:aws:iam::{simulate.ACCOUNT}:role/serving-prod-fraud-{kind}"
                self.check(
                    self.document(f"aws_iam_role.{kind}[fraud]"),
                    allowed=[("sts:AssumeRole", role, {"aws:SourceAccount": simulate.ACCOUNT, "aws:SourceArn": f"arn:aws:ecs:{HERE}:*"})],
                    denied=[
                        ("sts:AssumeRole", role, {"aws:SourceAccount": "210987654321", "aws:SourceArn": "arn:aws:ecs:eu-west-1:210987654321:*"}),
                        ("sts:AssumeRole", role, {"aws:SourceAccount": simulate.ACCOUNT, "aws:SourceArn": f"arn:aws:ecs:us-east-1:{simulate.ACCOUNT}:*"}),
                        ("sts:AssumeRole", role),
                    ],
                )


if __name__ == "__main__":
    unittest.main()
