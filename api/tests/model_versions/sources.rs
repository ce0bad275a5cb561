//! The way from a source to a version.

use mlops_api::{Settings, Sources};
use serde_json::{Value, json};

use super::world::{self, World, everywhere};
use super::{INVALID, MISSING};

#[tokio::test]
async fn a_version_is_pending_and_not_bindable_until_its_source_is_ingested() {
    let world = World::still();
    world.create_model("fraud").await;
    let source = world.model("m");
    let source = source.to_str().unwrap();
    let body = json!({
        "name": "fraud", "source": source, "run_id": "r1", "run_link": "http://runs/r1",
        "description": "d", "tags": [{"key": "k", "value": "v"}, {"key": "mlops.metric.auc", "value": "0.5"}],
    });
    let made = world.done("POST", "model-versions/create", body).await;
    let at = made["model_version"]["creation_timestamp"].clone();
    let expected = json!({"model_version": {
        "name": "fraud", "version": "1",
        "creation_timestamp": at, "last_updated_timestamp": at,
        "current_stage": "None", "description": "d", "source": source, "run_id": "r1",
        "status": "PENDING_REGISTRATION",
        "tags": [{"key": "k", "value": "v"}, {"key": "mlops.metric.auc", "value": "0.5"}],
        "run_link": "http://runs/r1",
    }});
    assert_eq!(made, expected);
    let alias = json!({"name": "fraud", "alias": "champion", "version": "1"});
    let set = ("POST", "registered-models/alias", alias.clone());
    world
        .refused(set, INVALID, &["fraud/1", "PENDING_REGISTRATION"])
        .await;
    let uri = "model-versions/get-download-uri?name=fraud&version=1";
    world
        .refused(("GET", uri, Value::Null), INVALID, &["not READY"])
        .await;
    let stage = json!({"name": "fraud", "version": "1", "stage": "Staging"});
    world
        .refused(
            ("POST", "model-versions/transition-stage", stage),
            INVALID,
            &["not READY"],
        )
        .await;
    let model = world
        .done("GET", "registered-models/get?name=fraud", Value::Null)
        .await;
    assert_eq!(model["registered_model"].get("latest_versions"), None);
    // What is said meanwhile is kept.
    let tag = json!({"name": "fraud", "version": "1", "key": "mlops.metric.auc", "value": "0.75"});
    world.done("POST", "model-versions/set-tag", tag).await;

    world.ingest();
    let ready = world.settled("fraud", "1").await;
    assert_eq!(
        ready,
        json!({
            "name": "fraud", "version": "1",
            "creation_timestamp": at, "last_updated_timestamp": at,
            "current_stage": "None", "description": "d", "source": source, "run_id": "r1",
            "status": "READY",
            "tags": [{"key": "k", "value": "v"}, {"key": "mlops.metric.auc", "value": "0.75"}],
            "run_link": "http://runs/r1",
            "model_metrics": [{"key": "auc", "value": 0.75, "timestamp": at, "step": 0}],
        })
    );
    world.done("POST", "registered-models/alias", alias).await;
    let by_alias = "registered-models/alias?name=fraud&alias=champion";
    let found = world.done("GET", by_alias, Value::Null).await;
    assert_eq!(found["model_version"]["version"], "1");
    assert_eq!(found["model_version"]["aliases"], json!(["champion"]));
    let model = world
        .done("GET", "registered-models/get?name=fraud", Value::Null)
        .await;
    let aliases = json!([{"alias": "champion", "version": "1"}]);
    assert_eq!(model["registered_model"]["aliases"], aliases);
    assert_eq!(
        model["registered_model"]["latest_versions"][0]["version"],
        "1"
    );
}

#[tokio::test]
async fn a_registration_survives_a_restart() {
    let before = World::still();
    before.create_model("fraud").await;
    let source = before.model("m");
    let body = json!({"name": "fraud", "source": source});
    before.done("POST", "model-versions/create", body).await;
    let after = World::over(before.registry.clone(), everywhere());
    after.ingest();
    assert_eq!(after.settled("fraud", "1").await["status"], "READY");
}

