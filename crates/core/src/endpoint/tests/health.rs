use super::*;
use crate::clock::Clock as _;
use crate::endpoint::EndpointSpec;
use crate::endpoint::spec::HealthCheck;

fn checked(version: u64, check: HealthCheck) -> EndpointSpec {
    EndpointSpec {
        health_check: check,
        ..spec(version, canary()).unwrap()
    }
}

fn counting(good: u32, bad: u32) -> HealthCheck {
    HealthCheck {
        healthy_threshold: Some(good),
        unhealthy_threshold: Some(bad),
        ..HealthCheck::default()
    }
}

/// How often the world was probed before the first weight moved, and after.
fn probes(bench: &Bench) -> (usize, usize) {
    let calls = bench.target.take_calls();
    let shift = calls.iter().position(|call| *call == "set_weights");
    let (before, after) = calls.split_at(shift.unwrap_or(calls.len()));
    let count = |calls: &[&str]| calls.iter().filter(|call| **call == "probe").count();
    (count(before), count(after))
}

#[tokio::test]
async fn a_new_endpoint_on_a_path_that_answers_404_fails_and_leaves_nothing() {
    let bench = Bench::new().await.unwrap();
    let check = HealthCheck {
        path: Some("/nope".to_owned()),
        ..HealthCheck::default()
    };
    let outcome = bench.process().apply(checked(1, check)).await.unwrap();
    let Outcome::RolledBack(stopped) = &outcome else {
        panic!("{outcome}")
    };
    let message = &stopped.stop.as_ref().unwrap().message;
    for part in ["3 health check(s) in a row of /nope", "status 404"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(bench.target.view(), WorldView::default());
    assert_eq!(probes(&bench), (3, 0));
    let process = bench.process();
    assert_eq!(recorded(&process.deps.registry).await, None);
}

#[tokio::test]
async fn only_probes_in_a_row_count_and_each_is_an_interval_after_the_last() {
    let bench = serving().await;
    bench.target.take_calls();
    bench.target.set_probes([503, 503, 200, 503, 503, 200, 200]);
    let began = bench.clock.now();
    let check = HealthCheck {
        interval: Some(Period::seconds(100)),
        ..counting(2, 3)
    };
    succeeded(bench.process().apply(checked(2, check)).await.unwrap());
    assert_eq!(probes(&bench), (7, 0));
    let took = bench.clock.now().duration_since(began).as_secs();
    // Six intervals, and a canary of ten seconds.
    assert!((600..700).contains(&took), "{took} s");
}

#[tokio::test]
async fn what_a_load_balancer_has_counted_is_not_counted_again() {
    let bench = Bench::new().await.unwrap();
    bench.target.probe_revisions();
    bench.target.set_probes([503, 200]);
    let outcome = bench.process().apply(checked(1, counting(3, 2))).await;
    succeeded(outcome.unwrap());
    assert_eq!(probes(&bench), (2, 0));
}

/// A window of so long, and how often version 2 stops being ready.
async fn stabilizing(seconds: u64, lapses: u32) -> (Bench, Outcome, i64) {
    let bench = serving().await;
    let behaviour = Behaviour {
        lapses,
        ..Behaviour::default()
    };
    bench.target.set_behaviour(2, behaviour);
    let check = HealthCheck {
        stabilization_window: Some(Period::seconds(seconds)),
        ..HealthCheck::default()
    };
    bench.target.take_calls();
    let began = bench.clock.now();
    let outcome = bench.process().apply(checked(2, check)).await.unwrap();
    let took = bench.clock.now().duration_since(began).as_secs();
    (bench, outcome, took)
}

#[tokio::test]
async fn a_revision_gets_traffic_once_it_was_ready_for_the_whole_window() {
    let (_, outcome, without) = stabilizing(0, 0).await;
    succeeded(outcome);
    for lapses in [0, 3] {
        let (_, outcome, took) = stabilizing(100, lapses).await;
        succeeded(outcome);
        let window = 100 + i64::from(lapses);
        assert!(
            (window..window + 20).contains(&(took - without)),
            "{lapses}: {took} s, and {without} s"
        );
    }
}

#[tokio::test]
async fn a_revision_that_does_not_stay_ready_gets_no_traffic() {
    let (bench, outcome, _) = stabilizing(10, u32::MAX).await;
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    assert_eq!(probes(&bench), (0, 0));
    assert_eq!(
        (bench.target.view(), bench.target.lost()),
        (settled(1), 0.0)
    );
    // Without a window nobody sees it.
    let (_, outcome, _) = stabilizing(0, u32::MAX).await;
    succeeded(outcome);
}

#[tokio::test]
async fn a_check_that_fails_an_update_moves_no_traffic() {
    let bench = serving().await;
    bench.target.take_calls();
    bench.target.set_probes([200, 503, 503]);
    let outcome = bench.process().apply(checked(2, counting(2, 2))).await;
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    assert_eq!(probes(&bench), (3, 0));
    assert_eq!(
        (bench.target.view(), bench.target.lost()),
        (settled(1), 0.0)
    );
}

#[tokio::test]
async fn bad_probes_do_not_count_while_it_starts() {
    let bench = Bench::new().await.unwrap();
    bench.target.set_probes([503, 503, 503, 503, 503]);
    let starting = |seconds| HealthCheck {
        start_period: Some(Period::seconds(seconds)),
        ..counting(1, 2)
    };
    let process = bench.process();
    succeeded(process.apply(checked(1, starting(5))).await.unwrap());
    bench.target.set_probes([503, 503, 503, 503, 503]);
    let outcome = process.apply(checked(2, starting(3))).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn a_check_that_changes_is_tried_without_a_rollout() {
    let bench = serving().await;
    let before = bench.target.view();
    bench.target.take_calls();
    let process = bench.process();
    succeeded(process.apply(checked(1, counting(2, 3))).await.unwrap());
    assert_eq!(probes(&bench), (2, 0));
    bench.target.set_probes([404]);
    let outcome = process.apply(checked(1, counting(2, 1))).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let record = recorded(&process.deps.registry).await.unwrap();
    assert_eq!(record.spec.health_check, counting(2, 3));
    assert_eq!(bench.target.view(), before);
}
