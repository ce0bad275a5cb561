//! What a step is.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Class, Error};

/// How far a call got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<O, C = ()> {
    /// It is done.
    Done(O),
    /// It goes on elsewhere: call again with `checkpoint`.
    Pending {
        /// How long to wait before the next call.
        poll_after: Duration,
        /// How long the whole step may take, counted from its first call. Past it, a step that is
        /// still pending has failed.
        deadline: Duration,
        /// What the step needs to know to go on.
        checkpoint: C,
    },
}

impl<C: Default> Progress<(), C> {
    /// Pending without anything to remember.
    pub fn again(poll_after: Duration, deadline: Duration) -> Self {
        Self::Pending {
            poll_after,
            deadline,
            checkpoint: C::default(),
        }
    }
}

impl Progress<()> {
    /// The same of a step that remembers this while it is pending.
    pub fn noting<C>(self, checkpoint: C) -> Progress<(), C> {
        match self {
            Self::Done(()) => Progress::Done(()),
            Self::Pending {
                poll_after,
                deadline,
                ..
            } => Progress::Pending {
                poll_after,
                deadline,
                checkpoint,
            },
        }
    }
}

/// One step of a saga.
///
/// Both calls are idempotent, return within 30 s and never wait for the world: what takes longer
/// is `Pending`. After a kill, `forward` is called again with the last journaled checkpoint, which
/// may be older than the last call's effect. `undo` is called for every step that has begun, with
/// whatever is known of it: the output if it finished, the last checkpoint if there was one. It
/// succeeds if there is nothing to undo.
#[async_trait]
pub trait Step: Send + Sync + 'static {
    /// Its name in the journal; never changes.
    const NAME: &'static str;
    /// Grows when the meaning of input, output or checkpoint changes.
    const VERSION: u32;
    /// What it acts on: ports, never a client.
    type Ports: Send + Sync + ?Sized + 'static;
    /// What it is asked for; fixed, and journaled, before its first call. Not `()`: a step that needs
    /// nothing takes an empty struct.
    type Input: Data;
    /// What later steps and undo need to know.
    type Output: Data;
    /// What it needs to go on; `()` if nothing.
    type Checkpoint: Data;

    /// Does it, or some of it.
    async fn forward(
        ports: &Self::Ports,
        input: Self::Input,
        checkpoint: Option<Self::Checkpoint>,
    ) -> Result<Progress<Self::Output, Self::Checkpoint>, StepError>;

    /// Takes it back, or some of it. Stands directly below `forward`.
    async fn undo(
        ports: &Self::Ports,
        input: Self::Input,
        output: Option<Self::Output>,
        checkpoint: Option<Self::Checkpoint>,
    ) -> Result<Progress<(), Self::Checkpoint>, UndoError>;

    /// The checkpoint to go on with when a saga that was paused or interrupted is resumed.
    fn resume(checkpoint: Self::Checkpoint) -> Self::Checkpoint {
        checkpoint
    }
}

/// What can be journaled.
pub trait Data: Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static> Data for T {}

/// Why a step did not go on.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It failed: undo. `Unavailable` and `Throttled` causes are retried by the executor first.
    #[error("{error}")]
    Failed {
        /// What failed.
        #[source]
        error: Error,
        /// What was measured, for the outcome and the event log.
        evidence: Option<serde_json::Value>,
    },
    /// It stops here until somebody resumes; nothing is undone.
    #[error("{reason}")]
    Paused {
        /// Why, for a person.
        reason: String,
    },
}

impl StepError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Failed { error, .. } if is_transient(error))
    }
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        Self::Failed {
            error,
            evidence: None,
        }
    }
}

/// Why a step could not be taken back. Once the executor gives up on it, **a human will be
/// needed**: the world is neither as before nor as asked for, and the object is locked until it is
/// repaired. So an undo reports only what it cannot get rid of; "not found" is success.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UndoError(#[source] pub Error);

impl UndoError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        is_transient(&self.0)
    }
}

impl From<Error> for UndoError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

pub(super) fn is_transient(error: &Error) -> bool {
    matches!(error.class(), Class::Unavailable | Class::Throttled)
}
