//! Candidates are loaded beside what runs, without weight, and stay ready for a while.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::retire::take_away;
use super::wait::Wait;
use crate::endpoint::Period;
use crate::endpoint::ports::EndpointPorts;
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::{Revision, Server};

/// Loads every candidate, and sees that it stays ready.
#[derive(Debug)]
pub struct EnsureRevisions;

/// What is loaded, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsureInput {
    /// Where.
    pub server: Server,
    /// What.
    pub revisions: Vec<Revision>,
    /// How long each may finish its requests when it is taken back.
    pub drain_seconds: u64,
    /// How long all of them must have been ready without a break.
    #[serde(default = "no_window")]
    pub window: Period,
}

fn no_window() -> Period {
    Period::ZERO
}

/// How far the wait for revisions that are ready is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Since when all of them have been seen ready, if they are.
    pub since: Option<Timestamp>,
}

/// How often revisions that are ready are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Time that the calls themselves may take on top of a revision's start-up time.
const SLACK: Duration = Duration::from_secs(30);

impl EnsureInput {
    /// How long all of it may take.
    pub(super) fn limit(&self) -> Duration {
        let longest = self.revisions.iter().map(Revision::patience).max();
        longest.unwrap_or(Period::ZERO).duration() + self.window.duration() + SLACK
    }

    /// Takes back what was made of it. By now no weight is on the revisions, but requests may still be inside.
    pub(super) async fn take_back(&self, ports: &EndpointPorts) -> Result<Progress<()>, UndoError> {
        let names: Vec<_> = self.revisions.iter().map(|r| r.name.clone()).collect();
        Ok(take_away(ports, &self.server, &names, self.drain_seconds).await?)
    }
}

#[async_trait]
impl Step for EnsureRevisions {
    const NAME: &'static str = "ensure_revisions";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = EnsureInput;
    type Output = ();
    type Checkpoint = Ready;

    async fn forward(
        ports: &EndpointPorts,
        input: EnsureInput,
        checkpoint: Option<Ready>,
    ) -> Result<Progress<(), Ready>, StepError> {
        let asked = ports.clock.now();
        let mut wait = Wait::default();
        for revision in &input.revisions {
            let ensured = ports.target.ensure_revision(&input.server, revision);
            wait.add(ensured.await?);
        }
        let window = input.window.duration();
        let deadline = input.limit();
        let progress = wait.progress(deadline);
        if progress != Progress::Done(()) || window.is_zero() {
            return Ok(progress.noting(Ready::default()));
        }
        // From the first answer to the last question: what was between them was seen from both ends.
        let since = checkpoint.unwrap_or_default().since;
        let since = since.unwrap_or_else(|| ports.clock.now());
        let seen = Duration::try_from(asked.duration_since(since)).unwrap_or_default();
        Ok(match window.saturating_sub(seen) {
            Duration::ZERO => Progress::Done(()),
            rest => Progress::Pending {
                poll_after: rest.min(LOOK),
                deadline,
                checkpoint: Ready { since: Some(since) },
            },
        })
    }

    async fn undo(
        ports: &EndpointPorts,
        input: EnsureInput,
        _: Option<()>,
        _: Option<Ready>,
    ) -> Result<Progress<(), Ready>, UndoError> {
        Ok(input.take_back(ports).await?.noting(Ready::default()))
    }

    /// What was seen before the pause says nothing about the revisions of now.
    fn resume(_: Ready) -> Ready {
        Ready::default()
    }
}
