# conftest verify --policy policies
package main

import rego.v1

# A plan with one change.
plan(type, actions, before, after, unknown) := {"resource_changes": [{
	"address": sprintf("%s.x", [type]),
	"mode": "managed",
	"type": type,
	"change": {"actions": actions, "after": after, "after_unknown": unknown, "before": before},
}]}

canary := {"strategy": "CANARY", "analysis": {"errors": {"query": "error_rate"}}}

test_what_is_not_changed_is_not_judged if {
	count(deny) == 0 with input as plan("mlops_endpoint", ["no-op"], {}, {}, {})
}

test_an_endpoint_that_is_destroyed_is_denied if {
	count(deny) == 1 with input as plan("mlops_endpoint", ["delete"], {}, null, {})
}

test_an_endpoint_that_is_replaced_is_denied if {
	count(deny) == 1 with input as plan("mlops_endpoint", ["delete", "create"], {}, {}, {})
}

test_an_alias_that_is_destroyed_is_not_denied if {
	count(deny) == 0 with input as plan("mlops_model_alias", ["delete"], {}, null, {})
}

test_a_version_that_goes_first_is_denied if {
	count(deny) == 1 with input as plan("mlops_model_version", ["delete", "create"], {}, {}, {})
}

test_a_version_whose_successor_comes_first_is_not_denied if {
	count(deny) == 0 with input as plan("mlops_model_version", ["create", "delete"], {}, {}, {})
}

test_another_version_at_once_is_denied if {
	count(deny) == 1 with input as plan("mlops_endpoint", ["update"], {"target_versions": {"main": 1}}, {"target_versions": {"main": 2}}, {})
}

test_another_version_that_is_not_known_yet_is_denied_too if {
	after := {"rollout": {"strategy": "ALL_AT_ONCE", "analysis": {"errors": {}}}}
	count(deny) == 1 with input as plan("mlops_endpoint", ["update"], {"target_versions": {"main": 1}}, after, {"target_versions": {"main": true}})
}

test_another_version_unwatched_is_denied if {
	after := {"rollout": {"strategy": "CANARY", "analysis": null}, "target_versions": {"main": 2}}
	count(deny) == 1 with input as plan("mlops_endpoint", ["update"], {"target_versions": {"main": 1}}, after, {})
}

test_a_watched_canary_is_not_denied if {
	after := {"rollout": canary, "target_versions": {"main": 2}}
	count(deny) == 0 with input as plan("mlops_endpoint", ["update"], {"target_versions": {"main": 1}}, after, {})
}

test_an_update_of_no_version_needs_no_rollout if {
	same := {"target_versions": {"main": 1}}
	count(deny) == 0 with input as plan("mlops_endpoint", ["update"], same, same, {"target_versions": {}})
}

test_a_forced_alias_is_denied_with_its_reason if {
	some message in deny with input as plan("mlops_model_alias", ["update"], {}, {"enforce_promotion": false, "override_reason": "the gate is broken"}, {})
	contains(message, "the gate is broken")
}

test_the_implicit_registry_is_denied if {
	count(deny) == 1 with input as {"configuration": {"provider_config": {"mlops": {"name": "mlops"}}}}
}

test_a_registry_that_is_said_is_not_denied if {
	count(deny) == 0 with input as {"configuration": {"provider_config": {"mlops": {"name": "mlops", "expressions": {"local": [{}]}}}}}
}

test_mock_outputs_are_denied if {
	count(deny) == 1 with input as {"resource_changes": [{"address": "terraform_data.mocked[\"outputs\"]", "mode": "managed", "type": "terraform_data", "change": {"actions": ["no-op"]}}]}
}
