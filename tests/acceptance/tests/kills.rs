//! kill -9 of terraform and of the provider right after each write to the registry: the next apply converges, and nothing is
//! left behind.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Running, Stack, Workspace, process, wait};

/// More than any apply here takes.
const SOON: Duration = Duration::from_secs(90);

/// Two identical version resources, and an endpoint that serves the first with a canary that does not wait.
fn stack() -> Stack {
    Stack {
        endpoint: "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 50 }, { traffic = 100 }]\n  }\n  drain_seconds = 0".to_owned(),
        more: "resource \"mlops_model_version\" \"twin\" {\n  model = mlops_model.digits.name\n  source = \"model.onnx\"\n  \
               lifecycle {\n    create_before_destroy = true\n  }\n}\n"
            .to_owned(),
        ..Stack::default()
    }
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Terraform,
    Provider,
}

/// What is under way when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum During {
    Create,
    Update,
}

/// The length of the registry's write-ahead log, which every commit adds to; `None` while there is none.
fn log_length(work: &Workspace) -> Option<u64> {
    fs::metadata(work.registry().join("registry.sqlite-wal"))
        .ok()
        .map(|metadata| metadata.len())
        .filter(|length| *length > 0)
}

/// Waits until the registry was written `n` times since the apply began. False if the apply ended before that.
fn written(work: &Workspace, running: &mut Running, n: usize) -> bool {
    let (mut last, mut writes) = (log_length(work), 0);
    let begun = Instant::now();
    loop {
        let now = log_length(work);
        if now != last && now.is_some() {
            writes += 1;
            last = now;
            if writes == n {
                return true;
            }
        }
        if !running.runs() {
            return false;
        }
        assert!(begun.elapsed() < SOON, "the apply neither wrote nor ended");
        thread::sleep(Duration::from_micros(50));
    }
}

/// One cell of the matrix. False if there were fewer writes than `n`.
fn survives(victim: Victim, during: During, n: usize) -> bool {
    let stack = stack();
    let mut work = stack.workspace("digits-v1");
    work.init();
    let mut registered = 2;
    if during == During::Update {
        work.apply();
        work.copy_model("digits-v2", "model.onnx");
        registered = 4;
    }
    let mut running = work.start_apply();
    let reached = written(&work, &mut running, n);
    let providers = running.providers();
    match victim {
        Victim::Terraform => running.kill(),
        Victim::Provider => providers
            .iter()
            .for_each(|provider| process::kill(provider.pid)),
    }
    // The other one notices, and ends by itself.
    let story = running.wait(SOON).story();
    wait::until("the providers end", SOON, || {
        providers
            .iter()
            .all(|provider| !process::runs(provider.pid))
    });

    let cell = format!("{victim:?} killed at write {n} of {during:?}");
    let again = work.try_apply();
    assert!(
        again.status.success(),
        "{cell}: the next apply fails:\n{}\nthe killed one said:\n{story}",
        again.story()
    );
    work.expect_empty_plan();
    let serves = work
        .state()
        .object(ENDPOINT)
        .number("/target_versions/main");
    assert_eq!(
        stack.who_answers(4),
        BTreeMap::from([(serves, 4)]),
        "{cell}"
    );
    assert_eq!(
        process::servers(work.dir()).len(),
        1,
        "{cell}: one server, no orphans"
    );
    let versions = work.ask("mlops_model_versions", "model = \"digits\"");
    let versions = versions.get("/versions").as_array().map_or(0, Vec::len);
    assert_eq!(
        versions, registered,
        "{cell}: two resources are two versions, none is registered twice"
    );
    work.destroy();
    assert_eq!(process::within(work.dir()), [], "{cell}");
    reached
}

fn matrix(cells: impl Iterator<Item = usize> + Clone, runs: usize) {
    for during in [During::Create, During::Update] {
        for victim in [Victim::Terraform, Victim::Provider] {
            let mut survived = 0;
            'writes: for n in cells.clone() {
                for _ in 0..runs {
                    if !survives(victim, during, n) {
                        break 'writes;
                    }
                    survived += 1;
                }
            }
            println!(
                "kill -9 of {victim:?} during {during:?}: {survived} kills survived, orphans 0, next apply converged each time"
            );
            assert!(survived > 0, "nothing was killed");
        }
    }
}

#[test]
fn a_kill_at_some_writes_leaves_nothing_that_the_next_apply_does_not_mend() {
    matrix([2, 7, 13, 20].into_iter(), 1);
}

#[test]
#[ignore = "long: half an hour and more; MLOPS_KILL_RUNS repeats every cell"]
fn a_kill_at_every_write_leaves_nothing_that_the_next_apply_does_not_mend() {
    let runs = std::env::var("MLOPS_KILL_RUNS")
        .ok()
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(1);
    matrix(1.., runs);
}
