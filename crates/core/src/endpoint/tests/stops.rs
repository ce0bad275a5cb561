use tokio_util::sync::CancellationToken;

use super::*;
use crate::conformance::target::{Fault, FaultAt};
use crate::endpoint::{pause, repair, resume, status};
use crate::error::Class;
use crate::saga::Phase;
use crate::serving::SmokeRequest;

fn pausing() -> RolloutSpec {
    let mut rollout = canary();
    rollout.steps[0].pause = true;
    rollout
}

#[tokio::test]
async fn a_pause_keeps_its_weights_and_a_resume_goes_on() {
    let bench = serving().await;
    let process = bench.process();
    let outcome = process.apply(spec(2, pausing()).unwrap()).await.unwrap();
    let Outcome::Paused(stopped) = &outcome else {
        panic!("{outcome}")
    };
    assert!(
        outcome
            .to_string()
            .contains("mlops endpoint resume local/digits"),
        "{outcome}"
    );
    assert_eq!(recorded(&process.deps.registry).await.unwrap().revision, 1);
    let view = bench.target.view();
    let shares: Vec<u64> = view.servers[&18080]
        .revisions
        .iter()
        .map(|r| r.share / 1_000_000)
        .collect();
    assert_eq!(shares, [90, 10]);
    let id = endpoint_id().unwrap();
    let seen = status(&process.deps, &id).await.unwrap();
    assert_eq!(seen.open.unwrap().phase, Phase::Paused);
    assert!(seen.lease.unwrap().is_free, "a pause holds no lease");

    let next = bench.process();
    let record = succeeded(
        resume(&next.deps, &id, "ann", CancellationToken::new())
            .await
            .unwrap(),
    );
    assert_eq!(
        (record.deployment, bench.target.view()),
        (stopped.deployment.clone(), settled(2))
    );
}

#[tokio::test]
async fn the_next_apply_of_a_paused_deployment_resumes_it() {
    let bench = serving().await;
    let paused = bench
        .process()
        .apply(spec(2, pausing()).unwrap())
        .await
        .unwrap();
    let record = succeeded(
        bench
            .process()
            .apply(spec(2, pausing()).unwrap())
            .await
            .unwrap(),
    );
    assert_eq!(record.deployment, paused.stopped().unwrap().deployment);
    assert_eq!(bench.target.view(), settled(2));
}

#[tokio::test]
async fn another_apply_takes_a_paused_deployment_back_first() {
    let bench = serving().await;
    bench
        .process()
        .apply(spec(2, pausing()).unwrap())
        .await
        .unwrap();
    let record = succeeded(
        bench
            .process()
            .apply(spec(3, canary()).unwrap())
            .await
            .unwrap(),
    );
    assert_eq!((record.revision, bench.target.view()), (2, settled(3)));
    assert_eq!(bound(&bench.process().deps.registry).await, [3]);
}

