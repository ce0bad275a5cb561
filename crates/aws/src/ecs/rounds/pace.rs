//! How many calls a second all that waits makes together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mlops_core::clock::Clock;

/// From one call to the next in the long run: 3.7 a second, and about 4 where many candidates have to be seen. With the calls of the registry that go beside them, which are reads of requests to pause, the session's
/// heartbeat and the leases', all of it stays below 5.
const EACH: Duration = Duration::from_millis(270);
/// Calls that may be made at once after a rest. A few endpoints, or one that does several things, never wait.
const BURST: u32 = 30;
/// So much of it is for looks that are taken together with few others, or could wait: where many wait, those who wait a little longer
/// are seen by fewer calls.
const ROOM: u32 = BURST / 2;
/// More than this is never owed, so that those who come later do not pay for it.
const MOST_OWED: Duration = Duration::from_secs(10);

/// A leaky bucket: calls are counted when they are made, and looks wait until those before them are paid off.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    /// When all calls so far are paid off.
    paid: Mutex<Duration>,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            paid: Mutex::default(),
        }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// How long until looks may be taken: as many together as can be, or fewer, for which there has to be more room.
    pub(super) fn wait(&self, are_many: bool) -> Duration {
        let ahead = if are_many { BURST } else { ROOM };
        let turn = self.paid().saturating_sub(EACH * ahead);
        turn.saturating_sub(self.clock.elapsed())
    }

    /// Whether nobody else misses a call that could as well be made later.
    pub(super) fn has_room(&self) -> bool {
        self.wait(false).is_zero()
    }

    /// Counts calls that are made now.
    pub(super) fn count(&self, calls: usize) {
        let now = self.clock.elapsed();
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = (*paid).max(now) + EACH.saturating_mul(calls);
        *paid = owed.min(now + EACH * BURST + MOST_OWED);
    }

    fn paid(&self) -> Duration {
        *self.paid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::memory::ManualClock;

    use super::*;

    fn pace() -> (Pace, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        (Pace::new(clock.clone()), clock)
    }

    #[test]
    fn after_a_rest_a_burst_goes_at_once_and_from_then_on_each_call_has_its_time() {
        let (pace, clock) = pace();
        for number in 0..=BURST {
            assert_eq!(pace.has_room(), number <= ROOM, "{number}");
            assert_eq!(pace.wait(true), Duration::ZERO);
            pace.count(1);
        }
        for _ in 0..100 {
            let wait = pace.wait(true);
            assert_eq!(wait, EACH);
            assert_eq!(pace.wait(false), wait + EACH * (BURST - ROOM));
            clock.advance(wait);
            pace.count(1);
        }
        clock.advance(EACH * BURST);
        assert!(pace.has_room());
    }

    #[test]
    fn one_endpoint_never_waits() {
        let (pace, clock) = pace();
        // Front, service and target group, and once more what has ended: each second, and the time that these calls take.
        for _ in 0..1000 {
            assert!(pace.has_room());
            pace.count(4);
            clock.advance(Duration::from_millis(1100));
        }
    }

    #[test]
    fn what_is_owed_has_an_end() {
        let (pace, clock) = pace();
        pace.count(100_000);
        assert_eq!(pace.wait(true), MOST_OWED);
        clock.advance(MOST_OWED);
        assert_eq!(pace.wait(true), Duration::ZERO);
    }
}
