//! What can go wrong between the wire and a value.

use crate::path::Path;

/// A failure to read or write the protocol's data.
///
/// The transport has its own error; problems that a user can act on are [`Diagnostics`](crate::Diagnostics).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A decimal text that is not a number that can be held.
    #[error("not a number that can be read: {reason}")]
    Number {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Bytes that are not valid MessagePack, or not within the decoder's limits.
    #[error("malformed MessagePack at byte {offset}: {reason}")]
    MsgPack {
        /// Where decoding stopped.
        offset: usize,
        /// What was met there.
        reason: &'static str,
    },
    /// Bytes that are not valid JSON.
    #[error("malformed JSON")]
    Json(#[source] serde_json::Error),
    /// A value that does not have the type its schema gives it.
    #[error("at {path}: expected {expected}, found {found}")]
    Type {
        /// The attribute at fault.
        path: Path,
        /// The type of the schema, in words.
        expected: String,
        /// What was there, in words; never the value itself.
        found: String,
    },
    /// A message that lacks a part which the protocol requires.
    #[error("the request has no {part}")]
    Missing {
        /// The absent field.
        part: &'static str,
    },
}

impl Error {
    /// The same error, seen from one level further out.
    pub(crate) fn within(self, step: impl Into<crate::path::Step>) -> Self {
        match self {
            Self::Type {
                path,
                expected,
                found,
            } => Self::Type {
                path: path.within(step),
                expected,
                found,
            },
            other => other,
        }
    }
}
