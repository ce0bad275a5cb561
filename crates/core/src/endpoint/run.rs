//! One run under one lease: recover what an earlier process left, run the saga, close the journal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::deployment::{DeploymentId, DeploymentRef};
use super::events::{Note, Notes};
use super::hooks::EndpointHooks;
use super::outcome::{Outcome, Stopped};
use super::ports::EndpointPorts;
use super::record::EndpointRecord;
use super::saga::{self, EndpointSaga};
use super::spec::OnInterrupt;
use super::state::{DeploymentKind, DeploymentRequest, EndpointState};
use super::store::{self, ClosedAs, JournalHandle, Stored};
use crate::error::{Error, Result};
use crate::names::VersionId;
use crate::records::Write;
use crate::registry::Registry;
use crate::registry::documents::Document;
use crate::registry::leases::{Holder, Lease};
use crate::saga::{Ending, Executor, Journal, Phase, Policy, StopKind};
use crate::target::{Observation, Server, Target};

/// What every operation on an endpoint needs. Cheap to clone.
#[derive(Clone)]
pub struct Deps {
    /// The registry.
    pub registry: Registry,
    /// The target that the endpoint runs on.
    pub target: Arc<dyn Target>,
    /// How patient runs are; [`Policy::default`] but in tests.
    pub policy: Policy,
}

