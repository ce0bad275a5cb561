//! The same configuration with its registry on AWS, as an emulator plays it: records in DynamoDB, artifacts in S3.

use std::time::{Duration, Instant};

use mlops_acceptance::stack::{CANARY, ENDPOINT, VERSION};
use mlops_acceptance::{Part, RegistryModule, Stack, Workspace, part, process, skip, wait};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);

const TABLE: &str = "acme-mlops";
const BUCKET: &str = "acme-models";

/// A part with the table and the bucket of a registry, and a workspace that uses them.
fn world(test: &str, stack: &Stack) -> Option<(Part, Workspace)> {
    let part = match Part::start("ministack") {
        Ok(part) => part,
        Err(reason) => {
            skip(test, &reason);
            return None;
        }
    };
    part.make_table(TABLE);
    part.make_bucket(BUCKET);
    let mut work = Workspace::new();
    let cache = work.path("cache").display().to_string();
    let place = format!("table = {TABLE:?}\n    bucket = {BUCKET:?}\n    prefix = \"ml\"");
    work.provider(&part::provider(&part.url, &place))
        .env("XDG_CACHE_HOME", &cache);
    work.copy_model("digits-v1", "model.onnx");
    stack.configure(&mut work);
    Some((part, work))
}

fn objects(part: &Part) -> String {
    let listed = part.s3("GET", &format!("/{BUCKET}?list-type=2"), "");
    assert_eq!(listed.status, 200, "{}", listed.text());
    listed.text()
}

