//! What a reviewer reads: the text of a plan, as Atlantis and others put it into a pull request (terragrunt and atlantis
//! guides; runatlantis/atlantis#55, #1157, #3712, PR#4586).

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_acceptance::Workspace;
use serde_json::{Value, json};

/// What a full-HD screen shows at once of a diff, at 19 pixels a line.
const SCREEN: usize = 55;
/// The longest comment of GitHub; a longer plan is split.
const COMMENT: usize = 65_536;
/// What nobody may read. A number, because the server's environment takes this one as its timeout.
const SECRET: &str = "48611";
const OTHER_SECRET: &str = "48612";

/// A model, a version, a canary and an alias for each team.
const STACK: &str = r#"
terraform {
  required_providers {
    mlops = { source = "mlops-rs/mlops", version = "0.1.0" }
  }
}

provider "mlops" {
  local {
    path = "./registry"
  }
  default_tags {
    tags = { cost-centre = var.secret }
  }
}

variable "secret" {
  type      = string
  sensitive = true
}

variable "teams" {
  type = map(object({
    accuracy    = optional(number, 0.9)
    bake        = optional(string, "1s")
    environment = optional(map(string), {})
    source      = optional(string, "digits-v1.onnx")
    team        = optional(string, "risk")
  }))
}

resource "mlops_model" "team" {
  for_each    = var.teams
  name        = each.key
  description = "known to its owner as ${var.secret}"
  metrics     = { accuracy = { goal = "maximize" } }
  tags        = { team = each.value.team, contact = var.secret }
}

resource "mlops_model_version" "team" {
  for_each = var.teams
  model    = mlops_model.team[each.key].name
  source   = each.value.source
  metrics  = { accuracy = each.value.accuracy }
  params   = { token = var.secret }
  lifecycle {
    create_before_destroy = true
    ignore_changes        = [params]
  }
}

resource "mlops_endpoint" "team" {
  for_each = var.teams
  name     = each.key
  variants = {
    main = {
      model         = mlops_model.team[each.key].name
      model_version = mlops_model_version.team[each.key].version
      traffic       = 100
      environment   = merge({ MLOPS_TIMEOUT_MS = var.secret }, each.value.environment)
    }
  }
  local {
    port_range = "20000-20999"
  }
  rollout {
    strategy = "CANARY"
    steps    = [{ traffic = 10, bake = each.value.bake }, { traffic = 50, bake = "1s" }, { traffic = 100 }]
  }
}

resource "mlops_model_alias" "champion" {
  for_each = var.teams
  model    = mlops_model.team[each.key].name
  name     = "champion"
  version  = mlops_endpoint.team[each.key].target_versions["main"]
}
"#;

/// The stack with `n` teams, of which `team-042` is configured as said.
fn configure(work: &Workspace, n: usize, secret: &str, team: &Value) {
    let mut teams: BTreeMap<String, Value> = (0..n)
        .map(|i| (format!("team-{i:03}"), json!({})))
        .collect();
    teams.insert("team-042".to_owned(), team.clone());
    let variables = json!({ "secret": secret, "teams": teams });
    work.write("terraform.tfvars.json", variables.to_string());
}

/// The text of a plan, from its first line.
#[track_caller]
fn planned(work: &Workspace) -> String {
    let ended = work.run(["plan", "-input=false", "-no-color"]);
    ended.succeeded();
    ended.output
}

/// What is put into a pull request: from the first line after the refresh to the line that counts.
fn comment(plan: &str) -> &str {
    let refreshed = plan.rfind("Refreshing state...").unwrap_or(0);
    let rest = &plan[refreshed..];
    let rest = rest.find('\n').map_or("", |end| &rest[end..]);
    let count = rest.find("\nPlan: ").unwrap_or(rest.len());
    let end = rest[count..].find(" to destroy.").unwrap_or(0);
    rest[..count + end].trim()
}

/// The lines of a comment that say what is added or removed and whose sign a diff does not colour: elements of lists, which
/// carry neither a name nor an address.
fn nameless(comment: &str) -> Vec<&str> {
    let nameless = |line: &&str| {
        let line = line.trim();
        let changed = line.strip_prefix("+ ").or_else(|| line.strip_prefix("- "));
        changed.is_some_and(|rest| {
            !rest.contains(" = ") && (rest.starts_with(['{', '[', '"', '-']) || rest.ends_with(','))
        })
    };
    comment.lines().filter(nameless).collect()
}

#[track_caller]
fn assert_readable(what: &str, plan: &str) {
    let comment = comment(plan);
    let lines = comment.lines().count();
    println!(
        "{what}: {lines} lines, {} characters; with the refresh {} characters",
        comment.len(),
        plan.len()
    );
    assert!(
        comment.contains("Plan: "),
        "{what} is no change:\n{comment}"
    );
    assert!(lines <= SCREEN, "{what} takes {lines} lines:\n{comment}");
    // Where the lines of the refresh are not taken away, too.
    assert!(
        plan.len() < COMMENT,
        "{what} takes {} characters",
        plan.len()
    );
    assert!(
        !comment.contains("<<"),
        "{what} shows a heredoc:\n{comment}"
    );
    assert_eq!(nameless(comment), Vec::<&str>::new(), "{what}:\n{comment}");
    let touched: Vec<&str> = comment
        .lines()
        .filter(|line| line.trim_start().starts_with("# mlops_") && !line.contains("team-042"))
        .collect();
    assert_eq!(touched, Vec::<&str>::new(), "{what} touches others");
}

