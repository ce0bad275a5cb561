"""What ministack's load balancers lack: weights, refusals, and listeners that listen. Patched in at start-up.

Each part says what ministack 1.5.33 does, and what AWS documents; when ministack does the same, the part can go.
"""

import asyncio
import contextlib
import random
import re
from urllib.parse import parse_qs

from ministack.core.responses import StreamingResponse, request_scope
from ministack.services import alb

MOST_WEIGHT = 999
UNAVAILABLE = (503, {"Content-Type": "text/html"}, b"<h1>503 Service Temporarily Unavailable</h1>")


def install(routable):
    """Patches ministack. `routable(group)` gives the targets of a group that take requests."""
    number_as_aws_does()
    keep_weights()
    obey_weights(routable)
    tell_who_uses_groups()
    place_where_subnets_are()
    refuse()


# --- Ids. ministack ends ARNs in any letters; AWS in hexadecimal digits, which is what modules take for one. ---


def number_as_aws_does():
    alb._short_id = lambda: f"{random.getrandbits(64):016x}"


# --- Weights. ministack drops ForwardConfig: of a forward action with several groups nothing is left. ---


def keep_weights():
    parse, write = alb._parse_actions, alb._action_xml

    def parse_actions(params, prefix="DefaultActions"):
        actions = parse(params, prefix)
        for index, action in enumerate(actions, 1):
            if action["Type"] == "forward":
                keep_forward(action, params, f"{prefix}.member.{index}.ForwardConfig")
        return actions

    def action_xml(action):
        text = write(action)
        forward = action.get("ForwardConfig")
        if not forward:
            return text
        groups = "".join(
            f"<member><TargetGroupArn>{group['TargetGroupArn']}</TargetGroupArn><Weight>{group['Weight']}</Weight></member>"
            for group in forward["TargetGroups"]
        )
        stickiness = f"<Enabled>{str(forward['Sticky']).lower()}</Enabled>"
        if forward["Sticky"]:
            stickiness += f"<DurationSeconds>{forward['Duration']}</DurationSeconds>"
        inner = f"<TargetGroups>{groups}</TargetGroups><TargetGroupStickinessConfig>{stickiness}</TargetGroupStickinessConfig>"
        return text.removesuffix("</member>") + f"<ForwardConfig>{inner}</ForwardConfig></member>"

    alb._parse_actions, alb._action_xml = parse_actions, action_xml


def keep_forward(action, params, prefix):
    """Both spellings of one group: AWS answers with both, whichever was asked for."""
    groups, index = [], 1
    while arn := alb._p(params, f"{prefix}.TargetGroups.member.{index}.TargetGroupArn"):
        groups.append({"TargetGroupArn": arn, "Weight": int(alb._p(params, f"{prefix}.TargetGroups.member.{index}.Weight", "1"))})
        index += 1
    if not groups and action.get("TargetGroupArn"):
        groups = [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}]
    if len(groups) == 1:
        action["TargetGroupArn"] = groups[0]["TargetGroupArn"]
    else:
        action.pop("TargetGroupArn", None)
    action["ForwardConfig"] = {
        "TargetGroups": groups,
        "Sticky": alb._p(params, f"{prefix}.TargetGroupStickinessConfig.Enabled") == "true",
        "Duration": alb._p(params, f"{prefix}.TargetGroupStickinessConfig.DurationSeconds", "3600"),
    }


def obey_weights(routable):
    """One group by weight, then one of its targets by health. ministack takes any target of the one group it knows."""
    execute, forward = alb._execute_actions, alb._forward_to_tg

    async def execute_actions(actions, *rest, **named):
        return await execute([choose(action) for action in actions], *rest, **named)

    async def forward_to_group(arn, method, path, headers, body, query_params, raw_query_string=None, raw_path=None):
        group = alb._tgs.get(arn)
        if group is None or group["TargetType"] not in ("instance", "ip"):
            return await forward(arn, method, path, headers, body, query_params, raw_query_string, raw_path)
        targets = routable(group)
        if not targets:
            return UNAVAILABLE
        return await alb._proxy_http_target(random.choice(targets), group, method, raw_path or path, headers, body, query_params, raw_query_string)

    alb._execute_actions, alb._forward_to_tg = execute_actions, forward_to_group


