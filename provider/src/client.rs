//! What resources and data sources work with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use mlops_core::artifacts::{DigestCache, RemoteSource, RunDigests};
use mlops_core::endpoint::cost::Prices;
use mlops_core::endpoint::spec::Autoscaling;
use mlops_core::endpoint::{self, EndpointRecord};
use mlops_core::images::Images;
use mlops_core::names::{EndpointId, EndpointName, VariantName};
use mlops_core::registry::Registry;
use mlops_core::rollout::Meter;
use mlops_core::target::{Observation, Targets};
use mlops_core::{Error, Result};
use tfplugin::{Diagnostic, Diagnostics, PrivateState};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::diagnose;
use crate::fetched::Fetched;
use crate::preflight::Preflight;
use crate::provider::Config;
use crate::siblings::Siblings;
use crate::tags::TagRules;

/// Where the `provider` block says that the registry is. Not printable: there are secrets in it.
pub(crate) enum Settings {
    /// In a directory of this machine.
    Embedded {
        /// The directory; `None`: `.mlops` in the working directory.
        path: Option<PathBuf>,
        /// The namespace; `None`: the workspace's name.
        namespace: Option<String>,
        /// The block, which says how AWS is reached: sources may lie there.
        aws: Box<Config>,
    },
    /// On AWS: the block has a `registry`.
    Aws(Box<Config>),
}

/// The adapters that a provider runs on. `main` makes them; nothing else names one.
pub(crate) struct Parts {
    /// The registry.
    pub(crate) registry: Registry,
    /// What serves endpoints.
    pub(crate) targets: Targets,
    /// Who asks the sources of analyses.
    pub(crate) meter: Arc<dyn Meter>,
    /// Digests of source files that were hashed before.
    pub(crate) digests: Arc<dyn DigestCache>,
    /// What holds images.
    pub(crate) images: Arc<dyn Images>,
    /// What reads sources that lie in S3.
    pub(crate) sources: Arc<dyn RemoteSource>,
}

/// Opens the adapters for a configuration. It writes nothing: plans and refreshes open them too.
pub(crate) type Open = fn(Settings) -> Result<Parts>;

/// One for each provider process.
pub(crate) struct Client {
    /// The registry.
    pub(crate) registry: Registry,
    /// What serves endpoints.
    pub(crate) targets: Targets,
    /// Who asks the sources of analyses.
    pub(crate) meter: Arc<dyn Meter>,
    /// Digests of source files that were hashed before.
    pub(crate) digests: Arc<dyn DigestCache>,
    /// What holds images.
    pub(crate) images: Arc<dyn Images>,
    /// Sources that lie elsewhere.
    pub(crate) sources: Fetched,
    /// What this run plans.
    pub(crate) siblings: Siblings,
    /// Default and ignored tags.
    pub(crate) tags: TagRules,
    /// The image of the model server in containers, as it is written.
    pub(crate) server_image: Option<String>,
    /// What a plan looks at.
    pub(crate) preflight: Preflight,
    /// What a unit of an endpoint costs.
    pub(crate) prices: Prices,
    reached: OnceCell<()>,
}

/// The key in private state under which the registry's UUID is kept.
const REGISTRY: &str = "registry";

impl Client {
    /// A client on these adapters, with nothing planned yet.
    pub(crate) fn new(
        parts: Parts,
        tags: TagRules,
        server_image: Option<String>,
        preflight: Preflight,
        prices: Prices,
    ) -> Self {
        let Parts {
            registry,
            targets,
            meter,
            digests,
            images,
            sources,
        } = parts;
        Self {
            registry,
            targets,
            meter,
            digests: Arc::new(RunDigests::new(digests)),
            images,
            sources: Fetched::new(sources),
            siblings: Siblings::default(),
            tags,
            server_image,
            preflight,
            prices,
            reached: OnceCell::new(),
        }
    }

