//! Who decides how many instances there are: while traffic moves the rollout, before and after the autoscaler.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::wait::Wait;
use crate::endpoint::ports::EndpointPorts;
use crate::endpoint::spec::Autoscaling;
use crate::error::Result;
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::{RevisionName, Server};

/// What a revision's number of instances follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaled {
    /// The revision.
    pub revision: RevisionName,
    /// What is asked for; `None`: nothing moves it.
    pub wanted: Option<Autoscaling>,
}

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Holds the capacity of what traffic moves from and to.
///
/// The old revisions get fewer requests from step to step, and the new ones have none at first, so an autoscaler would take from both.
/// What the old ones had scaled out to is what the new ones need in the end, and what a rollback needs.
#[derive(Debug)]
pub struct HoldCapacity;

/// What is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldCapacityInput {
    /// Where.
    pub server: Server,
    /// What traffic moves from.
    pub old: Vec<Scaled>,
    /// What it moves to.
    pub new: Vec<Scaled>,
}

#[async_trait]
impl Step for HoldCapacity {
    const NAME: &'static str = "hold_capacity";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = HoldCapacityInput;
    type Output = ();
    type Checkpoint = ();

    async fn forward(
        ports: &EndpointPorts,
        input: HoldCapacityInput,
        _: Option<()>,
    ) -> Result<Progress<()>, StepError> {
        let (target, server) = (&ports.target, &input.server);
        let seen = target.observe(server).await?;
        let has = |scaled: &Scaled| {
            seen.revisions
                .get(&scaled.revision)
                .map(|one| one.instances)
        };
        let most = input.old.iter().filter_map(has).max().unwrap_or(0);
        let mut wait = Wait::default();
        for scaled in input.old.iter().chain(&input.new) {
            let Some(wanted) = &scaled.wanted else {
                continue;
            };
            let held = target.autoscale(server, &scaled.revision, Some(wanted), Some(most));
            wait.add(held.await?);
        }
        for scaled in &input.new {
            if let Some(wanted) = &scaled.wanted {
                wait.add(target.scale(server, &scaled.revision, wanted.min).await?);
            }
        }
        Ok(wait.progress(LIMIT))
    }

    /// The old ones are the autoscaler's again. The new ones are taken away by the step that made them.
    async fn undo(
        ports: &EndpointPorts,
        input: HoldCapacityInput,
        _: Option<()>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        Ok(follow(ports, &input.server, &input.old).await?)
    }
}

/// Hands the number of instances to the autoscaler, as it is asked for now.
#[derive(Debug)]
pub struct Autoscale;

/// What follows what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AutoscaleInput {
    /// Where.
    pub server: Server,
    /// What runs from now on.
    pub after: Vec<Scaled>,
    /// Of what ran before and goes on, what it followed.
    pub before: Vec<Scaled>,
}

#[async_trait]
impl Step for Autoscale {
    const NAME: &'static str = "autoscale";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = AutoscaleInput;
    type Output = ();
    type Checkpoint = ();

    async fn forward(
        ports: &EndpointPorts,
        input: AutoscaleInput,
        _: Option<()>,
    ) -> Result<Progress<()>, StepError> {
        let mut wait = Wait::default();
        for scaled in &input.after {
            let (revision, wanted) = (&scaled.revision, scaled.wanted.as_ref());
            let followed = ports
                .target
                .autoscale(&input.server, revision, wanted, None);
            wait.add(followed.await?);
        }
        Ok(wait.progress(LIMIT))
    }

    async fn undo(
        ports: &EndpointPorts,
        input: AutoscaleInput,
        _: Option<()>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        Ok(follow(ports, &input.server, &input.before).await?)
    }
}

/// Has each follow what it followed. What is gone follows nothing.
async fn follow(ports: &EndpointPorts, server: &Server, all: &[Scaled]) -> Result<Progress<()>> {
    let mut wait = Wait::default();
    for scaled in all {
        let (revision, wanted) = (&scaled.revision, scaled.wanted.as_ref());
        match ports.target.autoscale(server, revision, wanted, None).await {
            Ok(progress) => wait.add(progress),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wait.progress(LIMIT))
}
