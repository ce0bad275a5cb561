//! Ctrl-C in each phase of an endpoint's life, alone and with a SIGKILL of everything 8 s later, and servers that die.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, thread};

use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Ended, Running, Stack, Workspace, process, wait};
use serde_json::json;

const SOON: Duration = Duration::from_secs(90);

/// Where in an update Ctrl-C comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The deployment is journaled, and the candidate has no weight.
    BeforeTheFirstShift,
    /// The candidate has a share and bakes.
    DuringTheBake,
    /// The candidate has everything, and the old revision is still there.
    AfterTheLastShift,
}

impl Phase {
    fn steps(self) -> &'static str {
        match self {
            Self::BeforeTheFirstShift | Self::DuringTheBake => {
                "[{ traffic = 20, bake = \"10m\" }, { traffic = 100 }]"
            }
            Self::AfterTheLastShift => {
                "[{ traffic = 20, bake = \"100ms\" }, { traffic = 100, bake = \"10m\" }]"
            }
        }
    }
}

fn rollout(steps: &str, on_interrupt: &str) -> String {
    format!(
        "drain_seconds = 1\n  rollout {{\n    strategy = \"CANARY\"\n    max_duration = \"2h\"\n    on_interrupt = \"{on_interrupt}\"\n    steps = {steps}\n  }}\n"
    )
}

/// A file that gets a line with the keys of each commit of the registry.
fn commits(work: &mut Workspace) -> PathBuf {
    let file = work.path("commits.txt");
    work.env("MLOPS_DRILL_COUNT", &file.display().to_string());
    file
}

fn journaled(file: &PathBuf) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains("journal#local/digits/open"))
}

/// Starts the update to the second model, and waits for the phase.
fn update(stack: &Stack, work: &mut Workspace, phase: Phase) -> Running {
    let file = commits(work);
    work.copy_model("digits-v2", "model.onnx");
    let running = work.start_apply();
    match phase {
        Phase::BeforeTheFirstShift => {
            wait::until("the deployment is journaled", SOON, || journaled(&file));
        }
        Phase::DuringTheBake => wait::until("the candidate has a share", SOON, || {
            stack.who_answers(10).len() == 2
        }),
        Phase::AfterTheLastShift => wait::until("the candidate has everything", SOON, || {
            stack.who_answers(10) == BTreeMap::from([(2, 10)])
        }),
    }
    running
}

fn target(work: &Workspace) -> serde_json::Value {
    let endpoint = work.state().object(ENDPOINT);
    endpoint.get("/target_versions/main").clone()
}

/// Ctrl-C, and how long it takes until only the old revision answers.
fn interrupt(stack: &Stack, running: &Running) -> Duration {
    let sent = Instant::now();
    running.interrupt();
    wait::until(
        "the old revision has the traffic",
        Duration::from_secs(5),
        || stack.who_answers(10) == BTreeMap::from([(1, 10)]),
    );
    sent.elapsed()
}

/// Ends an update that was interrupted: the plan wants the same change, and with quick steps it goes through.
fn goes_through(mut stack: Stack, mut work: Workspace, on_interrupt: &str) {
    assert_eq!(target(&work), json!(1), "the state is the prior one");
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"], "{:?}", plan.changes());
    assert_eq!(
        stack.who_answers(10),
        BTreeMap::from([(1, 10)]),
        "a plan moves nothing"
    );
    stack.endpoint = rollout(
        "[{ traffic = 50, bake = \"100ms\" }, { traffic = 100 }]",
        on_interrupt,
    );
    stack.configure(&mut work);
    work.apply();
    assert_eq!(stack.who_answers(10).len(), 1);
    assert_eq!(process::servers(&work.registry()).len(), 1);
    work.destroy();
    assert_eq!(process::within(work.dir()), []);
}

fn interrupted_update(phase: Phase, on_interrupt: &str) {
    let stack = Stack::rolling_out(&rollout(phase.steps(), on_interrupt));
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let running = update(&stack, &mut work, phase);
    let back = interrupt(&stack, &running);
    println!("interrupt {phase:?}, on_interrupt = {on_interrupt}: traffic back after {back:?}");
    running.wait(SOON).failed_with(&["interrupted"]);
    goes_through(stack, work, on_interrupt);
}

#[test]
fn ctrl_c_before_the_first_shift_is_rolled_back() {
    interrupted_update(Phase::BeforeTheFirstShift, "rollback");
}

#[test]
fn ctrl_c_before_the_first_shift_can_be_resumed() {
    interrupted_update(Phase::BeforeTheFirstShift, "resume");
}

#[test]
fn ctrl_c_during_a_bake_is_rolled_back() {
    interrupted_update(Phase::DuringTheBake, "rollback");
}

#[test]
fn ctrl_c_during_a_bake_can_be_resumed() {
    interrupted_update(Phase::DuringTheBake, "resume");
}

#[test]
fn ctrl_c_after_the_last_shift_is_rolled_back() {
    interrupted_update(Phase::AfterTheLastShift, "rollback");
}

#[test]
fn ctrl_c_after_the_last_shift_can_be_resumed() {
    interrupted_update(Phase::AfterTheLastShift, "resume");
}

