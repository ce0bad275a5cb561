//! Configurations of an endpoint that are wrong by themselves: the plan refuses them.

use std::collections::BTreeMap;

use mlops_acceptance::Stack;

#[test]
fn dynamic_blocks_are_judged_when_it_is_known_which_of_them_are_there() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v2");
    let here = format!("local {{\n    port = {}\n  }}", stack.port);
    assert!(stack.text().contains(&here));
    let either = |local: &str, ecs: &str| {
        stack.text().replace(
            &here,
            &format!(
                r#"dynamic "local" {{
    for_each = {local} ? ["this machine"] : []
    content {{
      port = {}
    }}
  }}
  dynamic "ecs" {{
    for_each = {ecs} ? ["a cluster"] : []
    content {{
      cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"
      execution_role_arn = "arn:aws:iam::123456789012:role/execution"
      task_role_arn      = "arn:aws:iam::123456789012:role/task"
    }}
  }}"#,
                stack.port
            ),
        ) + r#"
variable "here" {
  type    = bool
  default = true
}

resource "terraform_data" "later" {
  input = true
}
"#
    };
    // `terraform validate` knows no variable.
    work.config(&either("var.here", "!var.here"));
    work.init();
    work.run(["validate", "-no-color"]).succeeded();
    // Terraform would fail in the middle of the apply.
    let output = "terraform_data.later.output";
    work.config(&either(output, &format!("!{output}")));
    work.plan_fails(&["Whether the endpoint has a block local or a block ecs is not known"]);
    for (both, refusal) in [
        ("var.here", "Only one of local, ecs may be set here"),
        ("!var.here", "Exactly one of local, ecs must be set here"),
    ] {
        work.config(&either(both, both));
        work.plan_fails(&[refusal]);
    }

    work.config(&either("var.here", "!var.here"));
    work.apply();
    assert_eq!(stack.who_answers(5), BTreeMap::from([(1, 5)]));
    work.destroy();
}

