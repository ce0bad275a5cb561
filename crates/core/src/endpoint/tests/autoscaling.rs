//! Who says how many instances there are: the autoscaler, and while traffic moves the rollout.

use super::images::{on_ecs, version};
use super::*;
use crate::conformance::saga::{Process, When};
use crate::conformance::target::Scaled;
use crate::endpoint::DeleteRequest;
use crate::endpoint::spec::{Autoscaling, EndpointSpec};
use crate::saga::{Drill, FailAt};

pub(super) fn following(min: u32, max: u32) -> Autoscaling {
    serde_json::from_value(serde_json::json!({
        "min": min, "max": max, "policies": { "cpu": { "metric": "cpu", "target": 60.0 } },
    }))
    .unwrap()
}

/// This version, between 1 and 10 instances; 10 % for 5 s, 50 % for 5 s, all.
fn scaled(number: u64) -> EndpointSpec {
    let mut spec = on_ecs(&version(number));
    spec.autoscaling = Some(following(1, 10));
    spec
}

/// Version 1 serves, and its autoscaler has scaled it out to 10.
async fn scaled_out() -> Bench {
    let bench = Bench::new().await.unwrap();
    bench.target.set_load(100.0);
    succeeded(bench.process().apply(scaled(1)).await.unwrap());
    bench.target.set_demand(10);
    assert_eq!(bench.target.scaled(), released(1, 10));
    bench
}

/// So many instances of this version alone, which are the autoscaler's.
fn released(
    version: u64,
    instances: u32,
) -> std::collections::BTreeMap<u64, (u32, Option<Scaled>)> {
    let scaled = Scaled {
        wanted: following(1, 10),
        hold: None,
    };
    [(version, (instances, Some(scaled)))].into()
}

async fn delete(process: &Process, spec: &EndpointSpec) -> Outcome {
    let request = DeleteRequest {
        id: spec.id(),
        by: "a test".to_owned(),
        cancel: Default::default(),
    };
    crate::endpoint::delete(&process.deps, request)
        .await
        .unwrap()
}

/// PAINS: hashicorp/terraform-provider-aws#14337, hashicorp/terraform-provider-aws#335. The new version neither starts with one instance nor loses one on the way, although its autoscaler sees no request at
/// first, and that of the old version fewer and fewer.
#[tokio::test]
async fn no_shift_leaves_less_than_its_share_of_what_the_old_revision_had_scaled_out_to() {
    for strategy in [
        Strategy::AllAtOnce,
        Strategy::Rolling,
        Strategy::BlueGreen,
        Strategy::Canary,
        Strategy::Linear,
    ] {
        let bench = scaled_out().await;
        let mut spec = scaled(2);
        spec.rollout.strategy = strategy;
        match strategy {
            Strategy::Canary => {}
            Strategy::Linear => spec.rollout.steps.truncate(1),
            _ => spec.rollout.steps.clear(),
        }
        succeeded(bench.process().apply(spec).await.unwrap());
        assert_eq!(bench.target.starved(), Vec::<String>::new(), "{strategy:?}");
        assert_eq!(bench.target.scaled(), released(2, 10), "{strategy:?}");
        assert!(bench.target.lost() < 1e-6, "{strategy:?}");
    }
}

/// A smaller `max` holds once the old version is gone: until then it would take what its clients need.
#[tokio::test]
async fn a_smaller_max_comes_into_force_after_the_rollout() {
    let bench = scaled_out().await;
    let mut spec = scaled(2);
    spec.autoscaling = Some(following(2, 4));
    bench.target.take_calls();
    succeeded(bench.process().apply(spec).await.unwrap());
    let (instances, scaled) = bench.target.scaled().remove(&2).unwrap();
    assert_eq!((instances, scaled.unwrap().wanted.max), (4, 4));
    let starved = bench.target.starved();
    assert!(
        starved.iter().all(|one| one.contains("has 4 instances")),
        "{starved:?}"
    );
}

