//! `mlops_endpoint` under a real Terraform: its attributes, and what is refused when it meets others. `endpoint_refusals.rs` has what is wrong by itself.

use std::collections::BTreeMap;
use std::net::TcpListener;

use mlops_acceptance::digits::{self, Digits};
use mlops_acceptance::http::Client;
use mlops_acceptance::stack::{CANARY, ENDPOINT, VERSION};
use mlops_acceptance::{Stack, process};
use serde_json::{Value, json};

/// What `mlops endpoint status --json` says.
fn status(work: &mlops_acceptance::Workspace) -> Value {
    let ended = work.mlops(["endpoint", "status", "digits", "--json"]);
    serde_json::from_str(&ended.output)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {}", ended.output))
}

#[test]
fn an_endpoint_answers_with_the_model_and_leaves_nothing_behind() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v2");
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["create"]);
    assert!(
        plan.unknown(ENDPOINT, "/target_versions/main"),
        "the version has no number yet"
    );

    let endpoint = work.state().object(ENDPOINT);
    assert_eq!(endpoint.text("/id"), "local/digits");
    assert_eq!(endpoint.text("/invoke_url"), stack.url());
    assert!(endpoint.get("/arn").is_null(), "{endpoint:?}");
    assert_eq!(endpoint.get("/target_versions"), &json!({ "main": 1 }));
    assert_eq!(endpoint.get("/drain_seconds"), 5);
    assert_eq!(endpoint.text("/deletion_policy"), "DELETE");

    let accuracy = Digits::committed().accuracy(&stack.url(), "digits");
    assert!(
        (accuracy - 0.9778).abs() < 0.0005,
        "accuracy through the endpoint: {accuracy}"
    );
    let status = status(&work);
    assert_eq!(status["status"], "serving", "{status:#}");
    assert_eq!(status["variants"]["main"]["version"], 1, "{status:#}");
    assert_eq!(process::servers(work.dir()).len(), 1);

    work.destroy();
    assert!(!stack.listens(), "the port is closed");
    assert_eq!(process::within(work.dir()), [], "no process is left");
    let gone = work.mlops(["endpoint", "status", "digits"]);
    assert_eq!(gone.status.code(), Some(3), "{}", gone.output);
}

#[test]
fn an_imported_endpoint_needs_no_change_and_goes_on_serving() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let before = process::servers(work.dir());
    work.forget(ENDPOINT);
    work.import(ENDPOINT, "local/digits");
    work.expect_empty_plan();
    assert_eq!(
        process::servers(work.dir()),
        before,
        "the same process serves"
    );
    work.destroy();
}

#[test]
fn an_endpoint_that_somebody_else_destroyed_is_created_again() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let mut outsider = work.outsider();
    let alone = format!(
        "resource \"mlops_endpoint\" \"digits\" {{\n  name = \"digits\"\n  variants = {{ main = {{ model = \"digits\", model_version = 1, \
         traffic = 100 }} }}\n  local {{\n    port = {}\n  }}\n}}\n",
        stack.port
    );
    outsider.config(&alone);
    outsider.import(ENDPOINT, "local/digits");
    outsider.destroy();
    assert!(!stack.listens());
    assert_eq!(work.apply().actions(ENDPOINT), ["create"]);
    assert_eq!(stack.who_answers(3), BTreeMap::from([(1, 3)]));
    work.destroy();
}

#[test]
fn attributes_change_in_place_without_another_process() {
    let mut stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let server = process::servers(work.dir());
    for (attributes, pointer, value) in [
        ("drain_seconds = 1", "/drain_seconds", json!(1)),
        (
            "deletion_policy = \"ABANDON\"",
            "/deletion_policy",
            json!("ABANDON"),
        ),
        (
            "tags = { team = \"vision\" }",
            "/tags_all/team",
            json!("vision"),
        ),
        (
            "health_check {\n    interval = \"2s\"\n  }",
            "/health_check/interval",
            json!("2s"),
        ),
        (
            "rollout {\n    strategy = \"BLUE_GREEN\"\n    max_duration = \"30m\"\n  }",
            "/rollout/max_duration",
            json!("30m"),
        ),
        (
            "timeouts {\n    create = \"5m\"\n  }",
            "/timeouts/create",
            json!("5m"),
        ),
        ("", "/drain_seconds", json!(5)),
    ] {
        stack.endpoint = attributes.to_owned();
        stack.configure(&mut work);
        let plan = work.apply();
        assert_eq!(plan.actions(ENDPOINT), ["update"], "{attributes}");
        assert_eq!(
            work.state().object(ENDPOINT).get(pointer),
            &value,
            "{attributes}"
        );
        assert_eq!(process::servers(work.dir()), server, "{attributes}");
    }
    work.destroy();
}