#[test]
fn bad_attributes_are_refused_at_plan() {
    let endpoint: &[(&str, &[&str])] = &[
        ("colour = \"red\"", &["Unsupported argument", "colour"]),
        ("drain_seconds = -1", &["drain_seconds", "between"]),
        (
            "deletion_policy = \"ARCHIVE\"",
            &["deletion_policy", "DELETE", "ARCHIVE"],
        ),
        (
            "rollout {\n    strategy = \"YOLO\"\n  }",
            &["strategy", "CANARY", "YOLO"],
        ),
        (
            "rollout {\n    strategy = \"CANARY\"\n  }",
            &["CANARY", "steps"],
        ),
        (
            "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 50 }, { traffic = 10 }, { traffic = 100 }]\n  }",
            &["steps", "ascend"],
        ),
        (
            "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 50 }]\n  }",
            &["last step", "100"],
        ),
        (
            "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 100, bake = \"soon\" }]\n  }",
            &["bake", "soon"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"server\", query = \"mood\", condition = \"result < 1\" } }\n  }",
            &["query", "mood"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"server\", query = \"error_rate\", condition = \"result is good\" } }\n  }",
            &["condition", "result is good"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"datadog\", query = \"up\", condition = \"result < 1\" } }\n  }",
            &["source", "server", "prometheus", "http"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"prometheus\", query = \"up\", condition = \"result < 1\" } }\n  }",
            &["needs an address"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"prometheus\", query = \"up\", address = \"prometheus:9090\", condition = \"result < 1\" } }\n  }",
            &["does not begin with http"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"http\", query = \"/rate\", address = \"https://ann:s3cret@rates.internal\", condition = \"result < 1\" } }\n  }",
            &["the URL has credentials in it", "bearer_token_env"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"prometheus\", query = \"up{x='{{version}}'}\", address = \"http://prometheus:9090\", condition = \"result < 1\" } }\n  }",
            &["{{version}}, which stands for nothing"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"server\", query = \"error_rate\", address = \"http://prometheus:9090\", condition = \"result < 1\" } }\n  }",
            &["has no address; leave it out"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"server\", query = \"error_rate\", max_wait = \"1m\", condition = \"result < 1\" } }\n  }",
            &["leave max_wait out"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"prometheus\", address = \"http://prometheus:9090\", condition = \"result < 1\" } }\n  }",
            &["query", "required"],
        ),
        (
            "rollout {\n    strategy = \"ALL_AT_ONCE\"\n    analysis = { a = { source = \"prometheus\", query = \"up\", address = \"http://prometheus:9090\", condition = \"result <= baseline\" } }\n  }",
            &["put {{revision}} into the query"],
        ),
        (
            "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 10, bake = \"2h\" }, { traffic = 100 }]\n  }",
            &["max_duration"],
        ),
        (
            "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 10, bake = \"10m\" }, { traffic = 100 }]\n  }\n  timeouts {\n    update = \"1m\"\n  }",
            &["timeouts.update"],
        ),
        (
            "health_check {\n    healthy_threshold = 0\n  }",
            &["healthy_threshold", "between 1 and 100"],
        ),
    ];
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    for (attributes, parts) in endpoint {
        Stack {
            endpoint: (*attributes).to_owned(),
            ..stack.clone()
        }
        .configure(&mut work);
        work.plan_fails(parts);
    }
    let text = stack.text();
    let local = format!("local {{\n    port = {}\n  }}", stack.port);
    let variants: &[(&str, &str, &[&str])] = &[
        (
            "traffic       = 100",
            "traffic = 90",
            &["traffic", "90", "100"],
        ),
        (
            "model_version = mlops_model_version.digits.version",
            "model_version = 1\n model_alias = \"live\"",
            &["model_version", "model_alias"],
        ),
        (
            "model_version = mlops_model_version.digits.version",
            "",
            &["model_version", "model_alias"],
        ),
        (
            "      model         = mlops_model.digits.name\n",
            "",
            &["model"],
        ),
        (
            "traffic       = 100",
            "traffic = 100\n shadow_percentage = 5",
            &["shadow_percentage", "traffic"],
        ),
        (
            "name = \"digits\"\n  variants",
            "name = \"a-name-that-is-longer-than-32-letters\"\n  variants",
            &["name", "32"],
        ),
        (
            "traffic       = 100",
            "traffic = 100\n environment = { API_TOKEN = \"hunter2\" }",
            &["reads no variable API_TOKEN", "MLOPS_TIMEOUT_MS"],
        ),
        (
            "traffic       = 100",
            "traffic = 100\n environment = { MLOPS_TIMEOUT_MS = \"soon\" }",
            &["MLOPS_TIMEOUT_MS", "whole number"],
        ),
        (&local, "", &["local"]),
        (&local, "local {\n    port = 70000\n  }", &["port", "65535"]),
        (
            &local,
            "local {\n    port = 8080\n    port_range = \"1-2\"\n  }",
            &["port", "port_range"],
        ),
        (
            &local,
            "local {\n    port_range = \"9-1\"\n  }",
            &["port_range", "9-1"],
        ),
    ];
    for (from, to, parts) in variants {
        assert!(text.contains(from), "{from}");
        work.config(&text.replacen(from, to, 1));
        work.plan_fails(parts);
    }
    assert!(!work.registry().exists(), "a refused plan writes nothing");
}

#[test]
fn terraform_shows_the_line_that_is_at_fault() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    let text = stack.text();
    work.init();
    let here = format!("port = {}", stack.port);
    for (from, to, line, said) in [
        // At the top.
        (
            "name = \"digits\"\n  variants",
            "name = \"a-name-that-is-longer-than-32-letters\"\n  variants",
            "name = \"a-name-that-is-longer-than-32-letters\"",
            "32",
        ),
        // In a block.
        (here.as_str(), "port = 70000", "port = 70000", "65535"),
        // In a list in a block: Terraform goes one step into it.
        (
            "local {",
            "rollout {\n    strategy = \"CANARY\"\n    steps = [\n      { traffic = 10 },\n      { traffic = 100, bake = \"soon\" },\n    ]\n  }\n  local {",
            "{ traffic = 100, bake = \"soon\" },",
            "bake",
        ),
        // A block as a whole.
        (
            "local {",
            "autoscaling {\n    min = 1\n    max = 1\n  }\n  local {",
            "autoscaling {",
            "one process on this machine",
        ),
        // In a map: the element is shown, and the text has the rest.
        (
            "traffic       = 100",
            "traffic = 100\n      environment = { API_TOKEN = \"hunter2\" }",
            "main = {",
            "At fault is variants[\"main\"].environment.",
        ),
        // Terraform crashes on its way to the element where a key is a number, so it is not sent there.
        (
            "main = {",
            "1 = {\n      model         = mlops_model.digits.name\n      model_version = 1\n      traffic       = 0\n    }\n    main = {\n      environment = { API_TOKEN = \"hunter2\" }",
            "variants = {",
            "API_TOKEN",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        work.config(&text.replacen(from, to, 1));
        let written = std::fs::read_to_string(work.path("main.tf")).expect("it was written");
        let number = 1 + written
            .lines()
            .position(|it| it.trim() == line)
            .expect(line);
        let full = written.lines().nth(number - 1).expect("it was found");
        let ended = work.run(["plan", "-no-color", "-input=false"]);
        let story = ended.story();
        for part in [
            format!("on main.tf line {number}, in resource \"mlops_endpoint\" \"digits\":"),
            format!("{number:>4}: {full}"),
            said.to_owned(),
        ] {
            assert!(story.contains(&part), "{part} is not in {story}");
        }
    }
    work.provider("preflight {\n    mode = \"of\"\n  }");
    work.config(&text);
    let story = work.run(["plan", "-no-color", "-input=false"]).story();
    let shown = "in provider \"mlops\":";
    assert!(story.contains(shown), "{story}");
    assert!(story.contains(":     mode = \"of\""), "{story}");
}
