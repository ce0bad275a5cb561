//! Why a server does not start, or stops.

use std::net::SocketAddr;
use std::path::PathBuf;

use mlops_core::serving::{
    EXIT_ADDRESS_IN_USE, EXIT_INVALID_CONFIG, EXIT_MODEL_NOT_LOADED, EXIT_SMOKE_FAILED,
};

/// A fault that ends the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The configuration cannot be accepted.
    #[error("the server's configuration is invalid: {reason}")]
    Config {
        /// What is wrong with it.
        reason: String,
    },
    /// The data side's address is taken.
    #[error("address {address} is in use; choose another port, or stop what listens there")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The data side's address cannot be bound for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The admin socket is answered by a running server.
    #[error("admin socket {path:?} is answered by a running server; stop that one first")]
    AdminInUse {
        /// The socket.
        path: PathBuf,
    },
    /// The admin socket cannot be made.
    #[error("cannot make the admin socket {path:?} (its path may have at most about 100 bytes)")]
    Admin {
        /// The socket.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The log file cannot be opened.
    #[error("cannot open the log {path:?}")]
    Log {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A revision of the start configuration cannot be loaded.
    #[error("revision {revision:?} cannot be loaded: {reason}")]
    Preload {
        /// The revision.
        revision: String,
        /// Why not.
        reason: String,
    },
    /// A revision of the start configuration does not answer its golden request as it should.
    #[error("revision {revision:?} failed its golden request and is not served: {mismatch}")]
    Smoke {
        /// The revision.
        revision: String,
        /// Where its answer differs, or the error that it answered with.
        mismatch: String,
    },
    /// Threads or signal handlers cannot be made.
    #[error("cannot start the server's threads")]
    Runtime {
        /// The system's answer.
        source: std::io::Error,
    },
}

/// Kinds of fault, for callers that decide by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Something else holds the resource.
    Conflict,
    /// The request itself is wrong.
    Invalid,
    /// The machine does not give what is needed.
    Unavailable,
}

impl ServeError {
    /// The kind of fault.
    pub fn class(&self) -> Class {
        match self {
            ServeError::AddressInUse { .. } | ServeError::AdminInUse { .. } => Class::Conflict,
            ServeError::Config { .. } | ServeError::Preload { .. } | ServeError::Smoke { .. } => {
                Class::Invalid
            }
            _ => Class::Unavailable,
        }
    }

    /// Exit status of a process that ends with this fault.
    pub fn exit_code(&self) -> i32 {
        match self {
            ServeError::AddressInUse { .. } => EXIT_ADDRESS_IN_USE,
            ServeError::Config { .. } => EXIT_INVALID_CONFIG,
            ServeError::Preload { .. } => EXIT_MODEL_NOT_LOADED,
            ServeError::Smoke { .. } => EXIT_SMOKE_FAILED,
            _ => 1,
        }
    }
}
