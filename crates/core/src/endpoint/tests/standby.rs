//! The old revision stands by after the last shift: what took over is watched, and there is something to go back to.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::images::{on_ecs, version};
use super::*;
use crate::clock::Clock as _;
use crate::conformance::target::{Fault, FaultAt};
use crate::endpoint::spec::EndpointSpec;
use crate::target::{Alarm, AlarmState};

const SECOND: Duration = Duration::from_secs(1);

/// This version by the canary; the old one stands by for a minute, under one alarm.
fn kept(number: u64) -> EndpointSpec {
    let mut spec = on_ecs(&version(number));
    spec.rollout.terminate_after = Period::seconds(60);
    spec.rollout.alarms = ["errors".to_owned()].into();
    spec
}

fn alarm(bench: &Bench, after: Duration, state: AlarmState) {
    let reason = "5 > 3".to_owned();
    (bench.target).set_alarm("errors", after, Some(Alarm { state, reason }));
}

/// Version 1 serves.
async fn quiet() -> Bench {
    let bench = Bench::new().await.unwrap();
    bench.target.set_load(100.0);
    alarm(&bench, Duration::ZERO, AlarmState::Ok);
    succeeded(bench.process().apply(kept(1)).await.unwrap());
    bench
}

#[tokio::test]
async fn an_alarm_that_goes_off_while_the_old_revision_stands_by_gives_it_everything_back() {
    let bench = quiet().await;
    let started = bench.clock.elapsed();
    alarm(&bench, SECOND * 40, AlarmState::Alarm);
    let outcome = bench.process().apply(kept(2)).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let told = outcome.to_string();
    assert!(
        told.contains("stood by (rollout.terminate_after), alarm \"errors\" is in ALARM (5 > 3)"),
        "{told}"
    );
    let took = bench.clock.elapsed() - started;
    assert!((SECOND * 40..SECOND * 45).contains(&took), "{took:?}");
    assert_eq!(bench.target.view(), settled(1));
    assert_eq!(bench.target.lost(), 0.0);
}

#[tokio::test]
async fn an_alarm_that_was_set_aside_counts_while_the_old_revision_stands_by_if_it_was_ok() {
    for (at, counts) in [
        (SECOND * 3, true),
        (SECOND * 30, true),
        (SECOND * 300, false),
    ] {
        let bench = quiet().await;
        alarm(&bench, Duration::ZERO, AlarmState::Alarm);
        alarm(&bench, at, AlarmState::Ok);
        alarm(&bench, at + SECOND * 15, AlarmState::Alarm);
        let outcome = bench.process().apply(kept(2)).await.unwrap();
        match counts {
            true => assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}"),
            false => drop(succeeded(outcome)),
        }
    }
}

#[tokio::test]
async fn a_candidate_that_keeps_failing_while_the_old_revision_stands_by_is_taken_back() {
    let bench = quiet().await;
    let why = Some("its container ended with status 1");
    (bench.target).set_lacking(2, SECOND * 40, SECOND * 3600, why);
    let outcome = bench.process().apply(kept(2)).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let told = outcome.to_string();
    assert!(told.contains("ended with status 1"), "{told}");
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn an_alarm_pauses_there_where_failures_do_and_a_resume_watches_as_long_again() {
    let bench = quiet().await;
    alarm(&bench, SECOND * 40, AlarmState::Alarm);
    let mut spec = kept(2);
    spec.rollout.on_failure = OnFailure::Pause;
    let outcome = bench.process().apply(spec.clone()).await.unwrap();
    assert!(matches!(outcome, Outcome::Paused(_)), "{outcome}");
    let resume = async || {
        let process = bench.process();
        let stop = CancellationToken::new();
        crate::endpoint::resume(&process.deps, &spec.id(), "ann", stop)
            .await
            .unwrap()
    };
    let outcome = resume().await;
    assert!(
        matches!(outcome, Outcome::Paused(_)),
        "still off: {outcome}"
    );
    alarm(&bench, Duration::ZERO, AlarmState::Ok);
    let started = bench.clock.elapsed();
    succeeded(resume().await);
    assert!(bench.clock.elapsed() - started >= SECOND * 60);
    assert_eq!(bench.target.view(), settled(2));
    assert_eq!(bench.target.lost(), 0.0);
}

/// Cancels at each call after the last shift in turn, until something is taken away.
#[tokio::test]
async fn whoever_resumes_what_was_interrupted_after_the_last_shift_gives_the_new_one_its_traffic_again()
 {
    let mut spec = kept(2);
    spec.rollout.on_interrupt = OnInterrupt::Resume;
    spec.rollout.terminate_after = Period::seconds(3);
    spec.autoscaling = Some(super::autoscaling::following(1, 3));
    let bench = quiet().await;
    bench.target.take_calls();
    succeeded(bench.process().apply(spec.clone()).await.unwrap());
    let calls = bench.target.take_calls();
    let shifted = calls.iter().rposition(|call| *call == "set_weights");
    let taken = calls.iter().position(|call| *call == "drain");
    let between = shifted.unwrap() + 1..taken.unwrap();
    assert!(calls[between.clone()].contains(&"autoscale"), "{calls:?}");
    assert!(between.len() > 6, "{calls:?}");
    for at in between {
        let bench = quiet().await;
        let process = bench.process();
        bench.target.set_fault(Some(Fault {
            call: u64::try_from(at).unwrap() + 1,
            at: FaultAt::Cancel(process.cancel.clone()),
        }));
        let outcome = process.apply(spec.clone()).await.unwrap();
        assert!(matches!(outcome, Outcome::InterruptedOpen(_)), "{outcome}");
        succeeded(bench.process().apply(spec.clone()).await.unwrap());
        assert_eq!(bench.target.view(), settled(2), "{}", calls[at]);
        assert_eq!(bench.target.lost(), 0.0, "{}", calls[at]);
    }
}