#[test]
fn a_sigkill_of_everything_8_s_after_ctrl_c_leaves_the_traffic_with_the_old_revision() {
    for on_interrupt in ["rollback", "resume"] {
        let phase = Phase::DuringTheBake;
        let stack = Stack::rolling_out(&rollout(phase.steps(), on_interrupt));
        let mut work = stack.workspace("digits-v1");
        work.apply();
        let mut running = update(&stack, &mut work, phase);
        let providers = running.providers();
        let sent = Instant::now();
        interrupt(&stack, &running);
        // What a CI runner grants; whoever needs less is not killed.
        while sent.elapsed() < Duration::from_secs(8) && running.runs() {
            thread::sleep(Duration::from_millis(20));
        }
        running.kill();
        for provider in providers {
            process::kill(provider.pid);
        }
        drop(running);
        work.mend_torn_state(true);
        assert_eq!(stack.who_answers(10), BTreeMap::from([(1, 10)]));
        goes_through(stack, work, on_interrupt);
    }
}

/// Exit code 1, and nothing that runs without being in the state, or the other way round.
fn whole_or_gone(stack: &Stack, work: &Workspace, ended: &Ended) {
    assert_eq!(ended.status.code(), Some(1), "{}", ended.story());
    let holds = work.state().find(ENDPOINT).is_some();
    assert_eq!(
        process::servers(&work.registry()).len(),
        usize::from(holds),
        "in the state: {holds}; it said:\n{}",
        ended.story()
    );
    assert_eq!(stack.listens(), holds);
}

#[test]
fn ctrl_c_during_a_create_leaves_nothing_of_the_endpoint() {
    for on_interrupt in ["rollback", "resume"] {
        let stack = Stack::rolling_out(&rollout("[{ traffic = 100 }]", on_interrupt));
        let mut work = stack.workspace("digits-v1");
        work.init();
        let file = commits(&mut work);
        let running = work.start_apply();
        wait::until("the deployment is journaled", SOON, || journaled(&file));
        running.interrupt();
        let ended = running.wait(SOON);
        assert_eq!(ended.status.code(), Some(1), "{}", ended.story());
        assert!(!work.state().tainted(ENDPOINT));
        if on_interrupt == "rollback" {
            whole_or_gone(&stack, &work, &ended);
        }
        work.apply();
        assert_eq!(stack.who_answers(5), BTreeMap::from([(1, 5)]));
        work.destroy();
        assert_eq!(process::within(work.dir()), []);
    }
}

#[test]
fn ctrl_c_during_a_delete_leaves_a_whole_endpoint_or_none() {
    let stack = Stack::rolling_out(&rollout("[{ traffic = 100 }]", "rollback"));
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let file = commits(&mut work);
    let running = work.start([
        "apply",
        "-destroy",
        "-json",
        "-input=false",
        "-auto-approve",
    ]);
    wait::until("the delete is journaled", SOON, || journaled(&file));
    running.interrupt();
    let ended = running.wait(SOON);
    whole_or_gone(&stack, &work, &ended);
    work.destroy();
    assert_eq!(process::within(work.dir()), []);
}

#[test]
fn a_process_that_took_over_a_dead_servers_id_is_never_signalled() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let server = process::servers(&work.registry()).pop().expect("one runs");
    process::kill(server.pid);
    // The kernel hands out ids as it likes, so the record is changed instead: it names a stranger.
    let mut stranger = Command::new("sleep")
        .arg("600")
        .spawn()
        .expect("sleep runs");
    let record = process_record(&work);
    let text = fs::read_to_string(&record).expect("the record is there");
    let mut json: serde_json::Value = serde_json::from_str(&text).expect("the record is JSON");
    let changed = name_pid(&mut json, i64::from(server.pid), i64::from(stranger.id()));
    assert!(changed, "{text} names the server");
    fs::write(&record, json.to_string()).expect("the record can be written");

    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"], "the server is dead");
    work.apply();
    assert_eq!(stack.who_answers(5), BTreeMap::from([(1, 5)]));
    assert_eq!(process::servers(&work.registry()).len(), 1);
    work.destroy();
    assert_eq!(
        stranger.try_wait().expect("it is our child"),
        None,
        "a stranger was killed"
    );
    stranger.kill().expect("it is our child");
    stranger.wait().expect("it is our child");
}

/// The file in which the server's process is written down.
fn process_record(work: &Workspace) -> PathBuf {
    let mut dirs = vec![work.registry().join("run")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("it can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.file_name().is_some_and(|name| name == "process.json") {
                return path;
            }
        }
    }
    panic!("no server has a record");
}

/// Replaces the number wherever it is a value called `pid`.
fn name_pid(json: &mut serde_json::Value, from: i64, to: i64) -> bool {
    match json {
        serde_json::Value::Object(fields) => {
            let mut changed = false;
            for (name, value) in fields {
                if name == "pid" && value.as_i64() == Some(from) {
                    *value = to.into();
                    changed = true;
                } else {
                    changed |= name_pid(value, from, to);
                }
            }
            changed
        }
        _ => false,
    }
}
