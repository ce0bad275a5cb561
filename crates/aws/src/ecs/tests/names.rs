//! Names of endpoints where they move: between load balancers, between deployments, and between endpoints.

use std::time::Duration;

use mlops_core::saga::Progress;
use mlops_core::target::{Announcement, Server, Target as _};
use mlops_core::{Class, Result};
use serde_json::{Value, json};
use uuid::Uuid;

use super::deployment;
use super::endpoint::{Doing, Endpoint};
use crate::support::proxy::Fault;

/// The same server with another handle.
fn changed(server: &Server, at: &str, value: Value) -> Server {
    let mut handle: Value = server.handle().expect("JSON");
    *handle.pointer_mut(at).expect(at) = value;
    Server::new(server.invoke_url.clone(), server.port, &handle).expect("a server")
}

/// What a later deployment of the endpoint asks for.
fn asked(world: &Endpoint, server: &Server, previous: &Server) -> Announcement {
    Announcement {
        server: server.clone(),
        target: world.spec(1).target,
        previous: Some(previous.clone()),
        deployment: deployment(7),
    }
}

/// Announces by a new process each time; the server, and the longest that anybody waited.
async fn announce(world: &Endpoint, asked: &Announcement) -> Result<(Server, Duration)> {
    let (mut checkpoint, mut longest) = (None, Duration::ZERO);
    loop {
        // The first answer of each is lost.
        drop(world.target().announce(asked, checkpoint.as_ref()).await);
        match world.target().announce(asked, checkpoint.as_ref()).await? {
            Progress::Done(server) => return Ok((server, longest)),
            Progress::Pending {
                poll_after,
                checkpoint: next,
                ..
            } => {
                longest = longest.max(poll_after);
                checkpoint = Some(next);
            }
        }
    }
}

async fn withdraw(world: &Endpoint, asked: &Announcement) {
    for _ in 0..2 {
        let done = world.target().withdraw(asked, true).await.expect("undone");
        assert!(matches!(done, Progress::Done(())), "{done:?}");
    }
}

/// A world whose endpoint serves under its first name.
async fn named() -> Option<(Endpoint, Server)> {
    let world = Endpoint::on_paper().await?;
    world.proxy.fail_operation(
        "ChangeResourceRecordSets",
        2,
        Fault::Refused("PriorRequestNotComplete"),
    );
    world.done(Doing::Create).await.expect("created");
    let server = world.record().await.expect("a record").server;
    Some((world, server))
}

async fn why(world: &Endpoint, server: &Server) -> Option<String> {
    world.target().unnamed(server).await.expect("told")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_moves_to_another_load_balancer_and_back() {
    let Some((world, server)) = named().await else {
        return;
    };
    assert_eq!(why(&world, &server).await, None);
    let elb = world.direct.elbv2().await.expect("a client");
    let other = elb
        .create_load_balancer()
        .name(format!("other-{}", world.name))
        .set_subnets(Some(world.subnets.clone()))
        .send()
        .await
        .expect("a load balancer");
    let other = other.load_balancers()[0]
        .load_balancer_arn()
        .expect("an ARN");
    let elsewhere = changed(&server, "/front/load_balancer_arn", json!(other));
    let asked = asked(&world, &elsewhere, &server);
    let (moved, longest) = announce(&world, &asked).await.expect("it moves");
    assert_eq!(why(&world, &moved).await, None);
    assert!(why(&world, &server).await.is_some(), "it leads elsewhere");
    assert_eq!(
        longest,
        Duration::from_secs(60),
        "resolvers keep what they know"
    );
    withdraw(&world, &asked).await;
    assert_eq!(why(&world, &server).await, None);
    world.done(Doing::Delete).await.expect("deleted");
    assert_eq!(world.left().await, [].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_a_name_by_now_keeps_it_when_an_older_one_goes() {
    let Some((world, server)) = named().await else {
        return;
    };
    let asked = asked(&world, &server, &server);
    let (newer, longest) = announce(&world, &asked).await.expect("it is ours");
    assert!(longest < Duration::from_secs(60), "it leads to the same");
    // What is left of the name before, as the next deployment would take it away.
    let mut other = world.spec(2);
    other.variants.clear();
    let left = world.target().naming(&other, Some(&server)).left;
    let left = left.expect("another name leaves one");
    let gone = world.target().teardown(&left, 0).await.expect("gone");
    assert!(matches!(gone, Progress::Done(())), "{gone:?}");
    assert_eq!(why(&world, &newer).await, None, "the newer one has it");
    let left = world.target().naming(&other, Some(&newer)).left;
    let left = left.expect("another name leaves one");
    let gone = world.target().teardown(&left, 0).await.expect("gone");
    assert!(matches!(gone, Progress::Done(())), "{gone:?}");
    assert!(
        why(&world, &newer)
            .await
            .is_some_and(|why| why.ends_with("is gone"))
    );
    world.done(Doing::Delete).await.expect("deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_endpoints_do_not_fight_over_a_name() {
    let Some((world, server)) = named().await else {
        return;
    };
    let theirs = json!(Uuid::new_v4());
    let theirs = changed(&server, "/owner/endpoint", theirs);
    let asked = asked(&world, &theirs, &theirs);
    let refused = announce(&world, &asked).await.expect_err("it is taken");
    assert_eq!(refused.class(), Class::Conflict);
    let text = refused.to_string();
    assert!(
        text.contains(&format!("endpoint {} (", world.name)),
        "{text}"
    );
    withdraw(&world, &asked).await;
    assert_eq!(why(&world, &server).await, None);
    world.done(Doing::Delete).await.expect("deleted");
    assert_eq!(world.left().await, [].into());
}