#[test]
fn a_change_of_one_line_among_a_hundred_endpoints_is_one_screen_of_a_pull_request() {
    let work = &mut Workspace::new();
    for model in ["digits-v1", "digits-v2"] {
        work.copy_model(model, &format!("{model}.onnx"));
    }
    work.write("main.tf", STACK);
    configure(work, 100, SECRET, &json!({}));
    work.init();
    // A hundred servers begin, on a busy machine.
    let applied = work.start(["apply", "-auto-approve", "-input=false", "-no-color"]);
    let applied = applied.wait(Duration::from_secs(600));
    applied.succeeded();
    // The plan of a create shows every computed attribute of every resource.
    assert!(applied.output.contains("Plan: 400 to add"));
    assert!(
        !applied.output.contains(SECRET),
        "an attribute shows the secret"
    );

    for (what, team) in [
        ("another rollout", json!({ "bake": "2s" })),
        ("another model", json!({ "source": "digits-v2.onnx" })),
        ("another metric", json!({ "accuracy": 0.95 })),
        ("another tag", json!({ "team": "fraud" })),
        (
            "another setting",
            json!({ "environment": { "MLOPS_MAX_QUEUE": "7" } }),
        ),
    ] {
        configure(work, 100, SECRET, &team);
        let plan = planned(work);
        assert_readable(what, &plan);
        assert!(!plan.contains(SECRET), "{what} shows the secret:\n{plan}");
    }

    // The secret itself, which is a change of all of them.
    configure(work, 100, OTHER_SECRET, &json!({}));
    let plan = planned(work);
    assert!(
        plan.contains("Plan: 0 to add, 300 to change, 0 to destroy"),
        "{}",
        comment(&plan)
    );
    for secret in [SECRET, OTHER_SECRET] {
        assert!(!plan.contains(secret), "an attribute shows the secret");
    }
}

/// A version and an endpoint tell what differs from what is served.
#[test]
fn what_differs_between_versions_shows_no_value_that_may_be_sensitive() {
    let work = &mut Workspace::new();
    work.copy_model("digits-v1", "digits-v1.onnx");
    let config = |secret: &str| {
        format!(
            r#"
resource "mlops_model" "fraud" {{
  name = "fraud"
}}
resource "mlops_model_version" "new" {{
  model   = mlops_model.fraud.name
  source  = "digits-v1.onnx"
  params  = {{ token = sensitive("{secret}"), epochs = "3" }}
  lineage = {{
    git_repo = sensitive("https://ci:{secret}@git.example.com/fraud")
    datasets = {{ train = sensitive("s3://data/{secret}") }}
  }}
  lifecycle {{
    create_before_destroy = true
  }}
}}
resource "mlops_model_alias" "champion" {{
  model   = mlops_model.fraud.name
  name    = "champion"
  version = mlops_model_version.new.version
}}
"#
        )
    };
    work.config(&config(SECRET)).init();
    let applied = work.run(["apply", "-auto-approve", "-input=false", "-no-color"]);
    applied.succeeded();
    work.config(&config(OTHER_SECRET));
    let plan = planned(work);
    for name in ["params.token", "lineage.git_repo", "lineage.datasets.train"] {
        let line = plan.lines().find(|line| line.contains(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not told:\n{plan}"));
        assert!(line.contains("changed"), "{line}");
    }
    assert!(!plan.contains("params.epochs"), "{plan}");
    for secret in [SECRET, OTHER_SECRET] {
        assert!(!plan.contains(secret), "a secret is shown:\n{plan}");
        assert!(!applied.output.contains(secret));
    }
}

#[test]
fn elements_of_lists_and_lines_of_the_refresh_are_told_from_attributes() {
    let plan = "x: Refreshing state... [id=1]\n\n  # mlops_model.x will be updated in-place\n  ~ y = [\n      - \"a\",\n      + 1,\n      + {\n          + name = \"b\"\n        },\n    ]\n  + block {\n  - gone = \"c\" -> null\n\nPlan: 0 to add, 1 to change, 0 to destroy.\n\nSaved the plan to: x\n";
    let comment = comment(plan);
    assert!(comment.starts_with("# mlops_model.x"), "{comment}");
    assert!(
        comment.ends_with("Plan: 0 to add, 1 to change, 0"),
        "{comment}"
    );
    let found: Vec<_> = nameless(comment).into_iter().map(str::trim).collect();
    assert_eq!(found, ["- \"a\",", "+ 1,", "+ {"]);
}
