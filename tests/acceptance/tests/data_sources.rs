//! Every data source under a real Terraform: what it reads, and what it says where there is nothing.

use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::{Stack, Workspace};
use serde_json::json;

/// A registry with two versions of `digits`, the first behind `champion`.
fn registry() -> Workspace {
    let mut work = Workspace::new();
    work.copy_model("digits-v1", "one.onnx");
    work.copy_model("digits-v2", "two.onnx");
    work.config(
        r#"
resource "mlops_model" "digits" {
  name    = "digits"
  owner   = "vision"
  metrics = { accuracy = { goal = "maximize" } }
  tags    = { team = "vision" }
}
resource "mlops_model" "fraud" {
  name = "fraud"
}
resource "mlops_model_version" "one" {
  model   = mlops_model.digits.name
  source  = "one.onnx"
  metrics = { accuracy = 0.8 }
}
resource "mlops_model_version" "two" {
  model      = mlops_model.digits.name
  source     = "two.onnx"
  metrics    = { accuracy = 0.9 }
  depends_on = [mlops_model_version.one]
}
resource "mlops_model_alias" "champion" {
  model   = mlops_model.digits.name
  name    = "champion"
  version = mlops_model_version.one.version
}
"#,
    );
    work.apply();
    work
}

#[test]
fn models_and_versions_are_read_by_name_number_alias_and_metric() {
    let work = registry();
    let model = work.ask("mlops_model", "name = \"digits\"");
    assert_eq!(model.text("/owner"), "vision");
    assert_eq!(model.number("/latest_version"), 2);
    assert_eq!(model.get("/aliases"), &json!({ "champion": 1 }));

    assert_eq!(
        work.ask("mlops_models", "").get("/names"),
        &json!(["digits", "fraud"])
    );
    assert_eq!(
        work.ask("mlops_models", "filter = \"frau\"").get("/names"),
        &json!(["fraud"])
    );
    assert_eq!(
        work.ask("mlops_models", "tags = { team = \"vision\" }")
            .get("/names"),
        &json!(["digits"])
    );

    let version = |arguments: &str| {
        work.ask(
            "mlops_model_version",
            &format!("model = \"digits\"\n{arguments}"),
        )
    };
    assert_eq!(version("version = 2").get("/metrics/accuracy"), &json!(0.9));
    assert_eq!(version("alias = \"champion\"").number("/version"), 1);
    assert_eq!(
        version("select = { metric = \"accuracy\" }").number("/version"),
        2
    );
    assert_eq!(
        version("select = { metric = \"accuracy\", order = \"minimize\" }").number("/version"),
        1
    );

    let versions = work.ask("mlops_model_versions", "model = \"digits\"");
    let numbers: Vec<_> = (0..2)
        .map(|i| versions.number(&format!("/versions/{i}/version")))
        .collect();
    assert_eq!(numbers, [2, 1], "newest first");
    assert_eq!(
        work.ask(
            "mlops_model_versions",
            "model = \"digits\"\nstatus = \"archived\""
        )
        .get("/versions"),
        &json!([])
    );
}

#[test]
fn what_is_not_there_is_named() {
    let work = registry();
    for (kind, arguments, parts) in [
        ("mlops_model", "name = \"nobody\"", &["model nobody"][..]),
        (
            "mlops_model_version",
            "model = \"digits\"\nversion = 9",
            &["digits/9"],
        ),
        (
            "mlops_model_version",
            "model = \"digits\"\nalias = \"best\"",
            &["digits@best"],
        ),
        (
            "mlops_model_version",
            "model = \"digits\"",
            &["version", "alias", "select"],
        ),
        (
            "mlops_model_versions",
            "model = \"nobody\"",
            &["model nobody"],
        ),
        ("mlops_endpoint", "name = \"nobody\"", &["nobody"]),
        ("mlops_endpoint_status", "name = \"nobody\"", &["nobody"]),
    ] {
        work.ask_fails(kind, arguments, parts);
    }
}

#[test]
fn a_served_endpoint_its_status_and_its_history_are_read() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let endpoint = work.ask("mlops_endpoint", "name = \"digits\"");
    assert_eq!(endpoint.text("/invoke_url"), stack.url());
    assert!(endpoint.get("/arn").is_null(), "{endpoint:?}");
    assert_eq!(endpoint.get("/target_versions"), &json!({ "main": 1 }));
    let status = work.ask("mlops_endpoint_status", "name = \"digits\"");
    assert_eq!(
        (status.get("/running"), status.get("/healthy")),
        (&json!(true), &json!(true))
    );
    let deployments = work.ask("mlops_deployments", "name = \"digits\"");
    assert_eq!(deployments.text("/deployments/0/kind"), "create");
    work.destroy();
}

#[test]
fn an_image_is_read_with_its_platforms_and_its_size() {
    let name = "an_image_is_read_with_its_platforms_and_its_size";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let both = world.paper_images("own", "both", &["arm64", "amd64"], "both");
    let one = world.paper_images("own", "one", &["arm64"], "one");
    let mut work = world.workspace("");
    let kind = "mlops_image";
    let asked = |uri: &str| format!("data \"{kind}\" \"asked\" {{\n  uri = \"{uri}\"\n}}\n");
    let output = "output \"asked\" {\n  value = data.mlops_image.asked\n}\n";
    for (uri, pinned, platforms) in [
        (
            world.tagged("own", "both"),
            &both,
            json!(["linux/amd64", "linux/arm64"]),
        ),
        (one.clone(), &one, json!(["linux/arm64"])),
    ] {
        work.config(&format!("{}{output}", asked(&uri)));
        work.apply();
        let state = work.state();
        let image = state.output("asked");
        assert_eq!(image["id"], **pinned);
        assert_eq!(
            pinned.split_once('@').map(|(_, digest)| digest),
            image["digest"].as_str()
        );
        assert_eq!(image["platforms"], platforms);
        assert!(image["size_bytes"].as_u64() > Some(0), "{image}");
    }
    for (uri, said) in [
        (world.tagged("own", "none"), "there is no image"),
        (world.tagged("none", "one"), "there is no repository none"),
        ("own@sha256:beef".to_owned(), "names no image"),
    ] {
        work.config(&asked(&uri));
        work.plan_fails(&[said, "uri"]);
    }
}
