//! `model-versions`, request by request.

mod sources;
#[path = "../world/mod.rs"]
mod world;

use std::collections::BTreeMap;

use mlops_api::Settings;
use mlops_core::gates::Gate;
use mlops_core::registry::{ModelSpec, Promotion};
use serde_json::{Value, json};
use world::{World, request};

const INVALID: (u16, &str) = (400, "INVALID_PARAMETER_VALUE");
const MISSING: (u16, &str) = (404, "RESOURCE_DOES_NOT_EXIST");
const CONFLICT: (u16, &str) = (409, "RESOURCE_CONFLICT");

#[tokio::test]
async fn a_copy_of_a_version_has_its_artifact_and_its_metrics() {
    let other = World::new();
    let world = World::over(other.registry.clone(), Settings::default());
    other.create_model("fraud").await;
    let model = other.model("m");
    let tags = json!([{"key": "mlops.metric.auc", "value": "0.9"}, {"key": "k", "value": "v"}]);
    other.register("fraud", model.to_str().unwrap(), tags).await;
    world
        .done(
            "POST",
            "registered-models/alias",
            json!({"name": "fraud", "alias": "best", "version": "1"}),
        )
        .await;
    world.create_model("copy").await;
    // No file is read, so no source root is needed; clients do not wait for a copy.
    let body = json!({"name": "copy", "source": "models:/fraud@best"});
    let copy = world.done("POST", "model-versions/create", body).await["model_version"].clone();
    assert_eq!(copy["status"], "READY", "{copy}");
    assert_eq!(copy["source"], "models:/fraud/1");
    assert_eq!(
        copy["tags"],
        json!([{"key": "mlops.metric.auc", "value": "0.9"}])
    );
    let uri = |name: &str| format!("model-versions/get-download-uri?name={name}&version=1");
    let (a, b) = (uri("fraud"), uri("copy"));
    assert_eq!(
        world.done("GET", &a, Value::Null).await,
        world.done("GET", &b, Value::Null).await
    );
}

#[tokio::test]
async fn a_gate_that_fails_keeps_the_alias_and_the_stage_where_they_are() {
    let world = World::new();
    let gate = Gate {
        min: Some(0.8),
        ..Gate::default()
    };
    let spec = ModelSpec {
        promotion: Some(Promotion {
            gates: BTreeMap::from([("auc".to_owned(), gate)]),
            ..Promotion::default()
        }),
        ..ModelSpec::default()
    };
    world
        .registry
        .create_model(&"fraud".parse().unwrap(), spec)
        .await
        .unwrap();
    let model = world.model("m");
    let auc = |value: &str| json!([{"key": "mlops.metric.auc", "value": value}]);
    world
        .register("fraud", model.to_str().unwrap(), auc("0.9"))
        .await;
    world
        .register("fraud", model.to_str().unwrap(), auc("0.7"))
        .await;
    let alias = |version: &str| json!({"name": "fraud", "alias": "champion", "version": version});
    world
        .done("POST", "registered-models/alias", alias("1"))
        .await;
    let move_to_2 = ("POST", "registered-models/alias", alias("2"));
    world
        .refused(
            move_to_2,
            INVALID,
            &["fraud@champion", "auc: 0.7 >= 0.8: fail"],
        )
        .await;
    let stage = json!({"name": "fraud", "version": "2", "stage": "Production", "archive_existing_versions": true});
    let transition = ("POST", "model-versions/transition-stage", stage);
    world
        .refused(transition, INVALID, &["fraud@production", "auc"])
        .await;
    let found = world
        .done("GET", "registered-models/get?name=fraud", Value::Null)
        .await;
    let aliases = json!([{"alias": "champion", "version": "1"}]);
    assert_eq!(found["registered_model"]["aliases"], aliases);
    // The gate opens when the metric is good enough.
    let tag = json!({"name": "fraud", "version": "2", "key": "mlops.metric.auc", "value": "0.85"});
    world.done("POST", "model-versions/set-tag", tag).await;
    world
        .done("POST", "registered-models/alias", alias("2"))
        .await;
}

