"""What of an account ministack 1.5.33 does not tell. Patched in at start-up.

Each part says what ministack does, and what AWS documents; when ministack does the same, the part can go.
"""

from ministack.core.responses import get_account_id
from ministack.services import alb, iam

LIMITS = {
    "target-groups": 3000,
    "listeners-per-application-load-balancer": 50,
    "rules-per-application-load-balancer": 100,
    "target-groups-per-application-load-balancer": 100,
}
# A role that is made with this tag was made then.
CREATED = "test:created"


def install():
    tell_limits()
    make_roles_of_any_age()


# --- Limits of Elastic Load Balancing. ministack has no such call; AWS tells what the account may have, as text. ---


def tell_limits():
    def describe(_):
        members = "".join(f"<member><Name>{name}</Name><Max>{most}</Max></member>" for name, most in LIMITS.items())
        return alb._xml(200, "DescribeAccountLimits", f"<Limits>{members}</Limits>")

    alb._ACTION_MAP["DescribeAccountLimits"] = describe


# --- Roles. All of ministack's are as new as the test, and whoever goes by a role's age sees none that is old. ---


def make_roles_of_any_age():
    create = iam._IAM_HANDLERS["CreateRole"]

    def create_role(parameters):
        answer = create(parameters)
        role = iam._roles.get(iam._p(parameters, "RoleName"))
        made = [tag["Value"] for tag in (role or {}).get("Tags", []) if tag["Key"] == CREATED]
        if made:
            role["CreateDate"] = made[0]
        return answer

    iam._IAM_HANDLERS["CreateRole"] = create_role
