//! `mlops_model_version` under a real Terraform.

use std::fs;

use mlops_acceptance::{Workspace, builds};
use serde_json::json;

const VERSION: &str = "mlops_model_version.digits";

/// The model and one version of it, which has `source = "model.onnx"` and these attributes.
fn with(model: &str, attributes: &str) -> String {
    format!(
        "resource \"mlops_model\" \"digits\" {{\n  name = \"digits\"\n{model}\n}}\n\n\
         resource \"mlops_model_version\" \"digits\" {{\n  model = mlops_model.digits.name\n{attributes}\n}}\n"
    )
}

const SOURCE: &str = "  source = \"model.onnx\"\n";

/// A workspace with `digits-v1` as `model.onnx`, not applied yet.
fn digits(attributes: &str) -> Workspace {
    let mut work = Workspace::new();
    work.copy_model("digits-v1", "model.onnx");
    work.config(&with("", &format!("{SOURCE}{attributes}")));
    work
}

/// Another model, whose signature is its own.
fn iris() -> Vec<u8> {
    let path = builds::root().join("crates/serve/tests/models/iris_logistic.onnx");
    fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

#[test]
fn a_version_is_numbered_described_and_archived() {
    let mut work = digits("");
    let plan = work.apply();
    assert_eq!(plan.actions(VERSION), ["create"]);
    let planned = plan.after(VERSION);
    assert!(
        planned.text("/artifact_digest").starts_with("sha256:"),
        "the digest is known at plan"
    );
    assert_eq!(
        planned.number("/artifact_size_bytes"),
        fs::metadata(work.path("model.onnx")).unwrap().len()
    );
    assert_eq!(planned.text("/framework"), "onnx");
    assert!(plan.unknown(VERSION, "/version"));
    assert!(plan.unknown(VERSION, "/created_at"));

    let version = work.state().object(VERSION);
    assert_eq!(version.text("/id"), "digits/1");
    assert_eq!(version.number("/version"), 1);
    assert_eq!(
        version.text("/artifact_digest"),
        planned.text("/artifact_digest")
    );
    assert!(
        version.text("/signature").contains("pixels"),
        "{}",
        version.text("/signature")
    );
    assert_eq!(version.text("/deletion_policy"), "ARCHIVE");
    assert_eq!(version.get("/gate_report"), &json!({}));

    let asked = work.ask("mlops_model_version", "model = \"digits\"\nversion = 1");
    assert_eq!(
        asked.text("/artifact_digest"),
        version.text("/artifact_digest")
    );
    assert_eq!(asked.text("/status"), "active");
    work.destroy();
}

#[test]
fn destroying_a_version_archives_it_and_its_number_is_never_used_again() {
    let mut work = digits("");
    work.apply();
    let model_only = "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n";
    work.config(model_only);
    assert_eq!(work.apply().actions(VERSION), ["delete"]);
    let asked = work.ask("mlops_model_version", "model = \"digits\"\nversion = 1");
    assert_eq!(asked.text("/status"), "archived");

    // Even after the model itself was deleted and made anew.
    work.destroy();
    work.config(&with("", SOURCE));
    work.apply();
    assert_eq!(work.state().object(VERSION).text("/id"), "digits/2");
}

#[test]
fn other_bytes_replace_the_version_and_the_same_bytes_elsewhere_change_nothing() {
    let mut work = digits("  lifecycle {\n    create_before_destroy = true\n  }\n");
    work.apply();
    let first = work.state().object(VERSION);

    work.copy_model("digits-v1", "elsewhere.onnx");
    work.config(&with(
        "",
        "  source = \"elsewhere.onnx\"\n  lifecycle {\n    create_before_destroy = true\n  }\n",
    ));
    assert_eq!(work.apply().actions(VERSION), ["no-op"]);
    assert_eq!(work.state().object(VERSION), first);

    work.copy_model("digits-v2", "elsewhere.onnx");
    let plan = work.apply();
    assert_eq!(plan.actions(VERSION), ["create", "delete"]);
    assert_eq!(plan.replaced_because_of(VERSION), ["artifact_digest"]);
    assert_eq!(work.state().object(VERSION).number("/version"), 2);
    assert_eq!(
        work.ask("mlops_model_version", "model = \"digits\"\nversion = 1")
            .text("/status"),
        "archived"
    );
}

#[test]
fn a_source_that_is_gone_once_it_is_registered_is_no_change() {
    let mut work = digits("");
    work.apply();
    fs::remove_file(work.path("model.onnx")).unwrap();
    work.expect_empty_plan();
}

#[test]
fn an_imported_version_takes_its_source_and_nothing_else() {
    let attributes = "  metrics = { accuracy = 0.88 }\n  params = { c = \"1\" }\n  tags = { team = \"vision\" }\n  \
        lineage = { git_commit = \"abc\", datasets = { train = \"digits\" } }\n";
    let mut work = digits(attributes);
    work.apply();
    let before = work.state().object(VERSION);
    work.forget(VERSION);
    work.import(VERSION, "digits/1");
    // The registry knows the bytes, not the path that they came from: the state takes it from the configuration.
    let plan = work.apply();
    assert_eq!(plan.actions(VERSION), ["update"]);
    let after = work.state().object(VERSION);
    for pointer in [
        "/id",
        "/version",
        "/artifact_digest",
        "/metrics",
        "/params",
        "/lineage",
        "/created_at",
    ] {
        assert_eq!(after.get(pointer), before.get(pointer), "{pointer}");
    }
}

#[test]
fn a_version_that_somebody_else_deleted_is_registered_again() {
    let mut work = digits("");
    work.apply();
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_version\" \"digits\" {\n  model = \"digits\"\n  deletion_policy = \"DELETE\"\n}\n");
    outsider.import(VERSION, "digits/1");
    outsider.apply();
    outsider.destroy();
    let plan = work.apply();
    assert_eq!(plan.actions(VERSION), ["create"]);
    assert_eq!(work.state().object(VERSION).number("/version"), 2);
}

