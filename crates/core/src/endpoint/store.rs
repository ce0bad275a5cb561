//! Where an endpoint's documents lie, and the commits that change them.
//!
//! | partition | sort | what |
//! |---|---|---|
//! | `endpoint#ID` | `endpoint` | what runs, and the monotonic revision (which outlives a delete) |
//! | `endpoint#ID` | `control` | a request to pause |
//! | `journal#ID` | `open` | the journal of the deployment under way, if one is |
//! | `journal#ID` | `closed#MICROS#DEPLOYMENT.ATTEMPT` | what became of earlier ones, oldest first |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deployment::{DeploymentId, DeploymentRef};
use super::events::{Note, Notes};
use super::record::EndpointRecord;
use super::state::{DeploymentKind, EndpointState};
use crate::error::{Class, Error, Result};
use crate::names::VariantName;
use crate::records::{Expect, Key, Write};
use crate::registry::Registry;
use crate::registry::documents::{self, Document};
use crate::registry::events::{NewEvent, Subject};
use crate::registry::journal as journals;
use crate::registry::leases::Lease;
use crate::saga::{Journal, JournalStore, StopReason};

/// The endpoint's document. Without `live` it is a tombstone that keeps the revision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Grows with each successful deployment.
    pub(super) revision: u64,
    /// What runs.
    #[serde(default)]
    pub(super) live: Option<EndpointRecord>,
}

/// A request to a running deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Control {
    /// Which deployment shall pause.
    pub(super) pause: DeploymentRef,
    /// Since when.
    pub(super) at: Timestamp,
}

/// What became of a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClosedDeployment {
    /// Which.
    pub deployment: DeploymentRef,
    /// What it did.
    pub kind: DeploymentKind,
    /// How it ended.
    pub outcome: ClosedAs,
    /// Why it did not succeed.
    #[serde(default)]
    pub stop: Option<StopReason>,
    /// Why it could not be taken back, where it was closed by force.
    #[serde(default)]
    pub undo_failure: Option<StopReason>,
    /// The endpoint revision that it started from.
    pub base: u64,
    /// Variant -> version that it asked for.
    pub versions: BTreeMap<VariantName, u64>,
    /// Variant -> image that it asked for, of those that run one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<VariantName, String>,
    /// Who asked.
    pub by: String,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it ended.
    pub closed_at: Timestamp,
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedAs {
    /// It runs.
    Succeeded,
    /// It was taken back.
    RolledBack,
    /// It could not be taken back, and somebody closed it by force.
    Abandoned,
}

fn endpoint_key(identity: &str) -> Key {
    Key::new(format!("endpoint#{identity}"), "endpoint")
}

fn control_key(identity: &str) -> Key {
    Key::new(format!("endpoint#{identity}"), "control")
}

fn open_key(identity: &str) -> Key {
    Key::new(journals::partition(identity), "open")
}

const CLOSED: &str = "closed#";

pub(super) fn lease_name(identity: &str) -> String {
    format!("endpoint {identity}")
}

pub(super) async fn endpoint(
    registry: &Registry,
    identity: &str,
) -> Result<Option<Document<Stored>>> {
    registry.document(&endpoint_key(identity)).await
}

pub(super) async fn control(
    registry: &Registry,
    identity: &str,
) -> Result<Option<Document<Control>>> {
    registry.document(&control_key(identity)).await
}

/// The request as it was a moment ago, read with those of this process' other endpoints.
pub(super) async fn glance_at_control(
    registry: &Registry,
    identity: &str,
) -> Result<Option<Document<Control>>> {
    registry.glance(&control_key(identity)).await
}

pub(super) async fn request_pause(
    registry: &Registry,
    identity: &str,
    pause: DeploymentRef,
) -> Result<()> {
    let body = Control {
        pause,
        at: registry.clock().now(),
    };
    let before = control(registry, identity).await?;
    let expect = before.map_or(Expect::Absent, |before| Expect::Revision(before.revision));
    let write = documents::put(control_key(identity), expect, &body)?;
    registry.commit(vec![write]).await.map_err(|error| {
        error.into_error(&format!("endpoint {identity} could not be asked to pause"))
    })?;
    Ok(())
}

