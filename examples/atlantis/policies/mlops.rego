# What may not be applied without the owners of this policy, asked of a plan (terraform show -json) by conftest.
package main

import rego.v1

# Changes in this plan, with their actions.
changes contains change if {
	some change in input.resource_changes
	change.mode == "managed"
	not change.change.actions in [["no-op"], ["read"]]
}

deny contains message if {
	some change in changes
	change.type in {"mlops_endpoint", "mlops_model"}
	change.change.actions == ["delete"]
	message := sprintf("%s is destroyed: those who call it get no answer any more", [change.address])
}

deny contains message if {
	some change in changes
	change.type == "mlops_endpoint"
	change.change.actions in [["delete", "create"], ["create", "delete"]]
	message := sprintf("%s is replaced: it does not answer meanwhile. Its name and its target cannot be changed in place", [change.address])
}

deny contains message if {
	some change in changes
	change.type == "mlops_model_version"
	change.change.actions == ["delete", "create"]
	message := sprintf("%s is archived before its successor is there. Add lifecycle { create_before_destroy = true }", [change.address])
}

# An endpoint that serves gets new versions step by step, and is watched.
deny contains message if {
	some change in changes
	change.type == "mlops_endpoint"
	change.change.actions == ["update"]
	versions_change(change.change)
	not watched(change.change.after)
	message := sprintf("%s gets another version at once or unwatched. Give it a rollout with a strategy other than ALL_AT_ONCE, and with an analysis", [change.address])
}

versions_change(change) if object.get(change.before, "target_versions", {}) != object.get(change.after, "target_versions", {})

# Known after apply: as a whole, or one of them.
versions_change(change) if {
	some unknown
	walk(object.get(change.after_unknown, "target_versions", false), [_, unknown])
	unknown == true
}

watched(after) if {
	after.rollout.strategy != "ALL_AT_ONCE"
	count(after.rollout.analysis) > 0
}

deny contains message if {
	some change in changes
	change.type == "mlops_model_alias"
	change.change.after.enforce_promotion == false
	message := sprintf("%s goes past the gates of its model (enforce_promotion = false): %s", [change.address, object.get(change.change.after, "override_reason", "no reason is given")])
}

# The provider refuses its implicit registry here; a configuration that asks for it need not come so far.
deny contains message if {
	some provider in input.configuration.provider_config
	provider.name == "mlops"
	expressions := object.get(provider, "expressions", {})
	not expressions.registry
	not expressions.local
	message := "provider \"mlops\" says no registry, and a directory beside the configuration would be lost with this checkout. Give it registry { … } or local { path = … }"
}

deny contains message if {
	some change in input.resource_changes
	change.address == "terraform_data.mocked[\"outputs\"]"
	message := "this is planned with mock outputs of Terragrunt, and its apply is refused. Apply what it depends on first"
}
