//! Rollouts of an endpoint under a real Terraform: every outcome, with requests running.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_acceptance::digits::Digits;
use mlops_acceptance::load::{Exposure, Load};
use mlops_acceptance::stack::{CANARY, ENDPOINT, SLOW_CANARY, VERSION};
use mlops_acceptance::{Stack, Workspace, process, wait};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

fn load(stack: &Stack) -> Load {
    Load::start(
        &stack.url(),
        "digits",
        4,
        Duration::from_millis(2),
        Digits::committed(),
    )
}

/// The version that each plan and state must agree on.
fn target(work: &Workspace) -> serde_json::Value {
    work.state()
        .object(ENDPOINT)
        .get("/target_versions/main")
        .clone()
}

/// Starts an update to `model` and waits until its candidate answers requests.
fn mid_rollout(stack: &Stack, work: &Workspace, model: &str) -> mlops_acceptance::Running {
    work.copy_model(model, "model.onnx");
    let running = work.start_apply();
    wait::until("the candidate answers", SOON, || {
        stack.who_answers(20).len() == 2
    });
    running
}

#[test]
fn a_canary_takes_over_without_a_failed_request() {
    let stack = Stack::rolling_out(CANARY);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    work.copy_model("digits-v2", "model.onnx");
    let load = load(&stack);
    let plan = work.apply();
    let outcomes = load.stop();

    assert_eq!(plan.actions(VERSION), ["create", "delete"]);
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.status != 200)
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed: {:?}",
        failed.len(),
        outcomes.len(),
        failed.first()
    );
    let by_version = Exposure::of(&outcomes).by_version;
    assert_eq!(
        by_version.len(),
        2,
        "both versions answered: {by_version:?}"
    );
    assert_eq!(target(&work), json!(2));
    assert_eq!(stack.who_answers(20), BTreeMap::from([(2, 20)]));
    work.destroy();
}

#[test]
fn a_candidate_that_answers_errors_is_rolled_back() {
    let stack = Stack::rolling_out(CANARY);
    let mut work = stack.workspace("digits-v2");
    work.apply();
    work.copy_model("digits-v3b", "model.onnx");
    // One connection, so that answers come in the order in which they were dealt out.
    let load = Load::start(
        &stack.url(),
        "digits",
        1,
        Duration::from_millis(1),
        Digits::committed(),
    );
    let ended = work.try_apply();
    let outcomes = load.stop();

    ended.failed_with(&["digits", "rolled back", "errors"]);
    let exposure = Exposure::of(&outcomes);
    assert!(exposure.answered > 0, "the candidate was asked");
    assert!(exposure.is_within(0.10), "{exposure:?}");
    assert_eq!(
        target(&work),
        json!(1),
        "the state stays at the version that runs"
    );
    assert_eq!(stack.who_answers(20), BTreeMap::from([(1, 20)]));
    assert!(
        work.state()
            .addresses()
            .contains(&format!("{VERSION} (deposed)")),
        "the old version is kept"
    );

    let plan = work.plan();
    assert_eq!(
        plan.actions(ENDPOINT),
        ["update"],
        "the next plan wants the same change"
    );
    assert!(
        plan.changes()
            .iter()
            .any(|(address, _)| address.contains("deposed")),
        "{:?}",
        plan.changes()
    );
    let warnings = plan.warnings().join("\n");
    assert!(
        warnings.contains("rolled back") || warnings.contains("failed"),
        "the plan cites the failure: {warnings}"
    );

    // Setting the source back ends it.
    work.copy_model("digits-v2", "model.onnx");
    work.apply();
    work.destroy();
}

#[test]
fn a_step_with_a_pause_waits_for_resume_and_keeps_both_revisions() {
    let paused = "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 20, pause = true }, { traffic = 100 }]\n  }";
    let stack = Stack::rolling_out(paused);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    work.copy_model("digits-v2", "model.onnx");
    work.apply_fails(&["paused", "mlops endpoint resume"]);
    assert_eq!(target(&work), json!(1));
    assert_eq!(stack.who_answers(20), BTreeMap::from([(1, 16), (2, 4)]));

    work.mlops(["endpoint", "resume", "digits"]).succeeded();
    assert_eq!(stack.who_answers(20), BTreeMap::from([(2, 20)]));
    work.apply();
    assert_eq!(target(&work), json!(2));
    work.destroy();
}