/// Whatever fails, and whoever dies: what serves in the end is its autoscaler's.
#[tokio::test]
async fn a_failure_at_any_step_gives_the_instances_back_to_the_autoscaler() {
    let mut rolled_back = 0;
    for index in 0.. {
        let mut reached = false;
        for at in [FailAt::Begin, FailAt::End] {
            let bench = scaled_out().await;
            let drill = Drill {
                forget: true,
                repeat: true,
                fail: Some((index, at)),
            };
            match bench.process().drilled(drill).apply(scaled(2)).await {
                Ok(Outcome::RolledBack(_)) => {
                    reached = true;
                    rolled_back += 1;
                    assert_eq!(
                        bench.target.scaled(),
                        released(1, 10),
                        "step {index} {at:?}"
                    );
                    assert_eq!(
                        bench.target.starved(),
                        Vec::<String>::new(),
                        "step {index} {at:?}"
                    );
                }
                Err(error) => {
                    reached = true;
                    assert!(error.to_string().contains("\"retire\""), "{error}");
                }
                Ok(outcome) => drop(succeeded(outcome)),
            }
            succeeded(bench.process().apply(scaled(2)).await.unwrap());
            assert_eq!(
                bench.target.scaled(),
                released(2, 10),
                "step {index} {at:?}"
            );
        }
        if !reached {
            break;
        }
    }
    // Each of six steps before the pivot, before and after it did anything.
    assert_eq!(rolled_back, 12);
}

#[tokio::test]
async fn a_kill_at_any_write_gives_the_instances_back_to_the_autoscaler() {
    let mut kills = 0;
    for when in [When::Before, When::After] {
        for commit in 1.. {
            let bench = scaled_out().await;
            let killed = bench.process_killed_at(commit, when);
            drop(killed.apply(scaled(2)).await);
            let died = killed.is_dead();
            succeeded(bench.process().apply(scaled(2)).await.unwrap());
            assert_eq!(bench.target.scaled(), released(2, 10), "{commit} {when:?}");
            assert_eq!(
                bench.target.starved(),
                Vec::<String>::new(),
                "{commit} {when:?}"
            );
            if !died {
                break;
            }
            kills += 1;
        }
    }
    println!("kill x write of the registry, scaled out to 10: {kills} kills");
    assert!(kills > 20, "{kills} kills");
}

#[tokio::test]
async fn other_numbers_are_no_other_revision() {
    let bench = scaled_out().await;
    let before = succeeded(bench.process().apply(scaled(1)).await.unwrap());
    let mut spec = scaled(1);
    spec.autoscaling = Some(following(3, 12));
    bench.target.take_calls();
    let after = succeeded(bench.process().apply(spec.clone()).await.unwrap());
    assert_eq!(after.running, before.running);
    assert_eq!(
        bench.target.scaled()[&1].1.as_ref().unwrap().wanted,
        following(3, 12)
    );
    let calls = bench.target.take_calls();
    assert!(
        calls.contains(&"autoscale") && !calls.contains(&"ensure_revision"),
        "{calls:?}"
    );
    // A variant's own numbers come before those of all.
    let own = spec.variants.values_mut().next().unwrap();
    own.autoscaling = Some(following(4, 4));
    succeeded(bench.process().apply(spec.clone()).await.unwrap());
    assert_eq!(bench.target.scaled()[&1].0, 4);
    // Without any they stay as they are.
    spec.autoscaling = None;
    spec.variants.values_mut().next().unwrap().autoscaling = None;
    succeeded(bench.process().apply(spec.clone()).await.unwrap());
    assert_eq!(bench.target.scaled()[&1], (4, None));
    assert_eq!(delete(&bench.process(), &spec).await, Outcome::Deleted);
}

#[tokio::test]
async fn what_somebody_changed_is_set_again_and_what_nobody_asked_for_is_left() {
    let bench = scaled_out().await;
    for theirs in [None, Some(following(1, 9)), Some(following(2, 10))] {
        bench.target.set_autoscaling(theirs.as_ref());
        succeeded(bench.process().apply(scaled(1)).await.unwrap());
        assert_eq!(bench.target.scaled(), released(1, 10), "{theirs:?}");
    }
    bench.target.take_calls();
    succeeded(bench.process().apply(scaled(1)).await.unwrap());
    let calls = bench.target.take_calls();
    assert!(
        !calls.contains(&"autoscale"),
        "there is nothing to do: {calls:?}"
    );

    let mut spec = scaled(1);
    spec.autoscaling = None;
    succeeded(bench.process().apply(spec.clone()).await.unwrap());
    bench.target.set_autoscaling(Some(&following(5, 6)));
    succeeded(bench.process().apply(spec).await.unwrap());
    assert_eq!(
        bench.target.scaled()[&1].1.as_ref().unwrap().wanted,
        following(5, 6)
    );
}
