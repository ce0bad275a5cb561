//! Versions whose source lies in S3, where a training job left it.

use std::fs;

use mlops_acceptance::iam::{Gate, Policy};
use mlops_acceptance::{Part, Workspace, builds, http, part, skip};
use serde_json::json;

const VERSION: &str = "mlops_model_version.digits";
const BUCKET: &str = "training";
const KEY: &str = "runs/7/model.onnx";

/// The bytes of one of the models that the tests serve.
fn model(name: &str) -> Vec<u8> {
    fs::read(builds::root().join(format!("examples/quickstart/models/{name}.onnx")))
        .expect("a model")
}

fn put(part: &Part, key: &str, bytes: &[u8]) {
    let put = part.s3("PUT", &format!("/{BUCKET}/{key}"), bytes);
    assert_eq!(put.status, 200, "{}", put.text());
}

fn version(attributes: &str) -> String {
    format!(
        "resource \"mlops_model\" \"digits\" {{\n  name = \"digits\"\n}}\n\n\
         resource \"mlops_model_version\" \"digits\" {{\n  model = mlops_model.digits.name\n{attributes}\n}}\n"
    )
}

fn source(uri: &str) -> String {
    version(&format!("  source = {uri:?}"))
}

/// A bucket with a trained model, and a workspace that reaches it.
fn world(test: &str) -> Option<(Part, Workspace)> {
    let part = match Part::start("ministack") {
        Ok(part) => part,
        Err(reason) => {
            skip(test, &reason);
            return None;
        }
    };
    part.make_bucket(BUCKET);
    put(&part, KEY, &model("digits-v1"));
    let mut work = Workspace::new();
    let temporary = work.path("tmp");
    fs::create_dir(&temporary).expect("a directory");
    work.provider(&part::reached(&part.url))
        .env("TMPDIR", &temporary.display().to_string());
    Some((part, work))
}

fn left_in_temporary_files(work: &Workspace) -> Vec<String> {
    let entries = fs::read_dir(work.path("tmp")).expect("a directory");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.starts_with("mlops-source-"))
        .collect()
}

#[test]
fn a_model_that_lies_in_s3_is_registered_and_replaced_once_its_bytes_are_others() {
    let Some((part, mut work)) =
        world("a_model_that_lies_in_s3_is_registered_and_replaced_once_its_bytes_are_others")
    else {
        return;
    };
    work.config(&source(&format!("s3://{BUCKET}/{KEY}")));
    let plan = work.apply();
    let planned = plan.after(VERSION);
    assert!(
        planned.text("/artifact_digest").starts_with("sha256:"),
        "known at plan"
    );
    assert!(
        planned.text("/signature").contains("pixels"),
        "read at plan"
    );
    assert_eq!(work.state().object(VERSION).number("/version"), 1);

    // The same file on this machine has the same digest.
    let mut local = Workspace::new();
    local.copy_model("digits-v1", "model.onnx");
    local.config(&source("model.onnx"));
    local.apply();
    assert_eq!(
        local.state().object(VERSION).text("/artifact_digest"),
        work.state().object(VERSION).text("/artifact_digest")
    );

    // Its directory is another artifact's name for the same bytes.
    work.config(&source(&format!("s3://{BUCKET}/runs/7/")));
    assert_eq!(work.apply().actions(VERSION), ["no-op"]);

    put(&part, KEY, &model("digits-v2"));
    work.config(&source(&format!("s3://{BUCKET}/{KEY}")));
    let plan = work.apply();
    assert_eq!(plan.replaced_because_of(VERSION), ["artifact_digest"]);
    assert_eq!(work.state().object(VERSION).number("/version"), 2);

    let gone = part.s3("DELETE", &format!("/{BUCKET}/{KEY}"), "");
    assert_eq!(gone.status, 204, "{}", gone.text());
    work.expect_empty_plan();
    assert!(left_in_temporary_files(&work).is_empty());
    let state = fs::read_to_string(work.path("terraform.tfstate")).expect("a state");
    assert!(
        !state.contains("hush-hush-hush"),
        "a secret is in the state"
    );
}

#[test]
fn a_source_in_s3_is_fetched_only_where_its_bytes_are_not_known() {
    let Some((part, mut work)) =
        world("a_source_in_s3_is_fetched_only_where_its_bytes_are_not_known")
    else {
        return;
    };
    work.config(&source(&format!("s3://{BUCKET}/runs/7/")));
    work.apply();
    // Whoever may list and not read plans what does not change, and nothing else.
    let gate = Gate::before(http::address(&part.url));
    let lists =
        json!({"Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]});
    gate.admit(&[&Policy::read(&lists.to_string())]);
    work.provider(&part::reached(&gate.url));
    work.config(&source(&format!("s3://{BUCKET}/runs/7/")));
    work.expect_empty_plan();
    put(&part, KEY, &model("digits-v2"));
    work.plan_fails(&["The source cannot be registered", "s3:GetObject"]);
}

#[test]
fn a_source_hash_leaves_the_bytes_to_apply() {
    let Some((part, mut work)) = world("a_source_hash_leaves_the_bytes_to_apply") else {
        return;
    };
    let hashed = |hash: &str| {
        version(&format!(
            "  source = \"s3://{BUCKET}/{KEY}\"\n  source_hash = {hash:?}"
        ))
    };
    work.config(&hashed("one"));
    let plan = work.apply();
    assert!(plan.unknown(VERSION, "/artifact_digest"));
    let first = work
        .state()
        .object(VERSION)
        .text("/artifact_digest")
        .to_owned();

    put(&part, KEY, &model("digits-v2"));
    work.expect_empty_plan();
    work.config(&hashed("two"));
    let plan = work.apply();
    assert!(
        plan.replaced_because_of(VERSION)
            .contains(&"source_hash".to_owned())
    );
    assert_ne!(work.state().object(VERSION).text("/artifact_digest"), first);
}

#[test]
fn an_imported_version_takes_its_source_in_s3() {
    let Some((_part, mut work)) = world("an_imported_version_takes_its_source_in_s3") else {
        return;
    };
    work.config(&source(&format!("s3://{BUCKET}/{KEY}")));
    work.apply();
    work.forget(VERSION);
    work.import(VERSION, "digits/1");
    let plan = work.apply();
    assert_eq!(plan.actions(VERSION), ["update"]);
    assert_eq!(work.state().object(VERSION).number("/version"), 1);
}

#[test]
fn sources_in_s3_that_cannot_be_registered_are_refused_at_plan() {
    let Some((part, mut work)) =
        world("sources_in_s3_that_cannot_be_registered_are_refused_at_plan")
    else {
        return;
    };
    put(&part, "empty/model.onnx", b"");
    put(&part, "text/model.onnx", b"not a model");
    for (uri, says) in [
        ("s3://training/nothing.onnx", "does not exist"),
        (
            "s3://elsewhere/model.onnx",
            "bucket elsewhere does not exist in eu-west-1",
        ),
        ("s3://training", "whole bucket"),
        ("s3://training/empty/model.onnx", "empty file"),
        ("s3://training/text/model.onnx", "model.onnx"),
    ] {
        work.config(&source(uri));
        work.plan_fails(&["The source cannot be registered", says]);
    }
    assert!(left_in_temporary_files(&work).is_empty());
}
