"""Application Auto Scaling for services of ECS, which ministack 1.5.33 does not have: its books, its refusals, and what it does to a service by
itself. After its API reference:

- a service that is registered gets a number of tasks that is within the bounds, at once, whatever is suspended;
- a target that is registered again keeps what the call does not name; tags come with the first call only;
- deregistering takes policies and scheduled actions along; deleting a service takes nothing along;
- what a call is about has to exist.

No policy and no schedule scales anything here, because there is no load: a test that wants that does it itself, within bounds and suspensions.
"""

import json
import re
import time

from ministack import app
from ministack.core import router
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import (
    AccountRegionScopedDict,
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    new_uuid,
)
from ministack.services import ecs

SERVICE, PREFIX = "application-autoscaling", "AnyScaleFrontendService"
DIMENSION = "ecs:service:DesiredCount"

TARGETS = AccountRegionScopedDict()  # resource -> target
POLICIES = AccountRegionScopedDict()  # (resource, name) -> policy
ACTIONS = AccountRegionScopedDict()  # (resource, name) -> scheduled action
BALANCERS = None  # target group -> load balancers


class Refused(Exception):
    """A refusal: the code, and what is told."""


def install(users):
    """Makes ministack answer for the service. `users` tells which load balancers are before each target group."""
    global BALANCERS
    BALANCERS = users
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": [PREFIX], "host_patterns": [r"application-autoscaling\."]}
    app.SERVICE_HANDLERS[SERVICE] = handle


async def handle(method, path, headers, body, query_params):
    operation = (headers.get("x-amz-target") or "").rpartition(".")[2]
    # What it does to a service may start containers.
    return await run_reentrant(answer, operation, json.loads(body or "{}"), thread_name="ministack-scaling")


def answer(operation, data):
    try:
        namespace, dimension = data.get("ServiceNamespace", "ecs"), data.get("ScalableDimension", DIMENSION)
        if (namespace, dimension) != ("ecs", DIMENSION):
            raise Refused("ValidationException", "Unsupported service namespace, resource type or scalable dimension")
        return json_response(OPERATIONS[operation](data))
    except Refused as refused:
        return error_response_json(*refused.args, 400)


# --- Targets. ---


