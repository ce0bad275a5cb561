"""What Application Auto Scaling does here, one test for each rule of its reference. No container runs here."""

import json
import unittest

from ministack import app
from ministack.core import router
from ministack.services import ecs

from ecs import scaling

BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:loadbalancer/app/main/1"
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/a/2"
CPU = {"TargetValue": 60.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}


def setUpModule():
    ecs._get_docker = lambda: None
    scaling.install(lambda: {GROUP: {BALANCER}})


def ask(operation, **data):
    status, _, text = scaling.answer(operation, {"ServiceNamespace": "ecs", "ScalableDimension": scaling.DIMENSION, **data})
    return status, json.loads(text)


class Scaling(unittest.TestCase):
    def setUp(self):
        ecs.reset()
        for book in (scaling.TARGETS, scaling.POLICIES, scaling.ACTIONS):
            book.clear()
        container = {"name": "server", "image": "none"}
        ecs._ACTION_MAP["CreateCluster"]({"clusterName": "c"})
        ecs._ACTION_MAP["RegisterTaskDefinition"]({"family": "f", "memory": "512", "containerDefinitions": [container]})
        ecs._ACTION_MAP["CreateService"]({"cluster": "c", "serviceName": "s", "taskDefinition": "f", "desiredCount": 4})

    def ask(self, operation, **data):
        return ask(operation, ResourceId="service/c/s", **data)

    def refusal(self, operation, **data):
        status, answer = self.ask(operation, **data)
        self.assertEqual(status, 400, answer)
        return answer["__type"], answer["message"]

    def desired(self):
        _, _, text = ecs._ACTION_MAP["DescribeServices"]({"cluster": "c", "services": ["s"]})
        return json.loads(text)["services"][0]["desiredCount"]

    def target(self):
        return ask("DescribeScalableTargets", ResourceIds=["service/c/s"])[1]["ScalableTargets"][0]

    def test_ministack_finds_it_by_its_header(self):
        self.assertEqual(router.detect_service("POST", "/", {"x-amz-target": "AnyScaleFrontendService.PutScalingPolicy"}, {}), scaling.SERVICE)
        self.assertIs(app.SERVICE_HANDLERS[scaling.SERVICE], scaling.handle)

    def test_a_service_that_is_registered_comes_within_the_bounds(self):
        self.ask("RegisterScalableTarget", MinCapacity=1, MaxCapacity=3, SuspendedState={"DynamicScalingInSuspended": True})
        self.assertEqual(self.desired(), 3)
        self.ask("RegisterScalableTarget", MinCapacity=5, MaxCapacity=9)
        self.assertEqual(self.desired(), 5)

    def test_a_second_call_keeps_what_it_does_not_name(self):
        self.assertEqual(self.refusal("RegisterScalableTarget", MinCapacity=1)[0], "ValidationException")
        self.ask("RegisterScalableTarget", MinCapacity=1, MaxCapacity=9, Tags={"a": "b"})
        self.ask("RegisterScalableTarget", SuspendedState={"DynamicScalingInSuspended": True})
        target = self.target()
        self.assertEqual((target["MinCapacity"], target["MaxCapacity"]), (1, 9))
        self.assertEqual(target["SuspendedState"]["DynamicScalingInSuspended"], True)
        self.assertEqual(target["SuspendedState"]["ScheduledScalingSuspended"], False)
        tags = scaling.answer("ListTagsForResource", {"ResourceARN": target["ScalableTargetARN"]})
        self.assertEqual(json.loads(tags[2])["Tags"], {"a": "b"})
        which = {"ResourceARN": target["ScalableTargetARN"]}
        scaling.answer("TagResource", {**which, "Tags": {"c": "d"}})
        scaling.answer("UntagResource", {**which, "TagKeys": ["a", "z"]})
        self.assertEqual(json.loads(scaling.answer("ListTagsForResource", which)[2])["Tags"], {"c": "d"})
        self.assertIn("Tags", self.refusal("RegisterScalableTarget", MinCapacity=1, Tags={"a": "c"})[1])
        self.assertIn("Maximum", self.refusal("RegisterScalableTarget", MinCapacity=10)[1])

    def test_what_a_call_is_about_has_to_exist(self):
        status, answer = ask("RegisterScalableTarget", ResourceId="service/c/t", MinCapacity=1, MaxCapacity=2)
        self.assertIn("ECS service doesn't exist", answer["message"])
        for operation, data in (
            ("DeregisterScalableTarget", {}),
            ("PutScalingPolicy", {"PolicyName": "p", "PolicyType": "TargetTrackingScaling"}),
            ("DeleteScalingPolicy", {"PolicyName": "p"}),
            ("PutScheduledAction", {"ScheduledActionName": "a", "Schedule": "rate(1 day)"}),
            ("DeleteScheduledAction", {"ScheduledActionName": "a"}),
        ):
            self.assertEqual(self.refusal(operation, **data)[0], "ObjectNotFoundException", operation)

    def put(self, name, configuration):
        return self.ask("PutScalingPolicy", PolicyName=name, PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=configuration)

    def test_a_metric_has_one_policy_and_a_label_is_that_of_a_group_behind_a_balancer(self):
        self.ask("RegisterScalableTarget", MinCapacity=1, MaxCapacity=9)
        self.assertEqual(self.put("p", CPU)[0], 200)
        self.assertEqual(self.put("p", {**CPU, "TargetValue": 50.0})[0], 200)
        self.assertIn("Only one", self.put("q", CPU)[1]["message"])
        for label, status in (("app/main/1/targetgroup/a/2", 200), ("app/main/1/targetgroup/b/2", 400), ("app/other/1/targetgroup/a/2", 400), ("", 400)):
            metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
            self.assertEqual(self.put("r", {"TargetValue": 1.0, "PredefinedMetricSpecification": metric})[0], status, label)
        names = [policy["PolicyName"] for policy in self.ask("DescribeScalingPolicies")[1]["ScalingPolicies"]]
        self.assertEqual(names, ["p", "r"])

    def test_deregistering_takes_everything_along_and_deleting_the_service_takes_nothing(self):
        self.ask("RegisterScalableTarget", MinCapacity=1, MaxCapacity=9)
        self.put("p", CPU)
        self.ask("PutScheduledAction", ScheduledActionName="a", Schedule="cron(0 8 ? * MON-FRI *)", ScalableTargetAction={"MinCapacity": 2})
        self.assertIn("Invalid schedule", self.refusal("PutScheduledAction", ScheduledActionName="b", Schedule="cron(0 8 * * *)")[1])
        ecs._ACTION_MAP["DeleteService"]({"cluster": "c", "service": "s", "force": True})
        self.assertEqual(len(self.ask("DescribeScheduledActions")[1]["ScheduledActions"]), 1)
        self.assertEqual(self.target()["MaxCapacity"], 9)
        self.assertEqual(self.ask("DeregisterScalableTarget")[0], 200)
        self.assertEqual(self.ask("DescribeScheduledActions")[1]["ScheduledActions"], [])
        self.assertEqual(self.ask("DescribeScalingPolicies")[1]["ScalingPolicies"], [])
