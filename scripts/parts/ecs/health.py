"""Health checks of targets. ministack 1.5.33 calls every target healthy; here each is asked as its group says.

As AWS documents it for an application load balancer: a new target is `initial` and needs one success to be healthy; from then on the thresholds count.
A target of a group that no listener or rule forwards to is `unused` and not checked. What is left out: `draining`, since a target that is taken away is
gone at once, as in ministack.
"""

import http.client
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from xml.sax.saxutils import escape

from ministack.core.responses import request_scope
from ministack.services import alb

TICK = 0.1  # seconds between looks at what is due

INITIAL = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
UNUSED = ("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
HEALTHY = ("healthy", None, None)


class Target:
    """What is known of one."""

    def __init__(self):
        self.state = INITIAL
        self.streak = 0  # of checks that say another thing than the state
        self.due = 0.0
        self.asked = False

    def learn(self, failure, group):
        """Takes in what a check found: nothing, or (reason, description) of a failure."""
        state = self.state[0]
        if state == ("healthy" if failure is None else "unhealthy"):
            self.streak = 0
            if failure:
                self.state = ("unhealthy", *failure)  # for another reason, perhaps
            return
        self.streak += 1
        if failure is None:
            needed = 1 if state == "initial" else group["HealthyThresholdCount"]
            new = HEALTHY
        else:
            needed, new = group["UnhealthyThresholdCount"], ("unhealthy", *failure)
        if self.streak >= needed:
            self.state, self.streak = new, 0


class Checks:
    """The checks of all targets."""

    def __init__(self, users):
        """`users()` tells who uses groups."""
        self.users = users
        self.unhealthy = lambda group_arn, target, description: None  # hears of each target that fails
        self.tick = lambda: None  # is called after each look
        self.targets = {}  # (group's ARN, id, port) -> Target
        self.pool = ThreadPoolExecutor(16, "health")

    def install(self):
        alb._ACTION_MAP["DescribeTargetHealth"] = self.describe
        threading.Thread(target=self.run, daemon=True, name="health").start()

    def run(self):
        while True:
            try:
                self.look()
                self.tick()
            except RuntimeError as error:  # a call of the API changed what we walk through: next time
                print(f"health checks: {error}", file=sys.stderr)
            time.sleep(TICK)

    def look(self):
        """Forgets targets that went, and asks those that are due."""
        now, seen = time.monotonic(), set()
        for (account, region, arn), group in alb._tgs.all_items():
            with request_scope(account, region):
                used = arn in self.users()
                targets = list(alb._targets.get(arn, []))
            for target in targets if used else []:
                key = self.key(group, target)
                seen.add(key)
                known = self.targets.setdefault(key, Target())
                if group["HealthCheckEnabled"] and not known.asked and known.due <= now:
                    known.asked = True
                    known.due = now + group["HealthCheckIntervalSeconds"]
                    self.pool.submit(self.check, known, group, target, (account, region))
        for key in self.targets.keys() - seen:
            del self.targets[key]

    def check(self, known, group, target, scope):
        try:
            known.learn(self.ask(group, target), group)
            if known.state[0] == "unhealthy":
                with request_scope(*scope):
                    self.unhealthy(group["TargetGroupArn"], target, known.state[2])
        finally:
            known.asked = False

    def ask(self, group, target):
        """Nothing if it is well, else (reason, description)."""
        port = group["HealthCheckPort"]
        port = target.get("Port") or group["Port"] if port == "traffic-port" else int(port)
        connection = http.client.HTTPConnection(target["Id"], int(port), timeout=group["HealthCheckTimeoutSeconds"])
        try:
            connection.request("GET", group["HealthCheckPath"], headers={"User-Agent": "ELB-HealthChecker/2.0"})
            status = connection.getresponse().status
        except TimeoutError:
            return "Target.Timeout", "Request timed out"
        except (OSError, http.client.HTTPException):
            return "Target.FailedHealthChecks", "Health checks failed"
        finally:
            connection.close()
        if matches(status, group["Matcher"]["HttpCode"]):
            return None
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"

    @staticmethod
    def key(group, target):
        return group["TargetGroupArn"], target["Id"], int(target.get("Port") or group["Port"])

    def state(self, group, target):
        if group["TargetGroupArn"] not in self.users():
            return UNUSED
        if not group["HealthCheckEnabled"]:
            return HEALTHY
        known = self.targets.get(self.key(group, target))
        return known.state if known else INITIAL

    def routable(self, group):
        """The healthy ones; where none is, the unhealthy ones: a load balancer fails open."""
        by_state = {}
        for target in alb._targets.get(group["TargetGroupArn"], []):
            by_state.setdefault(self.state(group, target)[0], []).append(target)
        return by_state.get("healthy") or by_state.get("unhealthy") or []

    def describe(self, params):
        arn = alb._p(params, "TargetGroupArn")
        group = alb._tgs.get(arn)
        if group is None:
            return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
        asked = {target["Id"] for target in alb._parse_targets_param(params)}
        written = "".join(
            self.written(group, target) for target in alb._targets.get(arn, []) if not asked or target["Id"] in asked
        )
        return alb._xml(200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{written}</TargetHealthDescriptions>")

    def written(self, group, target):
        state, reason, description = self.state(group, target)
        port = target.get("Port") or group["Port"]
        health = f"<State>{state}</State>"
        if reason:
            health += f"<Reason>{reason}</Reason><Description>{escape(description)}</Description>"
        return (
            f"<member><Target><Id>{target['Id']}</Id><Port>{port}</Port></Target><HealthCheckPort>{port}</HealthCheckPort>"
            f"<TargetHealth>{health}</TargetHealth></member>"
        )


def matches(status, codes):
    """Whether a status is among codes such as `200`, `200,202` or `200-299`."""
    for part in codes.split(","):
        least, _, most = part.partition("-")
        if int(least) <= status <= int(most or least):
            return True
    return False
