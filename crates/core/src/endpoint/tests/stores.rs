//! Analyses by the target's own metrics store: asked about each revision since the stage began, waited for, and never passed without.

use std::time::Duration;

use super::images::{on_ecs, version};
use super::*;
use crate::clock::Clock as _;
use crate::endpoint::spec::EndpointSpec;
use crate::error::Class;

/// This version, judged in one step of five seconds, which the store's numbers outlast.
fn judged(number: u64, condition: &str) -> EndpointSpec {
    let mut spec = on_ecs(&version(number));
    let mut rollout = canary();
    rollout.steps.remove(0);
    let analysis = rollout.analysis.get_mut("errors").unwrap();
    analysis.source = Source::Cloudwatch {
        query: "error_rate".parse().unwrap(),
    };
    analysis.condition = condition.parse().unwrap();
    spec.rollout = rollout;
    spec
}

async fn serving() -> Bench {
    let bench = Bench::new().await.unwrap();
    bench.target.set_load(100.0);
    succeeded(
        bench
            .process()
            .apply(judged(1, "result < 0.02"))
            .await
            .unwrap(),
    );
    bench
}

async fn rolled_out(bench: &Bench, condition: &str) -> (Outcome, Duration) {
    let started = bench.clock.elapsed();
    let outcome = bench.process().apply(judged(2, condition)).await.unwrap();
    (outcome, bench.clock.elapsed() - started)
}

const LATE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_stage_lasts_until_the_store_has_a_number_and_passes_by_it() {
    let bench = serving().await;
    bench.target.set_measured(2, LATE, 0.01);
    let (outcome, took) = rolled_out(&bench, "result < 0.02").await;
    succeeded(outcome);
    assert!(
        took >= LATE && took < LATE + Duration::from_secs(30),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_candidate_that_the_store_speaks_against_is_rolled_back() {
    for (condition, baseline) in [
        ("result < 0.02", None),
        ("result <= baseline * 1.5", Some(0.1)),
    ] {
        let bench = serving().await;
        bench.target.set_measured(2, LATE, 0.2);
        if let Some(number) = baseline {
            bench.target.set_measured(1, LATE, number);
        }
        let (outcome, _) = rolled_out(&bench, condition).await;
        assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
        let told = outcome.to_string();
        assert!(
            told.contains("is 0.2000, and") && told.contains("does not hold"),
            "{told}"
        );
        assert_eq!(bench.target.view(), settled(1));
    }
}

#[tokio::test]
async fn a_store_that_has_no_number_lets_nothing_pass() {
    let bench = serving().await;
    let (outcome, took) = rolled_out(&bench, "result < 0.02").await;
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let told = outcome.to_string();
    assert!(
        told.contains("max_wait") && told.contains("no minute is over"),
        "{told}"
    );
    assert!(took >= Duration::from_secs(300), "{took:?}");
}

#[tokio::test]
async fn a_store_that_may_not_be_asked_is_an_error_before_anything_is_done() {
    let bench = serving().await;
    bench.target.set_broken("can_measure", Some(Class::Denied));
    bench.target.take_calls();
    let refused = bench
        .process()
        .apply(judged(2, "result < 0.02"))
        .await
        .unwrap_err();
    assert_eq!(refused.class(), Class::Denied);
    assert_eq!(refused.attribute(), Some("rollout.analysis.errors.source"));
    assert_eq!(bench.target.view(), settled(1));
}

#[test]
fn a_step_that_leaves_the_store_no_time_is_refused_and_so_is_a_store_on_this_machine() {
    let mut spec = judged(1, "result < 0.02");
    spec.rollout.analysis.get_mut("errors").unwrap().max_wait = Period::seconds(174);
    let refused = crate::endpoint::validate::validate(&spec);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        refused[0].attribute(),
        Some("rollout.analysis.errors.max_wait")
    );
    spec.rollout.analysis.get_mut("errors").unwrap().max_wait = Period::seconds(175);
    assert!(crate::endpoint::validate::validate(&spec).is_empty());
    let mut local = super::spec(1, spec.rollout.clone()).unwrap();
    local.rollout.analysis.get_mut("errors").unwrap().max_wait = Period::seconds(300);
    let refused = crate::endpoint::validate::validate(&local);
    assert_eq!(
        refused[0].attribute(),
        Some("rollout.analysis.errors.source"),
        "{refused:?}"
    );
}
