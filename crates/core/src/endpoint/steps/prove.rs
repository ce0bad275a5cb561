//! Candidates prove that they answer, before any weight.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::endpoint::events::Note;
use crate::endpoint::ports::EndpointPorts;
use crate::error::{Error, Result};
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::serving::SmokeRequest;
use crate::target::{RevisionName, Server};

/// Checks health, then asks each golden request; one request a call.
#[derive(Debug)]
pub struct Prove;

/// What is proved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProveInput {
    /// Where.
    pub server: Server,
    /// Who has to be ready.
    pub revisions: Vec<RevisionName>,
    /// Who is asked what.
    pub smoke: Vec<(RevisionName, SmokeRequest)>,
}

#[async_trait]
impl Step for Prove {
    const NAME: &'static str = "prove";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = ProveInput;
    /// How many golden requests passed.
    type Output = usize;
    /// How many have passed.
    type Checkpoint = usize;

    async fn forward(
        ports: &EndpointPorts,
        input: ProveInput,
        passed: Option<usize>,
    ) -> Result<Progress<usize, usize>, StepError> {
        let passed = passed.unwrap_or(0);
        let Some((revision, request)) = input.smoke.get(passed) else {
            healthy(ports, &input).await?;
            return Ok(Progress::Done(passed));
        };
        let report = ports.target.smoke(&input.server, revision, request).await?;
        if !report.passed {
            let why = report
                .mismatch
                .clone()
                .unwrap_or_else(|| format!("status {}", report.status));
            let message = format!(
                "revision {revision} failed its golden request, before it got any traffic: {why}"
            );
            ports
                .events
                .tell(Note::new("smoke.failed", message.clone()));
            let evidence = serde_json::to_value(&report).map_err(|e| {
                Error::bug("a smoke report could not be written as JSON").because(e)
            })?;
            return Err(StepError::Failed {
                error: Error::invalid(message),
                evidence: Some(evidence),
            });
        }
        Ok(Progress::Pending {
            poll_after: Duration::ZERO,
            deadline: Duration::from_secs(60)
                * u32::try_from(input.smoke.len() + 1).unwrap_or(u32::MAX),
            checkpoint: passed + 1,
        })
    }

    /// Asking left nothing behind.
    async fn undo(
        _: &EndpointPorts,
        _: ProveInput,
        _: Option<usize>,
        _: Option<usize>,
    ) -> Result<Progress<(), usize>, UndoError> {
        Ok(Progress::Done(()))
    }
}

async fn healthy(ports: &EndpointPorts, input: &ProveInput) -> Result<()> {
    let seen = ports.target.observe(&input.server).await?;
    for revision in &input.revisions {
        if !seen.serves(revision) {
            let known = seen
                .revisions
                .get(revision)
                .and_then(|r| r.failure.clone())
                .or(seen.reason);
            return Err(Error::invalid(format!(
                "revision {revision} loaded and is not ready any more: {}",
                known.unwrap_or_else(|| "the server does not know it".to_owned())
            )));
        }
    }
    Ok(())
}
