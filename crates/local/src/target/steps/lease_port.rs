//! Leases the port that clients will use.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mlops_core::saga::{Progress, Step, StepError, UndoError};
use mlops_core::target::slots::Release;
use serde::{Deserialize, Serialize};

use super::Machine;
use crate::target::layout::ServerKey;
use crate::target::ports::{self, Wanted};
use crate::target::server::{self, Found};

pub(super) enum LeasePort {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeasePortInput {
    pub(super) server: ServerKey,
    pub(super) wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leased {
    pub(super) port: u16,
}

#[async_trait]
impl Step for LeasePort {
    const NAME: &'static str = "local_lease_port";
    const VERSION: u32 = 1;
    type Ports = Machine;
    type Input = LeasePortInput;
    type Output = Leased;
    type Checkpoint = ();

    async fn forward(
        machine: &Machine,
        mut input: LeasePortInput,
        _: Option<()>,
    ) -> Result<Progress<Leased>, StepError> {
        if let Some(previous) = &input.wanted.replaces
            && matches!(
                server::find(&machine.dir(previous)).await?,
                Found::Running { .. } | Found::Silent
            )
        {
            // A server that lives keeps its port until it is torn down.
            input.wanted.replaces = None;
        }
        let port = ports::acquire(
            machine.records.as_ref(),
            &input.server,
            &input.wanted,
            &BTreeSet::new(),
        )
        .await?;
        Ok(Progress::Done(Leased { port }))
    }

    async fn undo(
        machine: &Machine,
        input: LeasePortInput,
        _: Option<Leased>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        ports::release(
            machine.records.as_ref(),
            &input.server,
            None,
            Release::Restore,
        )
        .await?;
        Ok(Progress::Done(()))
    }
}
