//! A server's life, each call made by a process that remembers nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use mlops_core::clock::SystemClock;
use mlops_core::conformance::target as suite;
use mlops_core::serving::{SmokeRequest, WHOLE};
use mlops_core::target::{RevisionState, Target as _};

use super::world::{World, split};

#[tokio::test]
async fn a_server_can_be_brought_up_again_and_taken_back() {
    let Some(world) = World::new().await else {
        return;
    };
    let clock = SystemClock::default();
    suite::provision_can_be_repeated_and_taken_back(&world.target(), &clock, world.request(1))
        .await;
    assert_eq!(world.left().await, BTreeSet::new());
}

#[tokio::test]
async fn revisions_are_proved_shifted_scaled_and_taken_away_and_nothing_is_left() {
    let Some(world) = World::new().await else {
        return;
    };
    let target = world.target();
    let request = world.request(1);
    let server = world.provision(&request).await;
    assert!(target.satisfies(&server, &request.spec));
    assert_eq!(server.port, Some(20_000));
    assert_eq!(world.ask(&server).await, "503 Service Unavailable");
    let limit = Duration::from_secs(2);
    let probe = target.probe(&server, "/", limit).await.expect("a probe");
    assert!(probe.healthy, "{probe:?}");

    let (old, new) = (world.revision(1, &[]), world.revision(2, &[]));
    world.ensure(&server, &old).await.expect("it starts");
    world.ensure(&server, &old).await.expect("it has started");
    let only_old = split(&[(&old, WHOLE)]);
    for _ in 0..2 {
        target
            .set_weights(&server, &only_old)
            .await
            .expect("weights");
    }
    let seen = target.observe(&server).await.expect("seen");
    assert!(seen.serves(&old.name), "{seen:?}");
    assert_eq!(seen.routing, only_old);
    assert_eq!(world.ask(&server).await, "1");

    world.ensure(&server, &new).await.expect("it starts");
    let seen = target.observe(&server).await.expect("seen");
    assert_eq!(seen.routing, only_old, "a start moves no weight");
    assert!(seen.serves(&new.name), "{seen:?}");
    let request = SmokeRequest {
        inputs: serde_json::json!([]),
        expect: None,
    };
    let smoke = target.smoke(&server, &new.name, &request).await;
    assert!(smoke.expect("known").passed);
    world
        .until_done("scale", |target| {
            let (server, name) = (&server, &new.name);
            async move { target.scale(server, name, 2).await }
        })
        .await;
    let seen = target.observe(&server).await.expect("seen");
    assert_eq!(seen.revisions[&new.name].instances, 2);
    // What somebody scaled out stays so.
    world
        .until_done("scale", |target| {
            let (server, name) = (&server, &new.name);
            async move { target.scale(server, name, 1).await }
        })
        .await;
    let seen = target.observe(&server).await.expect("seen");
    assert_eq!(seen.revisions[&new.name].instances, 2);

    let half = split(&[(&old, WHOLE / 2), (&new, WHOLE / 2)]);
    target.set_weights(&server, &half).await.expect("weights");
    let seen = target.observe(&server).await.expect("seen");
    assert_eq!(seen.routing, half);
    let mut heard = BTreeSet::new();
    for _ in 0..64 {
        heard.insert(world.ask(&server).await);
    }
    assert_eq!(heard.into_iter().collect::<Vec<_>>(), ["1", "2"]);

    let only_new = split(&[(&new, WHOLE)]);
    target
        .set_weights(&server, &only_new)
        .await
        .expect("weights");
    world.drain_and_remove(&server, &old.name).await;
    world.drain_and_remove(&server, &old.name).await;
    let seen = target.observe(&server).await.expect("seen");
    assert!(!seen.revisions.contains_key(&old.name), "{seen:?}");
    assert_eq!(seen.revisions[&new.name].state, RevisionState::Ready);
    assert_eq!(world.ask(&server).await, "2");

    world.teardown(&server).await;
    world.teardown(&server).await;
    assert_eq!(world.left().await, BTreeSet::new());
    assert!(!target.observe(&server).await.expect("seen").alive);
    let gone = target.set_weights(&server, &only_new).await;
    assert!(gone.expect_err("nobody").is_not_found());
    let gone = target.ensure_revision(&server, &new).await;
    assert!(gone.expect_err("nobody").is_not_found());
    let gone = target.scale(&server, &new.name, 1).await;
    assert!(gone.expect_err("nobody").is_not_found());
    let gone = target.probe(&server, "/", limit).await;
    assert!(gone.expect_err("nobody").is_not_found());
    let gone = target.smoke(&server, &new.name, &request).await;
    assert!(gone.expect_err("nobody").is_not_found());
    world.drain_and_remove(&server, &new.name).await;
}
