//! `mlops_model_alias` under a real Terraform.

use mlops_acceptance::Workspace;

const ALIAS: &str = "mlops_model_alias.champion";

/// A model with two versions, of accuracy 0.8 and 0.9, and the alias `champion` with these attributes.
fn with(model: &str, alias: &str) -> String {
    format!(
        "resource \"mlops_model\" \"digits\" {{\n  name = \"digits\"\n  metrics = {{ accuracy = {{ goal = \"maximize\" }} }}\n{model}\n}}\n\n\
         resource \"mlops_model_version\" \"one\" {{\n  model = mlops_model.digits.name\n  source = \"one.onnx\"\n  metrics = {{ accuracy = 0.8 }}\n}}\n\n\
         resource \"mlops_model_version\" \"two\" {{\n  model = mlops_model.digits.name\n  source = \"two.onnx\"\n  metrics = {{ accuracy = 0.9 }}\n  \
         depends_on = [mlops_model_version.one]\n}}\n\n\
         resource \"mlops_model_alias\" \"champion\" {{\n  model = mlops_model.digits.name\n  name = \"champion\"\n{alias}\n}}\n"
    )
}

const ONE: &str = "  version = mlops_model_version.one.version";
const TWO: &str = "  version = mlops_model_version.two.version";
const BETTER: &str =
    "  promotion {\n    gates = { accuracy = { baseline = \"champion\", min_delta = 0 } }\n  }";

fn digits(model: &str, alias: &str) -> Workspace {
    let mut work = Workspace::new();
    work.copy_model("digits-v1", "one.onnx");
    work.copy_model("digits-v2", "two.onnx");
    work.config(&with(model, alias));
    work
}

/// The version that the alias points to, as the registry tells an outsider.
fn target(work: &Workspace) -> u64 {
    work.ask(
        "mlops_model_version",
        "model = \"digits\"\nalias = \"champion\"",
    )
    .number("/version")
}

#[test]
fn an_alias_points_moves_in_place_and_goes() {
    let mut work = digits("", ONE);
    let plan = work.apply();
    assert_eq!(plan.actions(ALIAS), ["create"]);
    let alias = work.state().object(ALIAS);
    assert_eq!(alias.text("/id"), "digits@champion");
    assert_eq!(alias.get("/enforce_promotion"), true);
    assert_eq!(target(&work), 1);

    work.config(&with("", TWO));
    assert_eq!(work.apply().actions(ALIAS), ["update"]);
    assert_eq!(target(&work), 2);

    work.destroy();
}

#[test]
fn another_name_replaces_the_alias() {
    let mut work = digits("", ONE);
    work.apply();
    work.config(&with("", ONE).replace("\"champion\"\n  version", "\"best\"\n  version"));
    let plan = work.apply();
    assert_eq!(plan.actions(ALIAS), ["delete", "create"]);
    assert_eq!(plan.replaced_because_of(ALIAS), ["name"]);
}

#[test]
fn an_imported_alias_needs_no_change() {
    let mut work = digits("", ONE);
    work.apply();
    work.forget(ALIAS);
    work.import(ALIAS, "digits@champion");
    work.expect_empty_plan();
}

#[test]
fn an_alias_that_somebody_else_removed_is_created_again() {
    let mut work = digits("", ONE);
    work.apply();
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_alias\" \"champion\" {\n  model = \"digits\"\n  name = \"champion\"\n  version = 1\n}\n");
    outsider.import(ALIAS, "digits@champion");
    outsider.destroy();
    assert_eq!(work.apply().actions(ALIAS), ["create"]);
    assert_eq!(target(&work), 1);
}

#[test]
fn an_alias_that_terraform_owns_is_moved_back() {
    let mut work = digits("", ONE);
    work.apply();
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_alias\" \"champion\" {\n  model = \"digits\"\n  name = \"champion\"\n  version = 2\n}\n");
    outsider.import(ALIAS, "digits@champion");
    outsider.apply();
    assert_eq!(target(&work), 2);
    assert_eq!(work.apply().actions(ALIAS), ["update"]);
    assert_eq!(target(&work), 1);
}

