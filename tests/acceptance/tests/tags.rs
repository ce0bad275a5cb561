//! The provider's `default_tags` and `ignore_tags`, on every resource that has tags.

use mlops_acceptance::stack::{ENDPOINT, Stack, VERSION};
use mlops_acceptance::{Plan, Workspace, process};
use serde_json::{Value, json};

const FRAUD: &str = "mlops_model.fraud";
const DIGITS: &str = "mlops_model.digits";
/// All three that have tags, in the configuration of [`Stack`].
const TAGGED: [&str; 3] = [DIGITS, VERSION, ENDPOINT];

/// A model `fraud` with these attributes.
fn with(attributes: &str) -> String {
    format!("resource \"mlops_model\" \"fraud\" {{\n  name = \"fraud\"\n{attributes}\n}}\n")
}

/// A workspace with that model and these blocks of the provider, not applied yet.
fn fraud(provider: &str, attributes: &str) -> Workspace {
    let mut work = Workspace::new();
    work.provider(provider).config(&with(attributes));
    work
}

fn defaults(tags: &str) -> String {
    format!("default_tags {{\n    tags = {{ {tags} }}\n  }}")
}

/// The tags that the registry has of the model `fraud`.
fn stored(work: &Workspace) -> Value {
    work.ask("mlops_model", "name = \"fraud\"")
        .get("/tags")
        .clone()
}

/// The tags that the registry has of the model, the version and the endpoint of [`Stack`].
fn all_stored(work: &Workspace) -> [Value; 3] {
    [
        ("mlops_model", "name = \"digits\""),
        ("mlops_model_version", "model = \"digits\"\nversion = 1"),
        ("mlops_endpoint", "name = \"digits\""),
    ]
    .map(|(kind, arguments)| work.ask(kind, arguments).get("/tags").clone())
}

/// Somebody else, who manages the model, the version and the endpoint of [`Stack`] with these tags.
fn outsider(work: &Workspace, stack: &Stack, tags: &str) -> Workspace {
    let mut outsider = work.outsider();
    outsider.config(&format!(
        r#"
resource "mlops_model" "digits" {{
  name = "digits"
  {tags}
}}
resource "mlops_model_version" "digits" {{
  model = "digits"
  {tags}
}}
resource "mlops_endpoint" "digits" {{
  name     = "digits"
  variants = {{ main = {{ model = "digits", model_version = 1, traffic = 100 }} }}
  local {{
    port = {}
  }}
  {tags}
}}
"#,
        stack.port
    ));
    outsider.import(DIGITS, "digits");
    outsider.import(VERSION, "digits/1");
    outsider.import(ENDPOINT, "local/digits");
    outsider
}

#[track_caller]
fn all_updated(plan: &Plan, tags_all: &Value) {
    for address in TAGGED {
        assert_eq!(plan.actions(address), ["update"], "{address}");
        assert_eq!(plan.after(address).get("/tags_all"), tags_all, "{address}");
    }
}

#[test]
fn default_tags_lie_under_a_resources_own() {
    let blocks = defaults("team = \"risk\", stage = \"prod\"");
    let mut work = fraud(&blocks, "");
    let plan = work.apply();
    let merged = json!({ "stage": "prod", "team": "risk" });
    assert_eq!(plan.after(FRAUD).get("/tags_all"), &merged);
    assert!(work.state().object(FRAUD).get("/tags").is_null());
    assert_eq!(stored(&work), merged);

    // One is overridden, and one is named with the same value.
    work.config(&with(
        "tags = { team = \"fraud\", stage = \"prod\", own = \"1\" }",
    ));
    let plan = work.apply();
    let merged = json!({ "own": "1", "stage": "prod", "team": "fraud" });
    assert_eq!(plan.actions(FRAUD), ["update"]);
    assert_eq!(plan.after(FRAUD).get("/tags_all"), &merged);
    let model = work.state().object(FRAUD);
    assert_eq!(model.get("/tags"), &merged);
    assert_eq!(stored(&work), merged);

    // What no longer overrides shows the default again.
    work.config(&with("tags = { own = \"1\" }"));
    work.apply();
    let model = work.state().object(FRAUD);
    assert_eq!(model.get("/tags"), &json!({ "own": "1" }));
    let merged = json!({ "own": "1", "stage": "prod", "team": "risk" });
    assert_eq!(model.get("/tags_all"), &merged);
    assert_eq!(stored(&work), merged);
}