#[tokio::test]
async fn a_source_that_is_no_model_fails_and_says_why() {
    let world = World::new();
    world.create_model("fraud").await;
    let at = world.files.path();
    std::fs::write(at.join("wrong.onnx"), "not a model").unwrap();
    std::fs::create_dir(at.join("pickled")).unwrap();
    std::fs::write(at.join("pickled/model.pkl"), "x").unwrap();
    for (version, (name, part)) in [
        ("gone", "does not exist"),
        ("wrong.onnx", "not an ONNX model"),
        ("pickled", "no file that ends in .onnx"),
    ]
    .into_iter()
    .enumerate()
    {
        let failed = world
            .register("fraud", at.join(name).to_str().unwrap(), json!([]))
            .await;
        assert_eq!(failed["status"], "FAILED_REGISTRATION", "{failed}");
        assert_eq!(failed["version"], (version + 1).to_string());
        let why = failed["status_message"].as_str().unwrap();
        assert!(why.contains(part), "{why}");
    }
    let alias = json!({"name": "fraud", "alias": "a", "version": "1"});
    let set = ("POST", "registered-models/alias", alias);
    world
        .refused(set, INVALID, &["fraud/1", "does not exist"])
        .await;
    world
        .done(
            "DELETE",
            "model-versions/delete",
            json!({"name": "fraud", "version": "1"}),
        )
        .await;
    let get = (
        "GET",
        "model-versions/get?name=fraud&version=1",
        Value::Null,
    );
    world.refused(get, MISSING, &["version=1"]).await;
}

#[tokio::test]
async fn what_is_no_model_does_not_get_into_the_store() {
    let world = World::new();
    world.create_model("fraud").await;
    let secret = world.files.path().join("id_ed25519");
    std::fs::write(&secret, "secret").unwrap();
    let artifact =
        mlops_core::artifacts::hash_source(&secret, &mlops_core::artifacts::NoDigestCache).unwrap();
    let failed = world
        .register("fraud", secret.to_str().unwrap(), json!([]))
        .await;
    assert_eq!(failed["status"], "FAILED_REGISTRATION");
    assert!(
        world
            .registry
            .artifacts()
            .get(&artifact.digest)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn sources_that_this_server_cannot_read_are_refused_at_once() {
    let world = World::new();
    world.create_model("fraud").await;
    for (source, part) in [
        ("runs:/abc/model", "keeps no runs"),
        ("s3://bucket/key", "nothing from S3"),
        ("relative/model", "absolute"),
        ("/m/../../etc/passwd", "\"..\""),
        ("models:/m-123", "logged model"),
    ] {
        let body = json!({"name": "fraud", "source": source});
        world
            .refused(("POST", "model-versions/create", body), INVALID, &[part])
            .await;
    }
    let create = |body| ("POST", "model-versions/create", body);
    world
        .refused(create(json!({"name": "fraud"})), INVALID, &["'source'"])
        .await;
    let body = json!({"name": "none", "source": "/m"});
    world.refused(create(body), MISSING, &["name=none"]).await;
    let body = json!({"name": "fraud", "source": "models:/fraud/7"});
    world.refused(create(body), MISSING, &["version=7"]).await;
    let body = json!({"name": "fraud", "source": "/m", "tags": [{"key": "mlops.metric.auc", "value": "high"}]});
    world
        .refused(create(body), INVALID, &["not a number"])
        .await;
}

#[tokio::test]
async fn without_source_roots_no_file_of_the_server_is_read_and_with_them_none_outside() {
    let closed = World::with(Settings::default());
    closed.create_model("fraud").await;
    let model = closed.model("m");
    let body = json!({"name": "fraud", "source": model});
    closed
        .refused(
            ("POST", "model-versions/create", body),
            INVALID,
            &["--source-root"],
        )
        .await;

    let root = tempfile::tempdir().unwrap();
    let settings = Settings {
        sources: Sources::below(&[root.path().to_owned()]).unwrap(),
        ..Settings::default()
    };
    let world = World::with(settings);
    world.create_model("fraud").await;
    let outside = world.model("outside");
    std::os::unix::fs::symlink(&outside, root.path().join("link")).unwrap();
    for source in [
        outside.clone(),
        root.path().join("link"),
        root.path().join("../escape"),
        "/etc/passwd".into(),
    ] {
        let body = json!({"name": "fraud", "source": source});
        world
            .refused(("POST", "model-versions/create", body), INVALID, &[])
            .await;
    }
    // A link inside of a directory is only seen when the directory is read.
    let mixed = root.path().join("mixed");
    std::fs::create_dir(&mixed).unwrap();
    std::os::unix::fs::symlink(outside.join("model.onnx"), mixed.join("model.onnx")).unwrap();
    let failed = world
        .register("fraud", mixed.to_str().unwrap(), json!([]))
        .await;
    assert_eq!(failed["status"], "FAILED_REGISTRATION", "{failed}");
    assert!(
        failed["status_message"]
            .as_str()
            .unwrap()
            .contains("--source-root"),
        "{failed}"
    );
    std::fs::copy(world::onnx(), root.path().join("good.onnx")).unwrap();
    let good = root.path().join("good.onnx");
    let ready = world
        .register("fraud", good.to_str().unwrap(), json!([]))
        .await;
    assert_eq!(ready["status"], "READY", "{ready}");
}