/// Forgets a request to pause: whoever resumes has answered it.
pub(super) async fn clear_pause(registry: &Registry, identity: &str) -> Result<()> {
    let Some(found) = control(registry, identity).await? else {
        return Ok(());
    };
    registry
        .commit(vec![found.delete()])
        .await
        .map_err(|error| {
            error.into_error(&format!(
                "the request to pause endpoint {identity} could not be cleared"
            ))
        })?;
    Ok(())
}

/// The open journal with its state unread: any version's can be looked at.
pub(super) async fn open_journal(
    registry: &Registry,
    identity: &str,
) -> Result<Option<Document<Journal<Value>>>> {
    registry.document(&open_key(identity)).await
}

/// What became of earlier deployments, oldest first.
pub async fn closed_deployments(
    registry: &Registry,
    identity: &str,
) -> Result<Vec<ClosedDeployment>> {
    let all = registry
        .all_documents(&journals::partition(identity), CLOSED)
        .await?;
    Ok(all.into_iter().map(|document| document.body).collect())
}

/// What became of a deployment when it was tried last, if that was the last that was done to the endpoint.
pub(super) async fn last_attempt(
    registry: &Registry,
    identity: &str,
    id: &DeploymentId,
) -> Result<Option<ClosedDeployment>> {
    let last = closed_deployments(registry, identity).await?.pop();
    Ok(last.filter(|closed| closed.deployment.id == *id))
}

/// The attempt that a deployment's next try is.
pub(super) async fn next_attempt(
    registry: &Registry,
    identity: &str,
    id: &DeploymentId,
) -> Result<u32> {
    let closed = closed_deployments(registry, identity).await?;
    let last = closed
        .iter()
        .filter(|closed| closed.deployment.id == *id)
        .map(|closed| closed.deployment.attempt)
        .max();
    Ok(last.unwrap_or(0) + 1)
}

/// What becomes of the lease when a journal is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// The run goes on under it.
    Keep,
    /// It goes back in the commit that closes the journal, so that a process killed there leaves
    /// both or neither.
    Release,
}

/// The open journal of one endpoint, held under its lease.
pub(super) struct JournalHandle {
    pub(super) registry: Registry,
    pub(super) lease: Lease,
    pub(super) identity: String,
    pub(super) deployment: DeploymentRef,
    pub(super) notes: Arc<Notes>,
    /// The document's revision; `None` before it is opened.
    revision: Option<u64>,
}

/// A commit takes at most a hundred writes; the rest of the notes rides in the next.
const NOTES_PER_WRITE: usize = 40;

/// How long an endpoint's events are kept: they tell of deployments, each with the server's last log lines if it failed.
/// What became of each deployment is kept in its closed journal.
const EVENTS_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How long a write is tried again while the store does not answer.
const STORE_PATIENCE: Duration = Duration::from_secs(30);

impl JournalHandle {
    pub(super) fn new(
        registry: Registry,
        lease: Lease,
        identity: &str,
        deployment: DeploymentRef,
        notes: Arc<Notes>,
        revision: Option<u64>,
    ) -> Self {
        Self {
            registry,
            lease,
            identity: identity.to_owned(),
            deployment,
            notes,
            revision,
        }
    }

    /// Opens the journal in one commit with `riding` (bindings). A conflict in `riding` is told
    /// apart by the caller, which tries again.
    pub(super) async fn open(
        &mut self,
        journal: &Journal<EndpointState>,
        riding: Vec<Write>,
    ) -> Result<()> {
        let mut writes = vec![documents::create(open_key(&self.identity), journal)?];
        writes.extend(self.stale_control().await?);
        writes.extend(riding);
        writes.extend(self.event_writes()?);
        let revisions = self.registry.journal_commit(&self.lease, writes).await?;
        self.revision = revisions.first().copied();
        Ok(())
    }