#[test]
fn another_environment_is_another_revision_of_the_same_version() {
    let mut stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    stack.variant = "environment = { MLOPS_MAX_CONCURRENCY = \"2\" }".to_owned();
    stack.configure(&mut work);
    assert_eq!(work.apply().actions(ENDPOINT), ["update"]);
    assert_eq!(stack.who_answers(3), BTreeMap::from([(1, 3)]));
    work.destroy();
}

#[test]
fn another_port_moves_the_endpoint_in_place() {
    let mut stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let old = stack.clone();
    stack.port = Stack::default().port;
    stack.configure(&mut work);
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert_eq!(
        work.state().object(ENDPOINT).text("/invoke_url"),
        stack.url()
    );
    assert_eq!(stack.who_answers(3), BTreeMap::from([(1, 3)]));
    assert!(!old.listens(), "nothing listens on the old port");
    assert_eq!(process::servers(work.dir()).len(), 1);
    work.destroy();
}

#[test]
fn another_name_replaces_the_endpoint() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    work.config(&stack.text().replace(
        "\"mlops_endpoint\" \"digits\" {\n  name = \"digits\"",
        "\"mlops_endpoint\" \"digits\" {\n  name = \"numbers\"",
    ));
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["delete", "create"]);
    assert_eq!(plan.replaced_because_of(ENDPOINT), ["name"]);
    work.destroy();
}

#[test]
fn two_variants_share_the_traffic_and_a_shadow_answers_nobody() {
    let stack = Stack {
        more: r#"
resource "mlops_model_version" "other" {
  model      = mlops_model.digits.name
  source     = "other.onnx"
  depends_on = [mlops_model_version.digits]
}
"#
        .to_owned(),
        ..Stack::default()
    };
    let two = stack.text().replace(
        "traffic       = 100",
        "traffic       = 75\n    }\n    other = {\n      model = mlops_model.digits.name\n      model_version = mlops_model_version.other.version\n      traffic = 25",
    );
    let mut work = stack.workspace("digits-v1");
    work.copy_model("digits-v2", "other.onnx");
    work.config(&two);
    work.apply();
    assert_eq!(
        work.state().object(ENDPOINT).get("/target_versions"),
        &json!({ "main": 1, "other": 2 })
    );
    assert_eq!(stack.who_answers(40), BTreeMap::from([(1, 30), (2, 10)]));

    let shadow = two
        .replace("traffic       = 75", "traffic       = 100")
        .replace("traffic = 25", "shadow_percentage = 50");
    work.config(&shadow);
    assert_eq!(work.apply().actions(ENDPOINT), ["update"]);
    assert_eq!(stack.who_answers(40), BTreeMap::from([(1, 40)]));
    work.destroy();
}

#[test]
fn a_variant_bound_to_an_alias_follows_it_with_a_planned_change() {
    let stack = Stack {
        more: "resource \"mlops_model_alias\" \"live\" {\n  model = mlops_model.digits.name\n  name = \"live\"\n  \
        version = mlops_model_version.digits.version\n}\n"
        .to_owned(),
        ..Stack::default()
    };
    let text = stack.text().replace(
        "model_version = mlops_model_version.digits.version",
        "model_alias = mlops_model_alias.live.name",
    );
    let mut work = stack.workspace("digits-v1");
    work.config(&text);
    work.apply();
    assert_eq!(stack.who_answers(2), BTreeMap::from([(1, 2)]));
    work.copy_model("digits-v2", "model.onnx");
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert!(plan.unknown(ENDPOINT, "/target_versions/main"));
    assert_eq!(stack.who_answers(2), BTreeMap::from([(2, 2)]));
    work.destroy();
}

#[test]
fn a_version_that_is_served_cannot_be_deleted() {
    let stack = Stack {
        version: "deletion_policy = \"DELETE\"".to_owned(),
        ..Stack::default()
    };
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_version\" \"digits\" {\n  model = \"digits\"\n  deletion_policy = \"DELETE\"\n}\n");
    outsider.import(VERSION, "digits/1");
    outsider.apply();
    outsider
        .try_destroy()
        .failed_with(&["digits/1", "in use", "local/digits"]);
    assert_eq!(stack.who_answers(2), BTreeMap::from([(1, 2)]));
    work.destroy();
}

#[test]
fn an_archived_version_goes_on_serving_and_takes_no_new_binding() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_version\" \"digits\" {\n  model = \"digits\"\n}\n");
    outsider.import(VERSION, "digits/1");
    outsider.destroy();
    assert_eq!(stack.who_answers(2), BTreeMap::from([(1, 2)]));
    work.expect_empty_plan();
    let other = Stack::default();
    outsider.config(&format!(
        "resource \"mlops_endpoint\" \"second\" {{\n  name = \"second\"\n  variants = {{ main = {{ model = \"digits\", model_version = 1, \
         traffic = 100 }} }}\n  local {{\n    port = {}\n  }}\n}}\n",
        other.port
    ));
    outsider.plan_fails(&["digits/1", "archived"]);
    work.destroy();
}