#[tokio::test]
async fn a_failed_analysis_pauses_where_it_is_told_to() {
    let bench = serving().await;
    bench.target.set_behaviour(2, bad());
    let outcome = bench
        .process()
        .apply(spec(2, pausing_on_failure()).unwrap())
        .await
        .unwrap();
    assert!(matches!(&outcome, Outcome::Paused(_)), "{outcome}");
    bench.target.set_behaviour(2, Behaviour::default());
    succeeded(
        bench
            .process()
            .apply(spec(2, pausing_on_failure()).unwrap())
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn a_requested_pause_is_heard_while_it_bakes() {
    let bench = serving().await;
    // The commit in which step 1 begins to bake is not the last: pause as soon as it is open.
    let process = bench.process();
    let id = endpoint_id().unwrap();
    let watcher = bench.another_process();
    let asking = async {
        loop {
            if pause(&watcher.deps, &id).await.is_ok() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let (outcome, ()) = tokio::join!(process.apply(spec(2, canary()).unwrap()), asking);
    let outcome = outcome.unwrap();
    assert!(matches!(&outcome, Outcome::Paused(_)), "{outcome}");
    succeeded(
        bench
            .process()
            .apply(spec(2, canary()).unwrap())
            .await
            .unwrap(),
    );
    assert_eq!(bench.target.view(), settled(2));
}

/// Cancels at each call that the update makes, in turn: the call is dropped, and traffic is with
/// the old revision by the very next call that moves weights.
#[tokio::test]
async fn an_interrupt_at_any_call_is_rolled_back() {
    let mut rolled_back = 0;
    for call in 1.. {
        let bench = serving().await;
        let process = bench.process();
        bench.target.take_calls();
        bench.target.set_fault(Some(Fault {
            call,
            at: FaultAt::Cancel(process.cancel.clone()),
        }));
        let outcome = process.apply(spec(2, canary()).unwrap()).await;
        if call == 1 {
            // The look at what runs, before anything is begun.
            assert_eq!(outcome.unwrap_err().class(), Class::Cancelled);
            continue;
        }
        let calls = bench.target.take_calls();
        let outcome = outcome.unwrap();
        if !process.cancel.is_cancelled() {
            succeeded(outcome);
            break;
        }
        assert_eq!(bench.target.lost(), 0.0, "call {call}: {calls:?}");
        match outcome {
            Outcome::InterruptedRolledBack(_) => {
                rolled_back += 1;
                assert_eq!(bench.target.view(), settled(1), "call {call}: {calls:?}");
                let at = usize::try_from(call).unwrap() - 1;
                if calls[..at].contains(&"set_weights") {
                    assert_eq!(
                        calls[at + 1],
                        "set_weights",
                        "the first act gives traffic back: {calls:?}"
                    );
                }
            }
            // Past the point of no return it goes on.
            other => assert_eq!(
                (succeeded(other).revision, bench.target.view()),
                (2, settled(2))
            ),
        }
        succeeded(
            bench
                .process()
                .apply(spec(2, canary()).unwrap())
                .await
                .unwrap(),
        );
        assert_eq!(bench.target.view(), settled(2));
    }
    assert!(rolled_back > 10, "{rolled_back}");
}

#[tokio::test]
async fn an_interrupted_deployment_that_resumes_gives_traffic_back_meanwhile() {
    let bench = serving().await;
    let process = bench.process();
    bench.target.set_fault(Some(Fault {
        call: 12,
        at: FaultAt::Cancel(process.cancel.clone()),
    }));
    let outcome = process.apply(spec(2, resuming()).unwrap()).await.unwrap();
    let Outcome::InterruptedOpen(stopped) = &outcome else {
        panic!("{outcome}")
    };
    let view = bench.target.view();
    assert_eq!(
        view.servers[&18080]
            .revisions
            .iter()
            .map(|r| r.share / 1_000_000)
            .collect::<Vec<_>>(),
        [100, 0]
    );
    let record = succeeded(
        bench
            .process()
            .apply(spec(2, resuming()).unwrap())
            .await
            .unwrap(),
    );
    assert_eq!(
        (record.deployment, bench.target.view()),
        (stopped.deployment.clone(), settled(2))
    );
}

#[tokio::test]
async fn two_applies_at_once_refuse_the_second_naming_the_first() {
    let bench = serving().await;
    let first = bench.process();
    // The first hangs in a call that nobody cancels.
    bench.target.set_fault(Some(Fault {
        call: 5,
        at: FaultAt::Cancel(CancellationToken::new()),
    }));
    let second = bench.another_process();
    let outcome = tokio::select! {
        biased;
        outcome = first.apply(spec(2, canary()).unwrap()) => panic!("it hangs: {outcome:?}"),
        outcome = second.apply(spec(3, canary()).unwrap()) => outcome.unwrap(),
    };
    let Outcome::Refused { message, holder } = outcome else {
        panic!("{outcome}")
    };
    assert!(
        holder
            .as_deref()
            .unwrap()
            .starts_with("a test, deployment "),
        "{holder:?}"
    );
    assert!(
        message.contains("endpoint local/digits is held by a test, deployment"),
        "{message}"
    );
}

#[tokio::test]
async fn an_undo_that_fails_locks_the_endpoint_until_it_is_repaired() {
    let bench = serving().await;
    bench.target.set_behaviour(2, bad());
    bench.target.set_broken("remove", Some(Class::Denied));
    let process = bench.process();
    let outcome = process.apply(spec(2, canary()).unwrap()).await.unwrap();
    assert!(matches!(&outcome, Outcome::UndoFailed(_)), "{outcome}");
    assert!(
        outcome
            .to_string()
            .contains("mlops endpoint repair local/digits"),
        "{outcome}"
    );
    let view = bench.target.view();
    assert_eq!(
        view.servers[&18080]
            .revisions
            .iter()
            .map(|r| r.share / 1_000_000)
            .collect::<Vec<_>>(),
        [100, 0]
    );

    bench.target.take_calls();
    let next = bench
        .process()
        .apply(spec(3, canary()).unwrap())
        .await
        .unwrap();
    assert!(matches!(&next, Outcome::Locked(_)), "{next}");
    assert!(
        bench.target.take_calls().is_empty(),
        "a locked endpoint is left alone"
    );

    let id = endpoint_id().unwrap();
    let still = repair(&bench.process().deps, &id, "ann", false)
        .await
        .unwrap();
    assert!(matches!(&still, Outcome::UndoFailed(_)), "{still}");
    bench.target.set_broken("remove", None);
    let repaired = repair(&bench.process().deps, &id, "ann", false)
        .await
        .unwrap();
    assert!(matches!(&repaired, Outcome::RolledBack(_)), "{repaired}");
    assert_eq!(bench.target.view(), settled(1));
    succeeded(
        bench
            .process()
            .apply(spec(3, canary()).unwrap())
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn a_repair_by_force_takes_back_everything_but_what_cannot_be() {
    let bench = Bench::new().await.unwrap();
    bench.target.set_behaviour(
        1,
        Behaviour {
            passes_smoke: false,
            ..Behaviour::default()
        },
    );
    bench.target.set_broken("remove", Some(Class::Denied));
    let process = bench.process();
    let mut request = process.request(spec(1, canary()).unwrap());
    let main = crate::names::VariantName::new("main").unwrap();
    let golden = SmokeRequest {
        inputs: serde_json::json!([[1.0]]),
        expect: None,
    };
    request.smoke.insert(main, golden);
    let outcome = crate::endpoint::apply(&process.deps, request)
        .await
        .unwrap();
    assert!(matches!(&outcome, Outcome::UndoFailed(_)), "{outcome}");
    assert_eq!(bench.target.view().servers.len(), 1);

    let id = endpoint_id().unwrap();
    let deps = &bench.process().deps;
    let forced = repair(deps, &id, "ann", true).await.unwrap();
    assert!(matches!(&forced, Outcome::Abandoned(_)), "{forced}");
    let text = forced.to_string();
    assert!(text.contains("remove is broken in this world"), "{text}");
    assert_eq!(bench.target.view(), WorldView::default());
    assert_eq!(bound(&deps.registry).await, Vec::<u64>::new());
    let seen = status(deps, &id).await.unwrap();
    assert_eq!((seen.open, seen.lease.unwrap().holder), (None, None));
}

#[tokio::test]
async fn a_time_limit_rolls_back() {
    let bench = serving().await;
    let process = bench.process();
    let mut request = process.request(spec(2, canary()).unwrap());
    request.time_limit = Some(std::time::Duration::from_secs(3));
    let outcome = crate::endpoint::apply(&process.deps, request)
        .await
        .unwrap();
    assert!(matches!(&outcome, Outcome::RolledBack(_)), "{outcome}");
    assert_eq!(bench.target.view(), settled(1));
}

#[tokio::test]
async fn a_stale_plan_is_refused() {
    let bench = serving().await;
    let process = bench.process();
    let mut request = process.request(spec(2, canary()).unwrap());
    request.base = Some(7);
    let error = crate::endpoint::apply(&process.deps, request)
        .await
        .unwrap_err();
    assert!(
        error.is_conflict() && error.to_string().contains("plan again"),
        "{error}"
    );
    let mut request = process.request(spec(2, canary()).unwrap());
    request.create = true;
    let error = crate::endpoint::apply(&process.deps, request)
        .await
        .unwrap_err();
    assert!(
        error.is_conflict() && error.to_string().contains("import it"),
        "{error}"
    );
}

#[tokio::test]
async fn the_logs_that_are_kept_of_a_failure_hold_no_value_of_an_environment() {
    let bench = serving().await;
    bench.target.set_behaviour(2, bad());
    let mut secret = spec(2, canary()).unwrap();
    for variant in secret.variants.values_mut() {
        variant
            .environment
            .insert("TOKEN".to_owned(), "hunter22".to_owned());
    }
    let process = bench.process();
    let outcome = process.apply(secret).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let subject = crate::registry::events::Subject::Endpoint("local/digits".to_owned());
    let events = process
        .deps
        .registry
        .events(&subject, None, None, 500)
        .await
        .unwrap();
    let events = format!("{events:?}");
    assert!(events.contains("server.log"), "{events}");
    assert!(events.contains("TOKEN"), "{events}");
    assert!(events.contains("***"), "{events}");
    assert!(!events.contains("hunter22"), "{events}");
}

/// A model whose server says why it cannot load it, with a secret in it.
#[tokio::test]
async fn a_failures_reason_holds_no_secret_in_the_outcome_the_journal_and_the_events() {
    let bench = serving().await;
    bench.target.set_broken_saying(
        "ensure_revision",
        Class::Invalid,
        "GET https://ann:hunter22@models/x: password=hunter23, Bearer hunter24-abc",
    );
    let process = bench.process();
    let outcome = process.apply(spec(2, canary()).unwrap()).await.unwrap();
    assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
    let registry = &process.deps.registry;
    let subject = crate::registry::events::Subject::Endpoint("local/digits".to_owned());
    let events = registry.events(&subject, None, None, 500).await.unwrap();
    let closed = crate::endpoint::closed_deployments(registry, "local/digits");
    let told = format!("{outcome} {events:?} {:?}", closed.await.unwrap());
    assert!(told.contains("https://ann:***@models/x"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}