#[test]
fn what_is_said_about_a_version_changes_in_place() {
    let mut work = digits("");
    work.apply();
    for (attributes, pointer, value) in [
        (
            "metrics = { accuracy = 0.5 }",
            "/metrics/accuracy",
            json!(0.5),
        ),
        (
            "metrics = { accuracy = 0.75, loss = 1 }",
            "/metrics/accuracy",
            json!(0.75),
        ),
        (
            "approval_status = \"PendingManualApproval\"",
            "/approval_status",
            json!("PendingManualApproval"),
        ),
        (
            "approval_status = \"Approved\"\n  approval_description = \"seen\"",
            "/approval_description",
            json!("seen"),
        ),
        (
            "gate_for = [\"champion\"]",
            "/gate_for/0",
            json!("champion"),
        ),
        (
            "deletion_policy = \"DELETE\"",
            "/deletion_policy",
            json!("DELETE"),
        ),
        (
            "tags = { team = \"vision\" }",
            "/tags_all/team",
            json!("vision"),
        ),
    ] {
        work.config(&with("", &format!("{SOURCE}  {attributes}")));
        let plan = work.apply();
        assert_eq!(plan.actions(VERSION), ["update"], "{attributes}");
        let version = work.state().object(VERSION);
        assert_eq!(version.get(pointer), &value, "{attributes}");
        assert_eq!(version.number("/version"), 1, "{attributes}");
    }
}

#[test]
fn what_a_version_is_made_of_replaces_it() {
    let mut work = digits("");
    work.apply();
    let smoke = "smoke = { inputs = jsonencode({ inputs = [{ name = \"pixels\", datatype = \"FP32\", shape = [1, 64], data = [for i in range(64) : 0] }] }) }";
    for (number, (attributes, path)) in (2..).zip([
        ("params = { c = \"1\" }", "params"),
        (
            "params = { c = \"1\" }\n  lineage = { run_id = \"r1\" }",
            "lineage",
        ),
        ("source_hash = \"one\"", "source_hash"),
        (smoke, "smoke"),
    ]) {
        work.config(&with("", &format!("{SOURCE}  {attributes}")));
        let plan = work.apply();
        assert_eq!(plan.actions(VERSION), ["delete", "create"], "{attributes}");
        let because = plan.replaced_because_of(VERSION);
        assert!(
            because.iter().any(|because| because.starts_with(path)),
            "{attributes}: {because:?}"
        );
        assert_eq!(
            work.state().object(VERSION).number("/version"),
            number,
            "{attributes}"
        );
    }
}

