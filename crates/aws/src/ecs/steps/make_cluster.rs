//! Makes the cluster that is the endpoint's own.

use async_trait::async_trait;
use mlops_core::Class;
use mlops_core::saga::{Progress, Step, StepError, UndoError};
use serde::{Deserialize, Serialize};

use crate::ecs::{Account, clusters};
use crate::elb::Owner;

pub(super) enum MakeCluster {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MakeClusterInput {
    pub(super) owner: Owner,
    /// By ARN.
    pub(super) cluster: String,
}

/// The cluster was asked for, or is about to be: what was not asked for need not be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Always so; a checkpoint that says nothing would read back as none.
    asked: bool,
}

#[async_trait]
impl Step for MakeCluster {
    const NAME: &'static str = "ecs_make_cluster";
    const VERSION: u32 = 2;
    type Ports = Account;
    type Input = MakeClusterInput;
    type Output = ();
    type Checkpoint = Asked;

    /// The first call looks, and what it saw to be missing is made by the next one: by then the journal says that it may be there.
    async fn forward(
        account: &Account,
        input: MakeClusterInput,
        asked: Option<Asked>,
    ) -> Result<Progress<(), Asked>, StepError> {
        let (clients, owner) = (&account.clients, &input.owner);
        let opened = clusters::open(clients, owner, &input.cluster, asked.is_some()).await?;
        Ok(opened.noting(Asked { asked: true }))
    }

    /// A cluster that an earlier server of the endpoint made stays.
    async fn undo(
        account: &Account,
        input: MakeClusterInput,
        _: Option<()>,
        asked: Option<Asked>,
    ) -> Result<Progress<(), Asked>, UndoError> {
        let undone = clusters::undo(&account.clients, &input.owner, &input.cluster).await;
        match undone {
            // Whoever may not look did not get beyond looking.
            Err(error) if error.class() == Class::Denied && asked.is_none() => {
                Ok(Progress::Done(()))
            }
            undone => Ok(undone?.noting(Asked { asked: true })),
        }
    }
}
