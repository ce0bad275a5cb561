use std::collections::BTreeMap;

use super::*;
use crate::conformance::saga::spec_of;
use crate::endpoint::{ClosedAs, closed_deployments};
use crate::names::VariantName;
use crate::registry::events::Subject;
use crate::rollout::Evidence;
use crate::serving::SmokeRequest;

async fn event_kinds(registry: &Registry) -> Vec<String> {
    let events = registry
        .events(
            &Subject::Endpoint("local/digits".to_owned()),
            None,
            None,
            1000,
        )
        .await
        .unwrap();
    events.into_iter().map(|stored| stored.event.kind).collect()
}

#[tokio::test]
async fn a_created_endpoint_serves_and_a_second_apply_does_nothing() {
    let bench = serving().await;
    let process = bench.process();
    assert_eq!(bench.target.view(), settled(1));
    let record = recorded(&process.deps.registry).await.unwrap();
    assert_eq!((record.revision, record.server.port), (1, Some(18080)));
    assert_eq!(bound(&process.deps.registry).await, [1]);
    let before = bench.records.dump().len();
    deployed_nothing(process.apply(spec(1, canary()).unwrap()).await.unwrap());
    assert!(
        bench.records.dump().len() <= before + 2,
        "only the lease may be written"
    );
}

#[tokio::test]
async fn a_healthy_canary_shifts_step_by_step_and_loses_no_request() {
    let bench = serving().await;
    let process = bench.process();
    let started = crate::clock::Clock::elapsed(bench.clock.as_ref());
    let lost = bench.target.lost();
    let record = succeeded(process.apply(spec(2, canary()).unwrap()).await.unwrap());
    assert_eq!((record.revision, bench.target.view()), (2, settled(2)));
    assert_eq!(bench.target.lost() - lost, 0.0);
    assert!(
        crate::clock::Clock::elapsed(bench.clock.as_ref()) - started
            >= std::time::Duration::from_secs(10),
        "both bakes were waited for"
    );
    assert_eq!(bound(&process.deps.registry).await, [2]);
    let kinds = event_kinds(&process.deps.registry).await;
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| *kind == "rollout.shifted")
            .count(),
        1 + 3,
        "{kinds:?}"
    );
    assert_eq!(kinds.last().unwrap(), "deployment.succeeded");
    assert!(!kinds.contains(&"rollout.inconclusive".to_owned()));
}

#[tokio::test]
async fn a_failing_candidate_is_rolled_back_and_its_exposure_counted() {
    let bench = serving().await;
    bench.target.set_behaviour(2, bad());
    let process = bench.process();
    let outcome = process.apply(spec(2, canary()).unwrap()).await.unwrap();
    let Outcome::RolledBack(stopped) = &outcome else {
        panic!("{outcome}")
    };
    assert!(
        outcome
            .to_string()
            .contains("error_rate of revision main-v2-"),
        "{outcome}"
    );
    let evidence: Evidence =
        serde_json::from_value(stopped.stop.clone().unwrap().evidence.unwrap()).unwrap();
    assert_eq!((evidence.stage, evidence.failed), (1, 1));
    assert!((evidence.result - 0.2).abs() < 0.05, "{evidence:?}");
    let exposure = evidence.exposure;
    assert!(
        exposure.candidate > 0 && exposure.total >= 90,
        "{exposure:?}"
    );
    assert!(
        exposure.candidate as f64 / exposure.total as f64 <= 0.10 + 1.0 / exposure.total as f64,
        "{exposure:?}"
    );
    assert_eq!(bench.target.view(), settled(1));
    assert_eq!(bench.target.lost(), 0.0);
    assert_eq!(recorded(&process.deps.registry).await.unwrap().revision, 1);
    assert_eq!(bound(&process.deps.registry).await, [1]);
    let kinds = event_kinds(&process.deps.registry).await;
    assert!(
        kinds.contains(&"server.log".to_owned())
            && kinds.contains(&"rollout.given_back".to_owned()),
        "{kinds:?}"
    );

    let again = process.apply(spec(2, canary()).unwrap()).await.unwrap();
    let Outcome::RolledBack(again) = again else {
        panic!("{again}")
    };
    assert_eq!(
        (again.deployment.id.clone(), again.deployment.attempt),
        (stopped.deployment.id.clone(), 2)
    );
}

#[tokio::test]
async fn a_step_without_samples_passes_with_a_warning() {
    let bench = serving().await;
    bench.target.set_load(0.0);
    bench.target.set_behaviour(2, bad());
    let process = bench.process();
    succeeded(process.apply(spec(2, canary()).unwrap()).await.unwrap());
    let kinds = event_kinds(&process.deps.registry).await;
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| *kind == "rollout.inconclusive")
            .count(),
        2,
        "{kinds:?}"
    );
}

