//! Somebody deletes the log group, without which tasks run and none starts.

use std::collections::BTreeSet;

use mlops_core::target::Target as _;

use super::super::names;
use super::endpoint::{Doing, Endpoint};

/// What serves goes on until its successor has gone through the steps of the rollout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_group_that_somebody_deleted_comes_back_with_a_rollout_of_the_same_version() {
    let Some(world) = Endpoint::on_paper_among_others().await else {
        return;
    };
    world.done(Doing::Create).await.expect("created");
    let first = world.record().await.expect("a record");
    let revision = &first.running.values().next().expect("one").name;
    let name = names::log_group(&world.cluster, &world.name);
    let logs = world.direct.logs().await.expect("a client");
    let deleted = logs.delete_log_group().log_group_name(&name).send().await;
    deleted.expect("it was there");
    let seen = world.target().examine(&first.server).await.expect("seen");
    assert!(seen.serves(revision) && seen.lacks.is_some(), "{seen:?}");
    let lacks = seen.lacks.unwrap_or_default();
    assert!(lacks.contains(&name), "{lacks}");

    world.done(Doing::Create).await.expect("mended");
    let shifted = world.told("rollout.shifted").await;
    assert!(shifted.starts_with("step 2 of 2"), "{shifted}");
    assert!(world.is_as_after(Doing::Create).await);
    let left = world.left().await;
    assert!(left.contains(&format!("log group {name}")), "{left:?}");
    let second = world.record().await.expect("a record");
    assert_eq!(second.server, first.server);
    assert!(second.running.values().all(|one| one.name != *revision));
    world.done(Doing::Delete).await.expect("deleted");
    assert_eq!(world.left().await, BTreeSet::new());
}
