"""Service Quotas, which ministack 1.5.33 does not have: what an account may have of ECS and of Fargate. After its API reference:

- quotas are told a page at a time, as the applied values;
- a service that it does not know is refused.

An increase that is asked for is granted at once, whatever its value: a test that wants less of something asks for less.
"""

import json

from ministack import app
from ministack.core import router
from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response

SERVICE, PREFIX = "servicequotas", "ServiceQuotasV20190624"

# By service: the code, the name and the value of each quota. The codes of ECS's second are nobody's business but a test's.
DEFAULTS = {
    "ecs": [("L-9EF96962", "Services per cluster", 5000.0), ("L-0TASKS0", "Tasks per service", 5000.0)],
    "fargate": [
        ("L-3032A538", "Fargate On-Demand vCPU resource count", 4000.0),
        ("L-36FBB829", "Fargate Spot vCPU resource count", 4000.0),
    ],
}
APPLIED = AccountRegionScopedDict()  # code -> value


def install():
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": [PREFIX], "host_patterns": [r"servicequotas\."]}
    app.SERVICE_HANDLERS[SERVICE] = handle


async def handle(method, path, headers, body, query_params):
    operation = (headers.get("x-amz-target") or "").rpartition(".")[2]
    return answer(operation, json.loads(body or "{}"))


def answer(operation, data):
    service = data.get("ServiceCode")
    if service not in DEFAULTS:
        return error_response_json("NoSuchResourceException", f"The service {service} is not there", 400)
    quotas = [
        {"ServiceCode": service, "QuotaCode": code, "QuotaName": name, "Value": APPLIED.get(code, value)} for code, name, value in DEFAULTS[service]
    ]
    if operation == "ListServiceQuotas":
        # One by one, so that whoever asks reads all pages.
        at = int(data.get("NextToken", 0))
        more = {"NextToken": str(at + 1)} if at + 1 < len(quotas) else {}
        return json_response({"Quotas": quotas[at : at + 1], **more})
    if operation == "RequestServiceQuotaIncrease":
        known = [quota for quota in quotas if quota["QuotaCode"] == data.get("QuotaCode")]
        if not known:
            return error_response_json("NoSuchResourceException", "The quota is not there", 400)
        APPLIED[data["QuotaCode"]] = float(data["DesiredValue"])
        return json_response({"RequestedQuota": {"QuotaCode": data["QuotaCode"], "Status": "CASE_CLOSED"}})
    return error_response_json("UnknownOperationException", operation, 400)
