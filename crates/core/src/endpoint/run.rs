//! One run under one lease: take the lease, open a journal or reopen one, run the saga, close it.

mod end;
mod reopen;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::deployment::{DeploymentId, DeploymentRef};
use super::events::{Note, Notes};
use super::hooks::EndpointHooks;
use super::outcome::Outcome;
use super::ports::EndpointPorts;
use super::saga::{self, EndpointSaga};
use super::spec::OnInterrupt;
use super::state::{DeploymentKind, DeploymentRequest, EndpointState};
use super::store::{self, Afterwards, JournalHandle, Stored};
use crate::error::{Error, Result};
use crate::names::VersionId;
use crate::registry::Registry;
use crate::registry::documents::Document;
use crate::registry::leases::{Holder, Lease};
use crate::rollout::{Meter, NoMeter};
use crate::saga::{Executor, Journal, Phase, Policy};
use crate::target::{Observation, Server, Target};

/// What every operation on an endpoint needs. Cheap to clone.
#[derive(Clone)]
pub struct Deps {
    /// The registry.
    pub registry: Registry,
    /// The target that the endpoint runs on.
    pub target: Arc<dyn Target>,
    /// Who asks the sources of analyses; [`NoMeter`] unless [`Deps::with_meter`] says otherwise.
    pub meter: Arc<dyn Meter>,
    /// How patient runs are; [`Policy::default`] but in tests.
    pub policy: Policy,
}

impl Deps {
    /// With the default policy.
    pub fn new(registry: Registry, target: Arc<dyn Target>) -> Self {
        Self {
            registry,
            target,
            meter: Arc::new(NoMeter),
            policy: Policy::default(),
        }
    }

    /// With this one to ask the sources of analyses.
    #[must_use]
    pub fn with_meter(self, meter: Arc<dyn Meter>) -> Self {
        Self { meter, ..self }
    }
}

/// How long a heartbeat lasts. Longer than the longest call of a step (30 s), because the lease is
/// renewed between calls.
const LEASE: Duration = Duration::from_secs(60);

pub(super) struct Run {
    deps: Deps,
    identity: String,
    lease: Lease,
    ports: Arc<EndpointPorts>,
    cancel: CancellationToken,
    time_limit: Option<Duration>,
    pub(super) by: String,
    /// Whether the commit that closed the journal gave the lease back.
    released: AtomicBool,
}

impl Run {
    /// Takes the endpoint's lease, or says who holds it.
    pub(super) async fn begin(
        deps: &Deps,
        identity: &str,
        by: &str,
        deployment: Option<&DeploymentId>,
        cancel: CancellationToken,
        time_limit: Option<Duration>,
    ) -> Result<Result<Self, Outcome>> {
        let description = match deployment {
            Some(id) => format!("{by}, deployment {}", id.short()),
            None => by.to_owned(),
        };
        let name = store::lease_name(identity);
        let lease = match deps
            .registry
            .acquire_lease(&name, Holder::new(description), LEASE)
            .await
        {
            Ok(lease) => lease,
            Err(error) if error.is_conflict() => {
                let status = deps.registry.lease_status(&name).await?;
                let holder = status
                    .and_then(|status| status.holder)
                    .map(|holder| holder.description);
                return Ok(Err(Outcome::Refused {
                    message: error.to_string(),
                    holder,
                }));
            }
            Err(error) => return Err(error),
        };
        let ports = Arc::new(EndpointPorts {
            target: deps.target.clone(),
            clock: deps.registry.clock().clone(),
            meter: deps.meter.clone(),
            events: Arc::new(Notes::default()),
            last_look: Default::default(),
            registry: deps.registry.clone(),
            identity: identity.to_owned(),
        });
        Ok(Ok(Self {
            deps: deps.clone(),
            identity: identity.to_owned(),
            lease,
            ports,
            cancel,
            time_limit,
            by: by.to_owned(),
            released: AtomicBool::new(false),
        }))
    }

    /// Gives the lease back, unless the last commit did. It expires by itself if that fails.
    pub(super) async fn end(self) {
        if self.released.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.deps.registry.release_lease(&self.lease).await {
            tracing::warn!(error = %error.chain(), "the lease of endpoint {} could not be given back and expires", self.identity);
        }
    }