def register(data):
    resource = data["ResourceId"]
    key, service = service_of(resource)
    if not service or service["status"] != "ACTIVE":
        raise Refused("ValidationException", f"ECS service doesn't exist: {resource}")
    old = TARGETS.get(resource)
    if old and data.get("Tags"):
        raise Refused("ValidationException", "Tags can only be given when a scalable target is created")
    if not old and ("MinCapacity" not in data or "MaxCapacity" not in data):
        raise Refused("ValidationException", "MinCapacity and MaxCapacity must be provided when registering a new scalable target")
    target = dict(old or {"SuspendedState": suspended({}), "CreationTime": time.time(), "tags": data.get("Tags", {})})
    target.update(ServiceNamespace="ecs", ResourceId=resource, ScalableDimension=DIMENSION, RoleARN=role())
    target.setdefault("ScalableTargetARN", arn(f"scalable-target/{new_uuid()[:12]}"))
    target.update({name: data[name] for name in ("MinCapacity", "MaxCapacity") if name in data})
    if target["MinCapacity"] > target["MaxCapacity"]:
        raise Refused("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    target["SuspendedState"] = suspended({**target["SuspendedState"], **data.get("SuspendedState", {})})
    TARGETS[resource] = target
    wanted = min(max(service["desiredCount"], target["MinCapacity"]), target["MaxCapacity"])
    if wanted != service["desiredCount"]:
        cluster, name = key.split("/", 1)
        ecs._ACTION_MAP["UpdateService"]({"cluster": cluster, "service": name, "desiredCount": wanted})
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def service_of(resource):
    """(key, service) of ECS; none if it was never made."""
    kind, _, key = resource.partition("/")
    if kind != "service" or key.count("/") != 1:
        raise Refused("ValidationException", f"Unsupported resource: {resource}")
    return key, ecs._services.get(key)


def suspended(state):
    names = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
    return {name: bool(state.get(name)) for name in names}


def role():
    name = "AWSServiceRoleForApplicationAutoScaling_ECSService"
    return f"arn:aws:iam::{get_account_id()}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/{name}"


def arn(what, service=SERVICE):
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{what}"


def registered(data):
    resource = data["ResourceId"]
    if resource not in TARGETS:
        raise Refused("ObjectNotFoundException", f"No scalable target registered for service namespace: ecs, resource ID: {resource}")
    return resource


def deregister(data):
    resource = registered(data)
    del TARGETS[resource]
    for book in (POLICIES, ACTIONS):
        for key in [key for key in book if key[0] == resource]:
            del book[key]
    return {}


def describe_targets(data):
    wanted = data.get("ResourceIds")
    shown = [target for resource, target in TARGETS.items() if not wanted or resource in wanted]
    return {"ScalableTargets": [{name: value for name, value in target.items() if name != "tags"} for target in shown]}


def tagged(data):
    for target in TARGETS.values():
        if target["ScalableTargetARN"] == data["ResourceARN"]:
            return target
    raise Refused("ResourceNotFoundException", "no such scalable target")


def tag(data):
    target = tagged(data)
    target["tags"] = {**target["tags"], **data["Tags"]}
    return {}


def untag(data):
    target = tagged(data)
    target["tags"] = {key: value for key, value in target["tags"].items() if key not in data["TagKeys"]}
    return {}


# --- Policies. ---


def put_policy(data):
    resource, name = registered(data), data["PolicyName"]
    if data.get("PolicyType") != "TargetTrackingScaling":
        raise Refused("ValidationException", "only target tracking is known here")
    configuration = data["TargetTrackingScalingPolicyConfiguration"]
    metric = configuration["PredefinedMetricSpecification"]
    if metric["PredefinedMetricType"] == "ALBRequestCountPerTarget":
        check_label(metric.get("ResourceLabel", ""))
    for (other, other_name), policy in POLICIES.items():
        same = policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"] == metric
        if other == resource and other_name != name and same:
            text = "Only one TargetTrackingScaling policy for a given metric specification is allowed."
            raise Refused("ValidationException", text)
    policy = {
        "PolicyARN": arn(f"scalingPolicy:{new_uuid()}:resource/ecs/{resource}:policyName/{name}", "autoscaling"),
        "PolicyName": name,
        "ServiceNamespace": "ecs",
        "ResourceId": resource,
        "ScalableDimension": DIMENSION,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
        "Alarms": [],
        "CreationTime": time.time(),
    }
    POLICIES[(resource, name)] = policy
    return {"PolicyARN": policy["PolicyARN"], "Alarms": []}


def check_label(label):
    """`app/BALANCER/ID/targetgroup/GROUP/ID`, of a group that is behind the balancer."""
    found = re.fullmatch(r"(app/[^/]+/[^/]+)/(targetgroup/[^/]+/[^/]+)", label)
    behind = [balancer for group, all in BALANCERS().items() if found and group.endswith(":" + found[2]) for balancer in all]
    if not found or not any(balancer.endswith(f":loadbalancer/{found[1]}") for balancer in behind):
        raise Refused("ValidationException", f"The resource label {label!r} is not that of a target group behind a load balancer")


def of_resource(book, data, names=()):
    wanted = data.get("ResourceId")
    return [one for (resource, name), one in book.items() if wanted in (None, resource) and (not names or name in names)]


def delete(book, data, field):
    key = (data["ResourceId"], data[field])
    if key not in book:
        raise Refused("ObjectNotFoundException", f"No such object: {key[1]} of {key[0]}")
    del book[key]
    return {}


# --- Schedules. ---


def put_action(data):
    resource, name = registered(data), data["ScheduledActionName"]
    old = ACTIONS.get((resource, name))
    schedule = data.get("Schedule") or (old or {}).get("Schedule", "")
    if not re.fullmatch(r"cron\(\S+( \S+){5}\)|rate\(\d+ (minute|hour|day)s?\)|at\(.*\)", schedule):
        raise Refused("ValidationException", f"Invalid schedule: {schedule}")
    action = dict(old or {"CreationTime": time.time(), "ScheduledActionARN": arn(f"scheduledAction:{new_uuid()}", "autoscaling")})
    action.update(ScheduledActionName=name, ServiceNamespace="ecs", ResourceId=resource, ScalableDimension=DIMENSION, Schedule=schedule)
    action.update({name: data[name] for name in ("Timezone", "ScalableTargetAction") if name in data})
    ACTIONS[(resource, name)] = action
    return {}


OPERATIONS = {
    "RegisterScalableTarget": register,
    "DeregisterScalableTarget": deregister,
    "DescribeScalableTargets": describe_targets,
    "ListTagsForResource": lambda data: {"Tags": tagged(data)["tags"]},
    "TagResource": tag,
    "UntagResource": untag,
    "PutScalingPolicy": put_policy,
    "DescribeScalingPolicies": lambda data: {"ScalingPolicies": of_resource(POLICIES, data, data.get("PolicyNames"))},
    "DeleteScalingPolicy": lambda data: delete(POLICIES, data, "PolicyName"),
    "PutScheduledAction": put_action,
    "DescribeScheduledActions": lambda data: {"ScheduledActions": of_resource(ACTIONS, data, data.get("ScheduledActionNames"))},
    "DeleteScheduledAction": lambda data: delete(ACTIONS, data, "ScheduledActionName"),
}
