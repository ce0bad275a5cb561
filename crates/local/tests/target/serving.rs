//! The target's primitives against the real model server, with a real model.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Instant;

use mlops_core::Class;
use mlops_core::artifacts::{ArtifactStore as _, NoDigestCache};
use mlops_core::saga::Progress;
use mlops_core::serving::{SmokeRequest, WHOLE};
use mlops_core::target::{
    Revision, RevisionName, RevisionState, Routing, Server, Target, VariantRouting,
};
use serde_json::{Value, json};

use crate::world::{World, ports, request};

pub(crate) fn model(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart/models");
    root.join(name)
}

pub(crate) async fn revision(world: &World, version: u64, file: PathBuf) -> Revision {
    let artifact = world
        .artifacts
        .put_tree(&file, &NoDigestCache)
        .await
        .unwrap();
    serde_json::from_value(json!({
        "name": format!("main-v{version}-5e6f7a8b.1"),
        "variant": "main",
        "model": "digits",
        "version": version,
        "artifact_digest": artifact.digest.to_string(),
        "startup_timeout": "30s",
    }))
    .unwrap()
}

fn split(shares: &[(&Revision, u32)]) -> Routing {
    let weights = shares
        .iter()
        .map(|(revision, share)| (revision.name.clone(), *share));
    let main = VariantRouting {
        traffic: WHOLE,
        shadow: 0,
        weights: weights.collect(),
    };
    Routing {
        variants: BTreeMap::from([("main".parse().unwrap(), main)]),
    }
}

/// Calls until it is done; the primitive may not be pending past its own deadline.
async fn finish<F: Future<Output = mlops_core::Result<Progress<()>>>>(
    call: impl Fn() -> F,
) -> mlops_core::Result<()> {
    let begun = Instant::now();
    loop {
        match call().await? {
            Progress::Done(()) => return Ok(()),
            Progress::Pending {
                poll_after,
                deadline,
                ..
            } => {
                assert!(begun.elapsed() < deadline, "past its own deadline");
                tokio::time::sleep(poll_after).await;
            }
        }
    }
}

async fn load(world: &World, server: &Server, revision: &Revision) {
    finish(async || world.target().ensure_revision(server, revision).await)
        .await
        .unwrap();
}

/// Which revision answers a prediction; the body is one digit.
fn ask(server: &Server) -> (u16, String) {
    let body = json!({"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": vec![0; 64]}]});
    let body = body.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port.unwrap())).unwrap();
    write!(
        stream,
        "POST /v2/models/digits/infer HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let header = answer.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("mlops-revision: ")
            .map(str::to_owned)
    });
    (status, header.unwrap_or(answer))
}

#[tokio::test]
async fn a_model_is_loaded_proved_shifted_to_and_taken_away() {
    let world = World::new();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    let target = world.target();
    let one = revision(&world, 1, model("digits-v1.onnx")).await;
    let two = revision(&world, 2, model("digits-v2.onnx")).await;

    assert_eq!(ask(&server).0, 503, "nothing is routed yet");
    load(&world, &server, &one).await;
    load(&world, &server, &one).await;
    target
        .set_weights(&server, &split(&[(&one, WHOLE)]))
        .await
        .unwrap();
    assert_eq!(ask(&server), (200, one.name.to_string()));

    load(&world, &server, &two).await;
    let golden: SmokeRequest = serde_json::from_value(json!({"inputs": [vec![0.0; 64]]})).unwrap();
    let smoke = target.smoke(&server, &two.name, &golden).await.unwrap();
    assert!(smoke.passed, "{smoke:?}");
    assert_eq!(
        ask(&server),
        (200, one.name.to_string()),
        "a candidate without weight answered"
    );

    target
        .set_weights(&server, &split(&[(&one, WHOLE / 2), (&two, WHOLE / 2)]))
        .await
        .unwrap();
    let answers: Vec<_> = (0..10).map(|_| ask(&server).1).collect();
    let of = |revision: &Revision| {
        answers
            .iter()
            .filter(|name| **name == revision.name.to_string())
            .count()
    };
    assert_eq!((of(&one), of(&two)), (5, 5));

    let seen = target.observe(&server).await.unwrap();
    assert!(seen.serves(&one.name) && seen.serves(&two.name));
    assert_eq!(seen.routing, split(&[(&one, WHOLE / 2), (&two, WHOLE / 2)]));
    assert_eq!(
        seen.metrics.unwrap().revisions[two.name.as_str()]
            .live
            .requests,
        5
    );

    target
        .set_weights(&server, &split(&[(&two, WHOLE)]))
        .await
        .unwrap();
    finish(async || world.target().drain(&server, &one.name, 5).await)
        .await
        .unwrap();
    finish(async || world.target().remove(&server, &one.name).await)
        .await
        .unwrap();
    let seen = target.observe(&server).await.unwrap();
    assert_eq!(seen.revisions.keys().collect::<Vec<_>>(), [&two.name]);
    assert_eq!(ask(&server), (200, two.name.to_string()));

    let logs = target.last_logs(&server, 200).await.unwrap();
    assert!(
        logs.iter().any(|line| line.contains("listening")),
        "{logs:#?}"
    );
    world.down(&server).await;
    assert!(TcpStream::connect(("127.0.0.1", server.port.unwrap())).is_err());
}

