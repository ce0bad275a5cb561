"""What ministack's ECS lacks: services that look after their tasks as on AWS, and containers that get what their definitions say.

Each part says what ministack 1.5.33 does, and what AWS documents; when ministack does the same, the part can go.
"""

import json
import re
import threading
import time
from datetime import datetime

from ministack.core.concurrency import resource_lock
from ministack.core.responses import error_response_json, get_account_id, get_region, new_uuid, request_scope
from ministack.services import alb, ecs

AGAIN = 1.0  # seconds until a task that failed is started anew: AWS waits longer and longer, ministack not at all
MIB = 1024 * 1024


def install(endpoint, users, checks):
    """Patches ministack, which containers reach at `endpoint`."""
    Environment(endpoint).install()
    give_containers_what_they_ask_for()
    refuse(users)
    begin_in_progress(checks)
    count_what_starts()
    look_after_tasks()
    tell_reasons()
    checks.unhealthy = replace_unhealthy
    checks.tick = complete


# --- What a container finds. ---


class Environment:
    """ministack names itself `host.docker.internal` and hands out credentials there, which SDKs refuse: no host but a few may be asked over HTTP.
    On ECS they come from 169.254.170.2, for tasks with a role; Fargate names the region, too."""

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def install(self):
        register = ecs._register_metadata

        def register_metadata(task_arn, cluster_arn, definition, container, launch_type, env, *rest):
            own = dict(env)
            token = register(task_arn, cluster_arn, definition, container, launch_type, env, *rest)
            full = env.pop("AWS_CONTAINER_CREDENTIALS_FULL_URI")
            env.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN")
            if definition.get("taskRoleArn"):
                env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/" + full.rpartition("/")[2]
            env.update(AWS_ENDPOINT_URL=self.endpoint, AWS_REGION=get_region(), AWS_DEFAULT_REGION=get_region())
            # What the definition says goes first.
            env.update(own)
            return token

        ecs._register_metadata = register_metadata


def give_containers_what_they_ask_for():
    """ministack passes the command on, and neither the entry point nor limits, nor volumes that are not the host's."""
    build = ecs._build_run_kwargs

    def build_run_kwargs(container, definition, *rest):
        asked = build(container, definition, *rest)
        for field, name in (("entryPoint", "entrypoint"), ("user", "user"), ("workingDirectory", "working_dir")):
            if container.get(field):
                asked[name] = container[field]
        memory = container.get("memory") or definition.get("memory")
        if memory:
            asked["mem_limit"] = int(memory) * MIB
        asked["read_only"] = bool(container.get("readonlyRootFilesystem"))
        asked.update(volumes_of_the_task(container, definition))
        return asked

    ecs._build_run_kwargs = build_run_kwargs


def volumes_of_the_task(container, definition):
    """On Fargate an empty volume has the owner that the image gives the path, if the image declares it a volume; else it is the superuser's.
    What tasks share is a volume of dockerd's by its name, for as long as there is a dockerd, which is the one instance here."""
    from docker.types import Mount

    there = {volume["name"]: volume for volume in definition.get("volumes", [])}
    shared, paths = [], []
    for mount in container.get("mountPoints", []):
        volume, path = there.get(mount["sourceVolume"], {"host": {"sourcePath": "?"}}), mount["containerPath"]
        source = shared_by_tasks(volume)
        if source:
            shared.append(Mount(target=path, source=source, type="volume", read_only=bool(mount.get("readOnly"))))
        elif not (volume.get("host") or {}).get("sourcePath"):
            paths.append(path)
    if not paths and not shared:
        return {}
    declared = declared_volumes(container["image"]) if paths else ()
    return {
        "mounts": shared + [Mount(target=path, source=None, type="volume") for path in paths if path in declared],
        "tmpfs": {path: "mode=0755" for path in paths if path not in declared},
    }


def shared_by_tasks(volume):
    """What dockerd calls a volume that tasks share: a directory of a file system of EFS, or what Docker itself shares on an instance, whose name is
    that of the volume."""
    if volume.get("efsVolumeConfiguration"):
        return file_system(volume["efsVolumeConfiguration"])
    of_docker = volume.get("dockerVolumeConfiguration") or {}
    return volume["name"] if of_docker.get("scope") == "shared" else None


def file_system(efs):
    """A name for what a task sees of a file system: all of it, a directory, or an access point."""
    part = (efs.get("authorizationConfig") or {}).get("accessPointId") or efs.get("rootDirectory") or "/"
    return "efs-" + efs["fileSystemId"] + re.sub("[^A-Za-z0-9]", "-", part)


def declared_volumes(image):
    """The paths that an image declares. It is pulled before the container is made, and perhaps not yet when this is asked."""
    from docker.errors import DockerException, ImageNotFound

    docker = ecs._get_docker()
    try:
        try:
            found = docker.images.get(image)
        except ImageNotFound:
            found = docker.images.pull(image)
    except DockerException:
        return ()  # the pull that follows tells why
    return found.attrs["Config"].get("Volumes") or ()


# --- Refusals. ---