def choose(action):
    """The action with one group, by the weights."""
    groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
    if not groups:
        return action
    weights = [group["Weight"] for group in groups]
    if not any(weights):
        status, _, text = UNAVAILABLE
        fixed = {"StatusCode": str(status), "ContentType": "text/html", "MessageBody": text.decode()}
        return {"Type": "fixed-response", "Order": action["Order"], "FixedResponseConfig": fixed}
    return {**action, "TargetGroupArn": random.choices(groups, weights)[0]["TargetGroupArn"]}


# --- Who uses a group. ministack notes it at CreateListener only. ---


def groups_of(actions):
    return {group["TargetGroupArn"] for action in actions for group in action.get("ForwardConfig", {}).get("TargetGroups", [])}


def users():
    """By group, in this account and region: the load balancers whose listeners or rules forward to it."""
    found = {}
    for rule in alb._rules.values():
        listener = alb._listeners.get(rule["ListenerArn"])
        for arn in groups_of(rule["Actions"]) if listener else ():
            found.setdefault(arn, set()).add(listener["LoadBalancerArn"])
    return found


def tell_who_uses_groups():
    write, describe = alb._tg_xml, alb._ACTION_MAP["DescribeTargetGroups"]

    def group_xml(group):
        return write({**group, "LoadBalancerArns": sorted(users().get(group["TargetGroupArn"], ()))})

    def describe_groups(params):
        used = users()
        for group in alb._tgs.values():
            group["LoadBalancerArns"] = sorted(used.get(group["TargetGroupArn"], ()))
        return describe(params)

    alb._tg_xml, alb._ACTION_MAP["DescribeTargetGroups"] = group_xml, describe_groups


# --- The network of a load balancer. ministack takes a fixed one; AWS takes that of the subnets, and groups must lie in it. ---


def place_where_subnets_are():
    create = alb._ACTION_MAP["CreateLoadBalancer"]

    def create_balancer(params):
        from ministack.services import ec2

        for subnet in alb._parse_member_list(params, "Subnets"):
            if subnet not in ec2._subnets:
                return alb._error("SubnetNotFound", f"The subnet ID '{subnet}' is not valid")
            params = {**params, "VpcId": [ec2._subnets[subnet]["VpcId"]]}
        return create(params)

    alb._ACTION_MAP["CreateLoadBalancer"] = create_balancer


# --- Refusals. ministack accepts what follows; the codes are those of the API reference. ---


