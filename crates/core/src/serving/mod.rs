//! The admin side of the model server: the types that travel between a target and the server it runs.
//!
//! Types and arithmetic only; no socket is opened here. The server is `mlops-serve`, the client is whichever target
//! runs it (first: the local one).
//!
//! # Transport
//!
//! HTTP/1.1 over a unix stream socket of mode 0600, whose path is [`ServerConfig::admin_socket`]. Bodies are JSON, of at
//! most [`MAX_ADMIN_BODY_BYTES`]. The `Host` header is ignored. A connection may carry many requests. Never TCP.
//!
//! # Calls
//!
//! Paths are built by the functions of [`path`]; `E` below is [`AdminError`], the body of every answer that is not 2xx.
//!
//! | call | body | answer | refusals |
//! |---|---|---|---|
//! | `GET /identity` | | [`Identity`] | |
//! | `GET /status` | | [`Status`] | |
//! | `PUT /routing` | [`RoutingTable`] | 200 [`Status`] | 400 E invalid table, 404 E unknown revision, 409 E a weighted revision is not ready |
//! | `PUT /revisions/{revision}` | [`RevisionSpec`] | 202 [`RevisionStatus`] while loading, 200 when ready or failed | 400 E invalid, 409 E same revision with other content, or draining |
//! | `GET /revisions/{revision}` | | 200 [`RevisionStatus`] | 404 E |
//! | `POST /revisions/{revision}/smoke` | [`SmokeRequest`] | 200 [`SmokeReport`], passed or not | 404 E, 409 E not ready |
//! | `GET /metrics/snapshot` | | 200 [`MetricsSnapshot`] | |
//! | `DELETE /revisions/{revision}?drain_seconds=N` | | 200 [`Removal`] (also for a revision never known) | 400 E bad query |
//! | `POST /shutdown?drain_seconds=N` | | 202 [`Shutdown`] | 400 E bad query |
//!
//! # Guarantees
//!
//! * **Idempotent**: each call may be repeated by a caller that was killed before it read the answer.
//! * **No call waits**: loading, draining and shutdown go on in the background, and the same call (or a `GET`) reports
//!   how far they are. Every answer comes within a second, save `smoke`, which ends with the revision's own timeout.
//! * **Atomic**: a [`RoutingTable`] replaces the whole routing in one step; a request sees the
//!   table before or after, never a mixture. No request fails because of a change, as long as one revision stays ready.
//! * The server keeps no windows: [`MetricsSnapshot`] holds counters that only grow, and [`Window::between`] subtracts.
//!
//! `DELETE` first takes the revision out of routing: it gets no further request, and what it carried goes to the variant's
//! other revisions in their proportion. If it was the last one with weight, the variant (or the endpoint) has nobody to
//! answer, so weights are shifted away first. The drain limit of the first `DELETE` counts; `drain_seconds=0`, also later,
//! forgets the revision at once. A later `POST /shutdown` may only shorten the drain.
//!
//! # Routing
//!
//! A request for the endpoint picks a variant by its [`VariantRoute::traffic`], then a revision of that variant by its
//! [`Weights`], both by smooth weighted round robin: exact within one request. A variant without a ready, weighted
//! revision is passed over and the others carry its part. After a table or weights changed, counting starts afresh.
//!
//! A freshly started server has no variants and answers 503 on its data side; the order for a new endpoint is
//! `PUT /revisions/{r}`, poll until [`RevisionState::Ready`], smoke, `PUT /routing`.
//! A restarted server has forgotten everything and is told again in the same order.

mod config;
mod error;
pub mod path;
mod revision;
mod status;
mod task;
mod window;

pub use config::{LogTarget, Preload, ServerConfig, ServerLimits};
pub use error::{AdminError, AdminErrorCode};
pub use revision::{
    ModelFile, Removal, RemovalState, RevisionLimits, RevisionSpec, RevisionState, RevisionStatus,
    SmokeReport, SmokeRequest,
};
pub use status::{
    Identity, RoutingTable, Shutdown, Status, VariantRoute, VariantStatus, VariantTable, Weights,
    WeightsError,
};
pub use task::{
    EXIT_ARTIFACT_DAMAGED, EXIT_ARTIFACT_MISSING, EXIT_DENIED, EXIT_MODELS_UNWRITABLE,
    EXIT_STORE_UNAVAILABLE, EXIT_TASK_UNREADABLE, TASK_CACHE, TASK_MODELS, TASK_MODELS_VARIABLE,
    TASK_VARIABLE, TaskArtifacts, TaskConfig,
};
pub use window::{Counters, LATENCY_BOUNDS_MICROS, MetricsSnapshot, RevisionMetrics, Window};

/// The whole of a split: shares are integers out of this many, so one share is a hundredth of a percent.
pub const WHOLE: u32 = 10_000;

/// The longest admin request body the server reads, in bytes.
pub const MAX_ADMIN_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Exit status of a server process whose configuration it cannot accept.
pub const EXIT_INVALID_CONFIG: i32 = 78;

/// Exit status of a server process that cannot load a model it is started with.
pub const EXIT_MODEL_NOT_LOADED: i32 = 79;

/// Exit status of a server process whose model does not answer its golden request as it should.
pub const EXIT_SMOKE_FAILED: i32 = 80;

/// Exit status of a server process that could not bind its listener because the address is in use.
pub const EXIT_ADDRESS_IN_USE: i32 = 98;

/// True for a name that may stand in an admin path: 1 to 128 of `A-Z a-z 0-9 . _ -`, not `.` or `..`.
pub fn is_valid_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::is_valid_name;

    #[test]
    fn names_that_would_change_a_path_are_not_valid() {
        for bad in ["", ".", "..", "a/b", "a b", "a?b", "é", &"x".repeat(129)] {
            assert!(!is_valid_name(bad), "{bad:?}");
        }
        for good in ["main", "digits-3f2a", "a.b_c-D9", &"x".repeat(128)] {
            assert!(is_valid_name(good), "{good:?}");
        }
    }
}
