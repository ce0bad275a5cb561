"""What ministack's load balancers lack, one test for each patch: without it, the test fails."""

import asyncio
import collections
import re
import unittest

from ministack.services import alb, ec2

from ecs import balancing

ROUTABLE = {}  # group's name -> targets that take requests


def setUpModule():
    balancing.install(lambda group: ROUTABLE.get(group["TargetGroupName"], []))


def call(action, **parameters):
    """(status, text) of a call of the API."""
    status, _, text = alb._ACTION_MAP[action]({name.replace("__", "."): [str(value)] for name, value in parameters.items()})
    return status, text.decode() if isinstance(text, bytes) else text


def made(action, field, **parameters):
    status, text = call(action, **parameters)
    assert status == 200, text
    return re.search(f"<{field}>(.*?)</{field}>", text).group(1)


def forward(prefix, **weights):
    """Parameters of a forward action to these groups."""
    found = {f"{prefix}__member__1__Type": "forward"}
    for index, (arn, weight) in enumerate(weights.items(), 1):
        group = f"{prefix}__member__1__ForwardConfig__TargetGroups__member__{index}"
        found[f"{group}__TargetGroupArn"], found[f"{group}__Weight"] = arn, weight
    return found


FIXED = {"DefaultActions__member__1__Type": "fixed-response", "DefaultActions__member__1__FixedResponseConfig__StatusCode": "503"}


