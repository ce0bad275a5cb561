//! The core's own suite for targets, against real processes, a real server and real models.

use mlops_core::clock::SystemClock;
use mlops_core::conformance::target as suite;
use mlops_core::target::ProvisionRequest;

use crate::serving::{model, revision};
use crate::world::{World, ports, request};

async fn nothing_is_left(world: &World) {
    assert!(world.processes().is_empty());
    assert!(world.leases().await.is_empty());
    assert!(!world.dir.join("run").exists());
}

fn asked() -> ProvisionRequest {
    request("digits", ports(2).1)
}

#[tokio::test]
async fn provision_can_be_repeated_and_taken_back() {
    let world = World::new();
    let clock = SystemClock::default();
    suite::provision_can_be_repeated_and_taken_back(&world.target(), &clock, asked()).await;
    nothing_is_left(&world).await;
}

#[tokio::test]
async fn a_server_serves_shifts_and_leaves_nothing() {
    let world = World::new();
    let clock = SystemClock::default();
    let old = revision(&world, 1, model("digits-v1.onnx")).await;
    let new = revision(&world, 2, model("digits-v2.onnx")).await;
    suite::a_server_serves_shifts_and_leaves_nothing(&world.target(), &clock, asked(), old, new)
        .await;
    nothing_is_left(&world).await;
}
