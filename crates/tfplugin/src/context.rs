//! What the framework tells an author about the call at hand.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::diagnostics::{Diagnostic, Diagnostics};

/// One call of Terraform's.
#[derive(Debug)]
pub struct Context {
    request_id: u64,
    stop: CancellationToken,
    may_defer: bool,
    terraform_version: Arc<str>,
    warnings: Mutex<Diagnostics>,
}

impl Context {
    pub(crate) fn new(request_id: u64, stop: CancellationToken) -> Self {
        Self {
            request_id,
            stop,
            may_defer: false,
            terraform_version: Arc::from(""),
            warnings: Mutex::default(),
        }
    }

    pub(crate) fn deferring(mut self, may_defer: bool) -> Self {
        self.may_defer = may_defer;
        self
    }

    pub(crate) fn with_terraform_version(mut self, version: Arc<str>) -> Self {
        self.terraform_version = version;
        self
    }

    /// A context outside any call, for tests of resources.
    pub fn detached() -> Self {
        Self::new(0, CancellationToken::new())
    }

    /// A number that tells this call from all others of the process; log lines carry it.
    pub fn request_id(&self) -> u64 {
        self.request_id
    }

    /// Cancelled once Terraform asks the provider to stop, as on Ctrl-C. A running apply should then
    /// undo what it began and return: Terraform waits for it and stores what it returns.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether Terraform has asked the provider to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Whether the answer may be that the operation is deferred to a later run.
    pub fn may_defer(&self) -> bool {
        self.may_defer
    }

    /// Terraform's version as it told it at configuration; empty before.
    pub fn terraform_version(&self) -> &str {
        &self.terraform_version
    }

    /// Adds a warning to the answer, whatever the answer will be. An error is turned into a warning.
    pub fn warn(&self, warning: Diagnostic) {
        let warning = Diagnostic {
            severity: crate::diagnostics::Severity::Warning,
            ..warning
        };
        // A panic while holding this lock leaves a complete list behind.
        self.warnings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(warning);
    }

    /// The warnings so far, in their order.
    pub fn take_warnings(&self) -> Diagnostics {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One call of Terraform's that reaches a configured provider.
pub struct ClientContext<C> {
    context: Context,
    client: Arc<C>,
}

impl<C> ClientContext<C> {
    /// Joins a call and the client that [`Provider::configure`](crate::Provider::configure) made. The
    /// framework does this; tests of resources do it with [`Context::detached`].
    pub fn new(context: Context, client: Arc<C>) -> Self {
        Self { context, client }
    }

    /// What [`Provider::configure`](crate::Provider::configure) returned.
    pub fn client(&self) -> &Arc<C> {
        &self.client
    }
}

impl<C> Deref for ClientContext<C> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// Does not show the client, which may hold credentials.
impl<C> fmt::Debug for ClientContext<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientContext")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

/// The context of a plan.
pub type PlanContext<C> = ClientContext<C>;
/// The context of a create, update or delete.
pub type ApplyContext<C> = ClientContext<C>;
/// The context of a read or an import.
pub type ReadContext<C> = ClientContext<C>;
