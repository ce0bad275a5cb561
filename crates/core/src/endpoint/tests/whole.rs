//! A candidate that has fewer instances than are asked for while it bakes: what is being replaced is waited for, what keeps failing is not.

use std::time::Duration;

use super::*;
use crate::clock::Clock as _;
use crate::registry::events::Subject;

const SECOND: Duration = Duration::from_secs(1);

/// How long the canary to version 2 takes.
async fn takes(bench: &Bench) -> Duration {
    let started = bench.clock.elapsed();
    let process = bench.process();
    succeeded(process.apply(spec(2, canary()).unwrap()).await.unwrap());
    bench.clock.elapsed() - started
}

/// What the events of this kind say.
async fn told(bench: &Bench, kind: &str) -> Vec<String> {
    let subject = Subject::Endpoint(endpoint_id().unwrap().to_string());
    let registry = bench.process().deps.registry.clone();
    let events = registry.events(&subject, None, None, 1000).await.unwrap();
    let events = events.into_iter().map(|stored| stored.event);
    let these = events.filter(|event| event.kind == kind);
    these.map(|event| event.message).collect()
}

#[tokio::test]
async fn a_bake_is_longer_by_the_time_in_which_the_candidate_was_not_whole() {
    let usual = takes(&serving().await).await;
    let bench = serving().await;
    // The first step bakes for five seconds; an instance is replaced amid it.
    bench.target.set_lacking(2, SECOND * 2, SECOND * 6, None);
    let longer = takes(&bench).await;
    assert!(longer >= usual + SECOND * 3, "{longer:?} after {usual:?}");
    assert!(longer <= usual + SECOND * 6, "{longer:?} after {usual:?}");
    assert_eq!(bench.target.view(), settled(2));
    let told = told(&bench, "rollout.lacking").await;
    assert_eq!(told.len(), 1, "what lasts is told once: {told:?}");
    assert!(
        told[0].contains("step 1") && told[0].contains("has 1 healthy instances of 2"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_candidate_of_which_an_instance_keeps_failing_is_taken_back_though_others_serve() {
    let bench = serving().await;
    let why = Some("its container ended with status 1");
    bench.target.set_lacking(2, SECOND * 2, SECOND * 3600, why);
    let process = bench.process();
    let outcome = process.apply(spec(2, canary()).unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let said = outcome.to_string();
    assert!(
        said.contains("do not come: its container ended with status 1"),
        "{said}"
    );
    assert_eq!(bench.target.view(), settled(1));
    assert_eq!(bench.target.lost(), 0.0);
}

#[tokio::test]
async fn what_serves_need_not_be_whole_for_a_rollout() {
    let usual = takes(&serving().await).await;
    let bench = serving().await;
    bench
        .target
        .set_lacking(1, Duration::ZERO, SECOND * 3600, Some("it crashes"));
    assert_eq!(takes(&bench).await, usual);
    assert_eq!(bench.target.view(), settled(2));
}
