//! Who gets which port.

use std::net::TcpListener;

use mlops_core::Class;
use mlops_core::saga::StepError;
use serde_json::json;

use crate::world::{World, next, ports, request};

fn error(failure: StepError) -> mlops_core::Error {
    match failure {
        StepError::Failed { error, .. } => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_port_of_another_program_is_passed_over() {
    let world = World::new();
    let (first, range) = ports(2);
    let _foreign = TcpListener::bind(("127.0.0.1", first)).unwrap();
    let server = world.up(&request("digits", range)).await.unwrap();
    assert_eq!(server.port, Some(first + 1));
    assert_eq!(server.invoke_url, format!("http://127.0.0.1:{}", first + 1));
    assert_eq!(
        world.leases().await,
        [((first + 1).to_string(), "digits".to_owned())]
    );
    world.down(&server).await;
}

#[tokio::test]
async fn a_fixed_port_of_another_program_is_an_error_at_its_attribute() {
    let world = World::new();
    let (port, _) = ports(1);
    let _foreign = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let failure = world
        .up(&request("digits", json!({"port": port})))
        .await
        .unwrap_err();
    let error = error(failure);
    assert_eq!(error.class(), Class::Conflict);
    assert_eq!(error.attribute(), Some("local.port"));
    assert_eq!(
        error.to_string(),
        format!(
            "port {port} of this machine is taken by another program; free it, choose another local.port, or give a local.port_range"
        )
    );
    assert!(world.leases().await.is_empty());
    assert!(world.processes().is_empty());
}

#[tokio::test]
async fn a_range_that_is_used_up_names_its_holders() {
    let world = World::new();
    let (first, range) = ports(2);
    let _foreign = TcpListener::bind(("127.0.0.1", first)).unwrap();
    let server = world.up(&request("digits", range.clone())).await.unwrap();
    let failure = world.up(&request("fraud", range)).await.unwrap_err();
    let error = error(failure);
    assert_eq!(error.attribute(), Some("local.port_range"));
    assert_eq!(
        error.to_string(),
        format!(
            "every port of {first}-{last} is taken ({first} by another program, {last} by endpoint \"digits\"); \
             widen local.port_range, or destroy an endpoint that is not needed",
            last = first + 1
        )
    );
    world.down(&server).await;
}

#[tokio::test]
async fn endpoints_that_ask_at_once_get_a_port_each() {
    let world = World::new();
    let (_, range) = ports(3);
    let [a, b, c] = ["a", "b", "c"].map(|name| request(name, range.clone()));
    let (a, b, c) = tokio::join!(world.up(&a), world.up(&b), world.up(&c));
    let servers = [a.unwrap(), b.unwrap(), c.unwrap()];
    let mut taken: Vec<_> = servers.iter().map(|server| server.port.unwrap()).collect();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), 3);
    for server in &servers {
        world.down(server).await;
    }
    assert!(world.leases().await.is_empty());
}

#[tokio::test]
async fn a_port_that_is_lost_between_lease_and_start_is_replaced_by_the_next() {
    let world = World::new();
    let (first, range) = ports(2);
    let request = request("digits", range);
    let target = world.target();
    let mut state = target_state(&target, &request);
    begin(&target, &request, 0, &mut state);
    world.drive(&request, 0, &mut state).await.unwrap();
    let _foreign = TcpListener::bind(("127.0.0.1", first)).unwrap();
    begin(&target, &request, 1, &mut state);
    world.drive(&request, 1, &mut state).await.unwrap();
    let steps = steps(&target, &request);
    let server = steps.server(&state).unwrap().unwrap();
    assert_eq!(server.port, Some(first + 1));
    assert_eq!(
        world.leases().await,
        [((first + 1).to_string(), "digits".to_owned())]
    );
    world.down(&server).await;
}

#[tokio::test]
async fn a_fixed_port_that_is_lost_between_lease_and_start_is_an_error_and_its_undo_leaves_nothing()
{
    let world = World::new();
    let (port, _) = ports(1);
    let request = request("digits", json!({"port": port}));
    let target = world.target();
    let mut state = target_state(&target, &request);
    begin(&target, &request, 0, &mut state);
    world.drive(&request, 0, &mut state).await.unwrap();
    let _foreign = TcpListener::bind(("127.0.0.1", port)).unwrap();
    begin(&target, &request, 1, &mut state);
    let failure = world.drive(&request, 1, &mut state).await.unwrap_err();
    assert_eq!(error(failure).attribute(), Some("local.port"));
    world.undo(&request, &mut state).await;
    assert!(world.leases().await.is_empty());
    assert!(world.server_dirs().is_empty());
}

#[tokio::test]
async fn the_successor_of_a_dead_server_gets_its_port_and_gives_it_back_when_undone() {
    let world = World::new();
    let (first, range) = ports(3);
    let one = request("digits", range);
    // The second port of the range, so that "the first free one" would be another.
    let occupied = TcpListener::bind(("127.0.0.1", first)).unwrap();
    let server = world.up(&one).await.unwrap();
    drop(occupied);
    assert_eq!(server.port, Some(first + 1));
    world.kill_server();

    let two = next(&one, Some(&server));
    let target = world.target();
    let mut state = target_state(&target, &two);
    let successor = world.forward(&two, &mut state).await.unwrap();
    assert_eq!(successor.port, Some(first + 1));
    world.undo(&two, &mut state).await;
    assert_eq!(
        world.leases().await,
        [((first + 1).to_string(), "digits".to_owned())]
    );

    let three = next(&two, Some(&server));
    let successor = world.up(&three).await.unwrap();
    assert_eq!(successor.port, Some(first + 1));
    // The dead one is taken away after; the port is its successor's.
    world.down(&server).await;
    assert_eq!(world.leases().await.len(), 1);
    world.down(&successor).await;
    assert!(world.leases().await.is_empty());
}

use mlops_core::target::{Provision, ProvisionRequest, Target};
use mlops_local::target::LocalTarget;

fn steps(target: &LocalTarget, request: &ProvisionRequest) -> Provision {
    target.steps(request).unwrap()
}

fn target_state(target: &LocalTarget, request: &ProvisionRequest) -> serde_json::Value {
    steps(target, request).initial()
}

fn begin(
    target: &LocalTarget,
    request: &ProvisionRequest,
    at: usize,
    state: &mut serde_json::Value,
) {
    steps(target, request).into_nodes()[at]
        .begin(state, jiff::Timestamp::now())
        .unwrap();
}
