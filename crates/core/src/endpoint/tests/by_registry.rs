//! Analyses by what the registry has of the versions: read at each measurement, waited for, and never passed without.

use std::time::Duration;

use super::images::{image, on_ecs, version};
use super::*;
use crate::clock::Clock as _;
use crate::conformance::saga::When;
use crate::endpoint::validate::{validate, validate_change};
use crate::error::Result;
use crate::names::{ModelName, VersionId};
use crate::registry::VersionUpdate;

const BETTER: &str = "result >= baseline";

/// A canary that goes by the accuracy of the versions.
fn by_accuracy(condition: &str) -> RolloutSpec {
    let mut rollout = canary();
    let mut analysis = rollout.analysis.remove("errors").unwrap();
    analysis.source = Source::Registry {
        query: "accuracy".parse().unwrap(),
    };
    analysis.condition = condition.parse().unwrap();
    rollout.analysis.insert("quality".to_owned(), analysis);
    rollout
}

async fn evaluated(registry: &Registry, version: u64, accuracy: Option<f64>) {
    let id = VersionId {
        model: ModelName::new("digits").unwrap(),
        version,
    };
    let update = VersionUpdate {
        metrics: [("accuracy".to_owned(), accuracy)].into(),
        ..VersionUpdate::default()
    };
    registry.update_version(&id, update).await.unwrap();
}

/// A bench on which version 1 serves, of which the registry has this accuracy.
async fn serving_with(accuracy: f64) -> Bench {
    let bench = serving().await;
    evaluated(&bench.process().deps.registry, 1, Some(accuracy)).await;
    bench
}

/// Rolls version 2 out, of which somebody else records these accuracies, each so long after the beginning.
async fn rolled_out(
    bench: &Bench,
    rollout: RolloutSpec,
    recorded: &[(u64, Option<f64>)],
) -> (Result<Outcome>, Duration) {
    let process = bench.process();
    let evaluation = bench.another_process().deps.registry;
    let started = bench.clock.elapsed();
    let recording = async {
        for (after, accuracy) in recorded {
            while bench.clock.elapsed() < started + Duration::from_secs(*after) {
                tokio::task::yield_now().await;
            }
            evaluated(&evaluation, 2, *accuracy).await;
        }
        std::future::pending::<()>().await;
    };
    // What is to be recorded after the end is not.
    let outcome = tokio::select! {
        outcome = process.apply(spec(2, rollout).unwrap()) => outcome,
        () = recording => unreachable!("it does not end"),
    };
    (outcome, bench.clock.elapsed() - started)
}

#[track_caller]
fn taken_back(bench: &Bench, outcome: Result<Outcome>) -> String {
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    assert_eq!(bench.target.view(), settled(1));
    outcome.to_string()
}

