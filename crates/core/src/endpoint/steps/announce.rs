//! The server gets the name that clients know it by, once it serves; and one that had the name before, loses it.

use async_trait::async_trait;
use serde_json::Value;

use crate::endpoint::ports::EndpointPorts;
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::{Announcement, Server};

/// Makes the name lead to the server. Its output is the server as clients know it from then on.
///
/// It comes after the rollout: before, nobody behind the name would answer, or a name that leads to a server which serves would lead to one that may yet
/// fail. What is left of another name goes with the old revisions, later.
#[derive(Debug)]
pub struct Announce;

#[async_trait]
impl Step for Announce {
    const NAME: &'static str = "announce";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = Announcement;
    type Output = Server;
    /// A document of the target's own; never null.
    type Checkpoint = Value;

    async fn forward(
        ports: &EndpointPorts,
        input: Announcement,
        checkpoint: Option<Value>,
    ) -> Result<Progress<Server, Value>, StepError> {
        Ok(ports.target.announce(&input, checkpoint.as_ref()).await?)
    }

    /// The name leads again to where it led before.
    async fn undo(
        ports: &EndpointPorts,
        input: Announcement,
        output: Option<Server>,
        checkpoint: Option<Value>,
    ) -> Result<Progress<(), Value>, UndoError> {
        let has_begun = output.is_some() || checkpoint.is_some();
        let withdrawn = ports.target.withdraw(&input, has_begun).await?;
        Ok(withdrawn.noting(checkpoint.unwrap_or(Value::Bool(has_begun))))
    }
}
