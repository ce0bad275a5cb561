//! From commands to exit codes.

use std::process::ExitCode;

use mlops_core::endpoint::Outcome;
use mlops_core::{Class, Error};

use crate::arguments::Command;
use crate::place::Adapters;
use crate::{artifact, endpoint, image, reference, registry, serve};

/// How a command ends. The numbers are part of the interface: see `mlops --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or as it should be.
    Ok = 0,
    /// Failed, rolled back, or does not serve.
    Failed = 1,
    /// The command line or an argument is wrong.
    Usage = 2,
    /// No such endpoint or version, or nothing to do it to.
    NotFound = 3,
    /// Paused, or locked until somebody acts.
    NeedsAction = 4,
    /// Somebody else is deploying.
    Busy = 5,
}

impl From<&Outcome> for Exit {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded { .. } | Outcome::Deleted => Self::Ok,
            Outcome::Paused(_)
            | Outcome::InterruptedOpen(_)
            | Outcome::UndoFailed(_)
            | Outcome::Locked(_) => Self::NeedsAction,
            Outcome::Refused { .. } => Self::Busy,
            _ => Self::Failed,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.class() {
            Class::NotFound => Self::NotFound,
            Class::Invalid => Self::Usage,
            Class::Conflict => Self::Busy,
            _ => Self::Failed,
        }
    }
}

/// Runs a command.
pub(crate) fn run(command: Command, adapters: &Adapters) -> ExitCode {
    let open = adapters.open;
    let done = match command {
        Command::Serve(arguments) => serve::run(&arguments, adapters),
        Command::Endpoint(verb) => {
            endpoint::run(&verb, open).map(|exit| ExitCode::from(exit as u8))
        }
        Command::Artifact(verb) => {
            artifact::run(&verb, open).map(|exit| ExitCode::from(exit as u8))
        }
        Command::Image(verb) => image::run(&verb, adapters).map(|exit| ExitCode::from(exit as u8)),
        Command::Reference(arguments) => {
            reference::run(&arguments, adapters).map(|exit| ExitCode::from(exit as u8))
        }
        Command::Registry(verb) => {
            registry::run(&verb, adapters).map(|exit| ExitCode::from(exit as u8))
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("mlops: {}", chain(&error));
        ExitCode::from(Exit::from(&error) as u8)
    })
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
