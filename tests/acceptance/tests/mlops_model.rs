//! `mlops_model` under a real Terraform.

use mlops_acceptance::Workspace;

const FRAUD: &str = "mlops_model.fraud";

/// A workspace with a model `fraud` that has these attributes, not applied yet.
fn fraud(attributes: &str) -> Workspace {
    let mut work = Workspace::new();
    work.config(&with(attributes));
    work
}

fn with(attributes: &str) -> String {
    format!("resource \"mlops_model\" \"fraud\" {{\n  name = \"fraud\"\n{attributes}\n}}\n")
}

#[test]
fn a_model_with_a_name_alone_is_registered_and_removed() {
    let mut work = fraud("");
    let plan = work.apply();
    assert_eq!(plan.actions(FRAUD), ["create"]);
    assert_eq!(plan.after(FRAUD).text("/id"), "fraud");
    assert!(plan.unknown(FRAUD, "/created_at"));

    let model = work.state().object(FRAUD);
    assert_eq!(model.text("/id"), "fraud");
    assert_eq!(model.text("/signature_compatibility"), "BACKWARD");
    assert_eq!(model.text("/deletion_policy"), "DELETE");
    assert_eq!(model.get("/force_destroy"), false);
    assert_eq!(model.get("/tags_all"), &serde_json::json!({}));
    assert!(
        model.text("/created_at").ends_with('Z'),
        "{}",
        model.text("/created_at")
    );

    let asked = work.ask("mlops_model", "name = \"fraud\"");
    assert_eq!(asked.text("/created_at"), model.text("/created_at"));
    assert!(asked.get("/latest_version").is_null());

    work.destroy();
    work.ask_fails("mlops_model", "name = \"fraud\"", &["model fraud"]);
}

#[test]
fn a_plan_writes_nothing_and_makes_no_registry() {
    let mut work = fraud("");
    work.plan();
    assert!(
        !work.registry().exists(),
        "a plan made {}",
        work.registry().display()
    );
}

#[test]
fn an_imported_model_needs_no_change() {
    let attributes = "  owner = \"risk\"\n  tags = { team = \"risk\" }\n  metrics = { auc = { goal = \"maximize\", min = 0, max = 1 } }\n  \
        promotion {\n    gates = { auc = { min = 0.5 } }\n    approvals_required = 1\n    require_lineage = [\"git_commit\"]\n  }";
    let mut work = fraud(attributes);
    work.apply();
    work.forget(FRAUD);
    work.import(FRAUD, "fraud");
    work.expect_empty_plan();
    assert_eq!(work.state().object(FRAUD).text("/owner"), "risk");
}

#[test]
fn importing_a_model_that_is_not_there_says_so() {
    let mut work = fraud("");
    work.init();
    let ended = work.run(["import", "-no-color", FRAUD, "nobody"]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.output.contains("nobody"), "{}", ended.output);
}

#[test]
fn a_model_that_somebody_else_removed_is_created_again() {
    let mut work = fraud("");
    work.apply();
    let mut outsider = work.outsider();
    outsider.config(&with(""));
    outsider.import(FRAUD, "fraud");
    outsider.destroy();
    assert_eq!(work.apply().actions(FRAUD), ["create"]);
}

#[test]
fn every_attribute_but_the_name_changes_in_place() {
    let mut work = fraud("");
    work.apply();
    for (attributes, pointer, value) in [
        (
            "description = \"Tells fraud.\"",
            "/description",
            "\"Tells fraud.\"",
        ),
        ("owner = \"risk\"", "/owner", "\"risk\""),
        ("task = \"classification\"", "/task", "\"classification\""),
        (
            "signature_compatibility = \"FULL\"",
            "/signature_compatibility",
            "\"FULL\"",
        ),
        (
            "deletion_policy = \"ABANDON\"",
            "/deletion_policy",
            "\"ABANDON\"",
        ),
        ("force_destroy = true", "/force_destroy", "true"),
        ("tags = { team = \"risk\" }", "/tags_all/team", "\"risk\""),
        (
            "metrics = { auc = { goal = \"maximize\", unit = \"share\" } }",
            "/metrics/auc/unit",
            "\"share\"",
        ),
        (
            "metrics = { auc = { goal = \"maximize\" } }\n  promotion {\n    gates = { auc = { min = 0.5 } }\n  }",
            "/promotion/gates/auc/min",
            "0.5",
        ),
        ("", "/signature_compatibility", "\"BACKWARD\""),
    ] {
        work.config(&with(attributes));
        let plan = work.apply();
        assert_eq!(plan.actions(FRAUD), ["update"], "{attributes}");
        assert_eq!(
            work.state().object(FRAUD).get(pointer).to_string(),
            value,
            "{attributes}"
        );
    }
    assert!(
        work.state().object(FRAUD).get("/owner").is_null(),
        "an attribute that is taken out is gone"
    );
}

