//! Makes the log group of the endpoint's servers.

use async_trait::async_trait;
use mlops_core::saga::{Progress, Step, StepError, UndoError};
use serde::{Deserialize, Serialize};

use crate::ecs::{Account, logs};
use crate::elb::Owner;

pub(super) enum LogGroup {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogGroupInput {
    pub(super) owner: Owner,
    pub(super) name: String,
}

#[async_trait]
impl Step for LogGroup {
    const NAME: &'static str = "ecs_log_group";
    const VERSION: u32 = 1;
    type Ports = Account;
    type Input = LogGroupInput;
    type Output = ();
    type Checkpoint = ();

    async fn forward(
        account: &Account,
        input: LogGroupInput,
        _: Option<()>,
    ) -> Result<Progress<()>, StepError> {
        logs::open(&account.clients, &input.owner, &input.name).await?;
        Ok(Progress::Done(()))
    }

    /// A group that an earlier server of the endpoint made stays.
    async fn undo(
        account: &Account,
        input: LogGroupInput,
        _: Option<()>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        logs::undo(&account.clients, &input.owner, &input.name).await?;
        Ok(Progress::Done(()))
    }
}