#[test]
fn sources_that_cannot_be_registered_are_refused_at_plan() {
    let mut work = Workspace::new();
    let model = fs::read(work.copy_model("digits-v1", "good.onnx")).unwrap();
    work.write("empty.onnx", "");
    fs::create_dir(work.path("empty")).unwrap();
    work.write("text.onnx", "this is no model\n");
    work.write("truncated.onnx", &model[..model.len() / 2]);
    fs::create_dir(work.path("loop")).unwrap();
    std::os::unix::fs::symlink("../loop", work.path("loop/again")).unwrap();
    for (source, parts) in [
        ("missing.onnx", &["missing.onnx"][..]),
        ("empty.onnx", &["empty.onnx", "empty"]),
        ("empty", &["empty"]),
        ("text.onnx", &["text.onnx", "ONNX"]),
        ("truncated.onnx", &["truncated.onnx"]),
        ("loop", &["loop"]),
    ] {
        work.config(&with("", &format!("  source = \"{source}\"\n")));
        work.plan_fails(parts);
    }
    assert!(!work.registry().exists(), "a refused plan writes nothing");
}

#[test]
fn an_operator_that_no_server_knows_is_refused_at_plan() {
    let mut work = Workspace::new();
    let mut model = fs::read(work.copy_model("digits-v1", "model.onnx")).unwrap();
    // The same length, so that the rest of the file stays what it is.
    let at = model
        .windows(4)
        .position(|word| word == b"Gemm" || word == b"Cast")
        .expect("the model uses a known operator");
    model[at..at + 4].copy_from_slice(b"Zorp");
    work.write("model.onnx", model);
    work.config(&with("", SOURCE));
    work.plan_fails(&["Zorp"]);
}

