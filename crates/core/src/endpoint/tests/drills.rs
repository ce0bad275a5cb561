use super::*;
use crate::conformance::target::{Fault, FaultAt};
use crate::error::Class;
use crate::saga::{Drill, FailAt};

const BOTH: Drill = Drill {
    forget: true,
    repeat: true,
    fail: None,
};

#[tokio::test]
async fn every_call_can_be_repeated_and_memory_lost_in_between() {
    for drill in [
        Drill {
            forget: true,
            ..Drill::default()
        },
        Drill {
            repeat: true,
            ..Drill::default()
        },
        BOTH,
    ] {
        let bench = Bench::new().await.unwrap();
        bench.target.set_load(100.0);
        succeeded(
            bench
                .process()
                .drilled(drill)
                .apply(spec(1, canary()).unwrap())
                .await
                .unwrap(),
        );
        assert_eq!(bench.target.view(), settled(1), "{drill:?}");
        succeeded(
            bench
                .process()
                .drilled(drill)
                .apply(spec(2, canary()).unwrap())
                .await
                .unwrap(),
        );
        assert_eq!(bench.target.view(), settled(2), "{drill:?}");
        bench.target.set_behaviour(3, bad());
        let outcome = bench
            .process()
            .drilled(drill)
            .apply(spec(3, canary()).unwrap())
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::RolledBack(_)), "{outcome}");
        assert_eq!(bench.target.view(), settled(2), "{drill:?}");
        assert_eq!(
            bench.process().drilled(drill).delete().await.unwrap(),
            Outcome::Deleted
        );
        assert_eq!(bench.target.view(), WorldView::default(), "{drill:?}");
    }
}

/// Each step of create (6) and of update (4) fails in turn, before it did anything and after it
/// did everything.
#[tokio::test]
async fn a_failure_at_any_step_leaves_the_world_as_it_was() {
    let mut lines = 0;
    for (before, after) in [(None, 1), (Some(1), 2)] {
        let mut failed = 0;
        for index in 0.. {
            let mut reached = false;
            for at in [FailAt::Begin, FailAt::End] {
                let bench = if before.is_some() {
                    serving().await
                } else {
                    Bench::new().await.unwrap()
                };
                let clean = bench.target.view();
                let drill = Drill {
                    fail: Some((index, at)),
                    ..BOTH
                };
                let outcome = bench
                    .process()
                    .drilled(drill)
                    .apply(spec(after, canary()).unwrap())
                    .await;
                lines += 1;
                match outcome {
                    Ok(Outcome::RolledBack(_)) => {
                        reached = true;
                        failed += 1;
                        assert_eq!(bench.target.view(), clean, "step {index} {at:?}");
                        let registry = bench.process().deps.registry;
                        assert_eq!(
                            bound(&registry).await,
                            before.into_iter().collect::<Vec<u64>>()
                        );
                    }
                    // The last step takes the old one away: from there it only goes forward.
                    Err(error) => {
                        reached = true;
                        assert!(error.to_string().contains("\"retire\""), "{error}");
                    }
                    Ok(outcome) => drop(succeeded(outcome)),
                }
                succeeded(
                    bench
                        .process()
                        .apply(spec(after, canary()).unwrap())
                        .await
                        .unwrap(),
                );
                assert_eq!(bench.target.view(), settled(after), "step {index} {at:?}");
            }
            if !reached {
                break;
            }
        }
        assert_eq!(failed, if before.is_some() { 8 } else { 12 });
    }
    println!("failing steps: {lines} runs");
}

/// Each call to the target fails in turn, without and with its effect, finally or for now.
#[tokio::test]
async fn a_failure_of_any_call_is_taken_back_or_gets_over() {
    let (mut lines, mut rolled_back) = (0, 0);
    type Make = fn(Class) -> FaultAt;
    for make in [FaultAt::Before as Make, FaultAt::After as Make] {
        for class in [Class::Invalid, Class::Unavailable] {
            for call in 2.. {
                let bench = serving().await;
                bench.target.set_fault(Some(Fault {
                    call,
                    at: make(class),
                }));
                bench.target.take_calls();
                let outcome = bench
                    .process()
                    .apply(spec(2, canary()).unwrap())
                    .await
                    .unwrap();
                let calls = bench.target.take_calls();
                let over = calls.len() < usize::try_from(call).unwrap();
                bench.target.set_fault(None);
                lines += 1;
                match outcome {
                    Outcome::RolledBack(_) => {
                        rolled_back += 1;
                        assert_eq!(class, Class::Invalid, "call {call} of {calls:?}");
                        assert_eq!(bench.target.view(), settled(1), "call {call} of {calls:?}");
                    }
                    outcome => drop(succeeded(outcome)),
                }
                assert_eq!(bench.target.lost(), 0.0, "call {call} of {calls:?}");
                succeeded(
                    bench
                        .process()
                        .apply(spec(2, canary()).unwrap())
                        .await
                        .unwrap(),
                );
                assert_eq!(bench.target.view(), settled(2), "call {call} of {calls:?}");
                if over {
                    break;
                }
            }
        }
    }
    assert!(rolled_back > 20, "{rolled_back}");
    println!("failing calls: {lines} runs, {rolled_back} rolled back");
}
