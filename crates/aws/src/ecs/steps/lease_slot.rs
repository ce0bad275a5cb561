//! Leases a listener's port or a rule's priority.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mlops_core::saga::{Progress, Step, StepError, UndoError};
use serde::{Deserialize, Serialize};

use super::Wanted;
use crate::ecs::Account;
use crate::elb::Release;

pub(super) enum LeaseSlot {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseSlotInput {
    pub(super) wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeasedSlot {
    pub(super) slot: u16,
}

#[async_trait]
impl Step for LeaseSlot {
    const NAME: &'static str = "ecs_lease_slot";
    const VERSION: u32 = 1;
    type Ports = Account;
    type Input = LeaseSlotInput;
    type Output = LeasedSlot;
    type Checkpoint = ();

    async fn forward(
        account: &Account,
        input: LeaseSlotInput,
        _: Option<()>,
    ) -> Result<Progress<LeasedSlot>, StepError> {
        let slot = lease(account, &input.wanted, &BTreeSet::new()).await?;
        Ok(Progress::Done(LeasedSlot { slot }))
    }

    async fn undo(
        account: &Account,
        input: LeaseSlotInput,
        _: Option<LeasedSlot>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        let wanted = &input.wanted;
        let parent = wanted.ingress.parent_arn();
        account
            .balancers
            .release(&wanted.owner, parent, None, Release::Restore)
            .await?;
        Ok(Progress::Done(()))
    }
}

/// Leases a slot that is not in `foreign`.
pub(super) async fn lease(
    account: &Account,
    wanted: &Wanted,
    foreign: &BTreeSet<u16>,
) -> mlops_core::Result<u16> {
    let (owner, balancers) = (&wanted.owner, &account.balancers);
    if wanted.is_there {
        return balancers.lease_found(owner, &wanted.ingress).await;
    }
    let replaces = match &wanted.previous {
        // A front that is there keeps its slot until it is torn down.
        Some(previous) => {
            let there = balancers.look(&previous.front, owner.endpoint).await?;
            there.is_none().then_some(&previous.deployment)
        }
        None => None,
    };
    balancers
        .lease(
            owner,
            &wanted.ingress,
            wanted.preferred(),
            replaces,
            foreign,
        )
        .await
}
