//! Whose things are: what others made or changed is told and left, and two servers of one endpoint keep apart.

use std::collections::BTreeSet;

use mlops_core::clock::{Clock as _, SystemClock};
use mlops_core::saga::Progress;
use mlops_core::serving::WHOLE;
use mlops_core::target::{RevisionName, RevisionState, Target as _};

use super::super::{names, services::Services};
use super::deployment;
use super::world::{World, split};

#[tokio::test]
async fn a_service_of_the_same_name_that_others_made_is_an_error_and_stays() {
    let Some(world) = World::new().await else {
        return;
    };
    let (server, revision) = (
        world.provision(&world.request(1)).await,
        world.revision(1, &[]),
    );
    let name = names::service(&world.owner(1), &revision.name);
    // The first calls make the target group and the task definition.
    for _ in 0..2 {
        let made = world.target().ensure_revision(&server, &revision).await;
        assert!(matches!(made, Ok(Progress::Pending { .. })), "{made:?}");
    }
    let ecs = world.clients.ecs().await.expect("a client");
    ecs.create_service()
        .cluster(&world.cluster)
        .service_name(&name)
        .task_definition(&name)
        .desired_count(0)
        .send()
        .await
        .expect("theirs");
    let error = world.ensure(&server, &revision).await.expect_err("theirs");
    assert!(error.is_conflict(), "{error}");
    assert!(error.to_string().contains(&name), "{error}");
    world.drain_and_remove(&server, &revision.name).await;
    world.teardown(&server).await;
    let services = Services::new(&world.clients, &world.cluster);
    assert!(
        services.find(&name).await.expect("told").is_some(),
        "it is gone"
    );
}

#[tokio::test]
async fn a_log_group_of_the_same_name_that_others_made_is_an_error_and_stays() {
    let Some(world) = World::new().await else {
        return;
    };
    let request = world.request(1);
    let name = names::log_group(&world.cluster, &request.spec.name);
    let logs = world.clients.logs().await.expect("a client");
    let made = logs.create_log_group().log_group_name(&name).send().await;
    made.expect("theirs");
    let steps = world.target().steps(&request).expect("steps");
    let mut state = steps.initial();
    let nodes = steps.into_nodes();
    let node = &nodes[1];
    assert_eq!(node.name(), "ecs_log_group");
    node.begin(&mut state, SystemClock::default().now())
        .expect("begun");
    let error = node.forward(&mut state).await.expect_err("theirs");
    assert!(error.to_string().contains(&name), "{error}");
    node.undo(&mut state).await.expect("nothing to undo");
    let left = world.left().await;
    assert_eq!(left, BTreeSet::from([format!("log group {name}")]));
    let deleted = logs.delete_log_group().log_group_name(&name).send().await;
    deleted.expect("it was left");
}

/// PAINS: hashicorp/terraform-provider-aws#39099.
#[tokio::test]
async fn a_service_that_somebody_deleted_is_not_reported_as_serving() {
    let Some(world) = World::new().await else {
        return;
    };
    let (server, revision) = (
        world.provision(&world.request(1)).await,
        world.revision(1, &[]),
    );
    world.ensure(&server, &revision).await.expect("it starts");
    let target = world.target();
    let all = split(&[(&revision, WHOLE)]);
    target.set_weights(&server, &all).await.expect("weights");
    let services = Services::new(&world.clients, &world.cluster);
    let name = names::service(&world.owner(1), &revision.name);
    services.delete(&name).await.expect("deleted");
    let seen = target.observe(&server).await.expect("seen");
    assert!(seen.alive && !seen.serves(&revision.name), "{seen:?}");
    let found = &seen.revisions[&revision.name];
    assert_ne!(found.state, RevisionState::Ready);
    let why = found.failure.clone().unwrap_or_default();
    assert!(why.contains("service is gone"), "{why}");
    let probe = target.probe(&server, "/", std::time::Duration::ZERO).await;
    assert!(!probe.expect("a probe").healthy);
    world.teardown(&server).await;
    assert_eq!(world.left().await, BTreeSet::new());
}

#[tokio::test]
async fn a_server_that_takes_anothers_place_survives_the_others_teardown() {
    let Some(world) = World::new().await else {
        return;
    };
    let first = world.provision(&world.request(1)).await;
    let old = world.revision(1, &[]);
    world.ensure(&first, &old).await.expect("it starts");
    let mut request = world.request(2);
    request.previous = Some(first.clone());
    let second = world.provision(&request).await;
    assert_eq!((first.port, second.port), (Some(20_000), Some(20_001)));
    let mut new = world.revision(2, &[]);
    new.name = RevisionName::new(&new.variant, 2, &deployment(2));
    world.ensure(&second, &new).await.expect("it starts");
    let all = split(&[(&new, WHOLE)]);
    let target = world.target();
    target.set_weights(&second, &all).await.expect("weights");

    world.teardown(&first).await;
    assert_eq!(world.ask(&second).await, "2");
    let left = world.left().await;
    assert!(
        left.iter().any(|thing| thing.starts_with("log group")),
        "{left:?}"
    );
    world.teardown(&second).await;
    assert_eq!(world.left().await, BTreeSet::new());
}

/// A run that is killed between a teardown's calls leaves what the next one finds.
#[tokio::test]
async fn a_teardown_that_was_killed_anywhere_is_finished_by_the_next() {
    let Some(world) = World::new().await else {
        return;
    };
    let server = world.provision(&world.request(1)).await;
    let revision = world.revision(1, &[]);
    world.ensure(&server, &revision).await.expect("it starts");
    // Everything but the service is gone: the last thing that a removal takes away.
    world
        .drain_and_remove_all_but_the_service(&server, &revision)
        .await;
    let left = world.left().await;
    assert!(
        left.iter().any(|thing| thing.starts_with("service")),
        "{left:?}"
    );
    world.teardown(&server).await;
    assert_eq!(world.left().await, BTreeSet::new());
}
