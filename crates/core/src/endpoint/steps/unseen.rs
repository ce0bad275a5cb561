//! A deployment that waits for nobody: candidates are made, and get everything before they are healthy.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::ensure::EnsureInput;
use super::wait::Wait;
use crate::endpoint::events::Note;
use crate::endpoint::ports::EndpointPorts;
use crate::rollout::{Move, give_back};
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::{Routing, Server};

/// Makes every candidate, in place of [`EnsureRevisions`](super::EnsureRevisions), which waits until they have started.
#[derive(Debug)]
pub struct MakeRevisions;

#[async_trait]
impl Step for MakeRevisions {
    const NAME: &'static str = "make_revisions";
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
            wait.add(
                (ports.target)
                    .make_revision(&input.server, revision)
                    .await?,
            );
        }
        Ok(wait.progress(input.limit()))
    }

    async fn undo(
        ports: &EndpointPorts,
        input: EnsureInput,
        _: Option<()>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        input.take_back(ports).await
    }
}

/// Gives the candidates everything, in place of the rollout, which does so once they are healthy.
#[derive(Debug)]
pub struct HandOver;

/// What takes over from what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HandOverInput {
    /// Where.
    pub server: Server,
    /// Which revision takes over from which.
    pub moves: Vec<Move>,
    /// What is restored if a later step fails.
    pub before: Routing,
    /// What it leads to.
    pub after: Routing,
}

#[async_trait]
impl Step for HandOver {
    const NAME: &'static str = "hand_over";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = HandOverInput;
    type Output = ();
    type Checkpoint = ();

    async fn forward(
        ports: &EndpointPorts,
        input: HandOverInput,
        _: Option<()>,
    ) -> Result<Progress<()>, StepError> {
        let (target, server) = (&ports.target, &input.server);
        let seen = target.observe(server).await?;
        for change in &input.moves {
            let old = change.old.as_ref().and_then(|old| seen.revisions.get(old));
            if let Some(old) = old.filter(|old| old.instances > 1) {
                // Asked for, and not waited for.
                target.scale(server, &change.new, old.instances).await?;
            }
        }
        target.set_weights(server, &input.after).await?;
        ports.events.tell(Note::new(
            "rollout.unwatched",
            "everything to what was made, before anybody saw it healthy (wait_for_steady_state = false)",
        ));
        Ok(Progress::Done(()))
    }

    async fn undo(
        ports: &EndpointPorts,
        input: HandOverInput,
        _: Option<()>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        give_back(ports, &input.server, &input.before).await?;
        Ok(Progress::Done(()))
    }
}
