//! `health_check`: what a server must answer before traffic moves.

use std::collections::BTreeMap;

use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Stack, process};

fn checked(check: &str) -> Stack {
    Stack {
        endpoint: format!("health_check {{\n{check}\n  }}"),
        ..Stack::default()
    }
}

#[test]
fn a_path_that_answers_404_fails_the_create_and_leaves_nothing() {
    let mut stack = checked("    path = \"/no/such/path\"\n    interval = \"100ms\"");
    let mut work = stack.workspace("digits-v1");
    work.apply_fails(&[
        "not healthy",
        "/no/such/path",
        "3 health check",
        "status 404",
    ]);
    assert!(work.state().find(ENDPOINT).is_none(), "nothing is in state");
    assert!(!stack.listens(), "the port is closed");
    assert_eq!(process::within(work.dir()), [], "no process is left");

    stack.endpoint = String::new();
    stack.configure(&mut work);
    assert_eq!(work.apply().actions(ENDPOINT), ["create"]);
    work.destroy();
}

#[test]
fn a_path_of_ones_own_is_asked_and_the_second_plan_is_empty() {
    let check = "    path = \"/v2\"\n    interval = \"200ms\"\n    timeout = \"1s\"\n    healthy_threshold = 2\n    \
                 unhealthy_threshold = 5\n    start_period = \"1s\"";
    let stack = checked(check);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let endpoint = work.state().object(ENDPOINT);
    assert_eq!(endpoint.text("/health_check/path"), "/v2");
    assert_eq!(stack.who_answers(3), BTreeMap::from([(1, 3)]));
    work.expect_empty_plan();
    work.destroy();
}

#[test]
fn a_check_that_starts_to_fail_is_refused_and_what_serves_goes_on() {
    let mut stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let before = process::servers(work.dir());
    stack.endpoint =
        "health_check {\n    path = \"/nope\"\n    interval = \"100ms\"\n    unhealthy_threshold = 1\n  }".to_owned();
    stack.configure(&mut work);
    work.apply_fails(&["1 health check", "/nope", "status 404"]);
    assert_eq!(stack.who_answers(3), BTreeMap::from([(1, 3)]));
    assert_eq!(process::servers(work.dir()), before);
    stack.endpoint = String::new();
    stack.configure(&mut work);
    assert_eq!(work.plan().actions(ENDPOINT), ["no-op"]);
    work.destroy();
}

#[test]
fn what_cannot_be_asked_is_refused_at_plan() {
    let mut work = checked("    path = \"v2/health/live\"").workspace("digits-v1");
    work.plan_fails(&["path", "v2/health/live", "begin with /"]);
    let mut work = checked("    timeout = \"30s\"").workspace("digits-v1");
    work.plan_fails(&["timeout", "at most 20s"]);
    let mut work = checked("    interval = \"0s\"").workspace("digits-v1");
    work.plan_fails(&["interval", "above 0"]);
}
