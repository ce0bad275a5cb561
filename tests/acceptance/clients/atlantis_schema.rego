# The words of atlantis.yaml and of the server-side repo config, as Atlantis documents and decodes them: it refuses all others.
package main

import rego.v1

requirements := {"approved", "mergeable", "undiverged"}

repo_keys := {
	"allow_custom_workflows", "allowed_overrides", "allowed_workflows", "apply_requirements", "autodiscover", "branch", "custom_policy_check",
	"delete_source_branch_on_merge", "id", "import_requirements", "plan_requirements", "policy_check", "post_workflow_hooks", "pre_workflow_hooks",
	"repo_config_file", "repo_locking", "repo_locks", "silence_pr_comments", "workflow",
}

project_keys := {
	"apply_requirements", "autoplan", "branch", "custom_policy_check", "delete_source_branch_on_merge", "depends_on", "dir", "execution_order_group",
	"glob_file_match", "import_requirements", "name", "plan_requirements", "policy_check", "repo_locking", "repo_locks", "silence_pr_comments",
	"terraform_distribution", "terraform_version", "workflow", "workspace",
}

server if input.repos

known := {"metrics", "policies", "repos", "team_authz", "workflows"} if server

known := {
	"abort_on_execution_order_fail", "allowed_regexp_prefixes", "autodiscover", "automerge", "delete_source_branch_on_merge", "emoji_reaction",
	"parallel_apply", "parallel_plan", "parallel_policy_check", "projects", "repo_locks", "silence_pr_comments", "version", "workflows",
} if not server

deny contains sprintf("%s is no key of the file", [key]) if {
	some key in (object.keys(input) - known)
}

deny contains "version is to be 3" if {
	not server
	input.version != 3
}

deny contains sprintf("%s is no key of a project", [key]) if {
	some project in input.projects
	some key in (object.keys(project) - project_keys)
}

deny contains "a project has no dir, or one with .." if {
	some project in input.projects
	contains(object.get(project, "dir", ".."), "..")
}

deny contains sprintf("%s is no key of autoplan", [key]) if {
	some project in input.projects
	some key in (object.keys(project.autoplan) - {"enabled", "when_modified"})
}

deny contains sprintf("%s is no key of a repo", [key]) if {
	some repo in input.repos
	some key in (object.keys(repo) - repo_keys)
}

deny contains sprintf("%s is no requirement", [word]) if {
	some owner in array.concat(object.get(input, "repos", []), object.get(input, "projects", []))
	some kind in ["apply_requirements", "import_requirements", "plan_requirements"]
	some word in object.get(owner, kind, [])
	not word in requirements
}

deny contains sprintf("%s is no mode of locks", [repo.repo_locks.mode]) if {
	some repo in input.repos
	not repo.repo_locks.mode in {"disabled", "on_apply", "on_plan"}
}

deny contains sprintf("workflow %s is not defined", [repo.workflow]) if {
	some repo in input.repos
	not repo.workflow in object.keys(input.workflows)
}

deny contains sprintf("%s is no stage of a workflow", [stage]) if {
	some workflow in input.workflows
	some stage in (object.keys(workflow) - {"apply", "import", "plan", "policy_check", "state_rm"})
}

steps contains step if {
	some workflow in input.workflows
	some stage in workflow
	some step in stage.steps
}

deny contains sprintf("%v is no step", [step]) if {
	some step in steps
	is_string(step)
	not step in {"apply", "import", "init", "plan", "policy_check", "show", "state_rm"}
}

step_keys := {
	"apply": {"extra_args"}, "env": {"command", "name", "shell", "shellArgs", "value"}, "init": {"extra_args"}, "multienv": {"command", "output", "shell", "shellArgs"},
	"plan": {"extra_args"}, "policy_check": {"extra_args"}, "run": {"command", "output", "shell", "shellArgs"}, "show": {"extra_args"},
}

deny contains sprintf("%v is no step", [step]) if {
	some step in steps
	is_object(step)
	some kind, settings in step
	not keys_of(kind, settings)
}

keys_of(kind, settings) if count(object.keys(settings) - step_keys[kind]) == 0

keys_of("run", settings) if is_string(settings)

deny contains sprintf("%s is no output of a step", [step.run.output]) if {
	some step in steps
	not step.run.output in {"filter_regex", "hide", "show", "strip_refreshing"}
}

deny contains sprintf("%s is no key of policies", [key]) if {
	some key in (object.keys(input.policies) - {"approve_count", "conftest_version", "owners", "policy_sets"})
}

deny contains "a set of policies has no name, no path, or another source than local and github" if {
	some policies in input.policies.policy_sets
	not complete(policies)
}

complete(policies) if {
	policies.name != ""
	policies.path != ""
	policies.source in {"github", "local"}
	count(object.keys(policies) - {"approve_count", "name", "owners", "path", "prevent_self_approve", "source"}) == 0
}

deny contains sprintf("%s is no key of owners", [key]) if {
	some key in (object.keys(input.policies.owners) - {"teams", "users"})
}
