//! Hashes of specifications: two creates that ask for the same thing have the same one.

use serde::Serialize;

use crate::artifacts::Digest;
use crate::error::{Error, Result};

/// The hex SHA-256 of a specification's JSON. `serde_json` writes maps of its own sorted and
/// struct fields in order, so equal values give equal text.
pub(super) fn spec_hash(kind: &str, spec: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(&(kind, spec)).map_err(|error| {
        Error::bug(format!(
            "a {kind} could not be written as JSON; report this"
        ))
        .because(error)
    })?;
    Ok(Digest::of(text.as_bytes()).hex())
}
