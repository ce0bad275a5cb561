"""What of an account ministack does not tell, one test for each patch: without it, the test fails."""

import re
import unittest

from ministack.services import alb, iam

from ecs import account

TRUST = '{"Version": "2012-10-17", "Statement": []}'


def setUpModule():
    account.install()


def role(name, **more):
    """When the role was made, as it is told."""
    made = {"RoleName": [name], "AssumeRolePolicyDocument": [TRUST], **{key: [value] for key, value in more.items()}}
    status, _, _ = iam._IAM_HANDLERS["CreateRole"](made)
    assert status == 200
    _, _, text = iam._IAM_HANDLERS["GetRole"]({"RoleName": [name]})
    return re.search("<CreateDate>(.*?)</CreateDate>", text.decode() if isinstance(text, bytes) else text).group(1)


class Account(unittest.TestCase):
    def test_the_limits_of_a_load_balancer_are_told(self):
        status, _, text = alb._ACTION_MAP["DescribeAccountLimits"]({})
        self.assertEqual(status, 200)
        for name, most in account.LIMITS.items():
            self.assertIn(f"<Name>{name}</Name><Max>{most}</Max>".encode(), text)

    def test_a_role_is_as_old_as_its_tag_says(self):
        told = "2020-01-02T03:04:05Z"
        self.assertEqual(role("old", **{"Tags.member.1.Key": account.CREATED, "Tags.member.1.Value": told}), told)
        self.assertNotEqual(role("new"), told)