#[tokio::test]
async fn a_baseline_condition_compares_with_the_old_revision() {
    let slow = |millis| Behaviour {
        latency: std::time::Duration::from_millis(millis),
        ..Behaviour::default()
    };
    let mut rollout = canary();
    let analysis = rollout.analysis.get_mut("errors").unwrap();
    analysis.source = crate::rollout::Source::Server {
        query: "latency_p99".parse().unwrap(),
    };
    analysis.condition = "result <= baseline * 1.5".parse().unwrap();
    for (candidate, passes) in [(12, true), (40, false)] {
        let bench = serving().await;
        bench.target.set_behaviour(1, slow(10));
        bench.target.set_behaviour(2, slow(candidate));
        let outcome = bench
            .process()
            .apply(spec(2, rollout.clone()).unwrap())
            .await
            .unwrap();
        assert_eq!(outcome.is_success(), passes, "{candidate} ms: {outcome}");
    }
}

#[tokio::test]
async fn a_candidate_that_fails_its_smoke_gets_no_weight() {
    let bench = serving().await;
    bench.target.set_behaviour(
        2,
        Behaviour {
            passes_smoke: false,
            ..Behaviour::default()
        },
    );
    let process = bench.process();
    let mut request = process.request(spec(2, canary()).unwrap());
    let golden = SmokeRequest {
        inputs: serde_json::json!([1]),
        expect: None,
    };
    request.smoke = BTreeMap::from([(VariantName::new("main").unwrap(), golden)]);
    bench.target.take_calls();
    let outcome = crate::endpoint::apply(&process.deps, request)
        .await
        .unwrap();
    assert!(matches!(&outcome, Outcome::RolledBack(_)), "{outcome}");
    assert!(outcome.to_string().contains("golden request"), "{outcome}");
    assert!(!bench.target.take_calls().contains(&"set_weights"));
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn a_candidate_that_cannot_load_leaves_nothing_on_create() {
    let bench = Bench::new().await.unwrap();
    bench.target.set_behaviour(
        1,
        Behaviour {
            loads: false,
            ..Behaviour::default()
        },
    );
    let process = bench.process();
    let outcome = process.apply(spec(1, canary()).unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    assert_eq!(bench.target.view(), WorldView::default());
    assert_eq!(recorded(&process.deps.registry).await, None);
    assert!(bound(&process.deps.registry).await.is_empty());
}

#[tokio::test]
async fn going_there_and_back_again_is_three_deployments() {
    let bench = serving().await;
    let process = bench.process();
    let first = recorded(&process.deps.registry).await.unwrap().deployment;
    let second = succeeded(process.apply(spec(2, canary()).unwrap()).await.unwrap()).deployment;
    let third = succeeded(process.apply(spec(1, canary()).unwrap()).await.unwrap()).deployment;
    assert!(first.id != second.id && second.id != third.id && first.id != third.id);
    let closed = closed_deployments(&process.deps.registry, "local/digits")
        .await
        .unwrap();
    assert_eq!(
        closed.iter().map(|c| c.outcome).collect::<Vec<_>>(),
        [ClosedAs::Succeeded; 3]
    );
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn a_dead_server_is_started_again_on_its_port() {
    let bench = serving().await;
    bench.target.kill_servers();
    let process = bench.process();
    let record = succeeded(process.apply(spec(1, canary()).unwrap()).await.unwrap());
    assert_eq!((record.revision, record.server.port), (2, Some(18080)));
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn another_port_replaces_the_server_without_losing_a_request() {
    let bench = serving().await;
    let process = bench.process();
    let mut moved = spec(1, canary()).unwrap();
    let crate::endpoint::spec::TargetSpec::Local(local) = &mut moved.target else {
        panic!("the bench is local")
    };
    (local.port, local.port_range) = (Some(18085), None);
    let record = succeeded(process.apply(moved).await.unwrap());
    assert_eq!(record.server.port, Some(18085));
    assert_eq!(bench.target.view().ports, [18085]);
    assert_eq!(bench.target.lost(), 0.0);
}

#[tokio::test]
async fn variants_move_together_and_untouched_ones_stay() {
    let bench = Bench::new().await.unwrap();
    bench.target.set_load(100.0);
    let process = bench.process();
    let two = |a, b| spec_of(&[("a", a, 70), ("b", b, 20), ("c", 1, 10)], canary()).unwrap();
    succeeded(process.apply(two(1, 1)).await.unwrap());
    let before = recorded(&process.deps.registry).await.unwrap();
    let after = succeeded(process.apply(two(2, 3)).await.unwrap());
    assert_eq!(
        before.running[&VariantName::new("c").unwrap()],
        after.running[&VariantName::new("c").unwrap()]
    );
    assert_eq!(
        after
            .target_versions()
            .values()
            .copied()
            .collect::<Vec<_>>(),
        [2, 3, 1]
    );
    assert_eq!(bound(&process.deps.registry).await, [1, 2, 3]);
    assert_eq!(bench.target.lost(), 0.0);
    let one = succeeded(
        process
            .apply(spec_of(&[("a", 2, 100)], canary()).unwrap())
            .await
            .unwrap(),
    );
    assert_eq!(one.running.len(), 1);
    assert_eq!(bench.target.view().servers[&18080].revisions.len(), 1);
}

#[tokio::test]
async fn a_shadow_rollout_answers_nobody_until_it_is_proved() {
    let rollout = RolloutSpec {
        strategy: Strategy::Shadow,
        ..canary()
    };
    let bench = serving().await;
    bench.target.set_behaviour(2, bad());
    let outcome = bench
        .process()
        .apply(spec(2, rollout.clone()).unwrap())
        .await
        .unwrap();
    let stop = outcome.stopped().unwrap().stop.clone().unwrap();
    let evidence: Evidence = serde_json::from_value(stop.evidence.unwrap()).unwrap();
    assert_eq!(
        (evidence.exposure.candidate, bench.target.view()),
        (0, settled(1))
    );
    bench.target.set_behaviour(2, Behaviour::default());
    succeeded(
        bench
            .process()
            .apply(spec(2, rollout).unwrap())
            .await
            .unwrap(),
    );
    assert_eq!(
        (bench.target.view(), bench.target.lost()),
        (settled(2), 0.0)
    );
}

#[tokio::test]
async fn capacity_comes_before_weight() {
    let bench = Bench::new().await.unwrap();
    bench.target.set_needs_scaling();
    bench.target.set_load(100.0);
    let process = bench.process();
    succeeded(process.apply(spec(1, canary()).unwrap()).await.unwrap());
    succeeded(process.apply(spec(2, canary()).unwrap()).await.unwrap());
    assert_eq!(
        (bench.target.view(), bench.target.lost()),
        (settled(2), 0.0)
    );
}

#[tokio::test]
async fn deleting_leaves_nothing_but_the_revision() {
    let bench = serving().await;
    let process = bench.process();
    assert_eq!(process.delete().await.unwrap(), Outcome::Deleted);
    assert_eq!(bench.target.view(), WorldView::default());
    assert_eq!(recorded(&process.deps.registry).await, None);
    assert!(bound(&process.deps.registry).await.is_empty());
    assert_eq!(process.delete().await.unwrap(), Outcome::Deleted);
    let record = succeeded(process.apply(spec(1, canary()).unwrap()).await.unwrap());
    assert_eq!(record.revision, 3);
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_refused_before_any_effect() {
    let bench = serving().await;
    bench.target.take_calls();
    let error = bench
        .process()
        .apply(spec(9, canary()).unwrap())
        .await
        .unwrap_err();
    assert!(
        error.is_not_found() && error.to_string().contains("digits/9"),
        "{error}"
    );
    assert_eq!(bench.target.take_calls(), ["observe"]);
}

/// The endpoint's events in the store, expired ones too.
async fn stored_events(registry: &crate::registry::Registry) -> usize {
    let partition = "events#endpoint#local/digits";
    let all = registry.all_documents::<crate::registry::events::Event>(partition, "");
    all.await.unwrap().len()
}

/// Days later, the events of the first deployment have expired; the second one takes them away.
#[tokio::test]
async fn a_deployment_deletes_the_expired_events_of_its_endpoint() {
    let bench = serving().await;
    let expired = stored_events(&bench.process().deps.registry).await;
    assert!(expired > 5, "{expired} events");
    bench
        .clock
        .advance(std::time::Duration::from_secs(91 * 24 * 3600));
    let process = bench.process();
    succeeded(process.apply(spec(2, canary()).unwrap()).await.unwrap());
    let subject = crate::registry::events::Subject::Endpoint("local/digits".to_owned());
    let registry = &process.deps.registry;
    let told = registry.events(&subject, None, None, 500).await.unwrap();
    assert!(told.len() > 5, "{told:?}");
    assert_eq!(stored_events(registry).await, told.len());
}
