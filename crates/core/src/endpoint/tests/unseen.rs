//! A deployment that waits for nobody: what it proves, what stands by, and what comes after it.

use std::time::Duration;

use super::images::{on_ecs, version};
use super::*;
use crate::conformance::saga::Process;
use crate::conformance::target::{RevisionView, ServerView};
use crate::endpoint::spec::EndpointSpec;
use crate::saga::{Drill, FailAt};

/// This version, for which nobody waits.
fn unseen(number: u64) -> EndpointSpec {
    let mut spec = on_ecs(&version(number));
    spec.rollout = RolloutSpec::default();
    spec.wait_for_steady_state = false;
    spec
}

/// The same, waited for.
fn waited(number: u64) -> EndpointSpec {
    EndpointSpec {
        wait_for_steady_state: true,
        ..unseen(number)
    }
}

async fn live(process: &Process) -> EndpointRecord {
    let found = record(&process.deps.registry, &unseen(1).id()).await;
    found.unwrap().expect("it is there")
}

/// What nobody waits for starts while others look.
async fn started(bench: &Bench) {
    for _ in 0..3 {
        let process = bench.process();
        let record = live(&process).await;
        process.deps.target.observe(&record.server).await.unwrap();
    }
}

fn never() -> Behaviour {
    Behaviour {
        loads: false,
        ..Behaviour::default()
    }
}

/// The world in which the first of these versions has everything, and the others nothing.
fn serving_with(versions: &[u64]) -> WorldView {
    let whole = u64::from(crate::serving::WHOLE) * u64::from(crate::serving::WHOLE);
    let view = |(index, version): (usize, &u64)| RevisionView {
        variant: "main".to_owned(),
        version: *version,
        share: if index == 0 { whole } else { 0 },
    };
    let mut revisions: Vec<_> = versions.iter().enumerate().map(view).collect();
    revisions.sort();
    WorldView {
        servers: [(18080, ServerView { revisions })].into(),
        ports: vec![18080],
    }
}

/// A bench on which version 1 serves and version 2, for which nobody waited, never comes up.
async fn failing() -> (Bench, EndpointRecord) {
    let bench = Bench::new().await.unwrap();
    succeeded(bench.process().apply(waited(1)).await.unwrap());
    bench.target.set_behaviour(2, never());
    let record = succeeded(bench.process().apply(unseen(2)).await.unwrap());
    (bench, record)
}

#[tokio::test]
async fn what_nobody_waits_for_has_everything_before_it_serves_and_what_served_stands_by() {
    let (bench, record) = failing().await;
    assert_eq!(bench.target.view(), serving_with(&[2, 1]));
    let standby: Vec<_> = record.standby.values().map(|one| &one.workload).collect();
    assert_eq!(standby, [&version(1)]);
    assert_eq!(record.leftovers, Default::default());
    assert_eq!(record.unseen().count(), 1);
    // What stands by is in use: nobody may take its version away.
    let process = bench.process();
    assert_eq!(bound(&process.deps.registry).await, [1, 2]);

    // On create there is nothing to stand by, and nobody waits either.
    let bench = Bench::new().await.unwrap();
    bench.target.set_behaviour(2, never());
    let record = succeeded(bench.process().apply(unseen(2)).await.unwrap());
    assert!(record.standby.is_empty());
    assert_eq!(bench.target.view(), serving_with(&[2]));
}

#[tokio::test]
async fn asking_again_for_what_stands_by_gives_it_everything_at_once() {
    for back in [unseen(1), waited(1)] {
        let (bench, failed) = failing().await;
        bench.target.take_calls();
        let record = succeeded(bench.process().apply(back).await.unwrap());
        let calls = bench.target.take_calls();
        let makes = |call: &&str| ["make_revision", "ensure_revision"].contains(call);
        assert_eq!(calls.iter().find(|call| makes(call)), None, "{calls:?}");
        assert_eq!(bench.target.view(), serving_with(&[1]));
        assert_eq!(record.running, failed.standby);
        assert!(record.standby.is_empty());
        assert_eq!(bound(&bench.process().deps.registry).await, [1]);
    }
}