#[test]
fn a_changed_default_updates_every_resource_in_place_and_a_removed_one_leaves_none() {
    let stack = Stack {
        endpoint: "tags = { own = \"1\" }".to_owned(),
        ..Stack::default()
    };
    let mut work = stack.workspace("digits-v1");
    work.provider(&defaults("team = \"risk\""));
    stack.configure(&mut work);
    work.apply();
    let server = process::servers(work.dir());
    let own = |tags: Value| {
        let mut tags = tags;
        tags["own"] = json!("1");
        tags
    };

    for tags in [
        json!({ "team": "fraud", "stage": "prod" }),
        json!({ "stage": "prod" }),
        json!({}),
    ] {
        let written: Vec<_> = tags.as_object().into_iter().flatten().collect();
        let written = written
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect::<Vec<_>>()
            .join(", ");
        match written.is_empty() {
            true => work.provider(""),
            false => work.provider(&defaults(&written)),
        };
        stack.configure(&mut work);
        let plan = work.apply();
        for (address, expected) in [
            (DIGITS, tags.clone()),
            (VERSION, tags.clone()),
            (ENDPOINT, own(tags.clone())),
        ] {
            assert_eq!(plan.actions(address), ["update"], "{address}: {tags}");
            assert_eq!(plan.after(address).get("/tags_all"), &expected, "{address}");
        }
        assert_eq!(
            all_stored(&work),
            [tags.clone(), tags.clone(), own(tags.clone())]
        );
        assert_eq!(process::servers(work.dir()), server, "no process is moved");
    }
    work.destroy();
}

#[test]
fn what_others_add_is_no_drift_and_what_they_change_is_put_back() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.provider(&defaults("team = \"risk\", stage = \"prod\""));
    stack.configure(&mut work);
    work.apply();

    let mut other = outsider(
        &work,
        &stack,
        "tags = { team = \"risk\", stage = \"prod\", seen = \"yes\" }",
    );
    other.apply();
    work.expect_empty_plan();

    let mut other = outsider(&work, &stack, "tags = { stage = \"test\", seen = \"yes\" }");
    other.apply();
    let plan = work.apply();
    all_updated(&plan, &json!({ "stage": "prod", "team": "risk" }));
    let expected = json!({ "seen": "yes", "stage": "prod", "team": "risk" });
    assert_eq!(all_stored(&work), [(); 3].map(|()| expected.clone()));
    work.destroy();
}

#[test]
fn defaults_that_another_resource_computes_are_known_after_apply() {
    let stack = |team: &str| Stack {
        more: format!("resource \"terraform_data\" \"team\" {{\n  input = \"{team}\"\n}}\n"),
        ..Stack::default()
    };
    let first = stack("risk");
    let mut work = first.workspace("digits-v1");
    work.provider(&defaults(
        "team = terraform_data.team.output, stage = \"prod\"",
    ));
    first.configure(&mut work);
    let plan = work.apply();
    for address in TAGGED {
        assert!(plan.unknown(address, "/tags_all"), "{address}");
        assert_eq!(
            work.state().object(address).get("/tags_all"),
            &json!({ "stage": "prod", "team": "risk" }),
            "{address}"
        );
    }

    let second = Stack {
        port: first.port,
        ..stack("fraud")
    };
    second.configure(&mut work);
    let plan = work.apply();
    for address in TAGGED {
        assert_eq!(plan.actions(address), ["update"], "{address}");
        assert!(plan.unknown(address, "/tags_all"), "{address}");
    }
    let expected = json!({ "stage": "prod", "team": "fraud" });
    assert_eq!(all_stored(&work), [(); 3].map(|()| expected.clone()));
    work.destroy();
}

#[test]
fn rules_are_checked_at_plan_while_a_default_is_unknown() {
    let mut work = fraud(&defaults("team = terraform_data.team.output"), "");
    let team = "resource \"terraform_data\" \"team\" {\n  input = \"risk\"\n}\n";
    work.config(&format!(
        "{}{team}",
        with("metrics = { auc = { goal = \"maximize\", min = 1, max = 0 } }")
    ));
    work.plan_fails(&["auc", "min 1 above max 0"]);
}

#[test]
fn a_tag_is_no_reason_to_judge_a_version_again() {
    let text = |least: &str| {
        format!(
            r#"
resource "mlops_model" "digits" {{
  name    = "digits"
  metrics = {{ accuracy = {{ goal = "maximize" }} }}
  promotion {{
    gates = {{ accuracy = {{ min = {least} }} }}
  }}
}}
resource "mlops_model_version" "digits" {{
  model    = mlops_model.digits.name
  source   = "model.onnx"
  metrics  = {{ accuracy = 0.8 }}
  gate_for = ["champion"]
}}
"#
        )
    };
    let mut work = Workspace::new();
    work.copy_model("digits-v1", "model.onnx");
    work.config(&text("0.5"));
    work.apply();
    work.config(&text("0.9"));
    work.apply();
    work.provider(&defaults("team = \"risk\""))
        .config(&text("0.9"));
    let plan = work.apply();
    assert_eq!(plan.actions(VERSION), ["update"]);
    assert_eq!(
        plan.after(VERSION).get("/tags_all"),
        &json!({ "team": "risk" })
    );
}

