use super::*;
use crate::conformance::saga::{Process, When};
use crate::endpoint::spec::EndpointSpec;
use crate::endpoint::{ClosedAs, closed_deployments, open_deployment};

/// What the killed process was doing.
#[derive(Debug, Clone, Copy)]
enum Doing {
    Create,
    Update,
    UpdateThatResumes,
    FailingUpdate,
    Delete,
}

impl Doing {
    const ALL: [Self; 5] = [
        Self::Create,
        Self::Update,
        Self::UpdateThatResumes,
        Self::FailingUpdate,
        Self::Delete,
    ];

    fn wanted(self) -> EndpointSpec {
        match self {
            Self::Create => spec(1, canary()),
            Self::UpdateThatResumes => spec(2, resuming()),
            _ => spec(2, canary()),
        }
        .unwrap()
    }
}

async fn act(process: &Process, doing: Doing) -> crate::Result<Outcome> {
    match doing {
        Doing::Delete => process.delete().await,
        _ => process.apply(doing.wanted()).await,
    }
}

async fn closed(process: &Process) -> usize {
    let closed = closed_deployments(&process.deps.registry, "local/digits").await;
    closed.unwrap().len()
}

async fn is_open(process: &Process) -> bool {
    let id = endpoint_id().unwrap();
    let open = open_deployment(&process.deps.registry, &id).await;
    open.unwrap().is_some()
}

/// Whether the endpoint's lease names a holder, dead or alive.
async fn is_held(process: &Process) -> bool {
    let status = process.deps.registry.lease_status("endpoint local/digits");
    let status = status.await.unwrap();
    status.is_some_and(|status| status.holder.is_some())
}

/// The process dies at each commit in turn, before and after it takes effect. The next process
/// does what was asked for again: nothing is orphaned, nothing is open, no request was lost.
#[tokio::test]
async fn a_process_killed_at_any_journal_write_is_continued_or_taken_back() {
    let (mut runs, mut all) = (0, 0);
    println!("kill x write of the registry, in memory");
    for doing in Doing::ALL {
        for when in [When::Before, When::After] {
            let mut kills = 0;
            for commit in 1.. {
                let bench = match doing {
                    Doing::Create => Bench::new().await.unwrap(),
                    _ => serving().await,
                };
                bench.target.set_load(100.0);
                if matches!(doing, Doing::FailingUpdate) {
                    bench.target.set_behaviour(2, bad());
                }
                let before = closed(&bench.process()).await;
                let killed = bench.process_killed_at(commit, when);
                drop(act(&killed, doing).await);
                let died = killed.is_dead();
                runs += 1;

                let next = bench.process();
                let (held, open) = (is_held(&next).await, is_open(&next).await);
                assert!(
                    !held || open || closed(&next).await == before,
                    "{doing:?} killed at commit {commit} {when:?}: the journal is closed and the lease is held"
                );
                let outcome = act(&next, doing).await.unwrap();
                let context = format!("{doing:?} killed at commit {commit} {when:?}: {outcome}");
                let registry = &next.deps.registry;
                let expected = match doing {
                    Doing::Create => Some(1),
                    Doing::Update | Doing::UpdateThatResumes => Some(2),
                    Doing::FailingUpdate => {
                        assert!(matches!(outcome, Outcome::RolledBack(_)), "{context}");
                        Some(1)
                    }
                    Doing::Delete => None,
                };
                assert_eq!(
                    bench.target.view(),
                    expected.map(settled).unwrap_or_default(),
                    "{context}"
                );
                assert_eq!(
                    bound(registry).await,
                    expected.into_iter().collect::<Vec<u64>>(),
                    "{context}"
                );
                let record = recorded(registry).await;
                let runs = record.map(|r| r.target_versions().into_values().collect::<Vec<_>>());
                assert_eq!(runs, expected.map(|version| vec![version]), "{context}");
                let open = open_deployment(registry, &endpoint_id().unwrap())
                    .await
                    .unwrap();
                assert_eq!(open, None, "{context}");
                assert!(!is_held(&next).await, "{context}");
                assert_eq!(bench.target.lost(), 0.0, "{context}");
                if !died {
                    break;
                }
                kills += 1;
            }
            assert!(kills > 4, "{doing:?} {when:?}: {kills} kills");
            // Each of them was held against what is left and what runs, above.
            let (doing, when) = (format!("{doing:?}"), format!("{when:?}"));
            println!(
                "{doing:17} {when:6} its commit: {kills:3} kills, {kills:3} converged, orphans 0"
            );
            all += kills;
        }
    }
    println!("kill matrix: {runs} runs, {all} kills, orphans 0");
}

