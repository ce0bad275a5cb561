//! The one retry layer around a call: bounded by time, with full jitter. The SDK's own is off.
//!
//! Only calls that may be made twice come here: reads, writes under a condition or with a token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use mlops_core::clock::{Clock, SystemClock};

use crate::fault::{Failure, Kind};
use crate::settings::{AwsSettings, RetryMode};

/// How long calls are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// One operation, with all its attempts and pauses.
    pub total: Duration,
    /// The same while no connection can be made: a wrong host is no passing fault.
    pub unreachable: Duration,
    /// One attempt of a call whose answer is small.
    pub attempt: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // DynamoDB remembers a transaction's token for ten minutes; this stays well below.
            total: Duration::from_secs(60),
            unreachable: Duration::from_secs(15),
            attempt: Duration::from_secs(10),
        }
    }
}

/// The first pause is drawn from zero to this; the range doubles each time.
const BASE: Duration = Duration::from_millis(25);
/// The range grows no further than this.
const CAP: Duration = Duration::from_secs(5);
/// So many retries may be under way at small pauses; beyond, all calls of the process pause from
/// the whole range, so that a thousand resources back off together.
const TOKENS: f64 = 100.0;
/// What a success gives back.
const REFUND: f64 = 0.5;
/// In adaptive mode: the first distance between calls after a throttle, and the greatest.
const FIRST_DISTANCE: Duration = Duration::from_millis(5);
const GREATEST_DISTANCE: Duration = Duration::from_secs(1);

/// The budget of one set of clients. Clones share it.
#[derive(Clone)]
pub(crate) struct Retries {
    inner: Arc<Inner>,
}

struct Inner {
    patience: Patience,
    most: Option<u32>,
    adaptive: bool,
    clock: Arc<dyn Clock>,
    shared: Mutex<Shared>,
}

struct Shared {
    tokens: f64,
    distance: Duration,
    /// When, on the clock, the next call may go, in adaptive mode.
    next: Duration,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            tokens: TOKENS,
            distance: Duration::ZERO,
            next: Duration::ZERO,
        }
    }
}

impl Retries {
    pub(crate) fn new(settings: &AwsSettings, patience: Patience) -> Self {
        Self::with_clock(settings, patience, Arc::new(SystemClock::default()))
    }

    pub(crate) fn with_clock(
        settings: &AwsSettings,
        patience: Patience,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                patience,
                most: settings.max_retries,
                adaptive: settings.retry_mode == Some(RetryMode::Adaptive),
                clock,
                shared: Mutex::new(Shared::default()),
            }),
        }
    }

    /// The same settings and time with another patience, and a budget of its own.
    pub(crate) fn with(&self, patience: Patience) -> Self {
        let inner = &self.inner;
        Self {
            inner: Arc::new(Inner {
                patience,
                most: inner.most,
                adaptive: inner.adaptive,
                clock: Arc::clone(&inner.clock),
                shared: Mutex::new(Shared::default()),
            }),
        }
    }

    pub(crate) fn patience(&self) -> Patience {
        self.inner.patience
    }

    /// The attempts of one operation.
    pub(crate) fn attempts(&self) -> Attempts<'_> {
        Attempts {
            retries: self,
            started: self.inner.clock.elapsed(),
            range: BASE,
            retried: 0,
        }
    }

    /// Makes a call that may be made twice until it succeeds, fails for good, or time is up.
    pub(crate) async fn run<'a, T>(
        &self,
        mut call: impl FnMut() -> BoxFuture<'a, Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut attempts = self.attempts();
        loop {
            attempts.permit().await;
            match call().await {
                Ok(value) => {
                    attempts.succeeded();
                    return Ok(value);
                }
                Err(failure) if attempts.again(failure.kind).await => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.inner
            .shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One operation's attempts.
pub(crate) struct Attempts<'a> {
    retries: &'a Retries,
    started: Duration,
    range: Duration,
    retried: u32,
}

impl Attempts<'_> {
    /// Waits for this call's turn; at once unless the service throttled in adaptive mode.
    pub(crate) async fn permit(&self) {
        let inner = &self.retries.inner;
        let wait = {
            let mut shared = self.retries.shared();
            if shared.distance.is_zero() {
                return;
            }
            let now = inner.clock.elapsed();
            let turn = shared.next.max(now);
            shared.next = turn + shared.distance;
            turn.saturating_sub(now)
        };
        if !wait.is_zero() {
            inner.clock.sleep(wait).await;
        }
    }

    /// Tells the others that the service answers.
    pub(crate) fn succeeded(&self) {
        let mut shared = self.retries.shared();
        shared.tokens = (shared.tokens + REFUND).min(TOKENS);
        shared.distance = shared.distance.mul_f64(0.9);
        if shared.distance < Duration::from_millis(1) {
            shared.distance = Duration::ZERO;
        }
    }

    /// Waits before the next attempt after a failure of this kind; false if there is none.
    pub(crate) async fn again(&mut self, kind: Kind) -> bool {
        let inner = &self.retries.inner;
        let spent = inner.clock.elapsed().saturating_sub(self.started);
        let limit = match kind {
            Kind::Unreachable => inner.patience.unreachable.min(inner.patience.total),
            _ => inner.patience.total,
        };
        let counted_out = inner.most.is_some_and(|most| self.retried >= most);
        if !kind.is_passing() || counted_out || spent >= limit {
            return false;
        }
        let range = {
            let mut shared = self.retries.shared();
            if kind == Kind::Throttled && inner.adaptive {
                shared.distance = (shared.distance * 2).clamp(FIRST_DISTANCE, GREATEST_DISTANCE);
            }
            if shared.tokens >= 1.0 {
                shared.tokens -= 1.0;
                self.range
            } else {
                CAP
            }
        };
        // Never beyond the time there is, so that the last attempt is made and counts.
        let pause = range.mul_f64(share()).min(limit - spent);
        inner.clock.sleep(pause).await;
        self.range = (self.range * 2).min(CAP);
        self.retried += 1;
        true
    }
}

/// A random number from zero to one.
fn share() -> f64 {
    // The first 48 bits of a version 4 UUID are random; the version comes after them.
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    (high >> 16) as f64 / (1u64 << 48) as f64
}

#[cfg(test)]
mod tests;
