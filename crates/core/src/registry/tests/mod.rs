//! What the registry does, over memory.

mod adoption;
mod aliases;
mod elsewhere;
mod keeping;
mod lately;
mod migrate;
mod model_check;
mod models;
mod pending;
mod sweep;
mod sweep_races;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sessions::{HeldHints, HeldInMemory};
use super::*;
use crate::clock::RandomIds;
use crate::memory::{ManualClock, MemoryArtifacts, MemoryRecords, MemorySessions};
use crate::names::VersionId;

/// Two stores and a clock, and registries over them.
struct World {
    records: Arc<MemoryRecords>,
    artifacts: Arc<MemoryArtifacts>,
    clock: Arc<ManualClock>,
    sessions: MemorySessions,
    held: Arc<HeldInMemory>,
}

impl World {
    fn new() -> Self {
        Self {
            records: Arc::default(),
            artifacts: Arc::default(),
            clock: Arc::default(),
            sessions: MemorySessions::default(),
            held: Arc::default(),
        }
    }

    fn registry(&self) -> Registry {
        self.process().0
    }

    /// A registry as a process of its own has it.
    fn process(&self) -> (Registry, MemorySessions) {
        let sessions = self.sessions.another();
        let held: Arc<dyn HeldHints> = self.held.clone();
        let registry = Registry::new(
            self.records.clone(),
            self.artifacts.clone(),
            self.clock.clone(),
            Arc::new(RandomIds),
        )
        .with_sessions(Arc::new(sessions.clone()), held);
        (registry, sessions)
    }

    fn version(&self, accuracy: f64) -> NewVersion {
        let artifact = self.artifacts.put_bytes("model.onnx", b"graph").unwrap();
        NewVersion {
            model: fraud(),
            spec: VersionSpec {
                artifact,
                framework: "onnx".into(),
                image: None,
                signature: None,
                params: BTreeMap::new(),
                lineage: None,
                smoke: None,
            },
            metrics: BTreeMap::from([("accuracy".to_owned(), accuracy)]),
            tags: BTreeMap::new(),
            approval: None,
            deletion_policy: VersionDeletionPolicy::default(),
            nonce: None,
        }
    }
}

fn fraud() -> ModelName {
    ModelName::new("fraud").unwrap()
}

fn id(text: &str) -> VersionId {
    text.parse().unwrap()
}

fn accuracy() -> ModelSpec {
    let metric = MetricSpec {
        goal: Goal::Maximize,
        min: Some(0.0),
        max: Some(1.0),
        unit: None,
    };
    ModelSpec {
        metrics: BTreeMap::from([("accuracy".to_owned(), metric)]),
        ..ModelSpec::default()
    }
}

fn gated(promotion: Promotion) -> ModelSpec {
    ModelSpec {
        promotion: Some(promotion),
        ..accuracy()
    }
}

fn champion(version: Option<u64>) -> SetAlias {
    SetAlias {
        model: fraud(),
        name: "champion".parse().unwrap(),
        version,
        enforce_promotion: true,
        override_reason: None,
        if_revision: None,
        by: Some("ann".into()),
    }
}
