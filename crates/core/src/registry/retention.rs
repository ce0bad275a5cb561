//! Which versions a model keeps.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Version;
use crate::error::{Error, Result};

/// Which archived versions of a model a sweep may delete. A version that is not archived is its owner's, and one that an
/// alias points to or an endpoint serves is in use; neither is ever deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The newest versions of the model, archived or not, that stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u64>,
    /// Days that a version stays after it was archived, or changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
}

impl Retention {
    /// Refuses a rule that says nothing.
    pub(super) fn validate(&self) -> Result<()> {
        if self.keep_last.is_none() && self.keep_days.is_none() {
            return Err(Error::invalid(
                "retention says neither keep_last nor keep_days; set one of them, or leave the block out to keep every version",
            )
            .at("retention"));
        }
        Ok(())
    }

    /// Those of a model's versions, newest first, that this rule does not keep. What is in use is not known here.
    pub fn expired<'a>(
        &self,
        newest_first: &'a [Version],
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Version> {
        let last = usize::try_from(self.keep_last.unwrap_or(0)).unwrap_or(usize::MAX);
        let kept = SignedDuration::from_hours(i64::from(self.keep_days.unwrap_or(0)) * 24);
        newest_first
            .iter()
            .skip(last)
            .filter(|version| version.is_archived())
            .filter(move |version| {
                let since = version.updated_at.unwrap_or(version.created_at);
                now.duration_since(since) >= kept
            })
    }
}
