"""Service Quotas, as tests have it."""

import json
import unittest

from ecs import quotas


def ask(operation, **data):
    status, _, body = quotas.answer(operation, data)
    return status, json.loads(body)


def told(service):
    found, token = {}, {}
    while True:
        status, page = ask("ListServiceQuotas", ServiceCode=service, **token)
        assert status == 200
        found.update({quota["QuotaName"]: quota["Value"] for quota in page["Quotas"]})
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


class Quotas(unittest.TestCase):
    def test_quotas_are_told_by_page_and_an_increase_is_granted(self):
        self.assertEqual(told("ecs"), {"Services per cluster": 5000.0, "Tasks per service": 5000.0})
        status, _ = ask("RequestServiceQuotaIncrease", ServiceCode="ecs", QuotaCode="L-9EF96962", DesiredValue=7)
        self.assertEqual(status, 200)
        self.assertEqual(told("ecs")["Services per cluster"], 7.0)

    def test_a_service_or_a_quota_that_is_not_there_is_refused(self):
        self.assertEqual(ask("ListServiceQuotas", ServiceCode="none")[0], 400)
        self.assertEqual(ask("RequestServiceQuotaIncrease", ServiceCode="ecs", QuotaCode="none", DesiredValue=1)[0], 400)
