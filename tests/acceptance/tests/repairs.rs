//! A deployment that fails and cannot be taken back locks its endpoint, until a repair.
//!
//! The cause here is a server's configuration that a full disk or a power cut left half written: whoever meets the server
//! cannot tell whose it is, and does nothing to it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Stack, Workspace, process, wait};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);

/// Never healthy, and patient: the create stands at its health check for as long as a test needs.
const WAITING: &str = "health_check {\n    path = \"/nope\"\n    interval = \"100ms\"\n    start_period = \"10m\"\n  }";

fn verb(work: &Workspace, verb: &[&str]) -> (i32, String) {
    let ended = work.mlops(["endpoint"].iter().chain(verb));
    let code = ended.status.code().expect("it was not killed");
    (code, ended.output)
}

fn json(text: &str) -> Value {
    let line = text.lines().find(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("no JSON: {text}"));
    serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

/// The configuration of the one server.
fn configuration(work: &Workspace) -> PathBuf {
    let servers = fs::read_dir(work.registry().join("run/digits")).unwrap();
    let servers: Vec<_> = servers.flatten().map(|server| server.path()).collect();
    assert_eq!(servers.len(), 1, "{servers:?}");
    servers[0].join("config.json")
}

/// A create that fails and cannot be taken back; what stood in the server's configuration before.
fn locked(stack: &Stack) -> (Workspace, Vec<u8>) {
    let mut work = stack.workspace("digits-v1");
    work.init();
    let apply = work.start_apply();
    wait::until("the create stands at its health check", SOON, || {
        let (_, text) = verb(&work, &["status", "digits", "--json"]);
        text.contains("\"check_health\"")
    });
    let whole = fs::read(configuration(&work)).unwrap();
    fs::write(configuration(&work), &whole[..whole.len() / 2]).unwrap();
    let advice = "mlops endpoint repair local/digits";
    apply
        .wait(SOON)
        .failed_with(&["locked", "is damaged", advice]);
    assert!(work.state().find(ENDPOINT).is_none(), "nothing is in state");
    assert_eq!(process::servers(&work.registry()).len(), 1);

    // Locked: nobody but a repair touches it.
    work.apply_fails(&["The endpoint is locked", advice]);
    let (code, text) = verb(&work, &["repair", "digits", "--json"]);
    assert_eq!(code, 4, "{text}");
    assert_eq!(json(&text)["outcome"], "locked");
    assert_eq!(process::servers(&work.registry()).len(), 1);
    (work, whole)
}

/// Nothing is left, and the next apply creates the endpoint.
fn goes_on(mut stack: Stack, mut work: Workspace) {
    assert!(!stack.listens(), "the port is closed");
    assert_eq!(process::within(work.dir()), [], "no process is left");
    let run = work.registry().join("run");
    assert!(!run.exists(), "no files are left");
    stack.endpoint = String::new();
    stack.configure(&mut work);
    assert_eq!(work.apply().actions(ENDPOINT), ["create"]);
    work.destroy();
}

#[test]
fn a_repair_takes_a_locked_create_back_once_the_cause_is_gone() {
    let stack = Stack::rolling_out(WAITING);
    let (work, whole) = locked(&stack);
    fs::write(configuration(&work), whole).unwrap();
    let (code, text) = verb(&work, &["repair", "digits", "--json"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(json(&text)["outcome"], "rolled_back");
    goes_on(stack, work);
}

#[test]
fn a_repair_by_force_leaves_no_server_of_a_locked_create() {
    let stack = Stack::rolling_out(WAITING);
    let (work, _) = locked(&stack);
    let (code, text) = verb(&work, &["repair", "digits", "--force", "--json"]);
    assert_eq!(code, 0, "{text}");
    let told = json(&text);
    assert_eq!(told["outcome"], "abandoned");
    assert!(
        told["message"].as_str().unwrap().contains("is damaged"),
        "{text}"
    );
    goes_on(stack, work);
}
