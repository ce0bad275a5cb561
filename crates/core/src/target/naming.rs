//! The name that clients know a server by, where that is not its own address.

use serde::{Deserialize, Serialize};

use super::Server;
use crate::endpoint::deployment::DeploymentRef;
use crate::endpoint::spec::TargetSpec;

/// What of a server's name differs from what is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Naming {
    /// Whether a name is asked for.
    pub is_wanted: bool,
    /// Whether the server that runs is known by just what is asked for.
    pub is_same: bool,
    /// What is left of its name once it has another, or none: to be torn down like a server.
    pub left: Option<Server>,
}

/// A server that gets the name that is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Announcement {
    /// The server. It serves.
    pub server: Server,
    /// What is asked for.
    pub target: TargetSpec,
    /// The endpoint's server before, which may be the same, and may have the name now.
    pub previous: Option<Server>,
    /// The deployment that asks; the mark by which a name that was given is found again.
    pub deployment: DeploymentRef,
}
