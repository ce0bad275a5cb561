"""What of certificates ministack does not do, one test for each patch: without it, the test fails."""

import json
import re
import unittest

from ministack.services import acm, alb, iam

from ecs import certificates


def setUpModule():
    certificates.install()


def body(answer):
    text = answer[2]
    return text.decode() if isinstance(text, bytes) else text


def certificate(**tags):
    asked = {"DomainName": "example.com", "Tags": [{"Key": f"test:{key}", "Value": value} for key, value in tags.items()]}
    return json.loads(body(acm._request_certificate(asked)))["CertificateArn"]


class Certificates(unittest.TestCase):
    def test_a_certificate_is_in_the_state_that_its_tags_say(self):
        told = lambda arn: json.loads(body(acm._describe_certificate({"CertificateArn": arn})))["Certificate"]
        expired = told(certificate(status="EXPIRED", until="2020-01-02T00:00:00Z"))
        self.assertEqual((expired["Status"], expired["NotAfter"]), ("EXPIRED", 1577923200.0))
        self.assertEqual(told(certificate())["Status"], "ISSUED")

    def test_a_listener_has_certificates_beside_its_default_one(self):
        arn = "listener/app/models/1"
        alb._listeners[arn] = {"ListenerArn": arn, "Certificates": ["default"]}
        more = {"ListenerArn": [arn], "Certificates.member.1.CertificateArn": ["other"]}
        self.assertEqual(alb._ACTION_MAP["AddListenerCertificates"](more)[0], 200)
        told = body(alb._ACTION_MAP["DescribeListenerCertificates"]({"ListenerArn": [arn]}))
        pairs = re.findall("<CertificateArn>(.*?)</CertificateArn><IsDefault>(.*?)</IsDefault>", told)
        self.assertEqual(pairs, [("default", "true"), ("other", "false")])
        missing = alb._ACTION_MAP["DescribeListenerCertificates"]({"ListenerArn": ["gone"]})
        self.assertIn("ListenerNotFound", body(missing))

    def test_a_certificate_is_kept_in_iam_with_its_end(self):
        until = "2020-01-02T00:00:00Z"
        asked = {"ServerCertificateName": ["own"], "Tags.member.1.Key": ["test:until"], "Tags.member.1.Value": [until]}
        self.assertEqual(iam._IAM_HANDLERS["UploadServerCertificate"](asked)[0], 200)
        told = body(iam._IAM_HANDLERS["GetServerCertificate"](asked))
        self.assertRegex(told, f"<ServerCertificate><ServerCertificateMetadata>.*<Expiration>{until}</Expiration>")
        missing = iam._IAM_HANDLERS["GetServerCertificate"]({"ServerCertificateName": ["gone"]})
        self.assertEqual(missing[0], 404)
        self.assertIn("NoSuchEntity", body(missing))
