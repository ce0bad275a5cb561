//! Opens the front in the leased slot, or in the next one that is not somebody else's.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::saga::{Progress, Step, StepError, UndoError};
use serde::{Deserialize, Serialize};

use super::Wanted;
use super::lease_slot::lease;
use crate::ecs::Account;
use crate::elb::{Front, Opened, Release};

/// How long a front may take, all slots that turn out to be taken included.
const LIMIT: Duration = Duration::from_secs(300);

pub(super) enum OpenFront {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenFrontInput {
    pub(super) wanted: Wanted,
    pub(super) slot: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenedFront {
    pub(super) front: Front,
    /// Where it is.
    pub(super) region: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenFrontCheckpoint {
    /// The slot to try.
    slot: u16,
    /// Slots that turned out to be somebody else's.
    foreign: BTreeSet<u16>,
}

#[async_trait]
impl Step for OpenFront {
    const NAME: &'static str = "ecs_open_front";
    const VERSION: u32 = 1;
    type Ports = Account;
    type Input = OpenFrontInput;
    type Output = OpenedFront;
    type Checkpoint = OpenFrontCheckpoint;

    async fn forward(
        account: &Account,
        input: OpenFrontInput,
        checkpoint: Option<OpenFrontCheckpoint>,
    ) -> Result<Progress<OpenedFront, OpenFrontCheckpoint>, StepError> {
        let wanted = &input.wanted;
        let (owner, ingress) = (&wanted.owner, &wanted.ingress);
        let mut checkpoint = checkpoint.unwrap_or_else(|| OpenFrontCheckpoint {
            slot: input.slot,
            foreign: BTreeSet::new(),
        });
        let front = match account
            .balancers
            .open(owner, ingress, checkpoint.slot)
            .await?
        {
            Opened::Front(front) => front,
            Opened::Foreign => {
                checkpoint.foreign.insert(checkpoint.slot);
                checkpoint.slot = lease(account, wanted, &checkpoint.foreign).await?;
                return Ok(Progress::Pending {
                    poll_after: Duration::ZERO,
                    deadline: LIMIT,
                    checkpoint,
                });
            }
        };
        // Leases of slots that were given up on the way.
        account
            .balancers
            .release(
                owner,
                ingress.parent_arn(),
                Some(front.slot),
                Release::Restore,
            )
            .await?;
        let region = account.clients.region().await?;
        Ok(Progress::Done(OpenedFront { front, region }))
    }

    /// By the owner's tags, whatever slot the last call came to: its answer may be lost.
    async fn undo(
        account: &Account,
        input: OpenFrontInput,
        _: Option<OpenedFront>,
        _: Option<OpenFrontCheckpoint>,
    ) -> Result<Progress<(), OpenFrontCheckpoint>, UndoError> {
        let wanted = &input.wanted;
        account
            .balancers
            .take_back(&wanted.owner, &wanted.ingress)
            .await?;
        Ok(Progress::Done(()))
    }
}
