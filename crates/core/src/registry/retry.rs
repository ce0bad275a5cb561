//! Contended writes are tried again for a bounded time, with full jitter.

use std::time::Duration;

use super::Registry;

/// How long, and how eagerly, a contended write is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// In all.
    pub total: Duration,
    /// The first pause is drawn from zero to this; the range doubles each time.
    pub base: Duration,
    /// The range grows no further than this.
    pub cap: Duration,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(60),
            base: Duration::from_millis(2),
            cap: Duration::from_secs(2),
        }
    }
}

/// One operation's attempts.
pub(crate) struct Attempts<'a> {
    registry: &'a Registry,
    started: Duration,
    range: Duration,
    count: u32,
}

/// From which range the pauses of the next operation on one object are drawn: what others made the last one wait. Without it whoever
/// just won would be the most eager, and win again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace(Duration);

impl Registry {
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts {
            registry: self,
            started: self.inner.clock.elapsed(),
            range: self.inner.budget.base,
            count: 1,
        }
    }

    /// The attempts of one more operation on the same object: where the last one was in others' way, this one lets them go
    /// first, for as long as they had to wait.
    pub(super) async fn attempts_after(&self, pace: Pace) -> Attempts<'_> {
        let mut attempts = self.attempts();
        if pace.0 > attempts.range {
            attempts.range = pace.0;
            attempts.pause().await;
        }
        attempts
    }
}

impl Attempts<'_> {
    /// Waits before the next attempt; false when the budget is spent.
    pub(crate) async fn again(&mut self) -> bool {
        let inner = &self.registry.inner;
        let spent = inner.clock.elapsed().saturating_sub(self.started);
        if spent >= inner.budget.total {
            return false;
        }
        self.pause().await;
        self.range = (self.range * 2).min(inner.budget.cap);
        self.count += 1;
        true
    }

    async fn pause(&self) {
        let inner = &self.registry.inner;
        // The first 48 bits of a version 4 UUID are random; the version comes after them.
        let (high, _) = inner.ids.uuid().as_u64_pair();
        let share = (high >> 16) as f64 / (1u64 << 48) as f64;
        inner.clock.sleep(self.range.mul_f64(share)).await;
    }

    /// What the next operation on the same object begins with. An operation that met nobody makes it shorter.
    pub(super) fn pace(&self) -> Pace {
        match self.count {
            1 => Pace(self.range / 2),
            _ => Pace(self.range),
        }
    }

    /// How many there were, for the message.
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}
