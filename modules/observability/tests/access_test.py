"""What the collector and Grafana may do, and what they may not: the policies of examples/complete before an evaluator of IAM."""

import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["CHECKOUT"]) / "scripts" / "parts"))
import simulate  # noqa: E402

OTHER = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-other"


class Access(simulate.Access):
    module = "observability"
    evaluator = simulate.Evaluator(os.environ.get("MINISTACK", ""))  # scripts/test-modules says where it is
    example = Path(__file__).resolve().parent.parent / "examples" / "complete"

    def workspace(self):
        """The ARN of the one that the example makes."""
        return self.document("aws_iam_policy_document.collector[workspace]").split('"Resource": "')[1].split('"')[0]

    def test_a_collector_writes_to_its_workspace_and_nothing_else(self):
        mine = self.workspace()
        self.assertIn(":workspace/ws-", mine)
        self.check(
            self.document("aws_iam_policy_document.collector[workspace]"),
            allowed=[("aps:RemoteWrite", mine)],
            denied=[
                ("aps:RemoteWrite", OTHER),
                ("aps:QueryMetrics", mine),
                ("aps:DeleteWorkspace", mine),
                ("aps:PutRuleGroupsNamespace", mine),
                ("s3:GetObject", "arn:aws:s3:::models/digits"),
            ],
        )

    def test_a_scraper_asks_for_one_cluster_and_writes_to_its_workspace(self):
        mine = self.workspace()
        cluster, other = (f"arn:aws:ecs:eu-west-1:123456789012:cluster/{name}" for name in ("serving-prod", "other"))

        def of(cluster, *kinds):
            return [(f"ecs:Describe{what}", cluster.replace(":cluster/", f":{kind}/") + ("" if kind == "cluster" else "/0a1b2c3d")) for what, kind in kinds]

        described = [("Clusters", "cluster"), ("ContainerInstances", "container-instance"), ("Services", "service"), ("Tasks", "task")]
        self.check(
            self.document("aws_iam_role_policy.scrapers[cluster]"),
            allowed=[
                ("aps:RemoteWrite", mine),
                *of(cluster, *described),
                ("ecs:ListServices", "*", {"ecs:cluster": cluster}),
                ("ecs:ListTasks", "*", {"ecs:cluster": cluster}),
                ("ec2:DescribeNetworkInterfaces", "*"),
                ("ec2:DescribeInstances", "*"),
            ],
            denied=[
                ("aps:RemoteWrite", OTHER),
                ("aps:QueryMetrics", mine),
                *of(other, *described),
                ("ecs:ListServices", "*", {"ecs:cluster": other}),
                ("ecs:ListTasks", "*"),
                ("ecs:UpdateService", cluster.replace(":cluster/", ":service/") + "/0a1b2c3d"),
                ("ecs:ExecuteCommand", cluster),
                ("ec2:TerminateInstances", "*"),
                ("s3:GetObject", "arn:aws:s3:::models/digits"),
            ],
        )

    def test_grafana_reads_its_workspace_and_metrics_and_writes_nothing(self):
        mine = self.workspace()
        self.check(
            self.document("aws_iam_role_policy.grafana[workspace]"),
            allowed=[
                ("aps:QueryMetrics", mine),
                ("aps:GetLabels", mine),
                ("aps:GetSeries", mine),
                ("aps:GetMetricMetadata", mine),
                ("cloudwatch:GetMetricData", "*"),
                ("cloudwatch:ListMetrics", "*"),
                ("cloudwatch:DescribeAlarms", "*"),
            ],
            denied=[
                ("aps:QueryMetrics", OTHER),
                ("aps:RemoteWrite", mine),
                ("aps:PutAlertManagerDefinition", mine),
                ("cloudwatch:PutMetricData", "*"),
                ("cloudwatch:DeleteAlarms", "*"),
                ("cloudwatch:SetAlarmState", "*"),
                ("logs:StartQuery", "*"),
                ("secretsmanager:GetSecretValue", "*"),
            ],
        )

    def test_grafana_of_another_account_may_not_take_the_role(self):
        role = f"arn:aws:iam::{simulate.ACCOUNT}:role/serving-prod-grafana"

        def call(account, arn):
            return ("sts:AssumeRole", role, {"aws:SourceAccount": account, "aws:SourceArn": arn})

        self.check(
            self.document("aws_iam_role.grafana[workspace]"),
            allowed=[call(simulate.ACCOUNT, f"arn:aws:grafana:eu-west-1:{simulate.ACCOUNT}:/workspaces/g-0a1b2c3d4e")],
            denied=[
                call("210987654321", "arn:aws:grafana:eu-west-1:210987654321:/workspaces/g-0a1b2c3d4e"),
                call(simulate.ACCOUNT, f"arn:aws:grafana:us-east-1:{simulate.ACCOUNT}:/workspaces/g-0a1b2c3d4e"),
                ("sts:AssumeRole", role),
            ],
        )


if __name__ == "__main__":
    unittest.main()
