"""What ministack 1.5.33 does not refuse of groups of instances and capacity providers, and what it does not tell. Patched in at start-up.

Each part says what ministack does, and what AWS documents; when ministack does the same, the part can go.
"""

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import autoscaling, ec2, ecs

from . import services

# No instance of this type can be had here.
SCARCE = "p5.48xlarge"
ENDING = set()  # Groups that were deleted and are still told of.
WHY = f"We currently do not have sufficient {SCARCE} capacity in the Availability Zone you requested."


def install():
    keep_what_is_used()
    know_instances()
    end_groups_by_and_by()
    tell_why_none_comes()
    lose_tasks_with_instances()


def refused(code, why):
    return error_response_json(code, why, 400)


# --- ministack lets go of a provider whoever uses it. "PutClusterCapacityProviders" and "DeleteCapacityProvider" in the API reference of ECS: a provider
# that a service uses stays in the cluster, and one that a cluster has is not deleted. "DeleteCluster": nor is a cluster that has one. ---


def keep_what_is_used():
    put, delete, end = (ecs._ACTION_MAP[name] for name in ("PutClusterCapacityProviders", "DeleteCapacityProvider", "DeleteCluster"))

    def put_providers(data):
        cluster = ecs._resolve_cluster_name(data["cluster"])
        used = {
            share["capacityProvider"]
            for key, service in ecs._services.items()
            if key.split("/")[0] == cluster and service["status"] == "ACTIVE"
            for share in service.get("capacityProviderStrategy") or ()
        }
        lost = used - set(data["capacityProviders"])
        if lost:
            return refused("ResourceInUseException", f"The capacity provider {lost.pop()} is in use by a service and can't be removed.")
        unknown = set(data["capacityProviders"]) - {"FARGATE", "FARGATE_SPOT"} - set(ecs._capacity_providers)
        if unknown:
            return refused("InvalidParameterException", f"The capacity provider {unknown.pop()} was not found.")
        return put(data)

    def delete_provider(data):
        name = ecs._resolve_capacity_provider_name(data["capacityProvider"])
        for cluster in ecs._clusters.values():
            if name in cluster.get("capacityProviders", ()) and cluster.get("status") != "INACTIVE":
                return refused("ResourceInUseException", f"The capacity provider {name} is associated with a cluster.")
        return delete(data)

    def delete_cluster(data):
        cluster = ecs._clusters.get(ecs._resolve_cluster_name(data["cluster"])) or {}
        own = set(cluster.get("capacityProviders", ())) - {"FARGATE", "FARGATE_SPOT"}
        if own:
            return refused("ClusterContainsCapacityProviderException", f"The cluster has capacity provider {own.pop()}.")
        return end(data)

    ecs._ACTION_MAP.update(PutClusterCapacityProviders=put_providers, DeleteCapacityProvider=delete_provider, DeleteCluster=delete_cluster)


# --- ministack knows no instances of a cluster. On AWS each registers itself, is told with its provider, and is known for a while after it ended; a cluster
# that knows one is not deleted. Here they do as soon as the cluster has the provider, and are known until somebody takes them away. ---


def know_instances():
    names = ("PutClusterCapacityProviders", "ListContainerInstances", "DescribeContainerInstances", "DeleteCluster")
    put, listed, described, end = (ecs._ACTION_MAP[name] for name in names)
    known = {}

    def put_providers(data):
        answer = put(data)
        cluster = ecs._resolve_cluster_name(data["cluster"])
        before = set(known.setdefault(cluster, {}).values())
        for name in set(data["capacityProviders"]) - before if answer[0] == 200 else ():
            group = ecs._capacity_providers.get(name, {}).get("autoScalingGroupProvider", {}).get("autoScalingGroupArn", "")
            for instance in (autoscaling._asgs.get(group.rpartition("/")[2]) or {}).get("Instances", ()):
                known[cluster][f"arn:aws:ecs:{get_region()}:{get_account_id()}:container-instance/{cluster}/{instance['InstanceId']}"] = name
        return answer

    def within(data):
        return known.get(ecs._resolve_cluster_name(data["cluster"]), {})

    def list_instances(data):
        return json_response({"containerInstanceArns": list(within(data))}) if within(data) else listed(data)

    def describe_instances(data):
        # Of a task of Fargate too ministack names an instance.
        if not set(data["containerInstances"]) <= set(within(data)):
            return described(data)
        told = [{"containerInstanceArn": arn, "capacityProviderName": within(data)[arn]} for arn in data["containerInstances"]]
        return json_response({"containerInstances": told, "failures": []})

    def deregister(data):
        if within(data).pop(data["containerInstance"], None) is None:
            return refused("InvalidParameterException", "Referenced container instance not found.")
        return json_response({"containerInstance": {"containerInstanceArn": data["containerInstance"], "status": "INACTIVE"}})

    def delete_cluster(data):
        if within(data):
            return refused("ClusterContainsContainerInstancesException", "The Cluster cannot be deleted while Container Instances are active or draining.")
        return end(data)

    ecs._ACTION_MAP.update(
        PutClusterCapacityProviders=put_providers,
        ListContainerInstances=list_instances,
        DescribeContainerInstances=describe_instances,
        DeregisterContainerInstance=deregister,
        DeleteCluster=delete_cluster,
    )