class Refused(Exception):
    """An answer with an error."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def refuse():
    checks = {
        "CreateListener": [known_groups("DefaultActions"), listener_is_new],
        "ModifyListener": [known_groups("DefaultActions"), port_is_free],
        "CreateRule": [known_groups("Actions"), priority_is_free],
        "ModifyRule": [known_groups("Actions")],
        "DeleteRule": [rule_is_there],
        "SetRulePriorities": [priorities_are_free],
        "CreateTargetGroup": [group_is_sound],
        "DeleteTargetGroup": [group_is_unused],
        "DescribeTargetGroups": [names_are_known],
        "DescribeListeners": [listeners_are_known],
        "DescribeRules": [rules_are_known],
    }
    for action, of_action in checks.items():
        alb._ACTION_MAP[action] = checked(alb._ACTION_MAP[action], of_action)


def checked(handler, checks):
    def handle(params):
        try:
            for check in checks:
                # What exists already, with the same settings, is answered as if it had been made.
                if answer := check(params):
                    return answer
        except Refused as error:
            return alb._error(error.code, str(error))
        return handler(params)

    return handle


def known_groups(prefix):
    def check(params):
        for action in alb._parse_actions(params, prefix):
            for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
                if group["TargetGroupArn"] not in alb._tgs:
                    raise Refused("TargetGroupNotFound", f"One or more target groups not found: '{group['TargetGroupArn']}'")
                if not 0 <= group["Weight"] <= MOST_WEIGHT:
                    raise Refused("ValidationError", f"Weight '{group['Weight']}' is not between 0 and {MOST_WEIGHT}")

    return check


def listeners_on(balancer, port):
    return [one for one in alb._listeners.values() if one["LoadBalancerArn"] == balancer and one["Port"] == port]


def listener_is_new(params):
    balancer, port = alb._p(params, "LoadBalancerArn"), int(alb._p(params, "Port", "80"))
    for there in listeners_on(balancer, port):
        same = there["Protocol"] == alb._p(params, "Protocol", "HTTP") and there["DefaultActions"] == alb._parse_actions(params, "DefaultActions")
        if same:
            return alb._xml(200, "CreateListener", f"<Listeners>{alb._listener_xml(there)}</Listeners>")
        raise Refused("DuplicateListener", f"A listener already exists on port {port} of load balancer '{balancer}'")
    return None


def port_is_free(params):
    listener, port = alb._listeners.get(alb._p(params, "ListenerArn")), alb._p(params, "Port")
    if listener and port and any(one is not listener for one in listeners_on(listener["LoadBalancerArn"], int(port))):
        raise Refused("DuplicateListener", f"A listener already exists on port {port} of load balancer '{listener['LoadBalancerArn']}'")


def taken(listener, priority, besides=()):
    return any(rule["ListenerArn"] == listener and rule["Priority"] == priority and rule["RuleArn"] not in besides for rule in alb._rules.values())


def priority_is_free(params):
    priority = alb._p(params, "Priority")
    if taken(alb._p(params, "ListenerArn"), priority):
        raise Refused("PriorityInUse", f"Priority '{priority}' is currently in use")


def priorities_are_free(params):
    asked, index = {}, 1
    while arn := alb._p(params, f"RulePriorities.member.{index}.RuleArn"):
        asked[arn] = alb._p(params, f"RulePriorities.member.{index}.Priority")
        index += 1
    for arn, priority in asked.items():
        rule = alb._rules.get(arn)
        if rule is None:
            raise Refused("RuleNotFound", f"Rule '{arn}' not found")
        if taken(rule["ListenerArn"], priority, besides=asked) or list(asked.values()).count(priority) > 1:
            raise Refused("PriorityInUse", f"Priority '{priority}' is currently in use")


def rule_is_there(params):
    if alb._p(params, "RuleArn") not in alb._rules:
        raise Refused("RuleNotFound", f"Rule '{alb._p(params, 'RuleArn')}' not found")


# Field of a group, and its default, its least and its most.
NUMBERS = {
    "HealthCheckIntervalSeconds": (30, 5, 300),
    "HealthCheckTimeoutSeconds": (5, 2, 120),
    "HealthyThresholdCount": (5, 2, 10),
    "UnhealthyThresholdCount": (2, 2, 10),
}


def group_is_sound(params):
    name = alb._p(params, "Name")
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?", name):
        raise Refused("ValidationError", f"The target group name '{name}' must be 1 to 32 alphanumeric characters or hyphens, no hyphen first or last")
    numbers = {field: int(alb._p(params, field, str(usual))) for field, (usual, _, _) in NUMBERS.items()}
    for field, (_, least, most) in NUMBERS.items():
        if not least <= numbers[field] <= most:
            raise Refused("ValidationError", f"{field} '{numbers[field]}' is not between {least} and {most}")
    if numbers["HealthCheckTimeoutSeconds"] >= numbers["HealthCheckIntervalSeconds"]:
        raise Refused("ValidationError", "Health check timeout must be smaller than the interval")
    for there in alb._tgs.values():
        if there["TargetGroupName"] != name:
            continue
        asked = {"Protocol": "HTTP", "Port": "80", "VpcId": "", "TargetType": "instance", "HealthCheckPath": "/"}
        if all(str(there[field]) == alb._p(params, field, usual) for field, usual in asked.items()) and all(
            there[field] == value for field, value in numbers.items()
        ):
            return alb._xml(200, "CreateTargetGroup", f"<TargetGroups>{alb._tg_xml(there)}</TargetGroups>")
        raise Refused("DuplicateTargetGroupName", f"A target group with the same name '{name}' exists, but with different settings")
    return None


def group_is_unused(params):
    arn = alb._p(params, "TargetGroupArn")
    if arn in users():
        raise Refused("ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule")


def names_are_known(params):
    names = {group["TargetGroupName"] for group in alb._tgs.values()}
    if any(name not in names for name in alb._parse_member_list(params, "Names")):
        raise Refused("TargetGroupNotFound", "One or more target groups not found")


def listeners_are_known(params):
    balancer = alb._p(params, "LoadBalancerArn")
    if balancer and balancer not in alb._lbs:
        raise Refused("LoadBalancerNotFound", "One or more load balancers not found")
    if any(arn not in alb._listeners for arn in alb._parse_member_list(params, "ListenerArns")):
        raise Refused("ListenerNotFound", "One or more listeners not found")


def rules_are_known(params):
    listener = alb._p(params, "ListenerArn")
    if listener and listener not in alb._listeners:
        raise Refused("ListenerNotFound", "One or more listeners not found")
    if any(arn not in alb._rules for arn in alb._parse_member_list(params, "RuleArns")):
        raise Refused("RuleNotFound", "One or more rules not found")


# --- Listeners that listen. ministack asks for a Host header on its own port; here each load balancer has an address, which is its DNS name. ---


class Doors:
    """The ports that listeners opened, kept equal to the listeners after each call of the API."""

    def __init__(self, addresses, serve):
        """`addresses` gives one and takes it back; `serve(app, address, port)` starts a server and returns what ends it."""
        self.addresses = addresses
        self.serve = serve
        self.balancers = {}  # ARN -> address
        self.open = {}  # (load balancer's ARN, port) -> what ends it
        self.turn = asyncio.Lock()

    def install(self):
        handle = alb.handle_request

        async def handle_request(method, path, headers, body, query_params):
            response = await handle(method, path, headers, body, query_params)
            async with self.turn:
                await self.settle()
                if "CreateLoadBalancer" not in str(body) + str(query_params):
                    return response
            # It was written before the load balancer had its address.
            status, answer, text = response
            return status, answer, self.with_addresses(text)

        alb.handle_request = handle_request

    def with_addresses(self, text):
        text = text.decode() if isinstance(text, bytes) else text
        for arn in self.balancers:
            if f"<LoadBalancerArn>{arn}</LoadBalancerArn>" in text:
                text = re.sub("<DNSName>.*?</DNSName>", f"<DNSName>{self.balancers[arn]}</DNSName>", text)
        return text.encode()

    async def settle(self):
        balancers = {lb["LoadBalancerArn"]: (lb, scope[:2]) for scope, lb in alb._lbs.all_items()}
        wanted = {
            (one["LoadBalancerArn"], one["Port"]) for _, one in alb._listeners.all_items() if one["LoadBalancerArn"] in balancers
        }
        for key in self.open.keys() - wanted:
            await self.open.pop(key)()
        for arn in self.balancers.keys() - balancers.keys():
            self.addresses.give_back(self.balancers.pop(arn))
        for arn in balancers.keys() - self.balancers.keys():
            self.balancers[arn] = balancers[arn][0]["DNSName"] = self.addresses.take()
        for arn, port in wanted - self.open.keys():
            balancer, scope = balancers[arn]
            self.open[arn, port] = await self.serve(door(balancer, port, scope), self.balancers[arn], port)


def door(balancer, port, scope):
    """An ASGI application: a request to this port goes where the listener's rules say."""
    from ministack.app import _send_response, _send_streaming_response

    async def answer(request, receive, send):
        if request["type"] == "lifespan":
            for stage in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{stage}.complete"})
            return
        if request["type"] != "http":
            return
        body = bytearray()
        while (part := await receive())["type"] == "http.request":
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request["headers"]}
        query = request["query_string"].decode("latin-1")
        with request_scope(*scope):
            status, fields, said = await alb.dispatch_request(
                balancer, request["method"], request["path"], headers, bytes(body), parse_qs(query, keep_blank_values=True), port,
                client_ip=request["client"][0], raw_query_string=query, raw_path=request["raw_path"].decode("latin-1").split("?")[0],
            )  # fmt: skip
        with contextlib.suppress(ConnectionError):
            if isinstance(said, StreamingResponse):
                await _send_streaming_response(send, receive, status, fields, said)
            else:
                await _send_response(send, status, fields, said)

    return answer