#[tokio::test]
async fn stages_are_the_aliases_staging_and_production_and_the_archive() {
    let world = World::new();
    let at = world.ready("fraud").await;
    world
        .register("fraud", at.to_str().unwrap(), json!([]))
        .await;
    let to = |version: &str, stage: &str, archive: bool| json!({"name": "fraud", "version": version, "stage": stage, "archive_existing_versions": archive});
    let path = "model-versions/transition-stage";
    let staged = world.done("POST", path, to("1", "staging", false)).await;
    assert_eq!(staged["model_version"]["current_stage"], "Staging");
    let produced = world.done("POST", path, to("1", "Production", false)).await;
    assert_eq!(produced["model_version"]["current_stage"], "Production");
    assert_eq!(produced["model_version"]["aliases"], json!(["production"]));
    // The next one takes its place, and with the flag it is archived.
    let produced = world.done("POST", path, to("2", "production", true)).await;
    assert_eq!(produced["model_version"]["current_stage"], "Production");
    let latest = world
        .done(
            "POST",
            "registered-models/get-latest-versions",
            json!({"name": "fraud"}),
        )
        .await;
    let stages: Vec<_> = latest["model_versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| {
            (
                version["version"].as_str().unwrap(),
                version["current_stage"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(stages, [("2", "Production"), ("1", "Archived")]);
    let latest = "registered-models/get-latest-versions?name=fraud&stages=Production";
    let latest = world.done("GET", latest, Value::Null).await;
    assert_eq!(latest["model_versions"].as_array().unwrap().len(), 1);

    world
        .refused(
            ("POST", path, to("1", "None", false)),
            INVALID,
            &["archived"],
        )
        .await;
    world
        .refused(
            ("POST", path, to("1", "Staging", false)),
            INVALID,
            &["archived"],
        )
        .await;
    world
        .refused(
            ("POST", path, to("2", "None", true)),
            INVALID,
            &["archive_existing_versions"],
        )
        .await;
    world
        .refused(("POST", path, to("2", "Best", false)), INVALID, &["Best"])
        .await;
    let left = world.done("POST", path, to("2", "None", false)).await;
    assert_eq!(left["model_version"]["current_stage"], "None");
    assert_eq!(left["model_version"].get("aliases"), None);
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted() {
    let world = World::new();
    world.ready("fraud").await;
    let one = json!({"name": "fraud", "version": "1"});
    world
        .done(
            "POST",
            "registered-models/alias",
            json!({"name": "fraud", "alias": "best", "version": "1"}),
        )
        .await;
    let delete = ("DELETE", "model-versions/delete", one.clone());
    world.refused(delete, CONFLICT, &["fraud@best"]).await;
    world
        .done(
            "DELETE",
            "registered-models/alias",
            json!({"name": "fraud", "alias": "best"}),
        )
        .await;
    let bind = world
        .registry
        .bind_writes(&"fraud/1".parse().unwrap(), "local/digits")
        .await
        .unwrap();
    world.registry.commit(bind).await.unwrap();
    world
        .refused(
            ("DELETE", "model-versions/delete", one.clone()),
            CONFLICT,
            &["local/digits"],
        )
        .await;
    let model = (
        "DELETE",
        "registered-models/delete",
        json!({"name": "fraud"}),
    );
    world.refused(model, CONFLICT, &["local/digits"]).await;
    let free = world
        .registry
        .unbind_writes(&"fraud/1".parse().unwrap(), "local/digits")
        .await
        .unwrap();
    world.registry.commit(free).await.unwrap();
    world
        .done("DELETE", "model-versions/delete", one.clone())
        .await;
    world
        .refused(
            ("DELETE", "model-versions/delete", one),
            MISSING,
            &["version=1"],
        )
        .await;
}

#[tokio::test]
async fn a_number_never_means_two_artifacts_not_even_after_its_model_was_deleted() {
    let world = World::new();
    let at = world.ready("fraud").await;
    world
        .done(
            "DELETE",
            "registered-models/delete",
            json!({"name": "fraud"}),
        )
        .await;
    world.create_model("fraud").await;
    let next = world
        .register("fraud", at.to_str().unwrap(), json!([]))
        .await;
    assert_eq!(next["version"], "2");
}

#[tokio::test]
async fn descriptions_and_tags_of_a_version_change_in_place() {
    let world = World::new();
    world.ready("fraud").await;
    let update = |text: Value| json!({"name": "fraud", "version": "1", "description": text});
    let path = "model-versions/update";
    let changed = world.done("PATCH", path, update("better".into())).await;
    assert_eq!(changed["model_version"]["description"], "better");
    let same = world
        .done("PATCH", path, json!({"name": "fraud", "version": "1"}))
        .await;
    assert_eq!(same["model_version"]["description"], "better");
    let tag = |key: &str| json!({"name": "fraud", "version": "1", "key": key, "value": "v"});
    world.done("POST", "model-versions/set-tag", tag("a")).await;
    world.done("POST", "model-versions/set-tag", tag("b")).await;
    world
        .done("DELETE", "model-versions/delete-tag", tag("a"))
        .await;
    world
        .done("DELETE", "model-versions/delete-tag", tag("nobody"))
        .await;
    let found = world.settled("fraud", "1").await;
    assert_eq!(found["tags"], json!([{"key": "b", "value": "v"}]));
    let missing = json!({"name": "fraud", "version": "9", "key": "a", "description": "x"});
    for (method, path) in [
        ("PATCH", "update"),
        ("POST", "set-tag"),
        ("DELETE", "delete-tag"),
    ] {
        let path = format!("model-versions/{path}");
        world
            .refused((method, &path, missing.clone()), MISSING, &["version=9"])
            .await;
    }
}

#[tokio::test]
async fn versions_are_searched_filtered_ordered_and_paged() {
    let world = World::new();
    let at = world.ready("fraud").await;
    let source = at.to_str().unwrap();
    for run in ["r2", "r3"] {
        let body = json!({"name": "fraud", "source": source, "run_id": run, "tags": [{"key": "run", "value": run}]});
        world.done("POST", "model-versions/create", body).await;
    }
    for version in ["2", "3"] {
        world.settled("fraud", version).await;
    }
    world.ready("churn").await;
    let found = async |query: &str| -> Vec<String> {
        let path = format!("model-versions/search?{query}");
        let found = world.done("GET", &path, Value::Null).await;
        let versions = found
            .get("model_versions")
            .and_then(Value::as_array)
            .cloned();
        let id = |v: Value| {
            format!(
                "{}/{}",
                v["name"].as_str().unwrap(),
                v["version"].as_str().unwrap()
            )
        };
        versions.unwrap_or_default().into_iter().map(id).collect()
    };
    assert_eq!(
        found("order_by=name").await,
        ["churn/1", "fraud/3", "fraud/2", "fraud/1"]
    );
    assert_eq!(
        found("filter=name%3D%27fraud%27&order_by=version_number+ASC").await,
        ["fraud/1", "fraud/2", "fraud/3"]
    );
    assert_eq!(found("filter=run_id%3D%27r3%27").await, ["fraud/3"]);
    assert_eq!(
        found("filter=run_id+IN+(%27r3%27,%27r2%27)&order_by=version_number").await,
        ["fraud/2", "fraud/3"]
    );
    assert_eq!(found("filter=tags.run%3D%27r2%27").await, ["fraud/2"]);
    assert_eq!(
        found("filter=source_path+LIKE+%27%25churn%27").await,
        ["churn/1"]
    );
    assert_eq!(found("filter=version_number+%3E+2").await, ["fraud/3"]);
    assert_eq!(
        found("filter=name%3D%27none%27").await,
        Vec::<String>::new()
    );
    assert_eq!(found("").await.len(), 4);
    let search = "model-versions/search?max_results=3&order_by=creation_timestamp+ASC";
    let first = world.done("GET", search, Value::Null).await;
    let token = first["next_page_token"].as_str().unwrap();
    let second = world
        .done("GET", &format!("{search}&page_token={token}"), Value::Null)
        .await;
    assert_eq!(second["model_versions"].as_array().unwrap().len(), 1);
    assert_eq!(second["model_versions"][0]["name"], "churn");
    world
        .refused(
            (
                "GET",
                "model-versions/search?max_results=200001",
                Value::Null,
            ),
            INVALID,
            &[],
        )
        .await;
}

#[tokio::test]
async fn sixteen_registrations_at_once_have_the_numbers_one_to_sixteen() {
    let world = World::new();
    world.create_model("fraud").await;
    let source = world.model("m");
    let register = |_| world.register("fraud", source.to_str().unwrap(), json!([]));
    let made = futures::future::join_all((0..16).map(register)).await;
    let mut numbers: Vec<u64> = made
        .iter()
        .map(|version| {
            assert_eq!(version["status"], "READY", "{version}");
            version["version"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_artifact_is_listed_and_downloaded_as_it_was_registered() {
    let world = World::new();
    let at = world.ready("fraud").await;
    let uri = "model-versions/get-download-uri?name=fraud&version=1";
    let uri = world.done("GET", uri, Value::Null).await["artifact_uri"]
        .as_str()
        .unwrap()
        .to_owned();
    let (base, hex) = uri
        .split_once("/api/2.0/mlflow-artifacts/artifacts/")
        .unwrap();
    assert_eq!(base, "http://127.0.0.1:5000");
    let get = async |target: String| world.send(request("GET", &target, Value::Null)).await;
    let files = "/api/2.0/mlflow-artifacts/artifacts";
    let listed = get(format!("{files}?path={hex}")).await;
    let listed: Value = serde_json::from_slice(&listed.body).unwrap();
    let size = std::fs::metadata(at.join("model.onnx")).unwrap().len();
    assert_eq!(listed["files"][1], json!({"path": "data", "is_dir": true}));
    assert_eq!(
        listed["files"][2],
        json!({"path": "model.onnx", "is_dir": false, "file_size": size})
    );
    for name in ["model.onnx", "MLmodel", "data/labels.txt"] {
        let file = get(format!("{files}/{hex}/{name}")).await;
        assert_eq!(file.status, 200);
        assert_eq!(file.body, std::fs::read(at.join(name)).unwrap());
    }
    for wrong in [
        format!("{hex}/none"),
        format!("{hex}/data"),
        format!("{hex}/%2e%2e/{hex}/model.onnx"),
        format!("{}/model.onnx", "0".repeat(64)),
        "model.onnx".to_owned(),
    ] {
        assert_eq!(get(format!("{files}/{wrong}")).await.status, 404, "{wrong}");
    }
    assert_eq!(get(files.to_owned()).await.status, 400);
}
