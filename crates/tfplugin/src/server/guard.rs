use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt as _;

use crate::diagnostics::{Diagnostic, Diagnostics};

/// What an author's code is doing, for messages: "planning mlops_model".
#[derive(Clone, Copy)]
pub(super) struct Doing<'a>(pub(super) &'static str, pub(super) &'a str);

impl fmt::Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

impl Doing<'_> {
    /// Runs an author's future; a panic in it is an error that says what was being done. (Core tells no
    /// provider which resource it is about, and adds the address itself.)
    pub(super) async fn guard<T>(self, work: impl Future<Output = T>) -> Result<T, Diagnostics> {
        // The state that a panic leaves behind is dropped with the future.
        AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .map_err(|panic| self.panicked(&*panic))
    }

    /// The same for code that does not wait.
    pub(super) fn guard_sync<T>(self, work: impl FnOnce() -> T) -> Result<T, Diagnostics> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| self.panicked(&*panic))
    }

    fn panicked(self, panic: &(dyn Any + Send)) -> Diagnostics {
        let reason = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no reason was given");
        tracing::error!(reason, doing = %self, "the provider panicked");
        Diagnostic::bug(format!("The provider crashed while {self}: {reason}.")).into()
    }
}