#[test]
fn another_name_replaces_the_model() {
    let mut work = fraud("");
    work.apply();
    work.config("resource \"mlops_model\" \"fraud\" {\n  name = \"fraud-2\"\n}\n");
    let plan = work.apply();
    assert_eq!(plan.actions(FRAUD), ["delete", "create"]);
    assert_eq!(plan.replaced_because_of(FRAUD), ["name"]);
    work.ask_fails("mlops_model", "name = \"fraud\"", &["model fraud"]);
}

#[test]
fn tags_that_others_add_are_no_drift() {
    let mut work = fraud("tags = { team = \"risk\" }");
    work.apply();
    let mut outsider = work.outsider();
    outsider.config(&with("tags = { team = \"risk\", seen = \"yes\" }"));
    outsider.import(FRAUD, "fraud");
    outsider.apply();
    work.expect_empty_plan();
    work.config(&with("tags = { team = \"fraud\" }"));
    work.apply();
    let asked = work.ask("mlops_model", "name = \"fraud\"");
    assert_eq!(
        asked.get("/tags"),
        &serde_json::json!({ "team": "fraud", "seen": "yes" })
    );
}

#[test]
fn bad_attributes_are_refused_at_plan() {
    let cases: &[(&str, &[&str])] = &[
        ("colour = \"red\"", &["Unsupported argument", "colour"]),
        (
            "task = \"guessing\"",
            &["task", "classification", "guessing"],
        ),
        (
            "signature_compatibility = \"SOME\"",
            &["signature_compatibility", "BACKWARD", "SOME"],
        ),
        (
            "deletion_policy = \"ARCHIVE\"",
            &["deletion_policy", "DELETE", "ARCHIVE"],
        ),
        (
            "metrics = { auc = { goal = \"win\" } }",
            &["goal", "maximize", "win"],
        ),
        (
            "metrics = { auc = { goal = \"maximize\", min = 2, max = 1 } }",
            &["auc"],
        ),
        (
            "promotion {\n    gates = { auc = { min = 0.5, max = 1 } }\n  }",
            &["one of", "min", "max", "baseline"],
        ),
        (
            "promotion {\n    gates = { auc = {} }\n  }",
            &["one of", "min", "max", "baseline"],
        ),
        (
            "promotion {\n    gates = { auc = { min = 0.5, min_delta = 1 } }\n  }",
            &["min_delta", "baseline"],
        ),
        (
            "promotion {\n    gates = { auc = { baseline = \"champion\", max_regression_percent = 101 } }\n  }",
            &["max_regression_percent", "between 0 and 100"],
        ),
        (
            "promotion {\n    gates = { auc = { min = 0.5, on_missing = \"cry\" } }\n  }",
            &["on_missing", "fail", "cry"],
        ),
        (
            "promotion {\n    require_lineage = [\"horoscope\"]\n  }",
            &["require_lineage", "git_commit", "horoscope"],
        ),
    ];
    let mut work = Workspace::new();
    for (attributes, parts) in cases {
        work.config(&with(attributes));
        work.plan_fails(parts);
    }
    assert!(!work.registry().exists(), "a refused plan writes nothing");
}

#[test]
fn illegal_and_missing_names_are_refused_at_plan() {
    let long = "x".repeat(129);
    let mut work = Workspace::new();
    for name in ["", "with space", "a/b", "ünicode", long.as_str()] {
        work.config(&format!(
            "resource \"mlops_model\" \"fraud\" {{\n  name = \"{name}\"\n}}\n"
        ));
        work.plan_fails(&["name"]);
    }
    work.config("resource \"mlops_model\" \"fraud\" {\n}\n");
    work.plan_fails(&["Missing required argument", "name"]);
}

#[test]
fn a_model_that_exists_is_not_taken_over() {
    let mut work = fraud("");
    work.apply();
    let mut other = work.outsider();
    other.config(&with(""));
    other.apply_fails(&["model fraud already exists", "import"]);
    assert_eq!(other.state().addresses(), Vec::<String>::new());
}

#[test]
fn a_prevented_destroy_is_refused_at_plan() {
    let mut work = fraud("deletion_policy = \"PREVENT\"");
    work.apply();
    work.try_destroy().failed_with(&["fraud", "PREVENT"]);
    work.ask("mlops_model", "name = \"fraud\"");
}

#[test]
fn an_abandoned_model_stays_in_the_registry() {
    let mut work = fraud("deletion_policy = \"ABANDON\"");
    work.apply();
    work.destroy();
    work.ask("mlops_model", "name = \"fraud\"");
}

#[test]
fn values_that_are_unknown_at_plan_are_taken_at_apply() {
    let mut work = Workspace::new();
    work.config(&format!(
        "resource \"terraform_data\" \"late\" {{\n  input = \"0.5\"\n}}\n{}",
        with(
            "  owner = terraform_data.late.output\n  metrics = { auc = { goal = \"maximize\" } }\n  promotion {\n    \
             gates = { auc = { min = tonumber(terraform_data.late.output) } }\n  }"
        )
    ));
    let plan = work.apply();
    assert!(plan.unknown(FRAUD, "/owner"));
    assert_eq!(work.state().object(FRAUD).text("/owner"), "0.5");
}
