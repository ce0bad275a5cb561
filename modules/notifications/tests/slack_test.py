"""What the function sends to a server that stands in for Slack."""

import json
import sys
import threading
import unittest
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "functions"))
import slack  # noqa: E402

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack"


class Server(HTTPServer):
    status = 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taker)
        self.taken = []


class Taker(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Slack(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.address = f"http://127.0.0.1:{self.server.server_port}/services/the-secret"

    def send(self, message, subject=None):
        """As Lambda calls it; the address in clear text goes past the check, which has a test of its own."""
        event = {"Records": [{"Sns": {"Message": message if isinstance(message, str) else json.dumps(message), "Subject": subject}}]}
        asked = []
        with mock.patch.dict("os.environ", SECRET_ARN=SECRET), mock.patch.object(slack, "address_of", str.strip):
            slack.handler(event, None, read=lambda arn: asked.append(arn) or self.address + "\n")
        self.assertEqual(asked, [SECRET])
        return self.server.taken[-1]["text"]

    def test_an_alert_is_its_title_and_its_description(self):
        alert = {"version": "1.0", "source": "custom", "content": {"title": "FIRING: A", "description": "[firing] slow; "}}
        self.assertEqual(self.send(alert, "[FIRING] A"), "*FIRING: A*\n[firing] slow; ")

    def test_an_alarm_is_its_state_name_and_reason(self):
        self.assertEqual(self.send({"AlarmName": "errors", "NewStateValue": "ALARM", "NewStateReason": "3 > 1"}), "*ALARM: errors*\n3 &gt; 1")

    def test_an_event_is_its_kind_and_its_detail(self):
        event = {"detail-type": "ECS Deployment State Change", "resources": ["arn:a"], "detail": {"eventName": "SERVICE_DEPLOYMENT_FAILED"}}
        self.assertEqual(self.send(event), '*ECS Deployment State Change*\narn:a\n{"eventName": "SERVICE_DEPLOYMENT_FAILED"}')

    def test_other_text_goes_as_it_is_and_calls_nobody(self):
        self.assertEqual(self.send("<!channel> a & b"), "&lt;!channel&gt; a &amp; b")
        self.assertEqual(self.send("[1]", "a subject"), "*a subject*\n[1]")

    def test_a_long_text_is_cut(self):
        text = self.send("x" * 5000)
        self.assertEqual((len(text), text[-1]), (slack.LONGEST, "…"))

    def test_a_refusal_is_raised_so_that_sns_repeats_and_does_not_tell_the_address(self):
        self.server.status = 403
        with self.assertRaises(RuntimeError) as raised:
            self.send("text")
        self.assertIn("403", str(raised.exception))
        self.assertNotIn("the-secret", str(raised.exception))
        self.assertTrue(raised.exception.__suppress_context__)

    def test_a_secret_that_is_no_address_is_refused_and_not_told(self):
        with self.assertRaises(ValueError) as raised:
            slack.address_of("the-secret")
        self.assertNotIn("the-secret", str(raised.exception))
        self.assertEqual(slack.address_of(" https://hooks.example.com/x\n"), "https://hooks.example.com/x")


if __name__ == "__main__":
    unittest.main()