# --- A group of ministack's is gone with the call. On AWS it is there while its instances end, with a status that says so; and one that has instances is
# refused without ForceDelete ("DeleteAutoScalingGroup"). Here whoever looks once sees it end. ---


def end_groups_by_and_by():
    delete, describe = (autoscaling._ACTION_MAP[name] for name in ("DeleteAutoScalingGroup", "DescribeAutoScalingGroups"))
    def delete_group(parameters):
        name = parameters["AutoScalingGroupName"]
        group = autoscaling._asgs.get(name)
        if group is None:
            return autoscaling._error("ValidationError", f"AutoScalingGroup name not found - {name}")
        if group["Instances"] and parameters.get("ForceDelete") != "true":
            return autoscaling._error("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
        ENDING.add(name)
        return autoscaling._xml(200, "DeleteAutoScalingGroupResponse", "")

    def describe_groups(parameters):
        status, headers, text = describe(parameters)
        text = text.decode() if isinstance(text, bytes) else text
        for name in [name for name in ENDING if f"<AutoScalingGroupName>{name}<" in text]:
            before, after = text.split(f"<AutoScalingGroupName>{name}</AutoScalingGroupName>", 1)
            text = f"{before}<AutoScalingGroupName>{name}</AutoScalingGroupName><Status>Delete in progress</Status>{after}"
            ENDING.discard(name)
            delete({"AutoScalingGroupName": name})
        return status, headers, text.encode()

    autoscaling._ACTION_MAP.update(DeleteAutoScalingGroup=delete_group, DescribeAutoScalingGroups=describe_groups)


# --- ministack's groups have no activities. AWS tells those of six weeks, latest first, and of one that failed why ("DescribeScalingActivities"). ---


def tell_why_none_comes():
    def describe(parameters):
        group = autoscaling._asgs.get(parameters.get("AutoScalingGroupName")) or {}
        name = group.get("LaunchTemplate", {}).get("LaunchTemplateName")
        kinds = [
            template["Versions"][0]["LaunchTemplateData"].get("InstanceType")
            for template in ec2._launch_templates.values()
            if template["LaunchTemplateName"] == name
        ]
        members = ""
        if SCARCE in kinds:
            members = f"<member><ActivityId>1</ActivityId><StatusCode>Failed</StatusCode><StatusMessage>{WHY}</StatusMessage></member>"
        result = f"<DescribeScalingActivitiesResult><Activities>{members}</Activities></DescribeScalingActivitiesResult>"
        return autoscaling._xml(200, "DescribeScalingActivitiesResponse", result)

    autoscaling._ACTION_MAP["DescribeScalingActivities"] = describe


# --- ministack's tasks need no instance. On AWS they end with theirs, and a service whose provider leads to a group that is gone starts none: another group
# of that name is not the one that the provider names. ---


def lose_tasks_with_instances():
    run, delete = ecs._run_task, autoscaling._ACTION_MAP["DeleteAutoScalingGroup"]

    def is_lost(service):
        names = [share["capacityProvider"] for share in service.get("capacityProviderStrategy") or ()]
        arns = [ecs._capacity_providers.get(name, {}).get("autoScalingGroupProvider", {}).get("autoScalingGroupArn") for name in names]
        there = {group["AutoScalingGroupARN"] for name, group in autoscaling._asgs.items() if name not in ENDING}
        return any(arn and arn not in there for arn in arns)

    def run_task(data):
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
        service = ecs._services.get(f"{cluster}/{data.get('group', '').removeprefix('service:')}")
        if service and is_lost(service):
            services.tell(service, "was unable to place a task because no container instance met all of its requirements.")
            return json_response({"tasks": [], "failures": []})
        return run(data)

    def delete_group(parameters):
        answer = delete(parameters)
        for task in list(ecs._tasks.values()) if answer[0] == 200 else ():
            _, service = services.service_of(task)
            if service and task["lastStatus"] != "STOPPED" and is_lost(service):
                ecs._mark_task_stopped(task["taskArn"], task, "Host EC2 (instance) terminated.", "")
                ecs._cleanup_task_resources(task, ecs._get_docker())
        return answer

    ecs._run_task = run_task
    autoscaling._ACTION_MAP["DeleteAutoScalingGroup"] = delete_group
