//! What was seen a moment ago, told to all who ask: a thousand resources of one run ask for the same.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::error::Result;

/// An answer that serves for some time. The one who looks holds the lock, and the others wait for what he sees.
#[derive(Debug)]
pub(super) struct Lately<T>(Mutex<Option<Seen<T>>>);

#[derive(Debug)]
struct Seen<T> {
    /// When it was asked for.
    at: Duration,
    told: T,
}

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Lately<T> {
    /// What `look` tells, or told somebody less than `fresh` before this was asked. A look that fails is told to him alone.
    pub(super) async fn get(
        &self,
        clock: &dyn Clock,
        fresh: Duration,
        look: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        // By when the caller asked, not when his turn came: a slow store is not asked by one after the other.
        let asked = clock.elapsed();
        let mut seen = self.0.lock().await;
        if let Some(seen) = seen.as_ref()
            && asked.saturating_sub(seen.at) < fresh
        {
            return Ok(seen.told.clone());
        }
        let at = clock.elapsed();
        let told = look.await?;
        *seen = Some(Seen {
            at,
            told: told.clone(),
        });
        Ok(told)
    }

    /// Whether it still serves, or somebody looks right now.
    pub(super) fn serves(&self, now: Duration, fresh: Duration) -> bool {
        self.0.try_lock().map_or(true, |seen| {
            seen.as_ref()
                .is_some_and(|seen| now.saturating_sub(seen.at) < fresh)
        })
    }
}