#[tokio::test]
async fn a_variant_that_leaves_the_routing_gets_nothing() {
    let world = World::new();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    let one = revision(&world, 1, model("digits-v1.onnx")).await;
    load(&world, &server, &one).await;
    let target = world.target();
    target
        .set_weights(&server, &split(&[(&one, WHOLE)]))
        .await
        .unwrap();
    target
        .set_weights(&server, &Routing::default())
        .await
        .unwrap();
    let seen = target.observe(&server).await.unwrap();
    assert!(seen.routing.variants.is_empty(), "{:?}", seen.routing);
    assert_eq!(seen.revisions[&one.name].state, RevisionState::Ready);
    assert_eq!(ask(&server).0, 503);
    world.down(&server).await;
}

#[tokio::test]
async fn a_file_that_is_no_model_is_refused_with_the_servers_reason() {
    let world = World::new();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    let file = world.dir.join("broken.onnx");
    std::fs::write(&file, b"not a graph").unwrap();
    let broken = revision(&world, 3, file).await;
    let load = finish(async || world.target().ensure_revision(&server, &broken).await);
    let error = load.await.unwrap_err();
    assert_eq!(error.class(), Class::Invalid);
    assert_eq!(error.attribute(), Some("variants.main"));
    assert!(
        error
            .to_string()
            .starts_with("version digits/3 cannot be served: "),
        "{error}"
    );
    world.down(&server).await;
}

#[tokio::test]
async fn bytes_that_changed_in_the_store_are_never_served() {
    let world = World::new();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    let one = revision(&world, 1, model("digits-v1.onnx")).await;
    let bound = one.workload.bound().unwrap();
    let digest = bound.artifact_digest.parse().unwrap();
    let artifact = world.artifacts.get(&digest).await.unwrap();
    let stored = world.artifacts.path_of(&artifact.files[0]).unwrap();
    let mut bytes = std::fs::read(&stored).unwrap();
    bytes[100] ^= 1;
    std::fs::remove_file(&stored).unwrap();
    std::fs::write(&stored, bytes).unwrap();
    let load = finish(async || world.target().ensure_revision(&server, &one).await);
    let error = load.await.unwrap_err();
    assert_eq!(error.class(), Class::Invalid);
    let unknown: RevisionName = one.name.clone();
    assert!(
        !world
            .target()
            .observe(&server)
            .await
            .unwrap()
            .serves(&unknown)
    );
    world.down(&server).await;
}

#[tokio::test]
async fn a_limit_in_the_environment_that_is_no_number_is_refused_at_its_attribute() {
    let world = World::new();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    let mut one = revision(&world, 1, model("digits-v1.onnx")).await;
    one.environment
        .insert("MLOPS_MAX_QUEUE".into(), "hunter2".into());
    let error = world
        .target()
        .ensure_revision(&server, &one)
        .await
        .unwrap_err();
    assert_eq!(error.attribute(), Some("variants.main.environment"));
    assert!(!error.to_string().contains("hunter2"));
    one.environment.insert("MLOPS_MAX_QUEUE".into(), "7".into());
    load(&world, &server, &one).await;
    let config: Value =
        serde_json::from_slice(&std::fs::read(world.server_dir().join("config.json")).unwrap())
            .unwrap();
    let admin = mlops_local::admin::AdminClient::new(config["admin_socket"].as_str().unwrap());
    let status = admin.revision(one.name.as_str()).await.unwrap().unwrap();
    assert_eq!(status.spec.limits.max_queue, 7);
    world.down(&server).await;
}
