//! Candidates are loaded beside what runs, without weight.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::wait::Wait;
use crate::endpoint::Period;
use crate::endpoint::ports::EndpointPorts;
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::{Revision, Server};

/// Loads every candidate.
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
}

/// Time that the calls themselves may take on top of a revision's start-up time.
const SLACK: Duration = Duration::from_secs(30);

/// Time that what a revision runs on may take to start before it.
fn machines(revision: &Revision) -> Period {
    let placement = revision.placement.as_deref();
    placement.map_or(Period::ZERO, |placement| placement.capacity.patience())
}

#[async_trait]
impl Step for EnsureRevisions {
    const NAME: &'static str = "ensure_revisions";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = EnsureInput;
    type Output = ();
    type Checkpoint = ();

    async fn forward(
        ports: &EndpointPorts,
        input: EnsureInput,
        _: Option<()>,
    ) -> Result<Progress<()>, StepError> {
        let mut wait = Wait::default();
        for revision in &input.revisions {
            let ensured = ports.target.ensure_revision(&input.server, revision);
            wait.add(ensured.await?);
        }
        let longest = input
            .revisions
            .iter()
            .map(|r| r.startup_timeout.plus(machines(r)))
            .max()
            .unwrap_or(Period::ZERO);
        Ok(wait.progress(longest.duration() + SLACK))
    }

    /// By now no weight is on them, but requests may still be inside.
    async fn undo(
        ports: &EndpointPorts,
        input: EnsureInput,
        _: Option<()>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        let names: Vec<_> = input.revisions.iter().map(|r| r.name.clone()).collect();
        Ok(super::retire::take_away(ports, &input.server, &names, input.drain_seconds).await?)
    }
}
