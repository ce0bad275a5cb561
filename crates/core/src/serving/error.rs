//! What the admin side answers when it refuses.

use serde::{Deserialize, Serialize};

/// The body of an admin answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AdminError {
    /// What kind of refusal it is; callers decide on this, never on the text.
    pub code: AdminErrorCode,
    /// Names the object, what was tried, and what to do next.
    pub message: String,
}

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminErrorCode {
    /// 400, 405 or 413: the request itself is wrong; repeating it changes nothing.
    Invalid,
    /// 404: no such revision, variant or path.
    NotFound,
    /// 409: the object is in a state that does not allow it.
    Conflict,
    /// 503: the server is shutting down.
    Unavailable,
    /// 500: a fault of the server.
    Bug,
}
