//! How an apply or a delete ended: SURFACE's outcome table as a type.

use std::fmt;

use super::deployment::DeploymentRef;
use super::record::EndpointRecord;
use crate::saga::StopReason;

/// How an apply or a delete ended. All but `Succeeded` and `Deleted` are failures towards the
/// user: exit code 1, and the state stays what it was (on create: nothing).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// It runs as asked for.
    Succeeded {
        /// What runs.
        record: Box<EndpointRecord>,
        /// False if it already did and nothing was done.
        deployed: bool,
        /// What whoever asked should know beside it.
        warning: Option<String>,
    },
    /// It does not exist any more.
    Deleted,
    /// It failed, and everything is as before.
    RolledBack(Stopped),
    /// It waits for somebody to resume; the journal is open.
    Paused(Stopped),
    /// It was interrupted, and everything is as before.
    InterruptedRolledBack(Stopped),
    /// It was interrupted, traffic is with the old revision, and the next apply goes on.
    InterruptedOpen(Stopped),
    /// It failed and could not be taken back. Everything but a repair is refused.
    UndoFailed(Stopped),
    /// It failed, everything but the steps that could not be was taken back, and a repair by force
    /// closed it.
    Abandoned(Stopped),
    /// An earlier deployment could not be taken back; nothing was done.
    Locked(Stopped),
    /// Somebody else is deploying; nothing was done.
    Refused {
        /// Who, with the deployment, and until when.
        message: String,
        /// The holder's own description, which names the deployment.
        holder: Option<String>,
    },
}

/// A deployment that did not get to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// The endpoint.
    pub endpoint: String,
    /// Which deployment.
    pub deployment: DeploymentRef,
    /// Why.
    pub stop: Option<StopReason>,
    /// Why it could not be taken back.
    pub undo_failure: Option<StopReason>,
}

impl Stopped {
    fn why(&self) -> &str {
        self.stop
            .as_ref()
            .map_or("it did not finish", |stop| &stop.message)
    }
}

impl Outcome {
    /// Whether the endpoint is as asked for.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Deleted)
    }

    /// The deployment, where there was one that stopped.
    pub fn stopped(&self) -> Option<&Stopped> {
        match self {
            Self::RolledBack(stopped)
            | Self::Paused(stopped)
            | Self::InterruptedRolledBack(stopped)
            | Self::InterruptedOpen(stopped)
            | Self::UndoFailed(stopped)
            | Self::Abandoned(stopped)
            | Self::Locked(stopped) => Some(stopped),
            _ => None,
        }
    }
}

/// One line for people: what happened and what to do next.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded {
                record,
                deployed: true,
                ..
            } => {
                write!(
                    f,
                    "endpoint {} serves revision {} at {}",
                    record.identity(),
                    record.revision,
                    record.server.invoke_url
                )
            }
            Self::Succeeded {
                record,
                deployed: false,
                ..
            } => {
                write!(f, "endpoint {} already is as asked for", record.identity())
            }
            Self::Deleted => f.write_str("the endpoint is gone"),
            Self::RolledBack(s) => write!(
                f,
                "deployment {} of endpoint {} failed and was rolled back: {}; correct the cause and apply again",
                s.deployment,
                s.endpoint,
                s.why()
            ),
            Self::Paused(s) => write!(
                f,
                "deployment {} of endpoint {} is paused: {}; continue with `mlops endpoint resume {}`",
                s.deployment,
                s.endpoint,
                s.why(),
                s.endpoint
            ),
            Self::InterruptedRolledBack(s) => write!(
                f,
                "deployment {} of endpoint {} was interrupted and rolled back; apply again to retry",
                s.deployment, s.endpoint
            ),
            Self::InterruptedOpen(s) => write!(
                f,
                "deployment {} of endpoint {} was interrupted; traffic is with the old revision, and the next apply resumes it",
                s.deployment, s.endpoint
            ),
            Self::Abandoned(s) => write!(
                f,
                "deployment {} of endpoint {} failed ({}) and was closed by force; what could not be taken back stays behind: {}",
                s.deployment,
                s.endpoint,
                s.why(),
                s.undo_failure
                    .as_ref()
                    .map_or("unknown", |stop| &stop.message)
            ),
            Self::UndoFailed(s) | Self::Locked(s) => write!(
                f,
                "endpoint {} is locked: deployment {} failed ({}) and could not be rolled back ({}); remove the cause, then run `mlops endpoint repair {}`",
                s.endpoint,
                s.deployment,
                s.why(),
                s.undo_failure
                    .as_ref()
                    .map_or("unknown", |stop| &stop.message),
                s.endpoint
            ),
            Self::Refused { message, .. } => f.write_str(message),
        }
    }
}
