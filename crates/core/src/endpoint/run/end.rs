//! How a run ends: the one commit that closes its journal, and the outcome.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::{Run, prior_versions, versions};
use crate::endpoint::events::Note;
use crate::endpoint::outcome::{Outcome, Stopped};
use crate::endpoint::record::EndpointRecord;
use crate::endpoint::saga;
use crate::endpoint::state::{DeploymentKind, DeploymentRequest, EndpointState};
use crate::endpoint::store::{Afterwards, ClosedAs, JournalHandle, Stored};
use crate::error::Result;
use crate::names::VersionId;
use crate::records::Write;
use crate::registry::events::Subject;
use crate::rollout::alarms;
use crate::saga::{Ending, Journal, StopKind};

impl Run {
    /// Closes the journal where it ended, in one commit with what it ended in.
    pub(super) async fn finish(
        &self,
        handle: &mut JournalHandle,
        journal: &Journal<EndpointState>,
        ending: Ending,
        afterwards: Afterwards,
    ) -> Result<Outcome> {
        let request = &journal.state.request;
        match ending {
            Ending::Complete => {
                let outcome = self.succeed(handle, journal, afterwards).await?;
                self.tidy().await;
                Ok(outcome)
            }
            Ending::Undone => {
                let riding = self.unbind(newly_bound(request)).await?;
                let why = journal
                    .stop
                    .as_ref()
                    .map_or("", |stop| stop.message.as_str());
                self.tell(Note::new(
                    "deployment.rolled_back",
                    format!("rolled back: {why}"),
                ));
                self.close(
                    handle,
                    journal,
                    ClosedAs::RolledBack,
                    None,
                    riding,
                    afterwards,
                )
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
        afterwards: Afterwards,
    ) -> Result<Outcome> {
        let state = &journal.state;
        let request = &state.request;
        let stored = self.stored().await?;
        let at = stored.as_ref().map(|stored| stored.revision);
        let revision = stored.map_or(0, |stored| stored.body.revision) + 1;
        let kept = request.running.values().chain(request.standby.values());
        let running: BTreeSet<VersionId> = versions(kept).collect();
        let gone: BTreeSet<VersionId> = prior_versions(request)
            .filter(|version| !running.contains(version))
            .collect();
        let riding = self.unbind(gone).await?;
        if request.kind == DeploymentKind::Delete {
            self.tell(Note::new("deployment.succeeded", "deleted"));
            let stored = Stored {
                revision,
                live: None,
            };
            let record = Some((at, stored));
            self.close(
                handle,
                journal,
                ClosedAs::Succeeded,
                record,
                riding,
                afterwards,
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
            standby: request.standby.clone(),
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
        let stored = Some((at, stored));
        self.close(
            handle,
            journal,
            ClosedAs::Succeeded,
            stored,
            riding,
            afterwards,
        )
        .await?;
        Ok(Outcome::Succeeded {
            record: Box::new(record),
            deployed: true,
            warning: (!request.aside.is_empty()).then(|| alarms::set_aside(&request.aside)),
        })
    }

    /// Closes the journal of a deployment of which something could not be taken back.
    pub(super) async fn abandon(
        &self,
        handle: &mut JournalHandle,
        journal: &Journal<EndpointState>,
    ) -> Result<Outcome> {
        self.tell(Note::new(
            "deployment.abandoned",
            format!("closed by force by {}", self.by),
        ));
        let riding = self.unbind(newly_bound(&journal.state.request)).await?;
        self.close(
            handle,
            journal,
            ClosedAs::Abandoned,
            None,
            riding,
            Afterwards::Release,
        )
        .await?;
        Ok(Outcome::Abandoned(stopped(journal)))
    }

    /// What a success leaves to be cleared away. The deployment has ended: a failure here, or a kill,
    /// leaves it to the next.
    async fn tidy(&self) {
        let subject = Subject::Endpoint(self.identity.clone());
        if let Err(error) = self.deps.registry.prune_events(&subject).await {
            tracing::warn!(error = %error.chain(), "old events of endpoint {} stay for now", self.identity);
        }
        if let Err(error) = self.ports.target.tidy().await {
            tracing::warn!(error = %error.chain(), "what the target does not need any more stays for now");
        }
    }

    async fn close(
        &self,
        handle: &mut JournalHandle,
        journal: &Journal<EndpointState>,
        outcome: ClosedAs,
        record: Option<(Option<u64>, Stored)>,
        riding: Vec<Write>,
        afterwards: Afterwards,
    ) -> Result<()> {
        handle
            .close(journal, outcome, record, riding, afterwards)
            .await?;
        if afterwards == Afterwards::Release {
            self.released.store(true, Ordering::Release);
        }
        Ok(())
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
}

/// What the deployment bound and nothing before it had bound.
fn newly_bound(request: &DeploymentRequest) -> BTreeSet<VersionId> {
    let before: BTreeSet<VersionId> = prior_versions(request).collect();
    request
        .bound
        .iter()
        .filter(|version| !before.contains(version))
        .cloned()
        .collect()
}

pub(super) fn stopped(journal: &Journal<EndpointState>) -> Stopped {
    Stopped {
        endpoint: journal.state.request.identity.clone(),
        deployment: journal.state.request.deployment.clone(),
        stop: journal.stop.clone(),
        undo_failure: journal.undo_failure.clone(),
    }
}