impl Deps {
    /// With the default policy.
    pub fn new(registry: Registry, target: Arc<dyn Target>) -> Self {
        Self {
            registry,
            target,
            policy: Policy::default(),
        }
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
            events: Arc::new(Notes::default()),
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
        }))
    }

    /// Gives the lease back. It expires by itself if that fails.
    pub(super) async fn end(self) {
        if let Err(error) = self.deps.registry.release_lease(&self.lease).await {
            tracing::warn!(error = %error.chain(), "the lease of endpoint {} could not be given back and expires", self.identity);
        }
    }

    /// What the target sees, unless the caller cancels first: nothing was begun by then.
    pub(super) async fn observe(&self, server: &Server) -> Result<Observation> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled(format!(
                "the deployment of endpoint {} was interrupted before it began; nothing was done",
                self.identity
            ))),
            seen = self.ports.target.observe(server) => seen,
        }
    }

    pub(super) async fn stored(&self) -> Result<Option<Document<Stored>>> {
        store::endpoint(&self.deps.registry, &self.identity).await
    }

    pub(super) fn tell(&self, note: Note) {
        self.ports.events.tell(note);
    }

    /// Deals with a journal that an earlier run left open: goes on with it if it is `wanted` and
    /// was to be resumed, else takes it back. Its outcome, if it was `wanted` or cannot be closed;
    /// `None` once nothing is open any more.
    pub(super) async fn recover(&self, wanted: Option<&DeploymentId>) -> Result<Option<Outcome>> {
        let Some(open) = store::open_journal(&self.deps.registry, &self.identity).await? else {
            return Ok(None);
        };
        let (mut journal, mut handle, saga) = self.reopen(open)?;
        let is_wanted = wanted == Some(&journal.state.request.deployment.id);
        if journal.phase == Phase::UndoFailed {
            return Ok(Some(Outcome::Locked(stopped(&journal))));
        }
        let hooks = EndpointHooks::new(&self.ports, saga.server);
        let executor = self.executor(&saga, &hooks, &journal.state.request);
        let resumes = journal.state.request.spec.rollout.on_interrupt == OnInterrupt::Resume;
        let all_done = executor.is_complete(&journal.state)?;
        store::clear_pause(&self.deps.registry, &self.identity).await?;
        match journal.phase {
            Phase::Forward if all_done || executor.is_past_pivot(&journal.state)? => {}
            Phase::Forward if is_wanted && resumes => {
                executor.resume(&mut journal, &mut handle).await?
            }
            Phase::Paused | Phase::Interrupted if is_wanted => {
                executor.resume(&mut journal, &mut handle).await?
            }
            Phase::Undo => {}
            _ => {
                let message = "the run that began it ended before it did";
                executor.abandon(&mut journal, &mut handle, message).await?;
            }
        }
        let forward = journal.phase == Phase::Forward;
        let ending = executor.run(&mut journal, &mut handle).await?;
        let outcome = self.finish(&mut handle, &journal, ending).await?;
        Ok(match ending {
            Ending::Undone if !forward => None,
            Ending::Complete if !is_wanted => None,
            _ => Some(outcome),
        })
    }

    /// Goes on with a paused or interrupted deployment, whichever it is.
    pub(super) async fn resume(&self) -> Result<Outcome> {
        let open = store::open_journal(&self.deps.registry, &self.identity).await?;
        let open = open.ok_or_else(|| self.nothing_open())?;
        let (mut journal, mut handle, saga) = self.reopen(open)?;
        let hooks = EndpointHooks::new(&self.ports, saga.server);
        let executor = self.executor(&saga, &hooks, &journal.state.request);
        store::clear_pause(&self.deps.registry, &self.identity).await?;
        match journal.phase {
            Phase::UndoFailed => return Ok(Outcome::Locked(stopped(&journal))),
            Phase::Undo => {}
            Phase::Forward | Phase::Paused | Phase::Interrupted => {
                self.tell(Note::new(
                    "deployment.resumed",
                    format!("resumed by {}", self.by),
                ));
                executor.resume(&mut journal, &mut handle).await?;
            }
        }
        let ending = executor.run(&mut journal, &mut handle).await?;
        self.finish(&mut handle, &journal, ending).await
    }

    /// Tries again to take back what could not be; with `force`, closes the journal even if it
    /// still cannot.
    pub(super) async fn repair(&self, force: bool) -> Result<Outcome> {
        let open = store::open_journal(&self.deps.registry, &self.identity).await?;
        let open = open.ok_or_else(|| self.nothing_open())?;
        let (mut journal, mut handle, saga) = self.reopen(open)?;
        let hooks = EndpointHooks::new(&self.ports, saga.server);
        let executor = self.executor(&saga, &hooks, &journal.state.request);
        if executor.is_complete(&journal.state)? || executor.is_past_pivot(&journal.state)? {
            journal.phase = Phase::Forward;
        } else {
            self.tell(Note::new(
                "deployment.repair",
                format!("repair by {}", self.by),
            ));
            journal.undo_failure = None;
            executor.undo_again(&mut journal, &mut handle).await?;
        }
        let ending = executor.run(&mut journal, &mut handle).await?;
        if ending == Ending::UndoFailed && force {
            self.tell(Note::new(
                "deployment.abandoned",
                format!("closed by force by {}", self.by),
            ));
            let riding = self.unbind(abandoned(&journal.state.request)).await?;
            handle
                .close(&journal, ClosedAs::Abandoned, None, riding)
                .await?;
            return Ok(Outcome::RolledBack(stopped(&journal)));
        }
        self.finish(&mut handle, &journal, ending).await
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
            saga: saga::id(),
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
        // An alias that moves meanwhile changes the version's record: read it again.
        let mut tries = 0;
        loop {
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
                Err(error) if error.is_conflict() && tries < 5 => tries += 1,
                Err(error) => return Err(error),
            }
        }
        let ending = executor.run(&mut journal, &mut handle).await?;
        self.finish(&mut handle, &journal, ending).await
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

    /// Reads an open journal, if this program knows its version.
    fn reopen(
        &self,
        open: Document<Journal<Value>>,
    ) -> Result<(Journal<EndpointState>, JournalHandle, EndpointSaga)> {
        let revision = open.revision;
        let found = open.body;
        if found.saga.name != saga::NAME || found.saga.version > saga::VERSION {
            return Err(Error::corrupt(format!(
                "endpoint {} has a deployment under way that {:?} version {} began, and this program knows {:?} up to {}; finish it with the newer program",
                self.identity,
                found.saga.name,
                found.saga.version,
                saga::NAME,
                saga::VERSION
            )));
        }
        let state: EndpointState = serde_json::from_value(found.state).map_err(|e| {
            Error::corrupt(format!(
                "the journal of endpoint {} is not readable",
                self.identity
            ))
            .because(e)
        })?;
        let saga = saga::saga(&state.request, &self.ports)?;
        let handle = self.handle(&state.request.deployment, Some(revision));
        let journal = Journal {
            saga: found.saga,
            phase: found.phase,
            stop: found.stop,
            undo_failure: found.undo_failure,
            steps: found.steps,
            opened_at: found.opened_at,
            updated_at: found.updated_at,
            state,
        };
        Ok((journal, handle, saga))
    }

    /// Closes the journal where it ended, in one commit with what it ended in.
    async fn finish(
        &self,
        handle: &mut JournalHandle,
        journal: &Journal<EndpointState>,
        ending: Ending,
    ) -> Result<Outcome> {
        let request = &journal.state.request;
        match ending {
            Ending::Complete => self.succeed(handle, journal).await,
            Ending::Undone => {
                let before: BTreeSet<VersionId> = prior_versions(request).collect();
                let unbound = request
                    .bound
                    .iter()
                    .filter(|version| !before.contains(version))
                    .cloned();
                let riding = self.unbind(unbound.collect()).await?;
                let why = journal
                    .stop
                    .as_ref()
                    .map_or("", |stop| stop.message.as_str());
                self.tell(Note::new(
                    "deployment.rolled_back",
                    format!("rolled back: {why}"),
                ));
                handle
                    .close(journal, ClosedAs::RolledBack, None, riding)
                    .await?;
                let interrupted = journal
                    .stop
                    .as_ref()
                    .is_some_and(|stop| stop.kind == StopKind::Interrupted);
                Ok(if interrupted {
                    Outcome::InterruptedRolledBack(stopped(journal))
                } else {
                    Outcome::RolledBack(stopped(journal))
                })
            }
            Ending::Paused => Ok(Outcome::Paused(stopped(journal))),
            Ending::Interrupted => Ok(Outcome::InterruptedOpen(stopped(journal))),
            Ending::UndoFailed => Ok(Outcome::UndoFailed(stopped(journal))),
        }
    }

    async fn succeed(
        &self,
        handle: &mut JournalHandle,
        journal: &Journal<EndpointState>,
    ) -> Result<Outcome> {
        let state = &journal.state;
        let request = &state.request;
        let stored = self.stored().await?;
        let at = stored.as_ref().map(|stored| stored.revision);
        let revision = stored.map_or(0, |stored| stored.body.revision) + 1;
        let running: BTreeSet<VersionId> = versions(request.running.values()).collect();
        let gone: BTreeSet<VersionId> = prior_versions(request)
            .filter(|version| !running.contains(version))
            .collect();
        let riding = self.unbind(gone).await?;
        if request.kind == DeploymentKind::Delete {
            self.tell(Note::new("deployment.succeeded", "deleted"));
            handle
                .close(
                    journal,
                    ClosedAs::Succeeded,
                    Some((
                        at,
                        Stored {
                            revision,
                            live: None,
                        },
                    )),
                    riding,
                )
                .await?;
            return Ok(Outcome::Deleted);
        }
        let saga = saga::saga(request, &self.ports)?;
        let now = self.ports.clock.now();
        let record = EndpointRecord {
            id: request.endpoint,
            name: request.spec.name.clone(),
            revision,
            spec: request.spec.clone(),
            running: request.running.clone(),
            server: state.server(saga.server)?,
            deployment: request.deployment.clone(),
            created_at: request.prior.as_ref().map_or(now, |prior| prior.created_at),
            updated_at: now,
            leftovers: state.retire.output().cloned().unwrap_or_default(),
            session: Some(self.deps.registry.session().id),
        };
        self.tell(
            Note::new(
                "deployment.succeeded",
                format!("serving at {}", record.server.invoke_url),
            )
            .with("revision", revision),
        );
        let stored = Stored {
            revision,
            live: Some(record.clone()),
        };
        handle
            .close(journal, ClosedAs::Succeeded, Some((at, stored)), riding)
            .await?;
        Ok(Outcome::Succeeded {
            record: Box::new(record),
            deployed: true,
        })
    }

    async fn unbind(&self, versions: BTreeSet<VersionId>) -> Result<Vec<Write>> {
        let mut writes = Vec::new();
        for version in versions {
            writes.extend(
                self.deps
                    .registry
                    .unbind_writes(&version, &self.identity)
                    .await?,
            );
        }
        Ok(writes)
    }

    fn nothing_open(&self) -> Error {
        Error::not_found(format!(
            "endpoint {} has no deployment under way; there is nothing to do",
            self.identity
        ))
    }
}

