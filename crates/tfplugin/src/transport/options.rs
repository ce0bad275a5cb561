//! What a provider says about itself before it is served.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// What runs on an orderly shutdown.
pub(super) type Hook = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// How a provider is served.
pub struct ServeOptions {
    address: String,
    version: String,
    debug: bool,
    shutdown_hooks: Vec<Hook>,
}

impl ServeOptions {
    /// Options for the provider with this registry address (`registry.terraform.io/mlops-rs/mlops`) and
    /// version (`0.1.0`).
    pub fn new(address: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            version: version.into(),
            debug: false,
            shutdown_hooks: Vec::new(),
        }
    }

    /// Debug mode: the process is started by a person or a debugger, prints the value of
    /// TF_REATTACH_PROVIDERS that makes Terraform use it, and serves any number of Terraform runs until
    /// it is interrupted. There is no TLS then: the socket's mode is the only fence.
    #[must_use]
    pub fn debug(mut self, on: bool) -> Self {
        self.debug = on;
        self
    }

    /// Runs `hook` when Terraform ends the process in an orderly way (GRPCController.Shutdown), before
    /// Terraform is answered. Hooks run in the order of their registration and have ten seconds together.
    ///
    /// They do not run when the connection is lost, on SIGTERM, or in debug mode: then Terraform may not
    /// have stored what it was told.
    #[must_use]
    pub fn on_shutdown<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.shutdown_hooks.push(Box::new(move || Box::pin(hook())));
        self
    }

    /// The registry address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address as a configuration's `source` has it: without Terraform's host, because each engine puts its own there.
    pub(super) fn source(&self) -> &str {
        self.address
            .strip_prefix("registry.terraform.io/")
            .unwrap_or(&self.address)
    }

    /// The provider's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The last part of the address: `mlops`.
    pub fn name(&self) -> &str {
        self.address
            .rsplit('/')
            .next()
            .unwrap_or(self.address.as_str())
    }

    pub(super) fn is_debug(&self) -> bool {
        self.debug
    }

    pub(super) fn take_shutdown_hooks(&mut self) -> Vec<Hook> {
        std::mem::take(&mut self.shutdown_hooks)
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions")
            .field("address", &self.address)
            .field("version", &self.version)
            .field("debug", &self.debug)
            .field("shutdown_hooks", &self.shutdown_hooks.len())
            .finish()
    }
}
