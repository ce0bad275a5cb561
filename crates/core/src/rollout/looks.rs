//! How long a candidate under bake was seen. Time in which nobody looked proves nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A candidate that is under bake is looked at so often, at least.
pub(super) const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(15);

/// When the stage under bake was last looked at by this process. Another process begins its bake anew.
#[derive(Debug, Default)]
pub(crate) struct LastLook(Mutex<Option<Seen>>);

/// One look: what it tells was so at some moment in between.
#[derive(Debug, Clone, Copy)]
struct Seen {
    asked: Timestamp,
    told: Timestamp,
}

impl LastLook {
    /// Notes a look that ended `now` and tells of `age` before. How much of the time up to now proves nothing, if the look before
    /// it was too long ago; a bake that began at `since` was seen then.
    pub(super) fn note(
        &self,
        since: Timestamp,
        now: Timestamp,
        age: Duration,
    ) -> Option<SignedDuration> {
        let seen = Seen {
            asked: now.checked_sub(age).unwrap_or(now),
            told: now,
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.replace(seen).unwrap_or(Seen {
            asked: since,
            told: since,
        });
        let is_near = now.duration_since(before.asked.max(since)) <= SEEN_EVERY;
        // What lies before it was told was judged with that look.
        (!is_near).then(|| now.duration_since(before.told.max(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_looks_counts_if_they_are_near_each_other() {
        let at = |seconds: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        let note = |last: &LastLook, since: i64, now: i64, age: u64| {
            last.note(at(since), at(now), Duration::from_secs(age))
        };
        let seconds = |seconds| Some(SignedDuration::from_secs(seconds));
        let last = LastLook::default();
        assert_eq!(note(&last, 0, 15, 0), None);
        assert_eq!(note(&last, 0, 31, 0), seconds(16));
        // It tells of what was some time ago, and the next look is that much further away.
        assert_eq!(note(&last, 0, 41, 5), None);
        assert_eq!(note(&last, 0, 52, 0), seconds(11));
        // A later stage begins when it is shifted to.
        assert_eq!(note(&last, 100, 110, 0), None);
        // Nobody has looked in this process.
        assert_eq!(note(&LastLook::default(), 0, 16, 0), seconds(16));
    }
}