#[test]
fn ignored_tags_are_never_read_imported_or_removed() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.provider(&defaults("team = \"risk\""));
    stack.configure(&mut work);
    work.apply();
    let theirs = json!({ "ci:run": "7", "seen": "yes", "team": "risk" });
    let tags = "tags = { team = \"risk\", seen = \"yes\", \"ci:run\" = \"7\" }";
    outsider(&work, &stack, tags).apply();

    let ignoring =
        "ignore_tags {\n    keys         = [\"seen\"]\n    key_prefixes = [\"ci:\"]\n  }";
    let blocks = format!("{}\n  {ignoring}", defaults("team = \"risk\""));
    work.provider(&blocks);
    // The version's source is not in the registry, so an import knows it only from the configuration of a later apply.
    stack.configure(&mut work);
    for (address, id) in [
        (DIGITS, "digits"),
        (VERSION, "digits/1"),
        (ENDPOINT, "local/digits"),
    ] {
        work.forget(address);
        work.import(address, id);
        let state = work.state().object(address);
        assert!(state.get("/tags").is_null(), "{address}: {state:?}");
        assert_eq!(
            state.get("/tags_all"),
            &json!({ "team": "risk" }),
            "{address}"
        );
    }
    work.apply();
    assert_eq!(all_stored(&work), [(); 3].map(|()| theirs.clone()));

    // An update for another reason removes none of them.
    work.provider(&format!("{}\n  {ignoring}", defaults("team = \"fraud\"")));
    stack.configure(&mut work);
    all_updated(&work.apply(), &json!({ "team": "fraud" }));
    let theirs = json!({ "ci:run": "7", "seen": "yes", "team": "fraud" });
    assert_eq!(all_stored(&work), [(); 3].map(|()| theirs.clone()));
    work.destroy();
}

#[test]
fn data_sources_do_not_show_ignored_tags() {
    let stack = Stack {
        version: "tags = { seen = \"yes\", own = \"1\" }".to_owned(),
        endpoint: "tags = { seen = \"yes\", own = \"1\" }".to_owned(),
        ..Stack::default()
    };
    let mut work = stack.workspace("digits-v1");
    let text = stack.text();
    let tagged =
        "resource \"mlops_model\" \"digits\" {\n  tags = { seen = \"yes\", own = \"1\" }\n";
    let text = text.replace("resource \"mlops_model\" \"digits\" {\n", tagged);
    work.config(&text);
    work.apply();

    let mut asking = work.outsider();
    let place = format!(
        "local {{\n    path = {:?}\n  }}\n  ignore_tags {{\n    keys = [\"seen\"]\n  }}",
        work.registry().display().to_string()
    );
    // A filter asks the registry, as those of the AWS provider do.
    asking.provider(&place).config(
        r#"
data "mlops_model" "it" {
  name = "digits"
}
data "mlops_models" "it" {
  tags = { seen = "yes" }
}
data "mlops_model_version" "it" {
  model   = "digits"
  version = 1
}
data "mlops_model_versions" "it" {
  model = "digits"
}
data "mlops_endpoint" "it" {
  name = "digits"
}
output "tags" {
  value = [
    data.mlops_model.it.tags,
    data.mlops_models.it.models["digits"].tags,
    data.mlops_model_version.it.tags,
    data.mlops_model_versions.it.versions[0].tags,
    data.mlops_endpoint.it.tags,
  ]
}
"#,
    );
    asking.apply();
    assert_eq!(
        asking.state().output("tags"),
        &json!([{ "own": "1" }, { "own": "1" }, { "own": "1" }, { "own": "1" }, { "own": "1" }])
    );
    work.destroy();
}

