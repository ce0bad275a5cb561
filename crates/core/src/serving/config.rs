//! What a server process is started with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{RevisionSpec, SmokeRequest, VariantTable, Weights};

/// Everything a server process needs to know before it binds. Travels as JSON (a file or standard input, not the
/// argument list: the nonce is what tells our process from another one).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Name of the endpoint; the first label of every metric and the first model name on the data side.
    pub endpoint: String,
    /// Address of the data side. It is bound with SO_REUSEADDR and never with SO_REUSEPORT: a port in use is an error
    /// ([`super::EXIT_ADDRESS_IN_USE`]). Port 0 binds a free one, which [`super::Status::listen`] tells.
    pub listen: SocketAddr,
    /// Path of the admin socket. A dead socket file is replaced, one that answers is an error. `None`: no admin side.
    #[serde(default)]
    pub admin_socket: Option<PathBuf>,
    /// Echoed by [`super::Identity`]; whoever started the process recognises it by this.
    pub nonce: String,
    /// Where log lines (JSON, one per line; among them the access log) go.
    #[serde(default)]
    pub log: LogTarget,
    /// Bounds of the whole process.
    #[serde(default)]
    pub limits: ServerLimits,
    /// Routing table at start; an empty one waits for `PUT /variants`.
    #[serde(default)]
    pub variants: VariantTable,
    /// Revisions loaded, and asked, before the server listens; an error in one of them ends the process.
    #[serde(default)]
    pub preload: Vec<Preload>,
    /// Weights at start, by variant.
    #[serde(default)]
    pub weights: BTreeMap<String, Weights>,
}

/// A revision that a server loads at start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preload {
    /// Name of the revision.
    pub revision: String,
    /// What it serves.
    pub spec: RevisionSpec,
    /// What it must answer before the server listens. Absent: nothing is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<SmokeRequest>,
}

/// Where a server writes its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LogTarget {
    /// Standard error.
    #[default]
    Stderr,
    /// A file, created with mode 0600 and appended to. When it passes `max_bytes` it is renamed to `<path>.1`
    /// (replacing an older one) and begun anew, so the log never takes more than twice that.
    File {
        /// The file.
        path: PathBuf,
        /// Size at which it is rotated, in bytes.
        max_bytes: u64,
    },
}

/// Bounds of a server process. The defaults suit one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerLimits {
    /// Longest request body, in bytes; longer ones are refused with 413 before they are read. Default 16 MiB.
    pub max_body_bytes: usize,
    /// Connections open at once; further ones wait in the kernel's queue. Default 1024.
    pub max_connections: usize,
    /// Requests inside the server at once, over all revisions; further ones are refused with 503. Default 512.
    pub max_in_flight: usize,
    /// Drain limit on SIGTERM and SIGINT, in seconds. Default 5.
    pub drain_seconds: u64,
    /// Threads that speak HTTP; 0 chooses by the machine (at most 4). Default 0.
    pub worker_threads: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 16 * 1024 * 1024,
            max_connections: 1024,
            max_in_flight: 512,
            drain_seconds: 5,
            worker_threads: 0,
        }
    }
}
