//! Paths of the admin side. Names are [valid names](super::is_valid_name), so nothing needs escaping.

/// `GET`: who answers.
pub const IDENTITY: &str = "/identity";
/// `GET`: what runs.
pub const STATUS: &str = "/status";
/// `PUT`: the whole routing.
pub const ROUTING: &str = "/routing";
/// `GET`: monotonic counters of every revision.
pub const METRICS_SNAPSHOT: &str = "/metrics/snapshot";
/// `POST`: drain and exit.
pub const SHUTDOWN: &str = "/shutdown";

/// `PUT`, `GET`, `DELETE`: one revision.
pub fn revision(revision: &str) -> String {
    format!("/revisions/{revision}")
}

/// `DELETE` with a drain limit.
pub fn revision_removal(revision: &str, drain_seconds: u64) -> String {
    format!("/revisions/{revision}?drain_seconds={drain_seconds}")
}

/// `POST`: a golden request against one revision.
pub fn smoke(revision: &str) -> String {
    format!("/revisions/{revision}/smoke")
}

/// `POST`: shutdown with a drain limit.
pub fn shutdown(drain_seconds: u64) -> String {
    format!("{SHUTDOWN}?drain_seconds={drain_seconds}")
}