#[test]
fn a_configured_tag_that_is_ignored_is_warned_of_and_never_set() {
    let blocks = format!(
        "{}\n  ignore_tags {{\n    keys = [\"seen\", \"team\"]\n  }}",
        defaults("team = \"risk\", stage = \"prod\"")
    );
    let mut work = fraud(&blocks, "tags = { seen = \"no\", own = \"1\" }");
    let plan = work.apply();
    let managed = json!({ "own": "1", "stage": "prod" });
    assert_eq!(plan.after(FRAUD).get("/tags_all"), &managed);
    let warnings = plan.warnings().join("\n");
    for part in [
        "tags names the tag \"seen\"",
        "default_tags names the tag \"team\"",
    ] {
        assert!(warnings.contains(part), "{warnings}");
    }
    assert_eq!(
        work.state().object(FRAUD).get("/tags"),
        &json!({ "own": "1", "seen": "no" }),
        "what was written stays, so that it is no difference for ever"
    );
    assert_eq!(stored(&work), managed);
}

#[test]
fn a_tag_that_is_ignored_from_now_on_stays_on_the_object() {
    let mut work = fraud("", "tags = { seen = \"yes\", own = \"1\" }");
    work.apply();
    work.provider("ignore_tags {\n    key_prefixes = [\"se\"]\n  }")
        .config(&with("tags = { own = \"1\" }"));
    // Without a refresh the state still has the key in tags_all.
    work.run([
        "apply",
        "-json",
        "-input=false",
        "-auto-approve",
        "-refresh=false",
    ])
    .succeeded();
    work.expect_empty_plan();
    assert_eq!(
        work.state().object(FRAUD).get("/tags_all"),
        &json!({ "own": "1" })
    );
    assert_eq!(stored(&work), json!({ "own": "1", "seen": "yes" }));
}

#[test]
fn the_environment_gives_defaults_and_ignored_keys_as_with_the_aws_provider() {
    let mut work = fraud(
        &defaults("team = \"risk\""),
        "tags = { seen = \"no\", \"ci:run\" = \"8\" }",
    );
    work.env("TF_AWS_DEFAULT_TAGS_team", "theirs")
        .env("TF_AWS_DEFAULT_TAGS_CostCentre", "42")
        .env("TF_AWS_IGNORE_TAGS_KEYS", "seen,other")
        .env("TF_AWS_IGNORE_TAGS_KEY_PREFIXES", "ci:");
    work.apply();
    assert_eq!(
        stored(&work),
        json!({ "CostCentre": "42", "team": "risk" }),
        "the block wins over the environment"
    );
}

#[test]
fn bad_tags_are_refused_at_plan() {
    let long = |n: usize| "x".repeat(n);
    let cases: &[(String, &[&str])] = &[
        (
            defaults("\"\" = \"x\""),
            &["default_tags.tags", "key is empty"],
        ),
        (
            defaults(&format!("{} = \"x\"", long(251))),
            &["default_tags.tags", "251 characters", "250"],
        ),
        (
            defaults(&format!("team = \"{}\"", long(5001))),
            &["default_tags.tags", "\"team\" has 5001 characters", "5000"],
        ),
        (
            defaults("team = null"),
            &["default_tags.tags", "null element"],
        ),
        (
            "ignore_tags {\n    keys = [\"\"]\n  }".to_owned(),
            &["ignore_tags.keys", "1"],
        ),
        (
            "ignore_tags {\n    key_prefixes = [\"\"]\n  }".to_owned(),
            &["ignore_tags.key_prefixes", "1"],
        ),
        (
            "ignore_tags {\n    key_prefixes = [null]\n  }".to_owned(),
            &["ignore_tags.key_prefixes", "null element"],
        ),
        (
            "default_tags {\n    team = \"risk\"\n  }".to_owned(),
            &["Unsupported argument", "team"],
        ),
        (
            "default_tags {\n    tags = { for n in range(33) : \"d-${n}\" => \"x\" }\n  }"
                .to_owned(),
            &[
                "65 tags: 32 of the attribute tags, and 33 more of the provider's default_tags",
                "64",
            ],
        ),
    ];
    let tags = "tags = { for n in range(32) : \"own-${n}\" => \"x\" }";
    let mut work = fraud("", tags);
    for (blocks, parts) in cases {
        work.provider(blocks).config(&with(tags));
        work.plan_fails(parts);
    }
    work.provider("").config(&with("tags = { \"\" = \"x\" }"));
    work.plan_fails(&["tags", "key is empty"]);
    assert!(!work.registry().exists(), "a refused plan writes nothing");
}

#[test]
fn ignored_keys_that_another_resource_computes_are_refused_at_plan() {
    let mut work = fraud(
        "ignore_tags {\n    keys = [terraform_data.key.output]\n  }",
        "",
    );
    work.config(&format!(
        "{}resource \"terraform_data\" \"key\" {{\n  input = \"seen\"\n}}\n",
        with("")
    ));
    work.plan_fails(&["ignore_tags.keys must be known at plan"]);
}