    /// What the target sees, unless the caller cancels first: nothing was begun by then.
    pub(super) async fn examine(&self, server: &Server) -> Result<Observation> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(self.interrupted_before()),
            seen = self.ports.target.examine(server) => seen,
        }
    }

    fn interrupted_before(&self) -> Error {
        Error::cancelled(format!(
            "the deployment of endpoint {} was interrupted before it began; nothing was done",
            self.identity
        ))
    }

    pub(super) async fn stored(&self) -> Result<Option<Document<Stored>>> {
        store::endpoint(&self.deps.registry, &self.identity).await
    }

    pub(super) fn tell(&self, note: Note) {
        self.ports.events.tell(note);
    }

    /// Opens the journal of a new deployment and runs it.
    pub(super) async fn deploy(&self, mut request: DeploymentRequest) -> Result<Outcome> {
        let now = self.ports.clock.now();
        let saga = saga::saga(&request, &self.ports)?;
        let versions: BTreeSet<VersionId> = versions(request.running.values()).collect();
        let before: BTreeSet<VersionId> = prior_versions(&request).collect();
        request.bound = versions.difference(&before).cloned().collect();
        let mut handle = self.handle(&request.deployment, None);
        let mut journal = Journal {
            saga: saga::id(&request),
            phase: Phase::Forward,
            stop: None,
            undo_failure: None,
            steps: Vec::new(),
            opened_at: now,
            updated_at: now,
            state: EndpointState::new(request, saga.provision.clone()),
        };
        let hooks = EndpointHooks::new(&self.ports, saga.server);
        let executor = self.executor(&saga, &hooks, &journal.state.request);
        journal.steps = executor.entries(&journal.state)?;
        self.tell(opened_note(&journal.state.request));
        // Whoever binds the same version meanwhile, or moves an alias to it, changes its record: read it again.
        let mut attempts = self.deps.registry.attempts();
        loop {
            if self.cancel.is_cancelled() {
                return Err(self.interrupted_before());
            }
            let mut riding = Vec::new();
            for version in &journal.state.request.bound {
                riding.extend(
                    self.deps
                        .registry
                        .bind_writes(version, &self.identity)
                        .await?,
                );
            }
            match handle.open(&journal, riding).await {
                Ok(()) => break,
                Err(error) if error.is_conflict() => {
                    // A lease that was lost ends this here, with the name of who has it.
                    self.deps.registry.heartbeat(&self.lease).await?;
                    if !attempts.again().await {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let ending = executor.run(&mut journal, &mut handle).await?;
        self.finish(&mut handle, &journal, ending, Afterwards::Release)
            .await
    }

    fn handle(&self, deployment: &DeploymentRef, revision: Option<u64>) -> JournalHandle {
        JournalHandle::new(
            self.deps.registry.clone(),
            self.lease.clone(),
            &self.identity,
            deployment.clone(),
            self.ports.events.clone(),
            revision,
        )
    }

    fn executor<'a>(
        &'a self,
        saga: &'a EndpointSaga,
        hooks: &'a EndpointHooks,
        request: &DeploymentRequest,
    ) -> Executor<'a, EndpointState> {
        let resume_on_interrupt = request.spec.rollout.on_interrupt == OnInterrupt::Resume;
        Executor {
            nodes: &saga.nodes,
            clock: self.ports.clock.as_ref(),
            cancel: &self.cancel,
            policy: Policy {
                resume_on_interrupt,
                time_limit: self.time_limit,
                ..self.deps.policy.clone()
            },
            hooks,
        }
    }
}

fn versions<'a>(
    revisions: impl Iterator<Item = &'a crate::target::Revision>,
) -> impl Iterator<Item = VersionId> {
    // An image is in no registry: it binds nothing.
    revisions.filter_map(|revision| revision.workload.version_id())
}

fn prior_versions(request: &DeploymentRequest) -> impl Iterator<Item = VersionId> {
    versions(
        request
            .prior
            .iter()
            .flat_map(|prior| prior.running.values().chain(prior.standby.values())),
    )
}

fn opened_note(request: &DeploymentRequest) -> Note {
    let what = match request.kind {
        DeploymentKind::Create => "create",
        DeploymentKind::Update => "update",
        DeploymentKind::Delete => "delete",
    };
    let variants: Vec<String> = request
        .running
        .iter()
        .map(|(name, revision)| format!("{name}={}", revision.workload))
        .collect();
    Note::new(
        "deployment.begun",
        format!("{what} by {}: {}", request.by, variants.join(" ")),
    )
}