def refuse(users):
    """ministack takes a service whose target group has no load balancer, or that wants capacity providers its cluster does not have, and knows no
    client token."""
    create = ecs._ACTION_MAP["CreateService"]
    tokens = {}  # (account, region, cluster, name) -> token

    def create_service(data):
        cluster, name = ecs._resolve_cluster_name(data.get("cluster", "default")), data.get("serviceName")
        there, key = ecs._services.get(f"{cluster}/{name}"), (get_account_id(), get_region(), cluster, name)
        if there and there["status"] == "ACTIVE":
            if data.get("clientToken") and tokens.get(key) == data["clientToken"]:
                return ecs.json_response({"service": ecs._sanitize(there)})
            return error_response_json("InvalidParameterException", "Creation of service was not idempotent.", 400)
        if cluster not in ecs._clusters:
            return error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
        has = ecs._clusters[cluster].get("capacityProviders") or []
        if any(item["capacityProvider"] not in has for item in data.get("capacityProviderStrategy") or []):
            text = (
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. "
                "Associate the capacity provider with the cluster and try again."
            )
            return error_response_json("InvalidParameterException", text, 400)
        for balancer in data.get("loadBalancers", []):
            arn = balancer.get("targetGroupArn")
            if arn not in alb._tgs:
                return error_response_json("InvalidParameterException", f"The target group {arn} does not exist.", 400)
            if arn not in users():
                text = f"The target group with targetGroupArn {arn} does not have an associated load balancer."
                return error_response_json("InvalidParameterException", text, 400)
        tokens[key] = data.get("clientToken")
        return create(data)

    ecs._ACTION_MAP["CreateService"] = create_service
    remove = ecs._ACTION_MAP["DeleteCluster"]

    def delete_cluster(data):
        """ministack deletes a cluster with whatever is in it."""
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
        if any(key.startswith(f"{cluster}/") and service["status"] == "ACTIVE" for key, service in ecs._services.items()):
            return error_response_json("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.", 400)
        arn = (ecs._clusters.get(cluster) or {}).get("clusterArn")
        if any(task["clusterArn"] == arn and task["lastStatus"] != "STOPPED" for task in ecs._tasks.values()):
            return error_response_json("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.", 400)
        return remove(data)

    ecs._ACTION_MAP["DeleteCluster"] = delete_cluster


# --- Deployments. ---


def begin_in_progress(checks):
    """ministack calls the first deployment of a service completed before anything runs, and any after a second without looking at targets."""
    make, finish, healthy = ecs._make_deployment, ecs._complete_service_deployment, ecs._record_service_task_healthy

    def make_deployment(task_definition, desired, status="PRIMARY"):
        made = make(task_definition, desired, status)
        made.update(rolloutState="IN_PROGRESS", rolloutStateReason=f"ECS deployment {made['id']} in progress.")
        return made

    def complete_service_deployment(cluster, key, expected_deployment_id=None):
        service = ecs._services.get(key)
        if service and all(enough(service, group, checks) for group in groups_of(service)):
            finish(cluster, key, expected_deployment_id)

    def record_service_task_healthy(key, task):
        service = ecs._services.get(key)
        if service and service["loadBalancers"]:
            task["_startup_stable"] = True  # whether it is healthy, checks say
        else:
            healthy(key, task)

    ecs._make_deployment = make_deployment
    ecs._complete_service_deployment = complete_service_deployment
    ecs._record_service_task_healthy = record_service_task_healthy


def groups_of(service):
    return [one["targetGroupArn"] for one in service["loadBalancers"] if one.get("targetGroupArn") in alb._tgs]


def enough(service, arn, checks):
    """Whether as many targets of the new deployment are healthy as the service wants."""
    group, deployment = alb._tgs[arn], ecs._primary_deployment(service)
    tasks = [task for task in list(ecs._tasks.values()) if deployment and task.get("_deployment_id") == deployment["id"]]
    addresses = {ecs._task_ip(task) for task in tasks if task["lastStatus"] == "RUNNING"}
    states = [checks.state(group, target)[0] for target in alb._targets.get(arn, []) if target["Id"] in addresses]
    return states.count("healthy") >= service["desiredCount"]


def complete():
    """Deployments whose targets became healthy in the meantime."""
    for (account, region, key), service in ecs._services.all_items():
        deployment = ecs._primary_deployment(service)
        if service["status"] == "ACTIVE" and service["loadBalancers"] and deployment and deployment["rolloutState"] == "IN_PROGRESS":
            with request_scope(account, region):
                ecs._complete_service_deployment(key.split("/", 1)[0], key)
                if deployment["rolloutState"] == "COMPLETED":
                    tell(service, "has reached a steady state.")


