//! The provider itself.

use std::sync::Arc;

use async_trait::async_trait;

use crate::context::Context;
use crate::convert::Object;
use crate::data_source::AnyDataSource;
use crate::diagnostics::Diagnostics;
use crate::ephemeral::AnyEphemeral;
use crate::function::AnyFunction;
use crate::resource::{AnyResource, ValidateConfig};
use crate::schema::Schema;

/// A provider: its configuration, the client made from it, and everything it offers.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The configuration, declared with [`object!`](crate::object); `()` for none.
    type Config: Object;
    /// What resources, data sources and ephemeral resources work with. One is shared by all of them.
    type Client: Send + Sync + 'static;

    /// The schema of the `provider` block.
    fn schema(&self) -> Schema;

    /// Makes the client. Called once, before anything that needs the client; build connections lazily,
    /// because Terraform configures providers that it then does not use.
    ///
    /// Values that depend on resources not yet created are unknown during plan.
    ///
    /// # Errors
    /// Diagnostics for a configuration that cannot work.
    async fn configure(
        &self,
        cx: &Context,
        config: Self::Config,
    ) -> Result<Arc<Self::Client>, Diagnostics>;

    /// The resources, each made with [`resource`](crate::resource()).
    fn resources(&self) -> Vec<Arc<dyn AnyResource<Self::Client>>>;

    /// The data sources, each made with [`data_source`](crate::data_source()).
    fn data_sources(&self) -> Vec<Arc<dyn AnyDataSource<Self::Client>>> {
        Vec::new()
    }

    /// The functions, each made with [`function`](crate::function()).
    fn functions(&self) -> Vec<Arc<dyn AnyFunction>> {
        Vec::new()
    }

    /// The ephemeral resources, each made with [`ephemeral`](crate::ephemeral()).
    fn ephemerals(&self) -> Vec<Arc<dyn AnyEphemeral<Self::Client>>> {
        Vec::new()
    }

    /// Rules over the whole configuration, beyond the schema's.
    fn validate_config(&self) -> Option<&dyn ValidateConfig<Self::Config>> {
        None
    }

    /// Called once, when Terraform is done with this process and before it exits. `client` is `None` if
    /// the provider was never configured.
    async fn shutdown(&self, client: Option<Arc<Self::Client>>) {
        let _ = client;
    }
}