#[tokio::test]
async fn the_next_deployment_takes_away_what_stood_by_once_something_serves() {
    // One that is waited for: the last that served stays until the new one has proved itself.
    let (bench, _) = failing().await;
    let record = succeeded(bench.process().apply(waited(3)).await.unwrap());
    assert_eq!(bench.target.view(), serving_with(&[3]));
    assert!(record.standby.is_empty());
    assert_eq!(bound(&bench.process().deps.registry).await, [3]);

    // One that is not: what failed goes, and what served before it goes on standing by.
    let (bench, _) = failing().await;
    bench.target.set_behaviour(3, never());
    succeeded(bench.process().apply(unseen(3)).await.unwrap());
    assert_eq!(bench.target.view(), serving_with(&[3, 1]));

    // One after what came up: that stands by now.
    let bench = Bench::new().await.unwrap();
    for number in 1..=3 {
        succeeded(bench.process().apply(unseen(number)).await.unwrap());
        started(&bench).await;
    }
    assert_eq!(bench.target.view(), serving_with(&[3, 2]));

    // To wait again, of what came up, is to take away what stands by.
    let record = succeeded(bench.process().apply(waited(3)).await.unwrap());
    assert!(record.standby.is_empty());
    assert_eq!(bench.target.view(), serving_with(&[3]));
}

/// Where a load balancer judges each revision, what stands by may be what is not healthy.
#[tokio::test]
async fn the_health_of_what_stands_by_holds_nothing_up() {
    for next in [waited(1), waited(3)] {
        let (bench, _) = failing().await;
        bench.target.probe_revisions();
        bench.target.set_probes([503; 100]);
        succeeded(bench.process().apply(next).await.unwrap());
    }
    let bench = Bench::new().await.unwrap();
    for number in 1..=2 {
        succeeded(bench.process().apply(unseen(number)).await.unwrap());
        started(&bench).await;
    }
    bench.target.probe_revisions();
    bench.target.set_probes([503; 100]);
    succeeded(bench.process().apply(waited(3)).await.unwrap());
    assert_eq!(bench.target.view(), serving_with(&[3]));
}

#[tokio::test]
async fn what_may_still_start_is_left_alone_for_as_long_as_it_may_take() {
    let (bench, record) = failing().await;
    let process = bench.process();
    deployed_nothing(process.apply(unseen(2)).await.unwrap());
    let main = record.running.keys().next().unwrap();
    let answers = |record: EndpointRecord| {
        let (process, clock) = (bench.process(), bench.clock.clone());
        async move {
            let seen = process.deps.target.observe(&record.server).await.unwrap();
            record.answers(&seen, main, crate::clock::Clock::now(clock.as_ref()))
        }
    };
    assert!(answers(record.clone()).await);
    // Whoever waits does not take it for something that serves.
    let mut asks = record.clone();
    asks.spec.wait_for_steady_state = true;
    assert!(!answers(asks).await);

    let patience = record.running[main].patience();
    bench
        .clock
        .advance(patience.duration() + Duration::from_secs(1));
    assert!(!answers(record.clone()).await);
    let restarted = succeeded(bench.process().apply(unseen(2)).await.unwrap());
    assert_ne!(restarted.running[main].name, record.running[main].name);
    assert_eq!(bench.target.view(), serving_with(&[2, 1]));
}

#[tokio::test]
async fn a_golden_request_that_nobody_hears_the_answer_of_is_refused() {
    let bench = Bench::new().await.unwrap();
    let process = bench.process();
    let mut request = process.request(unseen(1));
    let smoke = serde_json::from_value(serde_json::json!({ "inputs": {} })).unwrap();
    request.smoke = [("main".parse().unwrap(), smoke)].into();
    let error = crate::endpoint::apply(&process.deps, request)
        .await
        .unwrap_err();
    assert_eq!(error.attribute(), Some("variants.main.model"));
    assert!(
        error.to_string().contains("golden request (smoke)"),
        "{error}"
    );
    assert_eq!(bench.target.view(), WorldView::default());
}

/// Whatever fails, and whoever forgets: what served before has everything again, and nothing else is left.
#[tokio::test]
async fn a_failure_at_any_step_gives_everything_back() {
    let mut rolled_back = 0;
    for index in 0.. {
        let mut reached = false;
        for at in [FailAt::Begin, FailAt::End] {
            let bench = Bench::new().await.unwrap();
            succeeded(bench.process().apply(waited(1)).await.unwrap());
            let drill = Drill {
                forget: true,
                repeat: true,
                fail: Some((index, at)),
            };
            let outcome = bench.process().drilled(drill).apply(unseen(2)).await;
            match outcome.unwrap() {
                Outcome::RolledBack(_) => {
                    reached = true;
                    rolled_back += 1;
                    assert_eq!(bench.target.view(), settled(1), "step {index} {at:?}");
                    let record = live(&bench.process()).await;
                    assert!(record.standby.is_empty());
                }
                other => {
                    succeeded(other);
                    assert_eq!(bench.target.view(), serving_with(&[2, 1]));
                }
            }
        }
        if !reached {
            break;
        }
    }
    assert_eq!(
        rolled_back, 4,
        "to make and to hand over, each failing twice"
    );
}
