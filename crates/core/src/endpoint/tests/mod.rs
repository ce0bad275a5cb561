//! The endpoint's saga over the world in memory.

mod alarms;
mod autoscaling;
mod by_registry;
mod crowds;
mod drills;
mod health;
mod images;
mod kills;
mod rollouts;
mod sources;
mod standby;
mod stops;
mod stores;
mod unseen;
mod whole;

use crate::conformance::saga::{Bench, endpoint_id, spec};
use crate::conformance::target::{Behaviour, WorldView};
use crate::endpoint::spec::{
    Analysis, OnFailure, OnInterrupt, RolloutSpec, RolloutStep, Strategy, default_max_wait,
};
use crate::endpoint::{EndpointRecord, Outcome, Percent, Period, record};
use crate::registry::Registry;
use crate::rollout::Source;

/// 10 % for 5 s, 50 % for 5 s, all; no more than 2 % errors.
fn canary() -> RolloutSpec {
    let step = |traffic: u8, bake| RolloutStep {
        traffic: Percent::from(traffic),
        bake: Period::seconds(bake),
        pause: false,
    };
    let errors = Analysis {
        source: Source::Server {
            query: "error_rate".parse().unwrap(),
        },
        condition: "result < 0.02".parse().unwrap(),
        interval: Period::seconds(1),
        count: None,
        failure_limit: 0,
        start_after_step: 0,
        max_wait: default_max_wait(),
    };
    RolloutSpec {
        strategy: Strategy::Canary,
        steps: vec![step(10, 5), step(50, 5), step(100, 0)],
        analysis: [("errors".to_owned(), errors)].into(),
        ..RolloutSpec::default()
    }
}

fn resuming() -> RolloutSpec {
    RolloutSpec {
        on_interrupt: OnInterrupt::Resume,
        ..canary()
    }
}

fn pausing_on_failure() -> RolloutSpec {
    RolloutSpec {
        on_failure: OnFailure::Pause,
        ..canary()
    }
}

/// A bench on which version 1 serves under load.
async fn serving() -> Bench {
    let bench = Bench::new().await.unwrap();
    bench.target.set_load(100.0);
    succeeded(
        bench
            .process()
            .apply(spec(1, canary()).unwrap())
            .await
            .unwrap(),
    );
    bench
}

fn bad() -> Behaviour {
    Behaviour {
        error_rate: 0.2,
        ..Behaviour::default()
    }
}

#[track_caller]
fn succeeded(outcome: Outcome) -> EndpointRecord {
    match outcome {
        Outcome::Succeeded { record, .. } => *record,
        other => panic!("{other}"),
    }
}

/// The apply found everything as it was asked for.
#[track_caller]
fn deployed_nothing(outcome: Outcome) {
    let Outcome::Succeeded {
        deployed: false, ..
    } = outcome
    else {
        panic!("{outcome}")
    };
}

async fn recorded(registry: &Registry) -> Option<EndpointRecord> {
    record(registry, &endpoint_id().unwrap()).await.unwrap()
}

/// The world in which this version alone serves everybody.
fn settled(version: u64) -> WorldView {
    use crate::conformance::target::{RevisionView, ServerView};
    let share = u64::from(crate::serving::WHOLE) * u64::from(crate::serving::WHOLE);
    let revisions = vec![RevisionView {
        variant: "main".to_owned(),
        version,
        share,
    }];
    WorldView {
        servers: [(18080, ServerView { revisions })].into(),
        ports: vec![18080],
    }
}

/// The versions that the registry says the endpoint is bound to.
async fn bound(registry: &Registry) -> Vec<u64> {
    let model = crate::names::ModelName::new("digits").unwrap();
    let mut versions: Vec<u64> = registry
        .bindings(&model)
        .await
        .unwrap()
        .iter()
        .map(|b| b.version.version)
        .collect();
    versions.sort_unstable();
    versions
}