#[tokio::test]
async fn a_candidate_of_which_the_registry_has_better_than_of_the_old_one_passes() {
    let bench = serving_with(0.9).await;
    let (outcome, took) = rolled_out(&bench, by_accuracy(BETTER), &[(0, Some(0.95))]).await;
    succeeded(outcome.unwrap());
    assert_eq!(bench.target.view(), settled(2));
    // Two bakes, and the drain of what gave way: nothing was waited for.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn a_candidate_of_which_the_registry_has_worse_is_rolled_back_also_if_it_is_recorded_late() {
    for recorded in [
        &[(0, Some(0.85))][..],
        // It was better, and is found to be worse in the second step.
        &[(0, Some(0.95)), (7, Some(0.85))],
    ] {
        let bench = serving_with(0.9).await;
        let (outcome, _) = rolled_out(&bench, by_accuracy(BETTER), recorded).await;
        let told = taken_back(&bench, outcome);
        let step = format!("analysis \"quality\" failed in step {}", recorded.len());
        for part in [
            step.as_str(),
            "accuracy of revision main-v2-",
            "is 0.8500, and \"result >= baseline\" does not hold (the old revision's is 0.9000)",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}

#[tokio::test]
async fn a_step_waits_past_its_bake_for_what_an_evaluation_records() {
    let bench = serving_with(0.9).await;
    let recorded = [(60, Some(0.95))];
    let (outcome, took) = rolled_out(&bench, by_accuracy("result > 0.9"), &recorded).await;
    succeeded(outcome.unwrap());
    let late = Duration::from_secs(60);
    assert!(
        took >= late && took < late + Duration::from_secs(20),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_step_of_which_nothing_is_recorded_never_passes() {
    // Of the old version alone, then of the candidate alone.
    for (old, candidate, lacks) in [(Some(0.9), None, 2), (None, Some(0.95), 1)] {
        let bench = serving().await;
        evaluated(&bench.process().deps.registry, 1, old).await;
        let recorded = [(0, candidate)];
        let (outcome, took) = rolled_out(&bench, by_accuracy(BETTER), &recorded).await;
        let told = taken_back(&bench, outcome);
        for part in [
            "could not judge step 1 in the 5m that rollout.analysis.quality.max_wait allows after its bake",
            &format!("of revision main-v{lacks}-"),
            &format!(
                "version digits/{lacks} has no metric \"accuracy\" in the registry yet; see rollout.analysis.quality.query"
            ),
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(took >= Duration::from_secs(305), "{took:?}");
    }
}

#[tokio::test]
async fn whoever_resumes_a_deployment_goes_by_the_registry_too() {
    let bench = serving_with(0.9).await;
    let rollout = RolloutSpec {
        on_failure: OnFailure::Pause,
        ..by_accuracy(BETTER)
    };
    let (outcome, _) = rolled_out(&bench, rollout, &[(0, Some(0.85))]).await;
    let outcome = outcome.unwrap();
    assert!(matches!(outcome, Outcome::Paused(_)), "{outcome}");
    let process = bench.process();
    let resume = async || {
        let stop = tokio_util::sync::CancellationToken::new();
        let id = endpoint_id().unwrap();
        let resumed = crate::endpoint::resume(&process.deps, &id, "ann", stop).await;
        resumed.unwrap()
    };
    let again = resume().await;
    assert!(matches!(again, Outcome::Paused(_)), "{again}");
    evaluated(&process.deps.registry, 2, Some(0.95)).await;
    succeeded(resume().await);
    assert_eq!(bench.target.view(), settled(2));
}

/// Killed at each commit: while it bakes, while it waits for what nobody records, and while it goes back for want of it.
#[tokio::test]
async fn whoever_follows_a_run_that_was_killed_waits_for_the_registry_too() {
    for on_interrupt in [OnInterrupt::Rollback, OnInterrupt::Resume] {
        let mut rollout = RolloutSpec {
            on_interrupt,
            ..by_accuracy(BETTER)
        };
        rollout.analysis.get_mut("quality").unwrap().max_wait = Period::seconds(30);
        let (mut kills, mut waiting) = (0, 0);
        loop {
            let bench = serving_with(0.9).await;
            let started = bench.clock.elapsed();
            let killed = bench.process_killed_at(kills + 1, When::After);
            drop(killed.apply(spec(2, rollout.clone()).unwrap()).await);
            if !killed.is_dead() {
                break;
            }
            kills += 1;
            let lived = bench.clock.elapsed() - started;
            waiting += u64::from((5..35).contains(&lived.as_secs()));
            let (outcome, took) = rolled_out(&bench, rollout.clone(), &[(8, Some(0.95))]).await;
            let context = format!("{on_interrupt:?} killed at commit {kills} after {lived:?}");
            let outcome = outcome.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(
                matches!(outcome, Outcome::Succeeded { .. }),
                "{context}: {outcome}"
            );
            assert_eq!(bench.target.view(), settled(2), "{context}");
            assert_eq!(bench.target.lost(), 0.0, "{context}");
            assert!(took >= Duration::from_secs(8), "{context}: {took:?}");
        }
        assert!(waiting > 20, "{waiting} of {kills} kills while it waits");
    }
}

#[tokio::test]
async fn both_versions_of_a_shadow_are_compared() {
    for (accuracy, passes) in [(0.95, true), (0.85, false)] {
        let bench = serving_with(0.9).await;
        let mut rollout = by_accuracy(BETTER);
        rollout.strategy = Strategy::Shadow;
        let (outcome, _) = rolled_out(&bench, rollout, &[(0, Some(accuracy))]).await;
        match passes {
            true => drop(succeeded(outcome.unwrap())),
            false => drop(taken_back(&bench, outcome)),
        }
    }
}

#[tokio::test]
async fn an_image_has_no_metric_in_the_registry_and_is_refused_as_candidate_and_as_baseline() {
    let judged = |workload, condition| {
        let mut spec = on_ecs(workload);
        spec.rollout.analysis = by_accuracy(condition).analysis;
        spec
    };
    let (image, version) = (image('a'), version(1));
    let refused = validate(&judged(&image, "result > 0.9"));
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        refused[0].attribute(),
        Some("rollout.analysis.quality.source")
    );
    let told = refused[0].to_string();
    assert!(
        told.contains("variant main runs an image of your own"),
        "{told}"
    );
    assert!(validate(&judged(&version, BETTER)).is_empty());

    let before = on_ecs(&image);
    let refused = validate_change(&before, &judged(&version, BETTER)).unwrap();
    assert_eq!(
        refused.attribute(),
        Some("rollout.analysis.quality.condition")
    );
    assert!(validate_change(&before, &judged(&version, "result > 0.9")).is_none());
    assert!(validate_change(&on_ecs(&version), &judged(&version, BETTER)).is_none());

    // Where no plan was made: it ends at the first measurement.
    let bench = Bench::new().await.unwrap();
    bench.target.set_load(100.0);
    succeeded(bench.process().apply(before).await.unwrap());
    evaluated(&bench.process().deps.registry, 1, Some(0.9)).await;
    let process = bench.process();
    let outcome = process.apply(judged(&version, BETTER)).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let told = outcome.to_string();
    assert!(
        told.contains("runs an image, of which the registry has no version and no metric; see rollout.analysis.quality.source"),
        "{told}"
    );
}
