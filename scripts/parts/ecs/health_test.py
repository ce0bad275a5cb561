"""Health checks: what a target is called, after which answers."""

import http.server
import threading
import time
import unittest

from ministack.services import alb

from ecs import health

GROUP = {"HealthyThresholdCount": 3, "UnhealthyThresholdCount": 2}
FAILURE = ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")


class States(unittest.TestCase):
    def after(self, *checks):
        """The states after each check: `+` is a success."""
        target, states = health.Target(), []
        for check in checks:
            target.learn(None if check == "+" else FAILURE, GROUP)
            states.append(target.state[0])
        return states

    def test_a_new_target_needs_one_success(self):
        self.assertEqual(self.after("+"), ["healthy"])
        self.assertEqual(self.after("-", "+"), ["initial", "healthy"])

    def test_a_new_target_that_fails_is_unhealthy_by_the_threshold(self):
        self.assertEqual(self.after("-", "-"), ["initial", "unhealthy"])

    def test_thresholds_count_in_a_row(self):
        self.assertEqual(self.after("+", "-", "+", "-", "-"), ["healthy"] * 4 + ["unhealthy"])
        self.assertEqual(self.after("-", "-", "+", "+", "-", "+", "+", "+"), ["initial"] + ["unhealthy"] * 6 + ["healthy"])

    def test_codes_are_lists_and_ranges(self):
        self.assertTrue(health.matches(204, "200-299") and health.matches(202, "200,202"))
        self.assertFalse(health.matches(301, "200-299") or health.matches(201, "200,202"))


class Server(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        if self.status is None:
            return  # no answer, and the connection closes
        self.send_response(self.status if self.path == "/ready" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


class Checks(unittest.TestCase):
    def setUp(self):
        alb.reset()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.addCleanup(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.shutdown)
        parameters = {
            "Name": "a", "TargetType": "ip", "Port": str(self.server.server_address[1]), "HealthCheckPath": "/ready", "UnhealthyThresholdCount": "2",
        }  # fmt: skip
        alb._ACTION_MAP["CreateTargetGroup"]({name: [value] for name, value in parameters.items()})
        [self.group] = alb._tgs.values()
        self.group["HealthCheckIntervalSeconds"] = 0  # the next look is due at once
        self.arn, self.target = self.group["TargetGroupArn"], {"Id": "127.0.0.1"}
        alb._targets[self.arn] = [self.target]
        self.used, self.failed = {self.arn}, []
        self.checks = health.Checks(lambda: self.used)
        self.checks.unhealthy = lambda arn, target, why: self.failed.append((arn, target["Id"], why))
        Server.status = 200

    def until(self, state):
        end = time.monotonic() + 30
        while self.checks.state(self.group, self.target)[0] != state:
            self.assertLess(time.monotonic(), end, self.checks.state(self.group, self.target))
            self.checks.look()
            time.sleep(0.01)

    def test_targets_are_asked_and_told(self):
        self.until("healthy")
        Server.status = 503
        self.until("unhealthy")
        _, _, text = self.checks.describe({"TargetGroupArn": [self.arn]})
        self.assertIn("<State>unhealthy</State><Reason>Target.ResponseCodeMismatch</Reason>", text.decode())
        while not self.failed:
            self.checks.look()
        self.assertEqual(self.failed[0], (self.arn, "127.0.0.1", "Health checks failed with these codes: [503]"))

    def test_a_target_that_does_not_answer_fails(self):
        Server.status = None
        self.until("unhealthy")
        self.assertEqual(self.checks.state(self.group, self.target)[1], "Target.FailedHealthChecks")

    def test_a_group_that_nobody_uses_is_not_asked(self):
        self.used = set()
        self.checks.look()
        self.assertEqual(self.checks.state(self.group, self.target), health.UNUSED)
        self.assertEqual(self.checks.targets, {})

    def test_a_target_that_went_is_forgotten(self):
        self.until("healthy")
        alb._targets[self.arn] = []
        self.checks.look()
        self.assertEqual(self.checks.targets, {})

    def test_requests_go_to_healthy_targets_and_where_none_is_to_all(self):
        other = {"Id": "127.0.0.2"}
        alb._targets[self.arn].append(other)
        states = {"127.0.0.1": health.HEALTHY, "127.0.0.2": ("unhealthy", *FAILURE)}
        self.checks.state = lambda _, target: states[target["Id"]]
        self.assertEqual(self.checks.routable(self.group), [self.target])
        states["127.0.0.1"] = states["127.0.0.2"]
        self.assertEqual(self.checks.routable(self.group), [self.target, other])
        states.update({"127.0.0.1": health.INITIAL, "127.0.0.2": health.INITIAL})
        self.assertEqual(self.checks.routable(self.group), [])
