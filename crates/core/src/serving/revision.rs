//! One revision: what it serves, how far it is, how it is proved and removed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::signature::Signature;

/// What a revision serves. A revision is immutable: the same name with another specification is a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevisionSpec {
    /// Variant it belongs to. The variant need not be in the table yet.
    pub variant: String,
    /// Name of the registry model.
    pub model: String,
    /// Version number of the registry model.
    pub version: u64,
    /// Digest of the artifact (of its manifest), as the registry records it. Reported, not recomputed here: what is
    /// verified is [`ModelFile::sha256`].
    pub digest: String,
    /// The file to load.
    pub file: ModelFile,
    /// What its values are expected to look like ([`crate::reference`]); values are counted only if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ModelFile>,
    /// Bounds of this revision.
    #[serde(default)]
    pub limits: RevisionLimits,
}

/// A file of a version: the one that a revision may run, or its reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Where it lies. It is read once, into memory; it may be removed after the revision is ready.
    pub path: PathBuf,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits. Bytes with another digest are never loaded.
    pub sha256: String,
}

/// Bounds of one revision; they come from the variant's `environment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RevisionLimits {
    /// Predictions that run at once. Default 8.
    pub max_concurrency: usize,
    /// Requests that may wait for a turn; one more is refused with 429. Default 128.
    pub max_queue: usize,
    /// Time from a request's arrival to its answer, in milliseconds; then 504. Default 30000.
    pub timeout_ms: u64,
}

impl Default for RevisionLimits {
    fn default() -> Self {
        Self {
            max_concurrency: 8,
            max_queue: 128,
            timeout_ms: 30_000,
        }
    }
}

impl RevisionLimits {
    /// Environment variable of a variant that sets [`RevisionLimits::max_concurrency`].
    pub const MAX_CONCURRENCY: &str = "MLOPS_MAX_CONCURRENCY";
    /// Environment variable of a variant that sets [`RevisionLimits::max_queue`].
    pub const MAX_QUEUE: &str = "MLOPS_MAX_QUEUE";
    /// Environment variable of a variant that sets [`RevisionLimits::timeout_ms`].
    pub const TIMEOUT_MS: &str = "MLOPS_TIMEOUT_MS";

    /// Reads a variant's `environment`. It sets these bounds and nothing else: a name that the server
    /// would not look at is refused, and values are never shown, because somebody may have put a
    /// secret under a wrong name.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Result<Self> {
        let mut limits = Self::default();
        for (name, text) in environment {
            let number = || {
                text.parse::<u64>().map_err(|_| {
                    Error::invalid(format!(
                        "{name} is not a whole number; see its documentation"
                    ))
                })
            };
            let size = || Ok::<_, Error>(usize::try_from(number()?).unwrap_or(usize::MAX));
            match name.as_str() {
                Self::MAX_CONCURRENCY => limits.max_concurrency = size()?,
                Self::MAX_QUEUE => limits.max_queue = size()?,
                Self::TIMEOUT_MS => limits.timeout_ms = number()?,
                _ => {
                    return Err(Error::invalid(format!(
                        "the model server reads no variable {name}; use {}, {} or {}",
                        Self::MAX_CONCURRENCY,
                        Self::MAX_QUEUE,
                        Self::TIMEOUT_MS
                    )));
                }
            }
        }
        if limits.max_concurrency == 0 || limits.timeout_ms == 0 {
            return Err(Error::invalid(format!(
                "{} and {} must be at least 1",
                Self::MAX_CONCURRENCY,
                Self::TIMEOUT_MS
            )));
        }
        Ok(limits)
    }
}

/// Where a revision is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionState {
    /// The file is being read, verified and compiled.
    Loading,
    /// It answers smoke requests, and data requests in proportion to its weight.
    Ready,
    /// It could not be loaded; [`RevisionStatus::failure`] says why. Repeating the PUT tries again.
    Failed,
    /// It takes no new request and waits for those in flight.
    Draining,
}

/// One revision as the server sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RevisionStatus {
    /// Name of the revision.
    pub revision: String,
    /// What it serves.
    pub spec: RevisionSpec,
    /// Where it is in its life.
    pub state: RevisionState,
    /// Why it is [`RevisionState::Failed`]; a sentence for the user. Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Its share of its variant, out of [`super::WHOLE`].
    pub weight: u32,
    /// Requests that it has accepted and not answered yet (queued ones and shadow ones too).
    pub in_flight: u64,
    /// Its inputs and outputs, once ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// A golden request. It bypasses weights and is not counted in the revision's metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmokeRequest {
    /// What to ask. An object with an `inputs` list of tensors is an Open Inference request; any other object is taken as
    /// an MLflow `/invocations` body (`dataframe_split`, `dataframe_records`, `inputs`, `instances`); a list means
    /// `{"instances": …}`.
    pub inputs: Value,
    /// What the answer must contain: every key of an object and every item of a list, numbers within one part in ten
    /// thousand. A list is compared with the answer's `predictions` (or the first output's `data`). Absent: any 200 passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Value>,
}

/// What became of a golden request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmokeReport {
    /// Whether the answer was a success and contained what was expected.
    pub passed: bool,
    /// HTTP status that the data side would have answered.
    pub status: u16,
    /// The answer's body.
    pub answer: Value,
    /// Why it did not pass: where the answer differs, or the error. Absent if it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<String>,
    /// How long it took, in microseconds.
    pub duration_micros: u64,
}

/// How far the removal of a revision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Whether it still waits.
    pub state: RemovalState,
    /// Requests in flight. Beside [`RemovalState::Gone`]: those that outlived the drain limit; they still get their
    /// answers, but the server no longer waits for them.
    pub in_flight: u64,
}

/// See [`Removal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemovalState {
    /// Requests are in flight and the limit has not passed. Ask again.
    Draining,
    /// The server does not know the revision (any more); its counters are gone with it.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<RevisionLimits> {
        RevisionLimits::from_environment(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn an_environment_sets_bounds_and_refuses_what_nobody_reads() {
        assert_eq!(read("MLOPS_TIMEOUT_MS", "250").unwrap().timeout_ms, 250);
        assert_eq!(read("MLOPS_MAX_QUEUE", "0").unwrap().max_queue, 0);
        for (name, value, said) in [
            ("API_TOKEN", "hunter2", "reads no variable API_TOKEN"),
            (
                "MLOPS_TIMEOUT_MS",
                "soon",
                "MLOPS_TIMEOUT_MS is not a whole number",
            ),
            ("MLOPS_MAX_CONCURRENCY", "0", "must be at least 1"),
        ] {
            let error = read(name, value).unwrap_err().to_string();
            assert!(
                error.contains(said) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