#[tokio::test]
async fn a_killed_deployment_that_resumes_keeps_its_name() {
    let bench = serving().await;
    let killed = bench.process_killed_at(12, When::After);
    drop(killed.apply(spec(2, resuming()).unwrap()).await);
    assert!(killed.is_dead());
    let next = bench.process();
    let open = open_deployment(&next.deps.registry, &endpoint_id().unwrap())
        .await
        .unwrap()
        .unwrap();
    let record = succeeded(next.apply(spec(2, resuming()).unwrap()).await.unwrap());
    assert_eq!(record.deployment, open.deployment);
}

#[tokio::test]
async fn a_killed_deployment_that_rolls_back_is_tried_under_the_next_attempt() {
    let bench = serving().await;
    drop(
        bench
            .process_killed_at(12, When::After)
            .apply(spec(2, canary()).unwrap())
            .await,
    );
    let next = bench.process();
    let record = succeeded(next.apply(spec(2, canary()).unwrap()).await.unwrap());
    assert_eq!(record.deployment.attempt, 2);
    let closed = closed_deployments(&next.deps.registry, "local/digits")
        .await
        .unwrap();
    let outcomes: Vec<ClosedAs> = closed.iter().map(|closed| closed.outcome).collect();
    assert_eq!(
        outcomes,
        [
            ClosedAs::Succeeded,
            ClosedAs::RolledBack,
            ClosedAs::Succeeded
        ]
    );
}

/// The answers of commits get lost, and the process lives on.
#[tokio::test]
async fn a_store_that_loses_answers_is_asked_what_happened() {
    for doing in [Doing::Update, Doing::FailingUpdate, Doing::Delete] {
        let bench = serving().await;
        let process = bench.process();
        bench.target.set_behaviour(
            2,
            if matches!(doing, Doing::FailingUpdate) {
                bad()
            } else {
                Behaviour::default()
            },
        );
        let busy = async {
            loop {
                bench.records.lose_answers(1);
                for _ in 0..7 {
                    tokio::task::yield_now().await;
                }
            }
        };
        // The lease itself is not what is tested here.
        let outcome = tokio::select! {
            outcome = act(&process, doing) => outcome,
            () = busy => unreachable!("it never ends"),
        };
        match (doing, outcome) {
            (_, Err(error)) => assert_eq!(
                error.class(),
                crate::Class::Unavailable,
                "{doing:?}: {error}"
            ),
            (Doing::Delete, Ok(outcome)) => assert_eq!(outcome, Outcome::Deleted),
            (Doing::FailingUpdate, Ok(outcome)) => {
                assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}")
            }
            (_, Ok(outcome)) => drop(succeeded(outcome)),
        }
    }
}

#[tokio::test]
async fn a_newer_programs_journal_is_left_alone() {
    use crate::registry::documents;
    let bench = serving().await;
    drop(
        bench
            .process_killed_at(12, When::After)
            .apply(spec(2, canary()).unwrap())
            .await,
    );
    let process = bench.process();
    let registry = &process.deps.registry;
    let key = crate::records::Key::new("journal#local/digits", "open");
    let mut journal = registry
        .document::<serde_json::Value>(&key)
        .await
        .unwrap()
        .unwrap();
    journal.body["saga"]["version"] = (crate::endpoint::saga::VERSION + 1).into();
    let expect = crate::records::Expect::Revision(journal.revision);
    registry
        .commit(vec![documents::put(key, expect, &journal.body).unwrap()])
        .await
        .unwrap();
    bench.target.take_calls();
    let error = process.apply(spec(2, canary()).unwrap()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("finish it with the newer program"),
        "{error}"
    );
    assert!(bench.target.take_calls().is_empty());
}
