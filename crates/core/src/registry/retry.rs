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
            cap: Duration::from_millis(500),
        }
    }
}

/// One operation's attempts.
pub(super) struct Attempts<'a> {
    registry: &'a Registry,
    started: Duration,
    range: Duration,
    count: u32,
}

impl Registry {
    pub(super) fn attempts(&self) -> Attempts<'_> {
        Attempts {
            registry: self,
            started: self.inner.clock.elapsed(),
            range: self.inner.budget.base,
            count: 1,
        }
    }
}

impl Attempts<'_> {
    /// Waits before the next attempt; false when the budget is spent.
    pub(super) async fn again(&mut self) -> bool {
        let inner = &self.registry.inner;
        let spent = inner.clock.elapsed().saturating_sub(self.started);
        if spent >= inner.budget.total {
            return false;
        }
        // The first 48 bits of a version 4 UUID are random; the version comes after them.
        let (high, _) = inner.ids.uuid().as_u64_pair();
        let share = (high >> 16) as f64 / (1u64 << 48) as f64;
        inner.clock.sleep(self.range.mul_f64(share)).await;
        self.range = (self.range * 2).min(inner.budget.cap);
        self.count += 1;
        true
    }

    /// How many there were, for the message.
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}