#[test]
fn a_source_that_may_not_be_read_is_refused_at_plan() {
    use std::os::unix::fs::PermissionsExt;
    let mut work = digits("");
    fs::set_permissions(work.path("model.onnx"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(work.path("model.onnx")).is_ok() {
        mlops_acceptance::skip(
            "a_source_that_may_not_be_read_is_refused_at_plan",
            "the superuser may read every file",
        );
        return;
    }
    work.plan_fails(&["model.onnx", "ermission"]);
}

#[test]
fn a_source_that_changes_between_plan_and_apply_writes_nothing() {
    let mut work = digits("");
    work.plan();
    work.copy_model("digits-v2", "model.onnx");
    let ended = work.try_apply_saved();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.story());
    let told = ended.errors().join("\n");
    assert!(
        told.contains("inconsistent final plan") || told.contains("changed between plan and apply"),
        "{told}"
    );
    let asked = work.ask("mlops_model_versions", "model = \"digits\"");
    assert_eq!(asked.get("/versions"), &json!([]), "nothing was registered");
}

#[test]
fn bad_attributes_are_refused_at_plan() {
    let cases: &[(&str, &[&str])] = &[
        ("colour = \"red\"", &["Unsupported argument", "colour"]),
        ("framework = \"crystal\"", &["framework", "onnx", "crystal"]),
        ("signature = \"not json\"", &["signature", "JSON"]),
        (
            "approval_status = \"Maybe\"",
            &["approval_status", "Approved", "Maybe"],
        ),
        (
            "approval_description = \"why\"",
            &["approval_description", "approval_status"],
        ),
        (
            "deletion_policy = \"SHRED\"",
            &["deletion_policy", "ARCHIVE", "SHRED"],
        ),
        ("smoke = { inputs = \"not json\" }", &["inputs", "JSON"]),
        ("smoke = {}", &["inputs"]),
        (
            "timeouts {\n    create = \"soon\"\n  }",
            &["create", "soon"],
        ),
    ];
    let mut work = digits("");
    for (attributes, parts) in cases {
        work.config(&with("", &format!("{SOURCE}  {attributes}")));
        work.plan_fails(parts);
    }
    work.config("resource \"mlops_model_version\" \"digits\" {\n  source = \"model.onnx\"\n}\n");
    work.plan_fails(&["Missing required argument", "model"]);
    work.config(&with("", ""));
    work.plan_fails(&["source"]);
}

#[test]
fn a_model_that_does_not_exist_is_a_warning_at_plan_and_an_error_at_apply() {
    let mut work = digits("");
    work.config("resource \"mlops_model_version\" \"digits\" {\n  model = \"nobody\"\n  source = \"model.onnx\"\n}\n");
    let plan = work.plan();
    assert!(
        plan.warnings()
            .iter()
            .any(|warning| warning.contains("nobody")),
        "{:?}",
        plan.warnings()
    );
    work.apply_fails(&["model nobody does not exist"]);
    assert_eq!(work.state().addresses(), Vec::<String>::new());
}

#[test]
fn a_metric_out_of_its_declared_range_is_refused_at_plan() {
    let mut work = digits("");
    work.config(&with(
        "  metrics = { accuracy = { goal = \"maximize\", min = 0, max = 1 } }",
        &format!("{SOURCE}  metrics = {{ accuracy = 97 }}"),
    ));
    work.plan_fails(&["accuracy", "97"]);
}

#[test]
fn a_gate_on_a_metric_that_the_version_lacks_is_refused_at_plan() {
    let gates = "  metrics = { auc = { goal = \"maximize\" } }\n  promotion {\n    gates = { auc = { min = 0.9 } }\n  }";
    let mut work = digits("");
    work.config(&with(
        gates,
        &format!("{SOURCE}  gate_for = [\"champion\"]"),
    ));
    work.plan_fails(&["auc"]);
    // Not meant for any alias: the report says it, and nothing is refused.
    work.config(&with(gates, SOURCE));
    let plan = work.apply();
    let report = plan.after(VERSION).get("/gate_report/auc").to_string();
    assert!(report.contains("auc") || report.contains("no"), "{report}");
}

#[test]
fn a_signature_that_breaks_callers_is_refused_at_plan() {
    let mut work = digits("");
    work.apply();
    work.write("model.onnx", iris());
    work.plan_fails(&["signature", "digits/1", "signature_compatibility"]);
    work.config(&with("  signature_compatibility = \"NONE\"", SOURCE));
    work.apply();
    assert_eq!(work.state().object(VERSION).number("/version"), 2);
}

#[test]
fn the_plan_shows_what_differs_from_the_champion() {
    let alias = "resource \"mlops_model_alias\" \"champion\" {\n  model = mlops_model.digits.name\n  name = \"champion\"\n  initial_version = 1\n  \
        depends_on = [mlops_model_version.digits]\n}\n";
    let metrics = "  metrics = { accuracy = { goal = \"maximize\" } }";
    let mut work = digits("");
    work.config(&format!(
        "{}{alias}",
        with(
            metrics,
            &format!("{SOURCE}  metrics = {{ accuracy = 0.88 }}")
        )
    ));
    work.apply();
    work.copy_model("digits-v2", "model.onnx");
    work.config(&format!(
        "{}{alias}",
        with(
            metrics,
            &format!("{SOURCE}  metrics = {{ accuracy = 0.97 }}")
        )
    ));
    let plan = work.plan();
    let diff = plan.after(VERSION).get("/model_diff").clone();
    assert!(
        diff.to_string().contains("0.88") && diff.to_string().contains("0.97"),
        "{diff}"
    );
}

#[test]
fn two_identical_version_resources_are_two_versions() {
    let mut work = digits("");
    let twin = "resource \"mlops_model_version\" \"twin\" {\n  model = mlops_model.digits.name\n  source = \"model.onnx\"\n}\n";
    work.config(&format!("{}{twin}", with("", SOURCE)));
    work.apply();
    let state = work.state();
    let mut numbers = [
        state.object(VERSION).number("/version"),
        state.object("mlops_model_version.twin").number("/version"),
    ];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_version_that_others_registered_refuses_the_destroy_of_the_model() {
    let mut work = digits("");
    work.config("resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n");
    work.apply();
    let mut other = work.outsider();
    other.copy_model("digits-v1", "model.onnx");
    other.config("resource \"mlops_model_version\" \"digits\" {\n  model = \"digits\"\n  source = \"model.onnx\"\n}\n");
    other.apply();
    work.try_destroy().failed_with(&["digits/1"]);
    work.ask("mlops_model", "name = \"digits\"");
}

#[test]
fn values_that_are_unknown_at_plan_are_taken_at_apply() {
    let mut work = digits("");
    work.config(&format!(
        "resource \"terraform_data\" \"late\" {{\n  input = \"model.onnx\"\n}}\n{}",
        with("", "  source = terraform_data.late.output\n  metrics = { accuracy = length(terraform_data.late.output) }\n")
    ));
    let plan = work.apply();
    assert!(plan.unknown(VERSION, "/artifact_digest"));
    assert!(plan.unknown(VERSION, "/metrics/accuracy"));
    let version = work.state().object(VERSION);
    assert!(version.text("/artifact_digest").starts_with("sha256:"));
    assert_eq!(version.get("/metrics/accuracy").as_f64(), Some(10.0));
}
