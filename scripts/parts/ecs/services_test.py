"""What ministack's ECS lacks, one test for each patch: without it, the test fails. No container runs here."""

import json
import time
import unittest

from ministack.services import alb, ecs

from ecs import services

GROUP = "arn:group"


class Checks:
    """Says of each target what a test wants."""

    health = "healthy"

    def state(self, group, target):
        return (self.health, None, None)


CHECKS, USED = Checks(), set()


def setUpModule():
    ecs._get_docker = lambda: None
    services.AGAIN = 0.01
    services.install("http://192.0.2.1:4566", lambda: USED, CHECKS)


def call(action, **data):
    status, _, text = ecs._ACTION_MAP[action](data)
    return status, json.loads(text)


class Services(unittest.TestCase):
    def setUp(self):
        ecs.reset()
        USED.clear()
        alb.reset()
        alb._tgs[GROUP] = {"TargetGroupArn": GROUP, "TargetGroupName": "a"}
        CHECKS.health = "healthy"
        call("CreateCluster", clusterName="c")
        self.define()

    def define(self, **more):
        container = {"name": "server", "image": "none", **more}
        answer = call("RegisterTaskDefinition", family="f", networkMode="awsvpc", memory="512", containerDefinitions=[container])[1]
        return answer["taskDefinition"]["taskDefinitionArn"]

    def create(self, **more):
        return call("CreateService", cluster="c", serviceName="s", taskDefinition="f", desiredCount=1, **more)

    def service(self):
        return call("DescribeServices", cluster="c", services=["s"])[1]["services"][0]

    def tasks(self, status="RUNNING"):
        arns = call("ListTasks", cluster="c", desiredStatus=status)[1]["taskArns"]
        return call("DescribeTasks", cluster="c", tasks=arns)[1]["tasks"] if arns else []

    def balanced(self):
        """A service whose task is a target."""
        USED.add(GROUP)
        self.create(loadBalancers=[{"targetGroupArn": GROUP, "containerName": "server", "containerPort": 80}])
        [task] = ecs._tasks.values()
        task["_container_ip"] = "192.0.2.9"
        ecs._sync_service_targets("c", ecs._services["c/s"])
        return task

    def until(self, condition):
        end = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_a_group_without_a_load_balancer_is_refused(self):
        status, answer = self.create(loadBalancers=[{"targetGroupArn": GROUP, "containerName": "server", "containerPort": 80}])
        self.assertEqual((status, answer["__type"]), (400, "InvalidParameterException"))
        self.assertIn("does not have an associated load balancer", answer["message"])
        self.assertEqual(call("ListServices", cluster="c")[1]["serviceArns"], [])

    def test_a_capacity_provider_that_the_cluster_does_not_have_is_refused(self):
        strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
        status, answer = self.create(capacityProviderStrategy=strategy)
        self.assertEqual((status, answer["__type"]), (400, "InvalidParameterException"))
        self.assertIn("not associated with the cluster", answer["message"])
        call("PutClusterCapacityProviders", cluster="c", capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=[])
        self.assertEqual(self.create(capacityProviderStrategy=strategy)[0], 200)

    def test_a_cluster_with_services_or_tasks_is_not_deleted(self):
        self.create()
        self.assertEqual(call("DeleteCluster", cluster="c")[1]["__type"], "ClusterContainsServicesException")
        [task] = ecs._tasks.values()
        ecs._services.clear()
        self.assertEqual(call("DeleteCluster", cluster="c")[1]["__type"], "ClusterContainsTasksException")
        task["lastStatus"] = "STOPPED"
        self.assertEqual(call("DeleteCluster", cluster="c")[0], 200)

    def test_tasks_that_mount_the_same_directory_of_a_file_system_share_it(self):
        efs = {"fileSystemId": "fs-1", "rootDirectory": "/weights"}
        through = {"fileSystemId": "fs-1", "authorizationConfig": {"accessPointId": "fsap-1"}}
        mounts = [{"sourceVolume": "a", "containerPath": "/a", "readOnly": True}, {"sourceVolume": "b", "containerPath": "/b"}]
        container = {"name": "server", "image": "none", "mountPoints": mounts}
        definition = {"family": "f", "volumes": [{"name": "a", "efsVolumeConfiguration": efs}, {"name": "b", "efsVolumeConfiguration": through}]}
        asked = ecs._build_run_kwargs(container, definition, {}, {}, None, False, "12345678", "arn:task", None, "arn:cluster")
        seen = [(mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in asked["mounts"]]
        self.assertEqual(seen, [("efs-fs-1-weights", "/a", True), ("efs-fs-1fsap-1", "/b", False)])

    def test_tasks_share_a_volume_of_their_instance_by_its_name(self):
        kept = {"name": "kept", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True, "driver": "local"}}
        container = {"name": "server", "image": "none", "mountPoints": [{"sourceVolume": "kept", "containerPath": "/cache"}]}
        definition = {"family": "f", "volumes": [kept]}
        asked = ecs._build_run_kwargs(container, definition, {}, {}, None, False, "12345678", "arn:task", None, "arn:cluster")
        self.assertEqual([(mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in asked["mounts"]], [("kept", "/cache", False)])
        self.assertIsNone(services.shared_by_tasks({"name": "own", "dockerVolumeConfiguration": {"scope": "task"}}))

    def test_the_same_token_answers_the_same_service(self):
        first = self.create(clientToken="t")[1]["service"]["serviceArn"]
        self.assertEqual(self.create(clientToken="t")[1]["service"]["serviceArn"], first)
        self.assertEqual(len(self.tasks()), 1)
        status, answer = self.create(clientToken="u")
        self.assertEqual((status, answer["__type"], answer["message"]), (400, "InvalidParameterException", "Creation of service was not idempotent."))

    def test_a_deployment_is_in_progress_until_its_targets_are_healthy(self):
        CHECKS.health = "initial"
        self.balanced()
        services.complete()
        self.assertEqual(self.service()["deployments"][0]["rolloutState"], "IN_PROGRESS")
        CHECKS.health = "healthy"
        services.complete()
        self.assertEqual(self.service()["deployments"][0]["rolloutState"], "COMPLETED")
        self.assertIn("has reached a steady state", self.service()["events"][0]["message"])

    def test_a_task_that_is_placed_is_pending(self):
        self.create()
        [task] = ecs._tasks.values()
        for state in "PROVISIONING", "PENDING", "ACTIVATING":
            task["lastStatus"] = state
            ecs._refresh_service_state("c", "service:s")
            service = self.service()
            self.assertEqual((service["runningCount"], service["pendingCount"], service["deployments"][0]["pendingCount"]), (0, 1, 1), state)

    def test_a_task_that_is_stopped_by_hand_is_replaced(self):
        self.create()
        [first] = self.tasks()
        call("StopTask", cluster="c", task=first["taskArn"])
        [second] = self.tasks()
        self.assertNotEqual(second["taskArn"], first["taskArn"])

    def test_a_task_is_started_by_a_deployment(self):
        self.create()
        [task] = self.tasks()
        self.assertEqual(task["startedBy"], self.service()["deployments"][0]["id"])
        self.assertIn("has started 1 tasks", self.service()["events"][0]["message"])

    def test_a_task_whose_target_is_unhealthy_is_replaced(self):
        task = self.balanced()
        services.replace_unhealthy(GROUP, {"Id": "192.0.2.9"}, "Request timed out")
        self.assertEqual((task["stopCode"], task["stoppedReason"]), ("ServiceSchedulerInitiated", f"Task failed ELB health checks in (target-group {GROUP})"))
        self.until(self.tasks)
        messages = " ".join(event["message"] for event in self.service()["events"])
        self.assertIn(f"(port 80) is unhealthy in (target-group {GROUP}) due to (reason Request timed out)", messages)

    def test_a_service_has_patience_with_a_new_task(self):
        task = self.balanced()
        ecs._services["c/s"]["healthCheckGracePeriodSeconds"] = 60
        services.replace_unhealthy(GROUP, {"Id": "192.0.2.9"}, "Request timed out")
        self.assertEqual(task["lastStatus"], "RUNNING")

    def test_reasons_are_worded_as_on_aws(self):
        self.create()
        [task] = ecs._tasks.values()
        ecs._mark_task_stopped(task["taskArn"], task, "Essential container exited", "EssentialContainerExited", exit_code=3)
        self.assertEqual((task["stoppedReason"], task["containers"][0]["exitCode"]), ("Essential container in task exited", 3))
        self.until(self.tasks)
        [task] = [task for task in ecs._tasks.values() if task["lastStatus"] == "RUNNING"]
        call("DeleteService", cluster="c", service="s", force=True)
        self.assertEqual(task["stopCode"], "ServiceSchedulerInitiated")
        self.assertTrue(task["stoppedReason"].startswith("Scaling activity initiated by (deployment ecs-svc/"), task["stoppedReason"])

    def test_an_image_that_cannot_be_had_is_told_of_its_container(self):
        self.create()
        [task] = ecs._tasks.values()
        ecs._mark_task_stopped(task["taskArn"], task, "CannotPullContainerError: not found", "TaskFailedToStart")
        self.assertEqual(task["containers"][0]["reason"], "CannotPullContainerError: not found")

    def environment(self, definition, **own):
        container, env = definition["containerDefinitions"][0], dict(own)
        ecs._register_metadata("arn:task", "arn:cluster", definition, container, "FARGATE", env, False, None)
        return env

    def test_a_container_finds_credentials_only_with_a_role(self):
        definition = {"family": "f", "revision": 1, "containerDefinitions": [{"name": "server", "image": "none"}]}
        env = self.environment(definition)
        self.assertEqual((env["AWS_ENDPOINT_URL"], env["AWS_REGION"]), ("http://192.0.2.1:4566", ecs.get_region()))
        self.assertFalse([name for name in env if "CREDENTIALS" in name or "AUTHORIZATION" in name])
        env = self.environment({**definition, "taskRoleArn": "arn:role"}, AWS_REGION="eu-north-1")
        self.assertTrue(env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"].startswith("/v2/credentials/"))
        self.assertNotIn("AWS_CONTAINER_CREDENTIALS_FULL_URI", env)
        self.assertEqual(env["AWS_REGION"], "eu-north-1")

    def test_a_container_gets_its_entry_point_and_its_limits(self):
        container = {"name": "server", "image": "none", "entryPoint": ["/a"], "user": "1000", "memory": 256, "readonlyRootFilesystem": True}
        asked = ecs._build_run_kwargs(container, {"family": "f", "memory": "512"}, {}, {}, None, False, "12345678", "arn:task", None, "arn:cluster")
        self.assertEqual(
            {name: asked.get(name) for name in ("entrypoint", "user", "mem_limit", "read_only")},
            {"entrypoint": ["/a"], "user": "1000", "mem_limit": 256 * 1024 * 1024, "read_only": True},
        )

    def test_an_empty_volume_belongs_to_whom_the_image_says(self):
        container = {"name": "server", "image": "none", "mountPoints": [{"sourceVolume": name, "containerPath": f"/{name}"} for name in "abh"]}
        definition = {"family": "f", "volumes": [{"name": "a"}, {"name": "b", "host": {}}, {"name": "h", "host": {"sourcePath": "/srv"}}]}
        original, services.declared_volumes = services.declared_volumes, lambda image: {"/a": {}}
        try:
            asked = ecs._build_run_kwargs(container, definition, {}, {}, None, False, "12345678", "arn:task", None, "arn:cluster")
        finally:
            services.declared_volumes = original
        self.assertEqual([(mount["Target"], mount["Type"]) for mount in asked["mounts"]], [("/a", "volume")])
        self.assertEqual(asked["tmpfs"], {"/b": "mode=0755"})
        self.assertEqual(asked["volumes"], ["/srv:/h:rw"])