#[test]
fn a_rejected_version_is_refused_at_plan() {
    let stack = Stack {
        version: "approval_status = \"Rejected\"".to_owned(),
        ..Stack::default()
    };
    let mut work = stack.workspace("digits-v1");
    work.config(
        stack
            .text()
            .split("resource \"mlops_endpoint\"")
            .next()
            .unwrap(),
    );
    work.apply();
    work.config(
        &stack
            .text()
            .replace("mlops_model_version.digits.version", "1"),
    );
    work.plan_fails(&["digits/1", "rejected"]);
}

#[test]
fn a_port_in_use_fails_the_create_and_leaves_nothing() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let stack = Stack {
        port: listener.local_addr().unwrap().port(),
        ..Stack::default()
    };
    let mut work = stack.workspace("digits-v1");
    work.apply_fails(&[&stack.port.to_string(), "taken"]);
    assert_eq!(
        work.state().find(ENDPOINT),
        None,
        "a create that failed leaves nothing in the state"
    );
    assert_eq!(process::servers(work.dir()), []);
    drop(listener);
    work.apply();
    work.destroy();
}

#[test]
fn a_port_range_that_is_used_up_says_so() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let stack = Stack {
        port,
        ..Stack::default()
    };
    let mut work = stack.workspace("digits-v1");
    let range = format!("{port}-{port}");
    work.config(&stack.text().replace(
        &format!("port = {port}"),
        &format!("port_range = \"{range}\""),
    ));
    work.apply_fails(&[&range]);
    assert_eq!(process::servers(work.dir()), []);
}

#[test]
fn a_smoke_test_that_fails_rolls_the_create_back_to_nothing() {
    let inputs = "jsonencode({ inputs = [{ name = \"pixels\", datatype = \"FP32\", shape = [1, 64], data = [for i in range(64) : 0] }] })";
    let stack = Stack {
        version: format!(
            "smoke = {{ inputs = {inputs}, expect = jsonencode([{{ name = \"label\", data = [99] }}]) }}"
        ),
        ..Stack::default()
    };
    let mut work = stack.workspace("digits-v1");
    work.apply_fails(&["digits", "golden request", "99"]);
    assert_eq!(
        work.state().find(ENDPOINT),
        None,
        "null state, not a tainted resource"
    );
    assert!(!stack.listens());
    assert_eq!(process::servers(work.dir()), []);
}

#[test]
fn a_model_of_another_name_is_a_warning_at_plan_and_an_error_at_apply() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.config(
        &stack
            .text()
            .replace(
                "model         = mlops_model.digits.name",
                "model         = \"nobody\"",
            )
            .replace("mlops_model_version.digits.version", "1"),
    );
    let plan = work.plan();
    assert!(
        plan.warnings()
            .iter()
            .any(|warning| warning.contains("nobody/1")),
        "{:?}",
        plan.warnings()
    );
    work.apply_fails(&["nobody/1"]);
    assert_eq!(work.state().find(ENDPOINT), None);
    assert_eq!(process::servers(work.dir()), []);
}

#[test]
fn an_endpoint_that_exists_is_not_taken_over() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let mut other = work.outsider();
    other.config(&format!(
        "resource \"mlops_endpoint\" \"digits\" {{\n  name = \"digits\"\n  variants = {{ main = {{ model = \"digits\", model_version = 1, traffic = 100 }} }}\n  \
         drain_seconds = 1\n  local {{\n    port = {}\n  }}\n}}\n",
        stack.port
    ));
    other.apply_fails(&["local/digits", "import"]);
    assert_eq!(stack.who_answers(2), BTreeMap::from([(1, 2)]));
    work.destroy();
}

#[test]
fn a_served_model_describes_itself_and_refuses_bad_requests() {
    let stack = Stack::rolling_out(CANARY);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let mut client = Client::new(&stack.url());
    let metadata = client.get("/v2/models/digits").unwrap().json();
    assert_eq!(metadata["inputs"][0]["name"], "pixels", "{metadata:#}");
    let bad = client.post(
        &digits::infer_path("digits"),
        br#"{"inputs":[{"name":"colour","datatype":"FP32","shape":[1],"data":[1]}]}"#,
    );
    let bad = bad.unwrap();
    assert_eq!(bad.status, 400, "{}", bad.text());
    assert!(bad.text().contains("colour"), "{}", bad.text());
    let metrics = client.get("/metrics").unwrap().text();
    assert!(metrics.contains("version=\"1\""), "{metrics}");
    work.destroy();
}
