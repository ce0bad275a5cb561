"""What ECS itself needs until a service takes requests: makes what an endpoint is made of, one call after the other, and waits for it.

    needs.py PLATFORM IMAGE closely|waiters

PLATFORM is what `ecs_world platform` says. `closely` looks again as soon as it has an answer: nobody could know earlier. `waiters` waits as scripts do, with
`services-stable` and `target-in-service` of the AWS libraries. Prints the seconds from the first call on; removes what it made.
"""

import json
import sys
import time

import awscli.botocore.session as botocore_session

NAME = "needs"
PORT = 8080


def in_words(told, want):
    return bool(told) and all(one["TargetHealth"]["State"] == want for one in told)


class Needs:
    def __init__(self, platform, image):
        session = botocore_session.get_session()
        client = lambda name: session.create_client(name, region_name=platform["region"])
        self.ecs, self.elb, self.logs = client("ecs"), client("elbv2"), client("logs")
        self.platform, self.image = platform, image
        self.cluster = platform["cluster_arn"]

    def make(self):
        """The calls, in the order in which each needs the one before."""
        self.logs.create_log_group(logGroupName=NAME)
        log = {"awslogs-group": NAME, "awslogs-region": self.platform["region"], "awslogs-stream-prefix": NAME}
        container = {
            "name": NAME,
            "image": self.image,
            "portMappings": [{"containerPort": PORT}],
            "logConfiguration": {"logDriver": "awslogs", "options": log},
        }
        definition = self.ecs.register_task_definition(
            family=NAME,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=self.platform["execution_role_arn"],
            taskRoleArn=self.platform["task_role_arn"],
            containerDefinitions=[container],
        )
        self.definition = definition["taskDefinition"]["taskDefinitionArn"]
        balancer = self.elb.describe_load_balancers(LoadBalancerArns=[self.platform["load_balancer_arn"]])["LoadBalancers"][0]
        group = self.elb.create_target_group(
            Name=NAME,
            Protocol="HTTP",
            Port=PORT,
            VpcId=balancer["VpcId"],
            TargetType="ip",
            HealthCheckPath="/",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
        )
        self.group = group["TargetGroups"][0]["TargetGroupArn"]
        forward = {"Type": "forward", "TargetGroupArn": self.group}
        listener = self.elb.create_listener(LoadBalancerArn=self.platform["load_balancer_arn"], Protocol="HTTP", Port=29999, DefaultActions=[forward])
        self.listener = listener["Listeners"][0]["ListenerArn"]
        network = {"subnets": self.platform["subnets"], "securityGroups": self.platform["security_groups"], "assignPublicIp": "DISABLED"}
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=NAME,
            taskDefinition=self.definition,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
            loadBalancers=[{"targetGroupArn": self.group, "containerName": NAME, "containerPort": PORT}],
        )

    def wait_closely(self):
        while True:
            service = self.ecs.describe_services(cluster=self.cluster, services=[NAME])["services"][0]
            if service["runningCount"] == 1 and in_words(self.elb.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"], "healthy"):
                return
            time.sleep(0.05)

    def wait_with_waiters(self):
        self.ecs.get_waiter("services_stable").wait(cluster=self.cluster, services=[NAME])
        self.elb.get_waiter("target_in_service").wait(TargetGroupArn=self.group)

    def remove(self):
        self.ecs.delete_service(cluster=self.cluster, service=NAME, force=True)
        self.elb.delete_listener(ListenerArn=self.listener)
        self.elb.delete_target_group(TargetGroupArn=self.group)
        self.ecs.deregister_task_definition(taskDefinition=self.definition)
        self.logs.delete_log_group(logGroupName=NAME)


def main():
    platform, image, how = sys.argv[1:]
    needs = Needs(json.loads(platform), image)
    start = time.monotonic()
    needs.make()
    wait = {"closely": needs.wait_closely, "waiters": needs.wait_with_waiters}[how]
    wait()
    print(time.monotonic() - start)
    needs.remove()


main()