/// PAINS: DFE-Digital/teaching-vacancies#483. What a pipeline moved on, no apply moves back.
#[test]
fn an_alias_that_others_move_is_no_drift() {
    let mut work = digits("", "  initial_version = mlops_model_version.one.version");
    work.apply();
    assert_eq!(target(&work), 1);
    assert!(work.state().object(ALIAS).get("/version").is_null());
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_alias\" \"champion\" {\n  model = \"digits\"\n  name = \"champion\"\n  version = 2\n}\n");
    outsider.import(ALIAS, "digits@champion");
    outsider.apply();
    work.expect_empty_plan();
    assert_eq!(target(&work), 2);
}

#[test]
fn a_move_to_a_worse_version_is_refused_at_plan_and_forced_with_a_reason() {
    let mut work = digits(BETTER, TWO);
    work.apply();
    work.config(&with(BETTER, "  version = 1"));
    work.plan_fails(&["digits@champion", "digits/1", "accuracy"]);
    assert_eq!(target(&work), 2);
    work.config(&with(
        BETTER,
        "  version = 1\n  override_reason = \"version 2 is slow\"",
    ));
    work.apply();
    assert_eq!(target(&work), 1);
}

#[test]
fn a_move_to_a_worse_version_that_is_unknown_at_plan_is_refused_at_apply() {
    let mut work = digits(BETTER, TWO);
    work.apply();
    let late = "resource \"terraform_data\" \"late\" {\n  input = 1\n}\n";
    work.config(&format!(
        "{late}{}",
        with(BETTER, "  version = terraform_data.late.output")
    ));
    work.plan();
    work.apply_fails(&["digits@champion", "digits/1"]);
    assert_eq!(target(&work), 2);
}

#[test]
fn an_alias_that_does_not_enforce_promotion_moves_freely() {
    let mut work = digits(BETTER, TWO);
    work.apply();
    work.config(&with(
        BETTER,
        &format!("{ONE}\n  enforce_promotion = false"),
    ));
    assert_eq!(work.apply().actions(ALIAS), ["update"]);
    assert_eq!(target(&work), 1);
}

#[test]
fn a_rejected_version_is_refused_at_plan() {
    let mut work = digits("", ONE);
    work.apply();
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_version\" \"two\" {\n  model = \"digits\"\n  approval_status = \"Rejected\"\n}\n");
    outsider.import("mlops_model_version.two", "digits/2");
    outsider.apply();
    work.config(&with("", "  version = 2"));
    work.plan_fails(&["digits/2", "rejected"]);
}

#[test]
fn an_archived_version_is_refused_at_plan() {
    let mut work = digits("", ONE);
    work.apply();
    let mut outsider = work.outsider();
    outsider.config("resource \"mlops_model_version\" \"two\" {\n  model = \"digits\"\n}\n");
    outsider.import("mlops_model_version.two", "digits/2");
    outsider.destroy();
    work.config(&with("", "  version = 2"));
    work.plan_fails(&["digits/2", "archived"]);
}

#[test]
fn approvals_and_lineage_that_are_missing_refuse_the_move() {
    for (promotion, parts) in [
        (
            "  promotion {\n    approvals_required = 1\n  }",
            &["digits@champion", "approv"][..],
        ),
        (
            "  promotion {\n    require_lineage = [\"git_commit\"]\n  }",
            &["digits@champion", "git_commit"],
        ),
    ] {
        let mut work = digits(promotion, ONE);
        work.apply_fails(parts);
    }
}

#[test]
fn bad_attributes_are_refused_at_plan() {
    let cases: &[(&str, &[&str])] = &[
        ("colour = \"red\"", &["Unsupported argument", "colour"]),
        ("version = 0", &["version", "at least 1"]),
        ("version = 1.5", &["version", "whole"]),
        (
            "version = 1\n  initial_version = 1",
            &["version", "initial_version"],
        ),
        ("override_reason = \"\"", &["override_reason"]),
    ];
    let mut work = digits("", ONE);
    for (attributes, parts) in cases {
        work.config(&with("", &format!("  {attributes}")));
        work.plan_fails(parts);
    }
}

#[test]
fn a_version_that_does_not_exist_is_a_warning_at_plan_and_an_error_at_apply() {
    let mut work = digits("", "  version = 99");
    let plan = work.plan();
    assert!(
        plan.warnings()
            .iter()
            .any(|warning| warning.contains("digits/99")),
        "{:?}",
        plan.warnings()
    );
    work.apply_fails(&["digits/99"]);
}
