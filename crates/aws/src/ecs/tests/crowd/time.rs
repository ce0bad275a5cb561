//! Time that passes once nobody has anything left to do at a moment: minutes of fifty endpoints in a second, the same each time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mlops_core::clock::Clock;
use tokio::sync::oneshot;

/// So often every task may run without anybody beginning to wait: longer than any chain of wakes between two waits.
const QUIET: usize = 200;
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

#[derive(Default)]
struct State {
    now: Duration,
    /// Whom to wake when; those of the same moment in the order in which they began to wait.
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

/// A clock for tasks of one thread that do nothing but wait for it and for each other.
#[derive(Default)]
pub(super) struct Simulated {
    state: Mutex<State>,
    waits: AtomicU64,
}

impl Simulated {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass until `work` is done.
    pub(super) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            () = self.pass() => unreachable!("time never ends"),
        }
    }

    async fn pass(&self) {
        loop {
            let (mut quiet, mut before) = (0, self.waits.load(Ordering::SeqCst));
            while quiet < QUIET {
                tokio::task::yield_now().await;
                let now = self.waits.load(Ordering::SeqCst);
                quiet = if now == before { quiet + 1 } else { 0 };
                before = now;
            }
            let mut state = self.state();
            if let Some(((at, _), sleeper)) = state.sleepers.pop_first() {
                state.now = at;
                // Who no longer waits does not mind.
                let _ = sleeper.send(());
            }
        }
    }
}

#[async_trait]
impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        let since = jiff::SignedDuration::try_from(self.elapsed()).expect("not that long");
        Timestamp::from_second(START).expect("a time") + since
    }

    fn elapsed(&self) -> Duration {
        self.state().now
    }

    async fn sleep(&self, duration: Duration) {
        let (wake, woken) = oneshot::channel();
        let number = self.waits.fetch_add(1, Ordering::SeqCst);
        {
            let mut state = self.state();
            let at = state.now + duration;
            state.sleepers.insert((at, number), wake);
        }
        woken.await.expect("whoever lets time pass is there");
    }
}
