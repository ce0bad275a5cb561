"""What ministack does not refuse or tell of groups of instances, one test for each patch: without it, the test fails."""

import json
import unittest

from ministack.services import autoscaling, ec2, ecs

from ecs import machines


def setUpModule():
    ecs._get_docker = lambda: None
    machines.install()


def asked(operation, **data):
    status, _, text = ecs._ACTION_MAP[operation](data)
    return status, json.loads(text)


def group(action, name, **parameters):
    status, _, text = autoscaling._ACTION_MAP[action]({"AutoScalingGroupName": name, "AutoScalingGroupNames.member.1": name, **parameters})
    return status, text.decode() if isinstance(text, bytes) else text


class Machines(unittest.TestCase):
    def test_a_provider_stays_while_it_is_used_and_so_does_its_cluster(self):
        asked("CreateCluster", clusterName="machines")
        asked("CreateCapacityProvider", name="own", autoScalingGroupProvider={"autoScalingGroupArn": "arn"})
        self.assertEqual(asked("PutClusterCapacityProviders", cluster="machines", capacityProviders=["other"])[0], 400)
        self.assertEqual(asked("PutClusterCapacityProviders", cluster="machines", capacityProviders=["own"])[0], 200)
        ecs._services["machines/one"] = {"status": "ACTIVE", "capacityProviderStrategy": [{"capacityProvider": "own"}]}
        status, told = asked("PutClusterCapacityProviders", cluster="machines", capacityProviders=[])
        self.assertEqual((status, told["__type"]), (400, "ResourceInUseException"))
        del ecs._services["machines/one"]
        self.assertEqual(asked("DeleteCapacityProvider", capacityProvider="own")[0], 400)
        self.assertEqual(asked("DeleteCluster", cluster="machines")[0], 400)
        for operation, data in (
            ("PutClusterCapacityProviders", {"cluster": "machines", "capacityProviders": []}),
            ("DeleteCapacityProvider", {"capacityProvider": "own"}),
            ("DeleteCluster", {"cluster": "machines"}),
        ):
            self.assertEqual(asked(operation, **data)[0], 200, operation)

    def test_an_instance_is_known_until_it_is_taken_away(self):
        group("CreateAutoScalingGroup", "known", MinSize="1", MaxSize="1")
        asked("CreateCluster", clusterName="knowing")
        arn = autoscaling._asgs["known"]["AutoScalingGroupARN"]
        asked("CreateCapacityProvider", name="known", autoScalingGroupProvider={"autoScalingGroupArn": arn})
        asked("PutClusterCapacityProviders", cluster="knowing", capacityProviders=["known"])
        asked("PutClusterCapacityProviders", cluster="knowing", capacityProviders=[])
        listed = asked("ListContainerInstances", cluster="knowing")[1]["containerInstanceArns"]
        self.assertEqual(len(listed), 1)
        told = asked("DescribeContainerInstances", cluster="knowing", containerInstances=listed)[1]
        self.assertEqual([one["capacityProviderName"] for one in told["containerInstances"]], ["known"])
        self.assertEqual(asked("DeleteCluster", cluster="knowing")[0], 400)
        gone = {"cluster": "knowing", "containerInstance": listed[0], "force": True}
        self.assertEqual([asked("DeregisterContainerInstance", **gone)[0] for _ in range(2)], [200, 400])
        self.assertEqual(asked("DeleteCluster", cluster="knowing")[0], 200)

    def test_a_group_ends_by_and_by_and_not_with_instances_unless_forced(self):
        group("CreateAutoScalingGroup", "ends", MinSize="1", MaxSize="1")
        self.assertEqual(group("DeleteAutoScalingGroup", "ends")[0], 400)
        self.assertEqual(group("DeleteAutoScalingGroup", "ends", ForceDelete="true")[0], 200)
        self.assertIn("<Status>Delete in progress</Status>", group("DescribeAutoScalingGroups", "ends")[1])
        self.assertNotIn("ends", group("DescribeAutoScalingGroups", "ends")[1])
        self.assertEqual(group("DeleteAutoScalingGroup", "ends", ForceDelete="true")[0], 400)

    def test_tasks_end_with_their_group_and_none_starts_on_another_of_its_name(self):
        group("CreateAutoScalingGroup", "lost", MinSize="1", MaxSize="1")
        asked("CreateCluster", clusterName="losing")
        arn = autoscaling._asgs["lost"]["AutoScalingGroupARN"]
        asked("CreateCapacityProvider", name="lost", autoScalingGroupProvider={"autoScalingGroupArn": arn})
        asked("PutClusterCapacityProviders", cluster="losing", capacityProviders=["lost"])
        asked("RegisterTaskDefinition", family="lost", containerDefinitions=[{"name": "server", "image": "example.com/one"}])
        on = {"capacityProviderStrategy": [{"capacityProvider": "lost", "weight": 1}]}
        asked("CreateService", cluster="losing", serviceName="one", taskDefinition="lost", desiredCount=1, **on)

        def running():
            ecs._reconcile_service_tasks("losing", "losing/one")
            return sum(task["lastStatus"] == "RUNNING" for task in ecs._tasks.values() if task["group"] == "service:one")

        self.assertEqual(running(), 1)
        group("DeleteAutoScalingGroup", "lost", ForceDelete="true")
        self.assertEqual(running(), 0)
        group("DescribeAutoScalingGroups", "lost")
        group("CreateAutoScalingGroup", "lost", MinSize="1", MaxSize="1")
        self.assertEqual(running(), 0)
        self.assertIn("unable to place", ecs._services["losing/one"]["events"][0]["message"])

    def test_a_group_of_what_cannot_be_had_says_so(self):
        for name, kind in (("scarce", machines.SCARCE), ("common", "m7i.large")):
            ec2._ACTION_MAP["CreateLaunchTemplate"]({"LaunchTemplateName": [name], "LaunchTemplateData.InstanceType": [kind]})
            group("CreateAutoScalingGroup", name, MinSize="0", MaxSize="1", **{"LaunchTemplate.LaunchTemplateName": name})
        self.assertIn(machines.WHY, group("DescribeScalingActivities", "scarce")[1])
        self.assertNotIn("Failed", group("DescribeScalingActivities", "common")[1])
