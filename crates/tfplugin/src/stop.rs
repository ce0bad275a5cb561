//! The signal that asks running operations to end early.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Asks running operations to end early, and hands out the token by which they notice.
///
/// Three things raise it: the StopProvider RPC (Ctrl-C in Terraform), SIGTERM, and the loss of the
/// connection to Terraform. It asks, it does not kill: an operation that is undoing its work goes on,
/// and the process stays until it has returned. Clones share one signal.
#[derive(Clone, Debug, Default)]
pub struct StopSignal {
    current: Arc<Mutex<CancellationToken>>,
}

impl StopSignal {
    /// A signal that has not been raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// The token for an operation that starts now. It is cancelled when the signal is raised; an
    /// operation may cancel it without effect on others.
    pub fn token(&self) -> CancellationToken {
        self.lock().child_token()
    }

    /// Raises the signal: every token handed out so far is cancelled, and so is every later one.
    pub fn stop(&self) {
        self.lock().cancel();
    }

    /// True once the signal was raised, until it is armed anew.
    pub fn is_stopped(&self) -> bool {
        self.lock().is_cancelled()
    }

    /// Makes tokens handed out from now on live again. Tokens that were cancelled stay so.
    ///
    /// A process that Terraform started serves one Terraform and never needs this; in debug mode one
    /// process outlives many.
    pub fn rearm(&self) {
        let mut current = self.lock();
        if current.is_cancelled() {
            *current = CancellationToken::new();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CancellationToken> {
        // A token cannot be left half written, so a poisoned lock holds a good one.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::StopSignal;

    #[test]
    fn a_raised_signal_cancels_tokens_of_every_clone_and_later_ones() {
        let stop = StopSignal::new();
        let early = stop.token();
        stop.clone().stop();
        assert!(early.is_cancelled());
        assert!(stop.token().is_cancelled());
        assert!(stop.is_stopped());
    }

    #[test]
    fn an_operation_that_cancels_its_own_token_stops_nobody_else() {
        let stop = StopSignal::new();
        stop.token().cancel();
        assert!(!stop.is_stopped());
        assert!(!stop.token().is_cancelled());
    }

    #[test]
    fn rearming_revives_new_tokens_only() {
        let stop = StopSignal::new();
        let old = stop.token();
        stop.stop();
        stop.rearm();
        assert!(old.is_cancelled());
        assert!(!stop.token().is_cancelled());
    }
}