class Balancers(unittest.TestCase):
    def setUp(self):
        alb.reset()
        self.balancer = made("CreateLoadBalancer", "LoadBalancerArn", Name="front")
        self.a, self.b = (made("CreateTargetGroup", "TargetGroupArn", Name=name, TargetType="ip") for name in "ab")

    def listener(self, port=80, **actions):
        return made("CreateListener", "ListenerArn", LoadBalancerArn=self.balancer, Port=port, **(actions or FIXED))

    def refused(self, code, action, **parameters):
        status, text = call(action, **parameters)
        self.assertEqual((status, re.search("<Code>(.*?)</Code>", text).group(1)), (400, code))

    def test_arns_end_in_hexadecimal_digits(self):
        ends = {made("CreateLoadBalancer", "LoadBalancerArn", Name=f"front-{number}").rsplit("/", 1)[1] for number in range(50)}
        self.assertTrue(len(ends) == 50 and all(re.fullmatch("[0-9a-f]{16}", end) for end in ends), ends)

    def test_weights_are_kept_and_told(self):
        listener = self.listener(**forward("DefaultActions", **{self.a: 90, self.b: 10}))
        _, text = call("DescribeListeners", LoadBalancerArn=self.balancer)
        self.assertEqual(re.findall("<Weight>(.*?)</Weight>", text), ["90", "10"])
        call("ModifyListener", ListenerArn=listener, **forward("DefaultActions", **{self.a: 0, self.b: 100}))
        _, text = call("DescribeRules", ListenerArn=listener)
        self.assertEqual(re.findall("<Weight>(.*?)</Weight>", text), ["0", "100"])

    def test_one_group_is_told_in_both_spellings(self):
        for actions in forward("DefaultActions", **{self.a: 1}), {"DefaultActions__member__1__Type": "forward", "DefaultActions__member__1__TargetGroupArn": self.a}:
            self.setUp()
            actions = {key: self.a if str(value).startswith("arn") else value for key, value in actions.items()}
            self.listener(**actions)
            _, text = call("DescribeListeners", LoadBalancerArn=self.balancer)
            self.assertEqual(text.count(f"<TargetGroupArn>{self.a}</TargetGroupArn>"), 2)

    def test_a_group_is_chosen_by_its_weight(self):
        groups = [{"TargetGroupArn": "a", "Weight": 90}, {"TargetGroupArn": "b", "Weight": 10}, {"TargetGroupArn": "c", "Weight": 0}]
        action = {"Type": "forward", "Order": 1, "ForwardConfig": {"TargetGroups": groups}}
        counts = collections.Counter(balancing.choose(action)["TargetGroupArn"] for _ in range(5000))
        self.assertTrue(4300 < counts["a"] < 4700, counts)
        self.assertEqual(counts["a"] + counts["b"], 5000)

    def test_weights_of_nothing_answer_503(self):
        action = {"Type": "forward", "Order": 1, "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": self.a, "Weight": 0}]}}
        status, _, _ = asyncio.run(alb._execute_actions([action], "GET", "/", {}, b"", {}))
        self.assertEqual(status, 503)

    def test_targets_that_take_no_requests_are_passed_over(self):
        asked = []

        async def proxy(target, *_):
            asked.append(target)
            return 200, {}, b""

        original, alb._proxy_http_target = alb._proxy_http_target, proxy
        try:
            ROUTABLE.clear()
            self.assertEqual(asyncio.run(alb._forward_to_tg(self.a, "GET", "/", {}, b"", {}))[0], 503)
            ROUTABLE["a"] = [{"Id": "10.0.0.1"}]
            self.assertEqual(asyncio.run(alb._forward_to_tg(self.a, "GET", "/", {}, b"", {}))[0], 200)
        finally:
            alb._proxy_http_target = original
        self.assertEqual(asked, [{"Id": "10.0.0.1"}])

    def test_a_port_is_taken_once(self):
        first = self.listener(80)
        self.assertEqual(self.listener(80), first, "the same again is the same listener")
        self.refused("DuplicateListener", "CreateListener", LoadBalancerArn=self.balancer, Port=80, **forward("DefaultActions", **{self.a: 1}))
        second = self.listener(81)
        self.refused("DuplicateListener", "ModifyListener", ListenerArn=second, Port=80)

    def test_a_priority_is_taken_once(self):
        listener = self.listener()
        rule = {"ListenerArn": listener, "Conditions__member__1__Field": "path-pattern", "Conditions__member__1__Values__member__1": "/x"}
        made("CreateRule", "RuleArn", Priority=7, **rule, **forward("Actions", **{self.a: 1}))
        self.refused("PriorityInUse", "CreateRule", Priority=7, **rule, **forward("Actions", **{self.a: 1}))
        other = made("CreateRule", "RuleArn", Priority=8, **rule, **forward("Actions", **{self.a: 1}))
        self.refused("PriorityInUse", "SetRulePriorities", RulePriorities__member__1__RuleArn=other, RulePriorities__member__1__Priority=7)
        call("SetRulePriorities", RulePriorities__member__1__RuleArn=other, RulePriorities__member__1__Priority=9)
        self.assertEqual(alb._rules[other]["Priority"], "9")

    def test_a_group_knows_who_uses_it_and_is_not_deleted_meanwhile(self):
        def used(arn):
            return self.balancer in call("DescribeTargetGroups", TargetGroupArns__member__1=arn)[1]

        listener = self.listener()
        self.assertFalse(used(self.a))
        call("ModifyListener", ListenerArn=listener, **forward("DefaultActions", **{self.a: 0, self.b: 1}))
        self.assertTrue(used(self.a) and used(self.b))
        self.refused("ResourceInUse", "DeleteTargetGroup", TargetGroupArn=self.a)
        call("ModifyListener", ListenerArn=listener, **forward("DefaultActions", **{self.b: 1}))
        self.assertFalse(used(self.a))
        self.assertEqual(call("DeleteTargetGroup", TargetGroupArn=self.a)[0], 200)

    def test_what_is_not_there_is_not_found(self):
        self.refused("ListenerNotFound", "DescribeListeners", ListenerArns__member__1="arn:none")
        self.refused("ListenerNotFound", "DescribeRules", ListenerArn="arn:none")
        self.refused("RuleNotFound", "DescribeRules", RuleArns__member__1="arn:none")
        self.refused("RuleNotFound", "DeleteRule", RuleArn="arn:none")
        self.refused("TargetGroupNotFound", "DescribeTargetGroups", Names__member__1="none")
        nobody = {"DefaultActions": forward("DefaultActions", **{"arn:none": 1}), "Actions": forward("Actions", **{"arn:none": 1})}
        listener = self.listener()
        self.refused("TargetGroupNotFound", "ModifyListener", ListenerArn=listener, **nobody["DefaultActions"])
        self.refused("TargetGroupNotFound", "CreateRule", ListenerArn=listener, Priority=1, **nobody["Actions"])
        rule = made("CreateRule", "RuleArn", ListenerArn=listener, Priority=1, **forward("Actions", **{self.a: 1}))
        self.refused("TargetGroupNotFound", "ModifyRule", RuleArn=rule, **nobody["Actions"])
        self.refused("TargetGroupNotFound", "CreateListener", LoadBalancerArn=self.balancer, Port=81, **nobody["DefaultActions"])

    def test_groups_are_checked(self):
        for wrong in {"Name": "a_b"}, {"Name": "a" * 33}, {"Name": "-a"}, {"HealthCheckIntervalSeconds": 4}, {"HealthCheckTimeoutSeconds": 30}, {"HealthyThresholdCount": 1}:
            self.refused("ValidationError", "CreateTargetGroup", **{"Name": "new", "TargetType": "ip", **wrong})
        self.assertEqual(made("CreateTargetGroup", "TargetGroupArn", Name="a", TargetType="ip"), self.a, "the same again is the same group")
        self.refused("DuplicateTargetGroupName", "CreateTargetGroup", Name="a", TargetType="ip", Port=81)
        self.refused("ValidationError", "CreateListener", LoadBalancerArn=self.balancer, Port=80, **forward("DefaultActions", **{self.a: 1000}))

    def test_a_load_balancer_lies_in_the_network_of_its_subnets(self):
        ec2._subnets["subnet-1"] = {"VpcId": "vpc-mine"}
        self.assertEqual(made("CreateLoadBalancer", "VpcId", Name="other", Subnets__member__1="subnet-1"), "vpc-mine")
        self.refused("SubnetNotFound", "CreateLoadBalancer", Name="third", Subnets__member__1="subnet-none")

    def test_ports_are_open_as_long_as_listeners_are_there(self):
        class Addresses:
            given = []

            def take(self):
                return "192.0.2.1"

            def give_back(self, address):
                self.given.append(address)

        served = set()

        async def serve(_, address, port):
            served.add((address, port))

            async def end():
                served.remove((address, port))

            return end

        async def live():
            doors = balancing.Doors(Addresses(), serve)
            listener = self.listener(9001)
            await doors.settle()
            self.assertEqual(served, {("192.0.2.1", 9001)})
            self.assertIn("<DNSName>192.0.2.1</DNSName>", call("DescribeLoadBalancers")[1])
            call("DeleteListener", ListenerArn=listener)
            await doors.settle()
            self.assertEqual(served, set())
            call("DeleteLoadBalancer", LoadBalancerArn=self.balancer)
            await doors.settle()
            self.assertEqual(Addresses.given, ["192.0.2.1"])

        asyncio.run(live())
