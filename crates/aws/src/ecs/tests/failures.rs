//! Revisions that do not start: what is said of it, and that nothing of them stays.

use std::collections::BTreeSet;

use mlops_core::endpoint::Period;
use mlops_core::serving::EXIT_INVALID_CONFIG;
use mlops_core::target::{Revision, Server, Target as _};
use mlops_core::{Class, Error};

use super::world::World;

/// The error of a start, and the log's last lines; everything is gone then.
async fn start(world: &World, revision: &Revision) -> (Error, Vec<String>) {
    let server = world.provision(&world.request(1)).await;
    let error = world.ensure(&server, revision).await.expect_err("no start");
    assert_eq!(error.class(), Class::Invalid, "{error}");
    assert_eq!(error.attribute(), Some("variants.main"));
    let lines = world.target().last_logs(&server, 200).await.expect("lines");
    take_away(world, &server, revision).await;
    (error, lines)
}

async fn take_away(world: &World, server: &Server, revision: &Revision) {
    world.drain_and_remove(server, &revision.name).await;
    world.teardown(server).await;
    assert_eq!(world.left().await, BTreeSet::new());
}

#[tokio::test]
async fn an_image_that_is_not_there_is_named() {
    let Some(world) = World::new().await else {
        return;
    };
    let mut revision = world.revision(1, &[]);
    let place = revision.placement.as_mut().expect("placed");
    let (repository, _) = place.image.split_once('@').expect("by digest");
    place.image = format!("{repository}@sha256:{}", "0".repeat(64));
    let (error, _) = start(&world, &revision).await;
    let text = error.to_string();
    assert!(text.contains("CannotPullContainerError"), "{text}");
    assert!(text.contains("does not start"), "{text}");
}

#[tokio::test]
async fn a_servers_own_refusal_is_told_with_its_last_words() {
    let Some(world) = World::new().await else {
        return;
    };
    let status = EXIT_INVALID_CONFIG.to_string();
    let revision = world.revision(1, &[("EXIT_AFTER", "0"), ("EXIT_CODE", &status)]);
    let (error, lines) = start(&world, &revision).await;
    let text = error.to_string();
    assert!(text.contains("ended with status 78"), "{text}");
    assert!(text.contains("its configuration is refused"), "{text}");
    assert!(text.contains("gives up"), "the log's end: {text}");
    assert!(
        lines.iter().any(|line| line.contains("gives up")),
        "{lines:?}"
    );
}

/// PAINS: hashicorp/terraform-provider-aws#20858.
#[tokio::test]
async fn a_container_that_crashes_again_and_again_is_given_up() {
    let Some(world) = World::new().await else {
        return;
    };
    let revision = world.revision(1, &[("READY_AFTER", "600"), ("EXIT_AFTER", "0.2")]);
    let (error, _) = start(&world, &revision).await;
    let text = error.to_string();
    assert!(text.contains("ended with status 1"), "{text}");
}

/// PAINS: reown-com/blockchain-api#46, aws/containers-roadmap#2853.
#[tokio::test]
async fn a_server_that_is_never_ready_fails_by_its_health_check() {
    let Some(world) = World::new().await else {
        return;
    };
    let mut revision = world.revision(1, &[("NEVER_READY", "1")]);
    revision.startup_timeout = Period::seconds(20);
    let (error, _) = start(&world, &revision).await;
    let text = error.to_string();
    for said in ["startup_timeout_seconds", "1 of 1 tasks run", "503"] {
        assert!(text.contains(said), "{said:?} is not in {text:?}");
    }
}

#[tokio::test]
async fn a_cluster_that_does_not_exist_is_the_attribute_at_fault() {
    let Some(world) = World::new().await else {
        return;
    };
    let mut request = world.request(1);
    let mlops_core::endpoint::spec::TargetSpec::Ecs(ecs) = &mut request.spec.target else {
        unreachable!("an endpoint on ECS");
    };
    ecs.cluster = format!("{}-gone", world.cluster);
    let server = world.provision(&request).await;
    let revision = world.revision(1, &[]);
    let error = world.ensure(&server, &revision).await.expect_err("nowhere");
    assert_eq!(error.attribute(), Some("ecs.cluster_arn"), "{error}");
    take_away(&world, &server, &revision).await;
}
