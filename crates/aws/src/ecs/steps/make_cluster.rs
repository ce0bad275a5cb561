//! Makes the cluster that is the endpoint's own.

use async_trait::async_trait;
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

#[async_trait]
impl Step for MakeCluster {
    const NAME: &'static str = "ecs_make_cluster";
    const VERSION: u32 = 1;
    type Ports = Account;
    type Input = MakeClusterInput;
    type Output = ();
    type Checkpoint = ();

    async fn forward(
        account: &Account,
        input: MakeClusterInput,
        _: Option<()>,
    ) -> Result<Progress<()>, StepError> {
        Ok(clusters::open(&account.clients, &input.owner, &input.cluster).await?)
    }

    /// A cluster that an earlier server of the endpoint made stays.
    async fn undo(
        account: &Account,
        input: MakeClusterInput,
        _: Option<()>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        Ok(clusters::undo(&account.clients, &input.owner, &input.cluster).await?)
    }
}
