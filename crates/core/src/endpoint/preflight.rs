//! What a target sees of what is around an endpoint that a change would fail of. It only reads.

use std::collections::BTreeSet;

use super::plan::{self, ServerChange, VariantChange};
use super::record::EndpointRecord;
use super::spec::{EndpointSpec, TargetSpec};
use super::{Period, store, validate};
use crate::registry::Registry;
use crate::target::{Check, Finding, FrontChange, PreflightAsked, Target};

/// Asks the target for these checks. A version that the plan does not know yet counts as a new one.
pub async fn preflight(
    registry: &Registry,
    target: &dyn Target,
    spec: &EndpointSpec,
    record: Option<&EndpointRecord>,
    checks: BTreeSet<Check>,
) -> Vec<Finding> {
    // A process on this machine needs nothing of others.
    if checks.is_empty() || matches!(spec.target, TargetSpec::Local(_)) {
        return Vec::new();
    }
    let satisfied = record.is_none_or(|record| target.satisfies(&record.server, spec));
    let open = store::open_journal(registry, &spec.id().to_string()).await;
    // Whoever cannot read the registry is told so by those who need it.
    let is_open = open.is_ok_and(|open| open.is_some());
    let asked = asked(spec, record, satisfied, is_open, checks);
    target.preflight(spec, &asked).await
}

/// What the change adds to what is there.
fn asked(
    spec: &EndpointSpec,
    record: Option<&EndpointRecord>,
    satisfied: bool,
    is_open: bool,
    checks: BTreeSet<Check>,
) -> PreflightAsked {
    let plan = plan::plan(spec, record, None, satisfied);
    let changed = || {
        let variants = plan.variants.iter();
        variants.filter(|(_, change)| **change != VariantChange::Keep)
    };
    let starts = changed().map(|(name, _)| {
        let scaled = spec.autoscaling(name);
        scaled.map_or(1, |scaled| u64::from(scaled.min))
    });
    let shifts = changed().any(|(_, change)| *change == VariantChange::Shift);
    let loads = changed().filter_map(|(name, _)| spec.variants.get(name));
    // What tasks run on may have to start first.
    let machines = match &spec.target {
        TargetSpec::Ecs(ecs) => ecs.capacity.patience(),
        TargetSpec::Local(_) => Period::ZERO,
    };
    PreflightAsked {
        checks,
        starts: starts.sum(),
        revisions: changed().count().try_into().unwrap_or(u64::MAX),
        front: match plan.server {
            _ if is_open => FrontChange::Unsettled,
            ServerChange::Keep | ServerChange::TakeOver => FrontChange::Keep,
            ServerChange::Start => FrontChange::First,
            ServerChange::Replace => FrontChange::Another,
        },
        takes: match shifts {
            true => validate::planned_time(spec),
            false => Period::ZERO,
        },
        loads: loads
            .map(|variant| variant.startup_timeout.plus(machines))
            .max()
            .map_or(Period::ZERO, |longest| {
                longest.plus(spec.stabilization_window())
            }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::conformance::saga::{Bench, spec};
    use crate::endpoint::spec::{RolloutSpec, RolloutStep, Strategy};
    use crate::endpoint::{Outcome, Percent};

    fn rollout() -> RolloutSpec {
        let step = |traffic: u8, bake| RolloutStep {
            traffic: Percent::from(traffic),
            bake: Period::seconds(bake),
            pause: false,
        };
        RolloutSpec {
            strategy: Strategy::Canary,
            steps: vec![step(10, 60), step(100, 0)],
            terminate_after: Period::seconds(30),
            ..RolloutSpec::default()
        }
    }

    async fn record() -> EndpointRecord {
        let bench = Bench::new().await.expect("a bench");
        let spec = spec(1, rollout()).expect("legal");
        match bench.process().apply(spec).await.expect("it serves") {
            Outcome::Succeeded { record, .. } => *record,
            other => panic!("{other:?}"),
        }
    }

    /// What is asked, without what is the same for all.
    fn told(spec: &EndpointSpec, record: Option<&EndpointRecord>) -> PreflightAsked {
        asked(spec, record, true, false, BTreeSet::new())
    }

    #[tokio::test]
    async fn as_many_instances_start_as_the_variants_that_change_have_at_least() {
        let mut asked_for = spec(1, rollout()).expect("legal");
        let first = told(&asked_for, None);
        assert_eq!((first.starts, first.revisions), (1, 1));
        assert_eq!(first.front, FrontChange::First);
        asked_for.autoscaling = serde_json::from_value(json!({"min": 3, "max": 9})).ok();
        let other = asked_for.variants.values().next().cloned().expect("one");
        let name = "other".parse().expect("a name");
        asked_for.variants.insert(name, other);
        let two = told(&asked_for, None);
        assert_eq!((two.starts, two.revisions), (6, 2));
        for variant in asked_for.variants.values_mut().take(1) {
            variant.autoscaling = serde_json::from_value(json!({"min": 5, "max": 5})).ok();
        }
        assert_eq!(told(&asked_for, None).starts, 8);
    }

    #[tokio::test]
    async fn what_serves_already_starts_nothing_and_what_is_new_takes_its_rollout() {
        let record = record().await;
        let same = told(&record.spec, Some(&record));
        assert_eq!((same.starts, same.revisions), (0, 0));
        assert_eq!((same.front, same.takes), (FrontChange::Keep, Period::ZERO));
        let next = spec(2, rollout()).expect("legal");
        let moved = told(&next, Some(&record));
        assert_eq!((moved.starts, moved.revisions), (1, 1));
        assert_eq!(moved.front, FrontChange::Keep);
        assert_eq!(moved.takes, validate::planned_time(&next));
        assert!(moved.takes >= Period::seconds(90), "{}", moved.takes);
        assert_eq!(told(&next, None).takes, Period::ZERO, "no step bakes");
        assert!(moved.loads > Period::ZERO);
    }

    #[test]
    fn instances_that_have_to_start_first_take_their_time() {
        let loads = |capacity: &str, value: serde_json::Value| {
            let mut asked_for = spec(1, rollout()).expect("legal");
            let mut target = json!({
                "cluster": "mlops-digits", "creates_cluster": true, "execution_role_arn": "e", "task_role_arn": "t", "image": "",
                "network": {"subnets": ["a"]},
                "ingress": {"listener": {"load_balancer_arn": "alb", "port": {"fixed": 80}}},
            });
            target[capacity] = value;
            asked_for.target = serde_json::from_value(json!({"ecs": target})).expect("a target");
            told(&asked_for, None).loads.duration()
        };
        let own = json!({"instance_type": "m7i.large", "instance_profile": "ecs", "min_size": 0, "max_size": 2, "capacity_timeout": "20m"});
        let shared = loads("launch_type", json!("FARGATE"));
        assert!(!shared.is_zero());
        assert_eq!(
            loads("asg", own),
            shared + std::time::Duration::from_secs(1200)
        );
    }

    #[tokio::test]
    async fn another_place_is_counted_unless_an_earlier_deployment_is_open() {
        let record = record().await;
        let front = |record, satisfied, is_open| {
            let spec = spec(1, rollout()).expect("legal");
            asked(&spec, record, satisfied, is_open, BTreeSet::new()).front
        };
        assert_eq!(front(Some(&record), false, false), FrontChange::Another);
        assert_eq!(front(Some(&record), true, false), FrontChange::Keep);
        for record in [Some(&record), None] {
            assert_eq!(front(record, true, true), FrontChange::Unsettled);
        }
    }
}
