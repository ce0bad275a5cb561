//! Waiting for conditions, never for times.

use std::thread;
use std::time::{Duration, Instant};

/// Asks `condition` until it answers, at most for `limit`.
///
/// # Panics
/// If it does not; the message names `what`.
#[track_caller]
pub fn for_some<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = condition() {
            return answer;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Asks `condition` until it holds, at most for `limit`.
///
/// # Panics
/// If it does not; the message names `what`.
#[track_caller]
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    for_some(what, limit, || condition().then_some(()));
}
