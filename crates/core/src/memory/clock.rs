//! A clock that moves only when it is told, or slept on.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;

/// Time that a test owns. A sleep moves it forward at once.
#[derive(Debug)]
pub struct ManualClock(Mutex<Duration>);

/// Where it starts: 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

impl Default for ManualClock {
    fn default() -> Self {
        Self(Mutex::new(Duration::ZERO))
    }
}

impl ManualClock {
    /// Moves it forward.
    pub fn advance(&self, duration: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += duration;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let since = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        Timestamp::from_second(START)
            .ok()
            .and_then(|start| start.checked_add(since).ok())
            .unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
        tokio::task::yield_now().await;
    }
}
