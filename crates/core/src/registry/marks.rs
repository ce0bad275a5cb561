//! Marks on digests whose artifacts nobody names.
//!
//! A sweep removes artifacts while other processes store and register the same ones, on other machines too. Both meet in
//! one record for each digest:
//!
//! ```text
//! (none) ──unnamed──► condemned ──► swept ──(30 days)──► (none)
//!    ▲        │            │
//!    └────────┴────────────┘ a version names it
//! ```
//!
//! - A sweep **condemns** a digest, then looks again at every version, then removes the artifact, then marks it as **swept**.
//! - A registration reads the mark **after** the artifact was stored, and its commit demands that the mark is still as it was.
//!   So no version comes to name a digest between the sweep's second look and the removal.
//! - A removal may have passed over an artifact while it was being stored anew. The mark it leaves tells the registration
//!   to make sure that every file is there.
//!
//! A sweep that was killed leaves a condemned digest. Nobody removes anything on the strength of a mark older than [`REMOVAL`],
//! so after [`ABANDONED`] it counts as swept. [`REMEMBERED`] is longer than any artifact is on its way to the store.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Registry;
use super::documents::{self, Document};
use super::retry::Attempts;
use crate::artifacts::Digest;
use crate::error::{Error, Result};
use crate::records::{Expect, Key, Write};

/// The partition of the marks; all namespaces of a store share it ([`crate::records::is_shared`]).
pub(super) const PARTITION: &str = "swept";

/// How long after it condemned a digest a sweep may still be removing it.
pub(super) const REMOVAL: Duration = Duration::from_secs(10 * 60);

/// When a condemned digest counts as left by a killed sweep: later than [`REMOVAL`], by more than clocks differ.
pub(super) const ABANDONED: SignedDuration = SignedDuration::from_mins(15);

/// How long the mark of a removed artifact stays.
pub(super) const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a sweep knows of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// No version named it at `at`, when a sweep looked for the first time.
    Unnamed,
    /// A sweep is about to remove it.
    Condemned,
    /// A sweep removed it, or part of it.
    Swept,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) state: State,
    /// Since when.
    pub(super) at: Timestamp,
}

impl Mark {
    /// Whether a sweep may be removing the artifact at this moment.
    fn is_removing(&self, now: Timestamp) -> bool {
        self.state == State::Condemned && now.duration_since(self.at) < ABANDONED
    }
}

/// Where the mark of a digest lies.
pub(super) fn key(digest: &Digest) -> Key {
    Key::new(PARTITION, digest.hex())
}

impl Registry {
    /// The write with which a version may come to name `digest`, of which the store was just asked, and whose mark is
    /// `mark`. `None`: a sweep is removing the artifact, and it is time to look again.
    ///
    /// # Errors
    /// Unavailable if a sweep removed the artifact, or part of it (store it again, then register again), and if one was at
    /// it through all `attempts`.
    pub(super) async fn admit(
        &self,
        digest: &Digest,
        mark: Option<Document<Mark>>,
        attempts: &mut Attempts<'_>,
    ) -> Result<Option<Write>> {
        let Some(mark) = mark else {
            return Ok(Some(documents::check(key(digest), Expect::Absent)));
        };
        if mark.body.state == State::Unnamed {
            // It is named from now on.
            return Ok(Some(mark.delete()));
        }
        if mark.body.is_removing(self.inner.clock.now()) {
            return match attempts.again().await {
                true => Ok(None),
                false => Err(removing(digest)),
            };
        }
        let checked = self.inner.artifacts.check(digest).await;
        checked.map_err(|error| swept(digest, error))?;
        Ok(Some(mark.check()))
    }

    /// Refuses a digest whose artifact is not in the store, and says whether a sweep removed it.
    pub(super) async fn expect_stored(&self, digest: &Digest) -> Result<()> {
        let Err(error) = self.inner.artifacts.get(digest).await else {
            return Ok(());
        };
        if !error.is_not_found() {
            return Err(error);
        }
        if self.document::<Mark>(&key(digest)).await?.is_some() {
            return Err(swept(digest, error));
        }
        // Without a mark it was never there, or somebody stored and named it since the first look.
        self.inner.artifacts.get(digest).await.map(drop)
    }
}

/// Whether a registration failed with `error` because a sweep removed the artifact, or part of it, before a version named it.
/// Who stores it again may register again.
pub fn was_swept(error: &Error) -> bool {
    let first = std::error::Error::source(error);
    std::iter::successors(first, |cause| cause.source()).any(|cause| cause.is::<Swept>())
}

/// Why a registration failed: what the store said of the artifact that a sweep removed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Swept(Error);

/// What is missing was there: whoever stores it again may go on.
fn swept(digest: &Digest, error: Error) -> Error {
    if !error.is_not_found() {
        return error;
    }
    Error::unavailable(format!(
        "artifact {digest} was swept away (`mlops artifact gc`) before a version named it; run the operation again, which stores it again"
    ))
    .because(Swept(error))
}

/// The refusal of a registration that waited for a sweep too long.
fn removing(digest: &Digest) -> Error {
    Error::unavailable(format!(
        "artifact {digest} is being swept away (`mlops artifact gc`); run the operation again when that has ended, or after {} minutes if it was killed",
        ABANDONED.as_mins()
    ))
}
