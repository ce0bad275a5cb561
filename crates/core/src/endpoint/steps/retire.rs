//! What gave way is drained and taken away. From here on a deployment only goes forward.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::wait::Wait;
use crate::endpoint::events::Note;
use crate::endpoint::ports::EndpointPorts;
use crate::endpoint::record::Leftovers;
use crate::error::{Class, Result};
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::{RevisionName, Server};

/// Drains and removes old revisions, and servers that were replaced. It never fails: what cannot
/// be taken away in time is left over, recorded, and tried again by the next deployment. The new
/// revision serves everybody by now, and a failure here must not take it away.
#[derive(Debug)]
pub struct Retire;

/// What is taken away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetireInput {
    /// The server that keeps running.
    pub server: Server,
    /// What goes.
    pub old: Leftovers,
    /// How long requests may take to end.
    pub drain_seconds: u64,
}

/// Since when it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetireSince {
    /// The moment.
    pub since: Timestamp,
}

#[async_trait]
impl Step for Retire {
    const NAME: &'static str = "retire";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = RetireInput;
    type Output = Leftovers;
    type Checkpoint = RetireSince;

    async fn forward(
        ports: &EndpointPorts,
        input: RetireInput,
        checkpoint: Option<RetireSince>,
    ) -> Result<Progress<Leftovers, RetireSince>, StepError> {
        let now = ports.clock.now();
        let checkpoint = checkpoint.unwrap_or(RetireSince { since: now });
        let patience = ports.target.patience() + Duration::from_secs(input.drain_seconds);
        let mut rest = Leftovers::default();
        let mut trouble = None;
        // Whether time may help: what is denied stays denied.
        let mut hopeful = false;
        let mut is_left = |outcome: Result<Progress<()>>| match outcome {
            Ok(Progress::Done(())) => false,
            Ok(Progress::Pending { .. }) => {
                hopeful = true;
                true
            }
            Err(error) => {
                hopeful |= error.class() != Class::Denied;
                trouble = Some(error);
                true
            }
        };
        for revision in &input.old.revisions {
            let one = std::slice::from_ref(revision);
            if is_left(take_away(ports, &input.server, one, input.drain_seconds).await) {
                rest.revisions.push(revision.clone());
            }
        }
        for server in &input.old.servers {
            if is_left(ports.target.teardown(server, input.drain_seconds).await) {
                rest.servers.push(server.clone());
            }
        }
        if rest.is_empty() {
            return Ok(Progress::Done(rest));
        }
        let patient = now.duration_since(checkpoint.since)
            < SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
        if patient && hopeful {
            return Ok(Progress::Pending {
                poll_after: Duration::from_millis(250),
                deadline: patience * 2,
                checkpoint,
            });
        }
        let why = trouble.map_or_else(
            || "it was still draining".to_owned(),
            |error| error.chain().to_string(),
        );
        ports.events.tell(Note::new(
            "retire.leftover",
            format!("something of the old deployment could not be taken away and is tried again by the next deployment: {why}"),
        ));
        rest.why = Some(why);
        Ok(Progress::Done(rest))
    }

    /// Never called: this step is a pivot.
    async fn undo(
        _: &EndpointPorts,
        _: RetireInput,
        _: Option<Leftovers>,
        _: Option<RetireSince>,
    ) -> Result<Progress<(), RetireSince>, UndoError> {
        Ok(Progress::Done(()))
    }
}

/// Drains, then removes; done when every one is gone.
pub(super) async fn take_away(
    ports: &EndpointPorts,
    server: &Server,
    revisions: &[RevisionName],
    drain_seconds: u64,
) -> Result<Progress<()>> {
    let mut wait = Wait::default();
    for revision in revisions {
        let mut progress = ports.target.drain(server, revision, drain_seconds).await?;
        if matches!(progress, Progress::Done(())) {
            progress = ports.target.remove(server, revision).await?;
        }
        wait.add(progress);
    }
    Ok(wait.progress(Duration::from_secs(drain_seconds) + ports.target.patience()))
}
