//! The provider's side of the protocol: decode, behave, encode.
//!
//! One file for each family of RPCs. None of them knows what a provider is for; what they decide is in
//! `planning`, `validate` and [`contract`](crate::contract).

mod apply;
mod configure;
mod data_source;
mod ephemeral;
mod function;
mod guard;
mod import;
mod offer;
mod place;
mod plan;
mod read;
mod rpc;
mod run;
mod schemas;
mod upgrade;
mod wire;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tfplugin_proto::tfplugin6 as pb;

use self::offer::{EphemeralOffer, Offer, ResourceOffer, SourceOffer};
pub use self::run::run;
use crate::context::{ClientContext, Context};
use crate::convert::FromValue;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::function::{AnyFunction, Signature};
use crate::provider::Provider;
use crate::stop::StopSignal;

/// A [`Provider`] as the transport serves it.
///
/// It implements the protocol's RPCs up to resource identity; newer ones answer "unimplemented".
/// Clones are the same server.
pub struct ProviderServer<P: Provider> {
    shared: Arc<Shared<P>>,
}

struct Shared<P: Provider> {
    provider: P,
    stop: StopSignal,
    requests: AtomicU64,
    configured: RwLock<Configured<P::Client>>,
    config: Offer<()>,
    resources: BTreeMap<&'static str, ResourceOffer<P::Client>>,
    data_sources: BTreeMap<&'static str, SourceOffer<P::Client>>,
    ephemerals: BTreeMap<&'static str, EphemeralOffer<P::Client>>,
    functions: BTreeMap<&'static str, (Arc<dyn AnyFunction>, Signature)>,
}

/// What ConfigureProvider leaves.
struct Configured<C> {
    client: Option<Arc<C>>,
    terraform_version: Arc<str>,
}

impl<P: Provider> Clone for ProviderServer<P> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<P: Provider> std::fmt::Debug for ProviderServer<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderServer")
            .field("resources", &self.shared.resources.keys())
            .finish_non_exhaustive()
    }
}

impl<P: Provider> ProviderServer<P> {
    /// Prepares a provider to be served. `stop` reaches running operations and is raised by StopProvider.
    ///
    /// Schemas are made when they are first needed, each once.
    pub fn new(provider: P, stop: StopSignal) -> Self {
        let config = Offer::new((), provider.schema(), P::Config::shape(), "the provider");
        let resources = provider
            .resources()
            .into_iter()
            .map(|it| (it.type_name(), ResourceOffer::of(it)));
        let data_sources = provider
            .data_sources()
            .into_iter()
            .map(|it| (it.type_name(), SourceOffer::of(it)));
        let ephemerals = provider
            .ephemerals()
            .into_iter()
            .map(|it| (it.type_name(), EphemeralOffer::of(it)));
        let functions = provider.functions().into_iter().map(|it| {
            let signature = it.signature();
            (it.name(), (it, signature))
        });
        let shared = Shared {
            config,
            resources: resources.collect(),
            data_sources: data_sources.collect(),
            ephemerals: ephemerals.collect(),
            functions: functions.collect(),
            stop,
            requests: AtomicU64::new(0),
            configured: RwLock::new(Configured {
                client: None,
                terraform_version: Arc::from(""),
            }),
            provider,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Tells the provider that Terraform is done with this process.
    pub async fn shutdown(&self) {
        // The lock is not held while the provider works.
        let client = self.configured().client.take();
        self.shared.provider.shutdown(client).await;
    }

    fn configured(&self) -> std::sync::RwLockWriteGuard<'_, Configured<P::Client>> {
        // Nothing panics between two writes of this lock's holders.
        self.shared
            .configured
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self, capabilities: Option<&pb::ClientCapabilities>) -> Context {
        let request = self.shared.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let version = {
            let configured = self
                .shared
                .configured
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&configured.terraform_version)
        };
        Context::new(request, self.shared.stop.token())
            .deferring(capabilities.is_some_and(|client| client.deferral_allowed))
            .with_terraform_version(version)
    }

    fn client_context(
        &self,
        capabilities: Option<&pb::ClientCapabilities>,
    ) -> Result<ClientContext<P::Client>, Diagnostics> {
        let client = {
            let configured = self
                .shared
                .configured
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            configured.client.clone()
        };
        match client {
            Some(client) => Ok(ClientContext::new(self.context(capabilities), client)),
            None => Err(Diagnostics::error(
                "Provider not configured",
                "Terraform asked for an operation before it configured the provider. If the provider's configuration was refused, correct that first.",
            )),
        }
    }

    fn resource(&self, type_name: &str) -> Result<&ResourceOffer<P::Client>, Diagnostics> {
        self.shared
            .resources
            .get(type_name)
            .ok_or_else(|| unknown_type("resource", type_name))
    }
}

fn unknown_type(kind: &str, name: &str) -> Diagnostics {
    let detail = format!(
        "This version of the provider has no {kind} {name}. Check the name, and the provider's version in required_providers."
    );
    Diagnostic::error(format!("Unknown {kind}"), detail).into()
}

#[cfg(test)]
mod tests;
