//! How long a candidate under bake was seen, whole. Time in which nobody looked proves nothing, nor does time in which instances were missing.

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
    /// Whether it had as many instances as are asked for.
    whole: bool,
}

/// Time of a bake that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unproved {
    /// How much.
    pub(super) time: SignedDuration,
    /// Whether the look before was a good one.
    pub(super) begins: bool,
}

impl LastLook {
    /// Notes a look that ended `now`, tells of `age` before, and saw the candidate `whole` or not. How much of the time up to now proves
    /// nothing, if it was not, or if the look before was too long ago; a bake that began at `since` was seen then.
    pub(super) fn note(
        &self,
        since: Timestamp,
        now: Timestamp,
        age: Duration,
        whole: bool,
    ) -> Option<Unproved> {
        let seen = Seen {
            asked: now.checked_sub(age).unwrap_or(now),
            told: now,
            whole,
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.replace(seen).unwrap_or(Seen {
            asked: since,
            told: since,
            whole: true,
        });
        let is_near = now.duration_since(before.asked.max(since)) <= SEEN_EVERY;
        // What lies before it was told was judged with that look.
        (!is_near || !whole).then(|| Unproved {
            time: now.duration_since(before.told.max(since)),
            begins: before.whole,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_looks_counts_if_they_are_near_each_other() {
        let at = |seconds: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        let note = |last: &LastLook, since: i64, now: i64, age: u64| {
            let unproved = last.note(at(since), at(now), Duration::from_secs(age), true);
            unproved.map(|unproved| unproved.time)
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

    #[test]
    fn what_was_seen_to_lack_something_does_not_count_up_to_the_look_that_saw_it_whole() {
        let at = |seconds: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        let last = LastLook::default();
        let note = |now: i64, whole: bool| last.note(at(0), at(now), Duration::ZERO, whole);
        let lacks = |seconds, begins| {
            Some(Unproved {
                time: SignedDuration::from_secs(seconds),
                begins,
            })
        };
        assert_eq!(note(10, true), None);
        assert_eq!(note(12, false), lacks(2, true));
        assert_eq!(note(15, false), lacks(3, false));
        assert_eq!(note(16, true), None);
        assert_eq!(note(17, false), lacks(1, true));
    }
}