    /// Closes the journal: its end, `riding` (the record, bindings), the events and, if so, the
    /// return of the lease are one commit.
    pub(super) async fn close(
        &mut self,
        journal: &Journal<EndpointState>,
        outcome: ClosedAs,
        record: Option<(Option<u64>, Stored)>,
        riding: Vec<Write>,
        afterwards: Afterwards,
    ) -> Result<()> {
        let now = self.registry.clock().now();
        let request = &journal.state.request;
        let closed = ClosedDeployment {
            deployment: request.deployment.clone(),
            kind: request.kind,
            outcome,
            stop: journal.stop.clone(),
            undo_failure: journal.undo_failure.clone(),
            base: request.base,
            versions: request.spec.versions(),
            images: request.spec.images(),
            by: request.by.clone(),
            opened_at: journal.opened_at,
            closed_at: now,
        };
        let sort = format!(
            "{CLOSED}{:020}#{}.{}",
            now.as_microsecond(),
            request.deployment.id,
            request.deployment.attempt
        );
        let mut writes = vec![documents::create(
            Key::new(journals::partition(&self.identity), sort),
            &closed,
        )?];
        if let Some(revision) = self.revision {
            writes.push(documents::delete(open_key(&self.identity), revision));
        }
        if let Some((before, stored)) = record {
            let expect = before.map_or(Expect::Absent, Expect::Revision);
            writes.push(documents::put(
                endpoint_key(&self.identity),
                expect,
                &stored,
            )?);
        }
        writes.extend(self.stale_control().await?);
        writes.extend(riding);
        writes.extend(self.event_writes()?);
        let started = self.registry.clock().elapsed();
        loop {
            let closed = match afterwards {
                Afterwards::Keep => {
                    self.registry
                        .journal_commit(&self.lease, writes.clone())
                        .await
                }
                Afterwards::Release => {
                    self.registry
                        .journal_commit_last(&self.lease, writes.clone())
                        .await
                }
            };
            match closed {
                Ok(_) => return Ok(()),
                Err(error) if error.class() == Class::Unavailable => {
                    // Its outcome is unknown: look.
                    if open_journal(&self.registry, &self.identity)
                        .await
                        .is_ok_and(|open| open.is_none())
                    {
                        return Ok(());
                    }
                    self.be_patient(started, error).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn be_patient(&self, started: Duration, error: Error) -> Result<()> {
        let clock = self.registry.clock();
        if clock.elapsed().saturating_sub(started) >= STORE_PATIENCE {
            return Err(error);
        }
        clock.sleep(Duration::from_millis(250)).await;
        Ok(())
    }

    async fn stale_control(&self) -> Result<Option<Write>> {
        let found = control(&self.registry, &self.identity).await?;
        Ok(found.map(|control| control.delete()))
    }

    fn event_writes(&self) -> Result<Vec<Write>> {
        let subject = Subject::Endpoint(self.identity.clone());
        let event = |note: Note| {
            let event = NewEvent {
                deployment: Some(self.deployment.to_string()),
                by: Some(self.lease.holder.description.clone()),
                details: note.details,
                ttl: Some(EVENTS_FOR),
                ..NewEvent::new(note.kind, note.message)
            };
            self.registry.event_write(&subject, event)
        };
        self.notes
            .take(NOTES_PER_WRITE)
            .into_iter()
            .map(event)
            .collect()
    }
}

#[async_trait]
impl JournalStore<EndpointState> for JournalHandle {
    async fn save(&mut self, journal: &Journal<EndpointState>) -> Result<()> {
        let started = self.registry.clock().elapsed();
        let events = self.event_writes()?;
        loop {
            let revision = self
                .revision
                .ok_or_else(|| Error::bug("a journal was written before it was opened"))?;
            let mut writes = vec![documents::put(
                open_key(&self.identity),
                Expect::Revision(revision),
                journal,
            )?];
            writes.extend(events.iter().cloned());
            match self.registry.journal_commit(&self.lease, writes).await {
                Ok(revisions) => {
                    self.revision = revisions.first().copied();
                    return Ok(());
                }
                Err(error) if error.class() == Class::Unavailable => {
                    let found = open_journal(&self.registry, &self.identity).await;
                    if let Ok(Some(found)) = found
                        && found.revision != revision
                    {
                        // Nobody else writes it while we hold the lease: it is ours that arrived.
                        self.revision = Some(found.revision);
                        return Ok(());
                    }
                    self.be_patient(started, error).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn beat(&mut self) -> Result<()> {
        match self.registry.keep_lease(&self.lease).await {
            // The lease outlives a store that is away for a moment; a write would tell.
            Err(error) if matches!(error.class(), Class::Unavailable | Class::Throttled) => {
                tracing::warn!(error = %error.chain(), "heartbeat failed for now");
                Ok(())
            }
            other => other,
        }
    }
}
