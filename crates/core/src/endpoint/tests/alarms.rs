//! Alarms: one that goes off stops the rollout, and one that had before does not count until it was OK.

use std::time::Duration;

use super::images::{on_ecs, version};
use super::*;
use crate::clock::Clock as _;
use crate::endpoint::spec::EndpointSpec;
use crate::error::{Class, Error};
use crate::target::{Alarm, AlarmState};

/// This version; 10 % for 5 s, 50 % for 5 s, all, with two alarms.
fn watched(number: u64) -> EndpointSpec {
    let mut spec = on_ecs(&version(number));
    spec.rollout.alarms = ["errors".to_owned(), "latency".to_owned()].into();
    // The first shift comes at once, so that seconds are those of bakes.
    spec.health_check.stabilization_window = Some(Period::ZERO);
    spec
}

fn alarm(state: AlarmState, reason: &str) -> Option<Alarm> {
    let reason = reason.to_owned();
    Some(Alarm { state, reason })
}

fn set(bench: &Bench, name: &str, after: u64, told: Option<Alarm>) {
    let after = Duration::from_secs(after);
    bench.target.set_alarm(name, after, told);
}

/// Version 1 serves, and both alarms are quiet.
async fn quiet() -> Bench {
    let bench = Bench::new().await.unwrap();
    bench.target.set_load(100.0);
    set(&bench, "errors", 0, alarm(AlarmState::Ok, ""));
    set(
        &bench,
        "latency",
        0,
        alarm(AlarmState::InsufficientData, "too few"),
    );
    succeeded(bench.process().apply(watched(1)).await.unwrap());
    bench
}

async fn refused(bench: &Bench, spec: EndpointSpec) -> Error {
    let (before, revision) = (bench.target.view(), revision(bench).await);
    bench.target.take_calls();
    let refused = bench.process().apply(spec).await.unwrap_err();
    assert_eq!(refused.attribute(), Some("rollout.alarms"));
    assert_eq!(bench.target.view(), before);
    assert_eq!(self::revision(bench).await, revision, "nothing was written");
    let calls = bench.target.take_calls();
    let reads = ["observe", "autoscaling", "alarms"];
    assert!(calls.iter().all(|call| reads.contains(call)), "{calls:?}");
    refused
}

/// The endpoint's own, which every deployment changes.
async fn revision(bench: &Bench) -> u64 {
    let id = watched(1).id();
    let registry = &bench.process().deps.registry;
    let record = record(registry, &id).await.unwrap();
    record.map_or(0, |record| record.running.len() as u64)
}

#[tokio::test]
async fn quiet_alarms_and_such_without_data_let_a_rollout_pass() {
    let bench = quiet().await;
    succeeded(bench.process().apply(watched(2)).await.unwrap());
    let calls = bench.target.take_calls();
    assert!(
        calls.iter().filter(|call| **call == "alarms").count() >= 10,
        "{calls:?}"
    );
}

#[tokio::test]
async fn an_alarm_that_goes_off_in_a_bake_takes_the_rollout_back_and_is_named_with_its_reason() {
    // The first step bakes for five seconds, and so does the second.
    for (after, step) in [(3, 1), (8, 2)] {
        let bench = quiet().await;
        set(
            &bench,
            "errors",
            after,
            alarm(AlarmState::Alarm, "5 > 3 for 1 datapoint."),
        );
        let started = bench.clock.elapsed();
        let outcome = bench.process().apply(watched(2)).await.unwrap();
        assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
        assert_eq!(bench.target.view(), settled(1));
        let told = outcome.to_string();
        let expected = format!(
            "in step {step}, alarm \"errors\" is in ALARM (5 > 3 for 1 datapoint); find out"
        );
        assert!(
            told.contains(&expected) && told.contains("rollout.alarms"),
            "{told}"
        );
        let took = bench.clock.elapsed() - started;
        assert!(took < Duration::from_secs(after + 5), "{took:?}");
    }
}

