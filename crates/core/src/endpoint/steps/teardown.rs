//! A deleted endpoint's server is taken away, with everything that is left of earlier ones.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::wait::Wait;
use crate::endpoint::ports::EndpointPorts;
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::Server;

/// Takes every server of the endpoint away.
#[derive(Debug)]
pub struct Teardown;

/// What goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TeardownInput {
    /// The servers.
    pub servers: Vec<Server>,
    /// How long requests may take to end.
    pub drain_seconds: u64,
}

#[async_trait]
impl Step for Teardown {
    const NAME: &'static str = "teardown";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = TeardownInput;
    type Output = ();
    type Checkpoint = ();

    async fn forward(
        ports: &EndpointPorts,
        input: TeardownInput,
        _: Option<()>,
    ) -> Result<Progress<()>, StepError> {
        let mut wait = Wait::default();
        for server in &input.servers {
            wait.add(ports.target.teardown(server, input.drain_seconds).await?);
        }
        let deadline = Duration::from_secs(input.drain_seconds) + ports.target.patience();
        Ok(wait.progress(deadline))
    }

    /// Never called: this step is a pivot. A delete is not taken back, it is tried again.
    async fn undo(
        _: &EndpointPorts,
        _: TeardownInput,
        _: Option<()>,
        _: Option<()>,
    ) -> Result<Progress<()>, UndoError> {
        Ok(Progress::Done(()))
    }
}