fn versions<'a>(
    revisions: impl Iterator<Item = &'a crate::target::Revision>,
) -> impl Iterator<Item = VersionId> {
    revisions.map(|r| VersionId {
        model: r.model.clone(),
        version: r.version,
    })
}

fn prior_versions(request: &DeploymentRequest) -> impl Iterator<Item = VersionId> {
    versions(
        request
            .prior
            .iter()
            .flat_map(|prior| prior.running.values()),
    )
}

fn abandoned(request: &DeploymentRequest) -> BTreeSet<VersionId> {
    let before: BTreeSet<VersionId> = prior_versions(request).collect();
    request
        .bound
        .iter()
        .filter(|version| !before.contains(version))
        .cloned()
        .collect()
}

fn stopped(journal: &Journal<EndpointState>) -> Stopped {
    Stopped {
        endpoint: journal.state.request.identity.clone(),
        deployment: journal.state.request.deployment.clone(),
        stop: journal.stop.clone(),
        undo_failure: journal.undo_failure.clone(),
    }
}

fn opened_note(request: &DeploymentRequest) -> Note {
    let what = match request.kind {
        DeploymentKind::Create => "create",
        DeploymentKind::Update => "update",
        DeploymentKind::Delete => "delete",
    };
    let versions: Vec<String> = request
        .running
        .iter()
        .map(|(name, r)| format!("{name}={}/{}", r.model, r.version))
        .collect();
    Note::new(
        "deployment.begun",
        format!("{what} by {}: {}", request.by, versions.join(" ")),
    )
}