#[tokio::test]
async fn an_alarm_that_goes_off_before_the_first_shift_lets_no_traffic_move() {
    let bench = quiet().await;
    bench.target.set_needs_scaling();
    set(&bench, "latency", 0, alarm(AlarmState::Ok, ""));
    let process = bench.process();
    // The candidate loads, and is not looked at before.
    bench.target.set_alarm(
        "latency",
        Duration::from_millis(1),
        alarm(AlarmState::Alarm, "slow"),
    );
    bench.target.take_calls();
    let outcome = process.apply(watched(2)).await.unwrap();
    assert!(
        outcome
            .to_string()
            .contains("in step 1, alarm \"latency\" is in ALARM (slow)"),
        "{outcome}"
    );
    assert_eq!(bench.target.view(), settled(1));
    assert_eq!(bench.target.lost(), 0.0);
}

#[tokio::test]
async fn an_alarm_that_is_deleted_meanwhile_takes_the_rollout_back() {
    let bench = quiet().await;
    set(&bench, "latency", 3, None);
    let outcome = bench.process().apply(watched(2)).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    assert!(
        outcome
            .to_string()
            .contains("alarm \"latency\" of rollout.alarms is gone"),
        "{outcome}"
    );
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn an_alarm_pauses_where_failures_do_and_a_resume_looks_again() {
    let bench = quiet().await;
    set(&bench, "errors", 3, alarm(AlarmState::Alarm, "5 > 3"));
    let mut spec = watched(2);
    spec.rollout.on_failure = OnFailure::Pause;
    let process = bench.process();
    let outcome = process.apply(spec.clone()).await.unwrap();
    assert!(matches!(outcome, Outcome::Paused(_)), "{outcome}");
    let resume = async || {
        let stop = tokio_util::sync::CancellationToken::new();
        let process = bench.process();
        crate::endpoint::resume(&process.deps, &spec.id(), "ann", stop)
            .await
            .unwrap()
    };
    let outcome = resume().await;
    assert!(
        matches!(outcome, Outcome::Paused(_)),
        "it is still off: {outcome}"
    );
    set(&bench, "errors", 0, alarm(AlarmState::Ok, ""));
    succeeded(resume().await);
    assert_eq!(bench.target.view(), settled(2));
}

/// What the apply of this version warns of.
async fn warned(bench: &Bench, number: u64) -> Option<String> {
    match bench.process().apply(watched(number)).await.unwrap() {
        Outcome::Succeeded { warning, .. } => warning,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn alarms_that_are_off_before_are_set_aside_and_named_so_that_a_mend_can_go_out() {
    let bench = quiet().await;
    set(&bench, "errors", 0, alarm(AlarmState::Alarm, "5 > 3."));
    set(&bench, "latency", 0, alarm(AlarmState::Alarm, ""));
    let told = warned(&bench, 2).await.expect("a warning");
    assert!(
        told.contains("alarm \"errors\" is in ALARM (5 > 3) and alarm \"latency\" is in ALARM before the rollout begins"),
        "{told}"
    );
    assert_eq!(bench.target.view(), settled(2));
    // It is about that deployment alone.
    set(&bench, "errors", 0, alarm(AlarmState::Ok, ""));
    set(&bench, "latency", 0, alarm(AlarmState::Ok, ""));
    assert_eq!(warned(&bench, 3).await, None);
}

#[tokio::test]
async fn an_alarm_that_was_set_aside_counts_from_when_it_was_ok() {
    // The first step bakes for five seconds, and so does the second.
    for (meanwhile, counts) in [
        (AlarmState::Ok, true),
        (AlarmState::InsufficientData, false),
    ] {
        let bench = quiet().await;
        set(&bench, "errors", 0, alarm(AlarmState::Alarm, "before"));
        set(&bench, "errors", 3, alarm(meanwhile, ""));
        set(&bench, "errors", 8, alarm(AlarmState::Alarm, "after"));
        let outcome = bench.process().apply(watched(2)).await.unwrap();
        if !counts {
            succeeded(outcome);
            continue;
        }
        let told = outcome.to_string();
        assert!(matches!(outcome, Outcome::RolledBack(_)), "{told}");
        assert!(
            told.contains("in step 2, alarm \"errors\" is in ALARM (after)"),
            "{told}"
        );
        assert_eq!(bench.target.view(), settled(1));
    }
}

#[tokio::test]
async fn while_one_alarm_is_set_aside_the_others_count() {
    let bench = quiet().await;
    set(&bench, "errors", 0, alarm(AlarmState::Alarm, "before"));
    set(&bench, "latency", 3, alarm(AlarmState::Alarm, "slow"));
    let told = bench.process().apply(watched(2)).await.unwrap().to_string();
    assert!(
        told.contains("in step 1, alarm \"latency\" is in ALARM (slow); find out"),
        "{told}"
    );
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn the_deployment_that_an_alarm_stopped_waits_for_it_and_another_one_does_not() {
    let bench = quiet().await;
    set(&bench, "errors", 3, alarm(AlarmState::Alarm, "5 > 3"));
    let outcome = bench.process().apply(watched(2)).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let told = refused(&bench, watched(2)).await.to_string();
    assert!(
        told.contains("alarm \"errors\" is in ALARM (5 > 3) since it stopped this very deployment"),
        "{told}"
    );
    // What else there is may be the mend.
    assert!(warned(&bench, 3).await.is_some());
    assert_eq!(bench.target.view(), settled(3));
    // The same again, once the alarm is over.
    set(&bench, "errors", 0, alarm(AlarmState::Ok, ""));
    set(&bench, "errors", 3, alarm(AlarmState::Alarm, "5 > 3"));
    let outcome = bench.process().apply(watched(2)).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    refused(&bench, watched(2)).await;
    set(&bench, "errors", 0, alarm(AlarmState::Ok, ""));
    succeeded(bench.process().apply(watched(2)).await.unwrap());
}

#[tokio::test]
async fn alarms_that_do_not_exist_are_refused_on_create_and_update() {
    let bench = Bench::new().await.unwrap();
    set(&bench, "errors", 0, alarm(AlarmState::Ok, ""));
    let told = refused(&bench, watched(1)).await.to_string();
    assert!(
        told.contains("there is no alarm \"latency\" in this region"),
        "{told}"
    );
    // Nothing serves yet that there would be to go back to.
    set(
        &bench,
        "latency",
        0,
        alarm(AlarmState::Alarm, "nobody answers"),
    );
    succeeded(bench.process().apply(watched(1)).await.unwrap());
    set(&bench, "latency", 0, None);
    set(&bench, "errors", 0, None);
    let told = refused(&bench, watched(2)).await.to_string();
    assert!(
        told.contains("no alarm \"errors\" and no alarm \"latency\""),
        "{told}"
    );
}

#[tokio::test]
async fn what_rolls_nothing_out_asks_for_no_alarm() {
    let bench = quiet().await;
    bench.target.set_broken("alarms", Some(Class::Denied));
    let mut spec = watched(1);
    spec.rollout.alarms = ["unheard".to_owned()].into();
    succeeded(bench.process().apply(spec.clone()).await.unwrap());
    // A dead server is started again whatever watches it.
    bench.target.set_broken("alarms", None);
    set(
        &bench,
        "unheard",
        0,
        alarm(AlarmState::Alarm, "nobody answers"),
    );
    bench.target.kill_servers();
    succeeded(bench.process().apply(spec).await.unwrap());
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn alarms_that_cannot_be_read_for_a_while_are_waited_for_and_denied_ones_take_it_back() {
    use crate::conformance::target::{Fault, FaultAt};
    let bench = quiet().await;
    let faults = [Class::Throttled, Class::Unavailable];
    for (number, class) in (2..).zip(faults) {
        let fault = Fault {
            call: 20,
            at: FaultAt::Before(class),
        };
        bench.target.set_fault(Some(fault));
        succeeded(bench.process().apply(watched(number)).await.unwrap());
    }
    let told = refused_by_denial(&bench, 4).await;
    assert!(told.contains("alarms is broken in this world"), "{told}");
}

/// The reading is denied from the beginning.
async fn refused_by_denial(bench: &Bench, number: u64) -> String {
    bench.target.set_broken("alarms", Some(Class::Denied));
    let error = bench.process().apply(watched(number)).await.unwrap_err();
    assert_eq!(error.class(), Class::Denied);
    assert_eq!(bench.target.view(), settled(3));
    error.chain().to_string()
}