#[test]
fn a_model_in_dynamodb_and_s3_is_served_updated_and_destroyed() {
    let name = "a_model_in_dynamodb_and_s3_is_served_updated_and_destroyed";
    let stack = Stack::rolling_out(CANARY);
    let Some((part, mut work)) = world(name, &stack) else {
        return;
    };
    work.apply();
    assert_eq!(work.state().object(VERSION).number("/version"), 1);
    assert_eq!(
        stack.who_answers(5).into_iter().collect::<Vec<_>>(),
        [(1, 5)]
    );

    let version = work.state().object(VERSION).clone();
    let uri = version.text("/artifact_uri");
    assert!(uri.starts_with(&format!("s3://{BUCKET}/ml/")), "{uri}");
    assert!(objects(&part).contains("model.onnx"), "{}", objects(&part));
    let scanned = part.dynamodb("Scan", &format!(r#"{{"TableName": "{TABLE}"}}"#));
    assert!(
        scanned.text().contains("model#digits"),
        "{}",
        scanned.text()
    );
    let state = std::fs::read_to_string(work.path("terraform.tfstate")).expect("a state");
    assert!(
        !state.contains("hush-hush-hush"),
        "a secret is in the state"
    );

    work.copy_model("digits-v2", "model.onnx");
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert_eq!(
        stack.who_answers(5).into_iter().collect::<Vec<_>>(),
        [(2, 5)]
    );

    work.destroy();
    assert!(!stack.listens(), "the server is gone");
}

#[test]
fn a_registry_that_the_module_made_is_taken_as_it_is() {
    let name = "a_registry_that_the_module_made_is_taken_as_it_is";
    let part = match Part::start("ministack") {
        Ok(part) => part,
        Err(reason) => return skip(name, &reason),
    };
    RegistryModule::apply(&part, TABLE);
    let mut work = Workspace::new();
    // The name that the module's README tells, for the account of the emulator.
    let place = format!(
        "table = {TABLE:?}\n    bucket = \"{TABLE}-000000000000-eu-west-1\"\n    prefix = \"ml\""
    );
    work.provider(&part::provider(&part.url, &place));
    work.copy_model("digits-v1", "model.onnx");
    work.config(
        "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n\nresource \"mlops_model_version\" \"digits\" {\n  \
         model = mlops_model.digits.name\n  source = \"model.onnx\"\n}\n",
    );
    work.apply();
    work.destroy();
}

#[test]
fn the_command_sees_the_endpoint_of_a_registry_on_aws() {
    let name = "the_command_sees_the_endpoint_of_a_registry_on_aws";
    let stack = Stack::default();
    let Some((part, mut work)) = world(name, &stack) else {
        return;
    };
    work.apply();
    for (variable, value) in part::environment(&part.url) {
        work.env(variable, &value);
    }
    let status = |work: &Workspace, more: &[&str]| {
        let verb = [
            "endpoint",
            "status",
            "digits",
            "--json",
            "--bucket",
            BUCKET,
            "--prefix",
            "ml",
            "--s3-use-path-style",
        ];
        let ended = work.mlops(verb.iter().chain(more));
        (ended.status.code(), ended.output)
    };
    let (code, said) = status(&work, &["--table", TABLE]);
    assert_eq!(code, Some(0), "{said}");
    for part in [r#""status":"serving""#, &stack.url()] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let (code, said) = status(&work, &["--table", "nowhere"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    let (code, said) = status(&work, &[]);
    assert_eq!(code, Some(2), "a bucket without a table: {said}");
    let (code, said) = status(&work, &["--table", TABLE, "--registry", ".mlops"]);
    assert_eq!(code, Some(2), "two registries: {said}");

    let pull = work.mlops([
        "artifact",
        "pull",
        "digits/1",
        "--to",
        "pulled",
        "--table",
        TABLE,
        "--bucket",
        BUCKET,
        "--prefix",
        "ml",
        "--s3-use-path-style",
    ]);
    assert_eq!(pull.status.code(), Some(0), "{}", pull.story());
    let read = |file: &str| std::fs::read(work.path(file)).expect("it is there");
    assert_eq!(read("pulled/model.onnx"), read("model.onnx"));
    work.destroy();

    // The model is gone, and its versions with it: nothing names the bytes.
    assert!(objects(&part).contains("model.onnx"), "{}", objects(&part));
    let gc = work.mlops([
        "artifact",
        "gc",
        "--delete",
        "--grace",
        "0s",
        "--table",
        TABLE,
        "--bucket",
        BUCKET,
        "--prefix",
        "ml",
        "--s3-use-path-style",
    ]);
    assert_eq!(gc.status.code(), Some(0), "{}", gc.story());
    assert!(!objects(&part).contains("<Key>"), "{}", objects(&part));
}

#[test]
fn another_workspace_finds_what_is_in_the_table() {
    let name = "another_workspace_finds_what_is_in_the_table";
    let stack = Stack::default();
    let Some((part, mut work)) = world(name, &stack) else {
        return;
    };
    work.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    work.apply();
    let mut other = Workspace::new();
    let place = format!("table = {TABLE:?}\n    bucket = {BUCKET:?}");
    other.provider(&part::provider(&part.url, &place));
    other.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    other.apply_fails(&["digits", "already exists"]);
    work.destroy();
}

#[test]
fn a_table_that_is_missing_is_one_error_that_names_the_module() {
    let name = "a_table_that_is_missing_is_one_error_that_names_the_module";
    let stack = Stack::default();
    let Some((part, mut work)) = world(name, &stack) else {
        return;
    };
    let place = format!("table = \"no-such-table\"\n    bucket = {BUCKET:?}");
    work.provider(&part::provider(&part.url, &place));
    work.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    work.apply_fails(&["no-such-table", "modules/registry"]);
}

/// A table that this configuration makes is not there at the first plan, and its ARN is not known.
#[test]
fn a_registry_that_the_same_run_makes_is_planned_as_empty_and_then_used() {
    let name = "a_registry_that_the_same_run_makes_is_planned_as_empty_and_then_used";
    let stack = Stack::default();
    let Some((part, mut work)) = world(name, &stack) else {
        return;
    };
    // As a resource of AWS would, it tells the name when it is made.
    let made = |times: u8| {
        format!(
            "resource \"terraform_data\" \"table\" {{\n  input            = {TABLE:?}\n  triggers_replace = {times}\n}}\n"
        )
    };
    let place = format!("table = terraform_data.table.output\n    bucket = {BUCKET:?}");
    work.provider(&part::provider(&part.url, &place));
    let stack = Stack {
        more: made(1),
        ..stack
    };
    stack.configure(&mut work);
    // Nobody is asked: there is no registry yet.
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["create"]);
    work.apply();
    assert_eq!(work.state().object(VERSION).number("/version"), 1);
    assert_eq!(
        stack.who_answers(5).into_iter().collect::<Vec<_>>(),
        [(1, 5)]
    );

    // What is in the state was written to a registry that must not be lost from sight.
    let again = Stack {
        more: made(2),
        ..stack
    };
    again.configure(&mut work);
    work.plan_fails(&[
        "Cannot reach the registry of this state",
        "not known before apply",
        "-target",
    ]);
    again.configure(&mut work);
    work.run([
        "apply",
        "-input=false",
        "-no-color",
        "-auto-approve",
        "-target=terraform_data.table",
    ])
    .succeeded();
    work.apply();
    work.destroy();
}

#[test]
fn one_registry_at_a_time() {
    let mut work = Workspace::new();
    work.provider("local {\n    path = \"here\"\n  }\n  registry {\n    table = \"a-table\"\n    bucket = \"a-bucket\"\n  }");
    work.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    work.plan_fails(&["local", "registry"]);
}

#[test]
fn settings_that_cannot_be_used_are_refused_at_plan_naming_the_attribute() {
    let model = "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n";
    for (settings, said) in [
        ("region = \"Ireland\"", ["Ireland", "region"]),
        (
            "region = \"eu-west-1\"\n  access_key = \"AKIDEXAMPLE\"",
            ["secret_key", "access_key"],
        ),
        (
            "region = \"eu-west-1\"\n  retry_mode = \"often\"",
            ["retry_mode", "adaptive"],
        ),
        (
            "region = \"eu-west-1\"\n  allowed_account_ids = [\"42\"]",
            ["allowed_account_ids", "12 digits"],
        ),
        (
            "region = \"eu-west-1\"\n  assume_role {\n    role_arn = \"arn:aws:iam::111122223333:role/a\"\n    duration = \"1m\"\n  }",
            ["duration", "15 minutes"],
        ),
    ] {
        let mut work = Workspace::new();
        work.provider(&format!(
            "{settings}\n  registry {{\n    table = \"a-table\"\n    bucket = \"a-bucket\"\n  }}"
        ));
        work.config(model);
        work.plan_fails(&said);
    }
}

/// A version, and then something that takes until it is killed.
const HELD: &str = r#"
resource "mlops_model" "digits" {
  name = "digits"
}

resource "mlops_model_version" "digits" {
  model  = mlops_model.digits.name
  source = "model.onnx"
}

resource "terraform_data" "hold" {
  input = mlops_model_version.digits.version
  provisioner "local-exec" {
    command = "touch held && exec sleep 600"
  }
}

# Until this is made Terraform keeps the provider.
resource "mlops_model" "later" {
  name       = "later"
  depends_on = [terraform_data.hold]
}
"#;

#[test]
fn a_version_that_a_killed_runner_registered_is_adopted_by_the_next_one() {
    let name = "a_version_that_a_killed_runner_registered_is_adopted_by_the_next_one";
    let Some((part, mut work)) = world(name, &Stack::default()) else {
        return;
    };
    work.config(HELD);
    work.init();
    let mut running = work.start_apply();
    wait::until("the version is there", SOON, || work.path("held").exists());
    let providers = running.providers();
    let inside = process::within(work.dir());
    // The provider first: it ends in good order when Terraform is gone.
    for killed in &providers {
        process::kill(killed.pid);
    }
    running.kill();
    for killed in &inside {
        process::kill(killed.pid);
    }
    wait::until("terraform is gone", SOON, || !running.runs());
    // The answer came too late for the state, and this was another machine.
    for lost in ["mlops_model_version.digits", "terraform_data.hold"] {
        work.run(["state", "rm", lost]);
    }
    assert_eq!(move_sessions(&part, "another machine"), 1);

    work.config(
        HELD.split("resource \"terraform_data\"")
            .next()
            .expect("a part"),
    );
    let began = Instant::now();
    work.apply();
    assert_eq!(work.state().object(VERSION).number("/version"), 1);
    assert!(
        began.elapsed() >= Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    let all = part
        .dynamodb("Scan", &format!(r#"{{"TableName": "{TABLE}"}}"#))
        .text();
    assert!(all.contains("version.adopted"), "{all}");
    work.destroy();
}

/// Makes every open session one of this host; how many there were.
fn move_sessions(part: &Part, host: &str) -> usize {
    let ask = format!(
        r##"{{"TableName": "{TABLE}", "KeyConditionExpression": "#p = :p",
            "ExpressionAttributeNames": {{"#p": "PK"}}, "ExpressionAttributeValues": {{":p": {{"S": "sessions"}}}}}}"##
    );
    let found: Value = serde_json::from_str(&part.dynamodb("Query", &ask).text()).expect("JSON");
    let items = found["Items"].as_array().expect("items");
    for item in items {
        let doc = item["doc"]["S"].as_str().expect("a document");
        let mut doc: Value = serde_json::from_str(doc).expect("JSON");
        doc["host"] = host.into();
        let mut item = item.clone();
        item["doc"]["S"] = doc.to_string().into();
        let put = serde_json::json!({"TableName": TABLE, "Item": item});
        let put = part.dynamodb("PutItem", &put.to_string());
        assert_eq!(put.status, 200, "{}", put.text());
    }
    items.len()
}