#[test]
fn an_interrupt_gives_the_traffic_back_and_the_next_apply_finishes() {
    let mut stack = Stack::rolling_out(SLOW_CANARY);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let load = load(&stack);
    let running = mid_rollout(&stack, &work, "digits-v2");
    running.interrupt();
    wait::until(
        "the old revision has the traffic",
        Duration::from_secs(5),
        || stack.who_answers(20).len() == 1,
    );
    let ended = running.wait(SOON);
    ended.failed_with(&["interrupted"]);
    assert!(load.stop().iter().all(|outcome| outcome.status == 200));
    assert_eq!(target(&work), json!(1));

    stack.endpoint = CANARY.to_owned();
    stack.configure(&mut work);
    work.apply();
    assert_eq!(stack.who_answers(20), BTreeMap::from([(2, 20)]));
    work.destroy();
}

#[test]
fn an_interrupt_with_on_interrupt_resume_is_resumed_by_the_next_apply() {
    let resume = "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 10, bake = \"5s\" }, { traffic = 100 }]\n    on_interrupt = \"resume\"\n  }";
    let stack = Stack::rolling_out(resume);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let running = mid_rollout(&stack, &work, "digits-v2");
    running.interrupt();
    running.wait(SOON).failed_with(&["interrupted"]);
    assert_eq!(
        stack.who_answers(20),
        BTreeMap::from([(1, 20)]),
        "traffic is with the old revision meanwhile"
    );
    work.apply();
    assert_eq!(stack.who_answers(20), BTreeMap::from([(2, 20)]));
    work.destroy();
}

#[test]
fn a_kill_right_after_an_interrupt_leaves_the_traffic_with_the_old_revision() {
    let mut stack = Stack::rolling_out(SLOW_CANARY);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let mut running = mid_rollout(&stack, &work, "digits-v2");
    let providers = running.providers();
    running.interrupt();
    wait::until(
        "the old revision has the traffic",
        Duration::from_secs(5),
        || stack.who_answers(20).len() == 1,
    );
    running.kill();
    for provider in providers {
        process::kill(provider.pid);
    }
    drop(running);
    work.mend_torn_state(true);
    assert_eq!(stack.who_answers(20), BTreeMap::from([(1, 20)]));
    stack.endpoint = CANARY.to_owned();
    stack.configure(&mut work);
    work.apply();
    assert_eq!(stack.who_answers(20).len(), 1);
    work.destroy();
    assert_eq!(process::within(work.dir()), []);
}

#[test]
fn a_second_deployment_is_refused_and_names_the_first() {
    let stack = Stack::rolling_out(SLOW_CANARY);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let mut second = work.outsider();
    second.config(&format!(
        "resource \"mlops_endpoint\" \"digits\" {{\n  name = \"digits\"\n  variants = {{ main = {{ model = \"digits\", model_version = 1, traffic = 100 }} }}\n  \
         drain_seconds = 1\n  local {{\n    port = {}\n  }}\n}}\n",
        stack.port
    ));
    second.import(ENDPOINT, "local/digits");
    let running = mid_rollout(&stack, &work, "digits-v2");
    let refused = second.try_apply();
    refused.failed_with(&["digits", "deploy"]);
    running.interrupt();
    running.wait(SOON);
    work.try_destroy().succeeded();
}

#[test]
fn a_dead_server_is_an_update_and_serves_again() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let server = process::servers(work.dir()).pop().expect("a server runs");
    process::kill(server.pid);
    // The last of its threads may close the socket a moment after the process is counted as gone.
    wait::until("the killed server's port closes", SOON, || !stack.listens());

    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert_eq!(
        plan.after(ENDPOINT).get("/target_versions/main"),
        1,
        "the plan puts the number back"
    );
    assert!(!stack.listens(), "a plan starts nothing");
    work.apply();
    assert_eq!(stack.who_answers(5), BTreeMap::from([(1, 5)]));
    assert_eq!(process::servers(work.dir()).len(), 1);
    work.destroy();
}

#[test]
fn a_server_that_dies_during_a_rollout_fails_it_and_the_next_apply_converges() {
    let mut stack = Stack::rolling_out(SLOW_CANARY);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let running = mid_rollout(&stack, &work, "digits-v2");
    for server in process::servers(work.dir()) {
        process::kill(server.pid);
    }
    running.interrupt();
    running.wait(SOON);
    stack.endpoint = String::new();
    stack.configure(&mut work);
    work.apply();
    assert_eq!(stack.who_answers(5), BTreeMap::from([(2, 5)]));
    assert_eq!(process::servers(work.dir()).len(), 1);
    work.destroy();
}
