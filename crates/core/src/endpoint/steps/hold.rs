//! The old revisions stand by for `terminate_after`, and the new ones are watched.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::endpoint::Period;
use crate::endpoint::events::Note;
use crate::endpoint::ports::EndpointPorts;
use crate::endpoint::spec::OnFailure;
use crate::error::Error;
use crate::rollout::Move;
use crate::rollout::guard::Guard;
use crate::saga::{Progress, Step, StepError, UndoError};
use crate::target::Server;

/// Waits while there still is something to go back to at once: on an interrupt, when what took over fails, or when an alarm goes off.
#[derive(Debug)]
pub struct Hold;

/// How long, and what is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldInput {
    /// From the first call on.
    pub terminate_after: Period,
    /// What took over; nothing where an earlier program began to wait.
    #[serde(default)]
    pub watched: Option<Standby>,
}

/// What took over from what, and what speaks against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standby {
    /// Where.
    pub server: Server,
    /// Which revision took over from which.
    pub moves: Vec<Move>,
    /// What must not go off.
    pub alarms: BTreeSet<String>,
    /// Those of them that went off before anything was made, and were not OK since.
    pub aside: BTreeSet<String>,
    /// What an alarm does.
    pub on_failure: OnFailure,
}

/// Until when: survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldUntil {
    /// The moment; none where somebody has resumed, and it begins anew.
    pub until: Option<Timestamp>,
    /// Alarms that were OK since.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub recovered: BTreeSet<String>,
}

/// How often what took over is looked at, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[async_trait]
impl Step for Hold {
    const NAME: &'static str = "hold";
    const VERSION: u32 = 2;
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
        let mut at = checkpoint.unwrap_or(HoldUntil {
            until: None,
            recovered: BTreeSet::new(),
        });
        let until = (at.until).unwrap_or_else(|| now.checked_add(hold).unwrap_or(Timestamp::MAX));
        at.until = Some(until);
        if let Some(watched) = &input.watched {
            // At the end, too: what is taken away then is what there was to go back to.
            watched.look(ports, &mut at.recovered).await?;
        }
        let rest = Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO);
        Ok(if rest.is_zero() {
            Progress::Done(())
        } else {
            Progress::Pending {
                poll_after: match input.watched {
                    Some(_) => rest.min(LOOK_EVERY),
                    None => rest,
                },
                deadline: input.terminate_after.duration() + Duration::from_secs(60),
                checkpoint: at,
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

    /// Whoever resumes has found out what it was, and there is as much time again to go back.
    fn resume(checkpoint: HoldUntil) -> HoldUntil {
        HoldUntil {
            until: None,
            ..checkpoint
        }
    }
}

impl Standby {
    /// Fails if what took over does not serve, or an alarm goes off.
    async fn look(
        &self,
        ports: &EndpointPorts,
        recovered: &mut BTreeSet<String>,
    ) -> Result<(), StepError> {
        let guard = Guard {
            server: &self.server,
            moves: &self.moves,
            alarms: &self.alarms,
            aside: &self.aside,
        };
        let candidates: Vec<_> = self.moves.iter().map(|change| &change.new).collect();
        guard.living(ports, &candidates).await?;
        let Some((reason, alarms)) = guard.alarmed(ports, recovered).await? else {
            return Ok(());
        };
        let reason = format!("while the old revision stood by (rollout.terminate_after), {reason}");
        (ports.events).tell(Note::new("rollout.failed", reason.clone()));
        Err(match self.on_failure {
            OnFailure::Rollback => StepError::Failed {
                error: Error::invalid(reason),
                evidence: (!alarms.is_empty()).then(|| json!({ "alarms": alarms })),
            },
            OnFailure::Pause => StepError::Paused { reason },
        })
    }
}
