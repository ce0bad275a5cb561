//! The old revisions stand by for `terminate_after`.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::endpoint::Period;
use crate::endpoint::ports::EndpointPorts;
use crate::saga::{Progress, Step, StepError, UndoError};

/// Waits, so that an interrupt can still give traffic back at once.
#[derive(Debug)]
pub struct Hold;

/// How long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldInput {
    /// From the first call on.
    pub terminate_after: Period,
}

/// Until when: survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldUntil {
    /// The moment.
    pub until: Timestamp,
}

#[async_trait]
impl Step for Hold {
    const NAME: &'static str = "hold";
    const VERSION: u32 = 1;
    type Ports = EndpointPorts;
    type Input = HoldInput;
    type Output = ();
    type Checkpoint = HoldUntil;

    async fn forward(
        ports: &EndpointPorts,
        input: HoldInput,
        checkpoint: Option<HoldUntil>,
    ) -> Result<Progress<(), HoldUntil>, StepError> {
        let now = ports.clock.now();
        let hold = SignedDuration::try_from(input.terminate_after.duration())
            .unwrap_or(SignedDuration::MAX);
        let checkpoint = checkpoint.unwrap_or(HoldUntil {
            until: now.checked_add(hold).unwrap_or(Timestamp::MAX),
        });
        let rest =
            Duration::try_from(checkpoint.until.duration_since(now)).unwrap_or(Duration::ZERO);
        Ok(if rest.is_zero() {
            Progress::Done(())
        } else {
            let deadline = input.terminate_after.duration() + Duration::from_secs(60);
            Progress::Pending {
                poll_after: rest,
                deadline,
                checkpoint,
            }
        })
    }

    /// Waiting left nothing behind.
    async fn undo(
        _: &EndpointPorts,
        _: HoldInput,
        _: Option<()>,
        _: Option<HoldUntil>,
    ) -> Result<Progress<(), HoldUntil>, UndoError> {
        Ok(Progress::Done(()))
    }
}