def count_what_starts():
    """ministack counts a task that is placed, or whose image is pulled, nowhere; AWS calls it pending."""
    refresh = ecs._refresh_service_state

    def refresh_service_state(cluster, group):
        refresh(cluster, group)
        service = ecs._services.get(f"{cluster}/{(group or '').removeprefix('service:')}")
        if not service:
            return
        counts = {}
        for task in list(ecs._tasks.values()):
            ours = task.get("group") == group and task.get("clusterArn") == service["clusterArn"]
            if ours and task["lastStatus"] in ("PROVISIONING", "PENDING", "ACTIVATING"):
                counts[task.get("_deployment_id")] = counts.get(task.get("_deployment_id"), 0) + 1
        service["pendingCount"] = sum(counts.values())
        for deployment in service["deployments"]:
            deployment["pendingCount"] = counts.get(deployment["id"], 0)

    ecs._refresh_service_state = refresh_service_state


# --- Tasks. ---


def service_of(task):
    """(key, service) of a task that a service started."""
    cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
    key = f"{cluster}/{task.get('group', '').removeprefix('service:')}"
    return key, ecs._services.get(key) if task.get("group", "").startswith("service:") else None


def tell(service, message):
    event = {"id": new_uuid(), "createdAt": ecs._iso(), "message": f"(service {service['serviceName']}) {message}"}
    service["events"].insert(0, event)


def look_after_tasks():
    """ministack leaves a gap where a task of a service was stopped by hand, and replaces one that failed without taking a breath."""
    stop, record, run = ecs._ACTION_MAP["StopTask"], ecs._record_service_task_failure, ecs._run_task

    def stop_task(data):
        answer = stop(data)
        cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
        task = ecs._resolve_task(data.get("task", ""), cluster) if cluster else None
        key, service = service_of(task) if task else (None, None)
        if service and service["status"] == "ACTIVE":
            ecs._reconcile_service_tasks(cluster, key)
        return answer

    def record_service_task_failure(task, digest_resolution_failed=False):
        scope = (get_account_id(), get_region())

        def later():
            with request_scope(*scope):
                record(task, digest_resolution_failed)

        timer = threading.Timer(AGAIN, later)
        timer.daemon = True
        timer.start()

    def run_task(data):
        # What a service starts is started by its deployment.
        if data.get("_deploymentId"):
            data = {**data, "startedBy": data["_deploymentId"]}
        answer = run(data)
        started = json.loads(answer[2]).get("tasks", [])
        if data.get("_deploymentId") and started:
            _, service = service_of(started[0])
            names = " ".join(f"(task {task['taskArn'].rpartition('/')[2]})" for task in started)
            tell(service, f"has started {len(started)} tasks: {names}.")
        return answer

    ecs._ACTION_MAP["StopTask"], ecs._run_task = stop_task, run_task
    ecs._record_service_task_failure = record_service_task_failure


def replace_unhealthy(group_arn, target, description):
    """Stops the task behind a target that failed its checks, once its service no longer has patience. ministack never does."""
    for task in list(ecs._tasks.values()):
        if task["lastStatus"] != "RUNNING" or ecs._task_ip(task) != target["Id"]:
            continue
        _, service = service_of(task)
        if not service or group_arn not in groups_of(service):
            continue
        age = time.time() - datetime.fromisoformat(task["startedAt"].replace("Z", "+00:00")).timestamp()
        if age < service.get("healthCheckGracePeriodSeconds", 0):
            continue
        name = task["taskArn"].rpartition("/")[2]
        port = next(one["containerPort"] for one in service["loadBalancers"] if one.get("targetGroupArn") == group_arn)
        tell(service, f"(port {port}) is unhealthy in (target-group {group_arn}) due to (reason {description})")
        tell(service, f"has stopped 1 running tasks: (task {name}).")
        reason = f"Task failed ELB health checks in (target-group {group_arn})"
        if ecs._mark_task_stopped(task["taskArn"], task, reason, "ServiceSchedulerInitiated"):
            ecs._cleanup_task_resources(task, ecs._get_docker())
            ecs._record_service_task_failure(task)


BY_SCHEDULER = {"Service scaling down", "Task definition updated", "Deployment completed", "Deployment capacity limit", "Service deleted"}


def tell_reasons():
    """ministack says of no container why it ended, words the task's reasons its own way, and takes what a service does for a user's doing."""
    mark = ecs._mark_task_stopped

    def mark_task_stopped(task_arn, task, reason, stop_code, exit_code=None):
        if stop_code == "EssentialContainerExited":
            reason = "Essential container in task exited"
            for index, container_id in enumerate(task.get("_docker_ids") or []):
                if ran_out_of_memory(container_id):
                    with resource_lock("ecs-task", task_arn):
                        task["containers"][index]["reason"] = "OutOfMemoryError: Container killed due to memory usage"
        if stop_code == "UserInitiated" and reason in BY_SCHEDULER:
            reason, stop_code = f"Scaling activity initiated by (deployment {task['startedBy']})", "ServiceSchedulerInitiated"
        if stop_code == "TaskFailedToStart" and reason.startswith("CannotPullContainerError"):
            for container in task["containers"]:
                container["reason"] = reason
        return mark(task_arn, task, reason, stop_code, exit_code=exit_code)

    ecs._mark_task_stopped = mark_task_stopped


def ran_out_of_memory(container_id):
    from docker.errors import DockerException

    try:
        return ecs._get_docker().containers.get(container_id).attrs["State"]["OOMKilled"]
    except (DockerException, OSError):
        return False