    /// The id of a new endpoint in this cluster, which is given by name or by ARN: it names the cluster's region where that is not the registry's.
    pub(crate) async fn id_on_ecs(
        &self,
        cluster: &str,
        name: EndpointName,
    ) -> Result<EndpointId, Diagnostics> {
        let region = endpoint::region_of_arn(cluster);
        let home = match region {
            Some(_) => self.targets.home_region("ecs").await,
            None => Ok(None),
        };
        let home = home.map_err(|error| diagnose::failed("Cannot reach AWS", &error))?;
        let elsewhere = region.filter(|region| home.is_some_and(|home| home != *region));
        Ok(EndpointId::on_ecs(elsewhere, cluster, name))
    }

    /// What runs of the endpoint at this moment.
    pub(crate) async fn observe(&self, record: &EndpointRecord) -> Result<Observation> {
        let target = self.targets.of(&record.spec.target)?;
        target.examine(&record.server).await
    }

    /// The variants whose number of instances follows something else than was asked for, and what.
    pub(crate) async fn autoscaling_drift(
        &self,
        record: &EndpointRecord,
    ) -> Result<BTreeMap<VariantName, Option<Autoscaling>>> {
        let target = self.targets.of(&record.spec.target)?;
        endpoint::autoscaling_drift(target.as_ref(), record).await
    }

    /// Why clients do not find it by its name any more, if that is so.
    pub(crate) async fn naming_drift(&self, record: &EndpointRecord) -> Result<Option<String>> {
        let target = self.targets.of(&record.spec.target)?;
        target.unnamed(&record.server).await
    }

    /// Asks the registry once in a run whether it can be used, so that a plan which needs nothing else from it says
    /// what an apply would: no credentials, another account, no such table.
    pub(crate) async fn reach(&self) -> Result<(), Diagnostics> {
        let asked = self.reached.get_or_try_init(async || {
            self.registry.identity().await?;
            Ok::<_, Error>(())
        });
        let asked = asked.await;
        asked
            .copied()
            .map_err(|error| diagnose::failed("Cannot read the registry", &error).into())
    }

    /// Refuses to go on if the registry is not the one that the state was written with: a registry
    /// that is lost is an error, never a reason to plan everything anew.
    pub(crate) async fn expect_registry(&self, private: &PrivateState) -> Result<(), Diagnostics> {
        let Some(uuid) = private.get::<Uuid>(REGISTRY).map_err(unreadable)? else {
            return Ok(());
        };
        let expected = self.registry.expect_identity(uuid).await;
        expected.map_err(|error| {
            diagnose::failed("Cannot reach the registry of this state", &error).into()
        })
    }

    /// Private state that names the registry in use.
    pub(crate) async fn private(&self) -> Result<PrivateState, Diagnostics> {
        let mut private = PrivateState::new();
        let identity = self.registry.identity().await;
        match identity.map_err(|error| diagnose::failed("Cannot read the registry", &error))? {
            Some(identity) => private.set(REGISTRY, &identity.uuid).map_err(unreadable)?,
            None => {
                let detail = format!(
                    "The registry at {} was written and is not there.",
                    self.registry.location()
                );
                return Err(Diagnostic::bug(detail).into());
            }
        }
        Ok(private)
    }

    /// Tells the registry that a state holds the record `id`, so that no create adopts it.
    pub(crate) async fn note_held(&self, id: &str) -> Result<(), Diagnostics> {
        let noted = self.registry.note_held(id).await;
        noted.map_err(|error| diagnose::failed("Cannot read the registry", &error).into())
    }

    /// The error for an object that an import or a lookup did not find.
    pub(crate) fn absent(&self, object: &str) -> Error {
        Error::not_found(format!(
            "{object} does not exist in the registry at {}",
            self.registry.location()
        ))
    }
}

/// Who runs Terraform, for approvals and audit events: the account of this machine. No RPC tells a
/// user; `None` where the environment names none either.
pub(crate) fn actor() -> Option<String> {
    ["USER", "LOGNAME"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
}

/// Private state that this provider did not write, or cannot read any more.
pub(crate) fn unreadable(error: tfplugin::Error) -> Diagnostics {
    Diagnostic::bug(format!(
        "Private state could not be read or written: {error}."
    ))
    .into()
}
