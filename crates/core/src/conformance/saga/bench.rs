//! An endpoint in memory: a registry with a few versions, a world, a clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::killed::{Killed, When};
use crate::clock::{Clock, RandomIds};
use crate::conformance::target::MemoryTarget;
use crate::endpoint::spec::RolloutSpec;
use crate::endpoint::{ApplyRequest, DeleteRequest, Deps, EndpointSpec, Outcome, apply, delete};
use crate::error::Result;
use crate::memory::{ManualClock, MemoryArtifacts, MemoryRecords, MemorySessions};
use crate::names::{EndpointId, EndpointName, ModelName};
use crate::records::Records;
use crate::registry::Registry;
use crate::registry::sessions::HeldInMemory;
use crate::registry::{ModelSpec, NewVersion, VersionDeletionPolicy, VersionSpec};
use crate::saga::Drill;

/// The world outside of any process.
pub struct Bench {
    /// Time.
    pub clock: Arc<ManualClock>,
    /// The store.
    pub records: Arc<MemoryRecords>,
    /// The world.
    pub target: MemoryTarget,
    artifacts: Arc<MemoryArtifacts>,
    process: Mutex<MemorySessions>,
}

/// One process on a [`Bench`].
pub struct Process {
    /// What it works with.
    pub deps: Deps,
    /// Cancels it.
    pub cancel: CancellationToken,
    killed: Option<Arc<Killed>>,
}

impl Bench {
    /// A registry with the versions 1, 2 and 3 of the model `digits`, and an empty world.
    pub async fn new() -> Result<Self> {
        let clock = Arc::new(ManualClock::default());
        let bench = Self {
            records: Arc::new(MemoryRecords::default()),
            target: MemoryTarget::new(clock.clone()),
            artifacts: Arc::new(MemoryArtifacts::default()),
            process: Mutex::new(MemorySessions::default()),
            clock,
        };
        let registry = bench.process().deps.registry;
        let model = ModelName::new("digits")?;
        registry.create_model(&model, ModelSpec::default()).await?;
        for version in 1..=3_u8 {
            let spec = VersionSpec {
                artifact: bench.artifacts.put_bytes("model.onnx", &[version])?,
                framework: "onnx".to_owned(),
                image: None,
                signature: None,
                params: BTreeMap::new(),
                lineage: None,
                smoke: None,
            };
            let new = NewVersion {
                model: model.clone(),
                spec,
                metrics: BTreeMap::new(),
                tags: BTreeMap::new(),
                approval: None,
                deletion_policy: VersionDeletionPolicy::default(),
                nonce: None,
            };
            registry.register_version(new).await?;
        }
        registry.close_session().await?;
        Ok(bench)
    }

    /// A new process; all earlier ones are dead.
    pub fn process(&self) -> Process {
        self.start(self.records.clone(), None, true)
    }

    /// A new process beside those that live.
    pub fn another_process(&self) -> Process {
        self.start(self.records.clone(), None, false)
    }

    /// A new process that dies at its n-th commit; all earlier ones are dead.
    pub fn process_killed_at(&self, commit: u64, when: When) -> Process {
        let killed = Arc::new(Killed::at(self.records.clone(), commit, when));
        self.start(killed.clone(), Some(killed), true)
    }

    fn start(
        &self,
        records: Arc<dyn Records>,
        killed: Option<Arc<Killed>>,
        alone: bool,
    ) -> Process {
        let mut current = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if alone {
            current.kill();
        }
        let session = current.another();
        *current = session.clone();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let registry = Registry::new(records, self.artifacts.clone(), clock, Arc::new(RandomIds))
            .with_sessions(Arc::new(session), Arc::new(HeldInMemory::default()));
        let deps = Deps::new(registry, Arc::new(self.target.clone()));
        Process {
            deps,
            cancel: CancellationToken::new(),
            killed,
        }
    }
}

impl Process {
    /// The same process under a drill.
    #[must_use]
    pub fn drilled(mut self, drill: Drill) -> Self {
        self.deps.policy.drill = drill;
        self
    }

    /// Whether it was killed.
    pub fn is_dead(&self) -> bool {
        self.killed.as_ref().is_some_and(|killed| killed.is_dead())
    }

    /// Applies this specification over whatever runs.
    pub async fn apply(&self, spec: EndpointSpec) -> Result<Outcome> {
        apply(&self.deps, self.request(spec)).await
    }

    /// The request of [`Process::apply`].
    pub fn request(&self, spec: EndpointSpec) -> ApplyRequest {
        ApplyRequest {
            spec,
            base: None,
            create: false,
            takes_over: false,
            smoke: BTreeMap::new(),
            by: "a test".to_owned(),
            cancel: self.cancel.clone(),
            time_limit: None,
        }
    }

    /// Deletes the endpoint.
    pub async fn delete(&self) -> Result<Outcome> {
        let id = endpoint_id()?;
        delete(
            &self.deps,
            DeleteRequest {
                id,
                by: "a test".to_owned(),
                cancel: self.cancel.clone(),
            },
        )
        .await
    }
}

/// The endpoint's id on every bench.
pub fn endpoint_id() -> Result<EndpointId> {
    Ok(EndpointId::local(EndpointName::new("digits")?))
}

/// One variant with this version of `digits`, rolled out so.
pub fn spec(version: u64, rollout: RolloutSpec) -> Result<EndpointSpec> {
    spec_of(&[("main", version, 100)], rollout)
}

/// Variants with their versions and traffic.
pub fn spec_of(variants: &[(&str, u64, u8)], rollout: RolloutSpec) -> Result<EndpointSpec> {
    use crate::endpoint::spec::{
        Compute, Container, DeletionPolicy, HealthCheck, LocalSpec, PortRange, TargetSpec,
        VariantSpec, Workload, default_startup_timeout,
    };
    let mut map = BTreeMap::new();
    for (name, version, traffic) in variants {
        let variant = VariantSpec {
            workload: Workload::version(
                ModelName::new("digits")?,
                *version,
                format!("digest-{version}"),
            ),
            traffic: crate::endpoint::Percent::from(*traffic),
            shadow_percentage: crate::endpoint::Percent::ZERO,
            environment: BTreeMap::new(),
            compute: Compute::default(),
            container: Container::default(),
            autoscaling: None,
            startup_timeout: default_startup_timeout(),
        };
        map.insert(crate::names::VariantName::new(*name)?, variant);
    }
    Ok(EndpointSpec {
        name: endpoint_id()?.name,
        variants: map,
        target: TargetSpec::Local(LocalSpec {
            port: None,
            port_range: Some(PortRange {
                first: 18080,
                last: 18089,
            }),
        }),
        health_check: HealthCheck::default(),
        autoscaling: None,
        rollout,
        wait_for_steady_state: true,
        drain_seconds: 5,
        deletion_policy: DeletionPolicy::Delete,
        tags: BTreeMap::new(),
    })
}
