//! The provider: its block, and the list of what it offers.

use std::sync::Arc;

use async_trait::async_trait;
use tfplugin::data_source::AnyDataSource;
use tfplugin::resource::AnyResource;
use tfplugin::schema::{Attribute, Block, Schema};
use tfplugin::{Attr, Context, Diagnostic, Diagnostics, Path, Provider, data_source, resource};

use crate::client::{Client, Open, Settings};
use crate::{data_sources, diagnose, resources};

tfplugin::object! {
    /// The `provider` block.
    pub(crate) struct Config {
        /// The embedded registry.
        pub(crate) local: Attr<Local>,
    }

    /// The block `local`.
    pub(crate) struct Local {
        /// Its directory.
        pub(crate) path: Attr<String>,
        /// Its namespace.
        pub(crate) namespace: Attr<String>,
    }
}

/// The `mlops` provider.
pub(crate) struct Mlops {
    open: Open,
}

impl Mlops {
    /// A provider whose adapters `open` makes.
    pub(crate) fn new(open: Open) -> Self {
        Self { open }
    }
}

#[async_trait]
impl Provider for Mlops {
    type Config = Config;
    type Client = Client;

    fn schema(&self) -> Schema {
        let local = Block::new()
            .describe("Where the embedded registry lies. Without this block: in `.mlops` beside the configuration.")
            .attribute(
                "path",
                Attribute::string().required().describe(
                    "The directory of the registry, relative to the working directory. Required under Terragrunt and Atlantis, \
                     whose working directories do not last.",
                ),
            )
            .attribute(
                "namespace",
                Attribute::string().optional().describe(
                    "Keeps the names of environments apart in one registry. Default: the name of the workspace.",
                ),
            );
        Schema::new(
            Block::new()
                .describe("Models, versions, aliases and endpoints. Without configuration the registry is embedded: no account is needed.")
                .single("local", local),
        )
    }

    async fn configure(&self, _: &Context, config: Config) -> Result<Arc<Client>, Diagnostics> {
        let settings = settings(config)?;
        let parts = (self.open)(&settings)
            .map_err(|error| diagnose::failed("Cannot use the embedded registry", &error))?;
        Ok(Arc::new(Client::new(parts)))
    }

    fn resources(&self) -> Vec<Arc<dyn AnyResource<Client>>> {
        vec![
            resource(resources::model::ModelResource),
            resource(resources::model_version::ModelVersionResource),
            resource(resources::model_alias::ModelAliasResource),
            resource(resources::endpoint::EndpointResource),
        ]
    }

    fn data_sources(&self) -> Vec<Arc<dyn AnyDataSource<Client>>> {
        vec![
            data_source(data_sources::model::ModelData),
            data_source(data_sources::models::ModelsData),
            data_source(data_sources::model_version::ModelVersionData),
            data_source(data_sources::model_versions::ModelVersionsData),
            data_source(data_sources::endpoint::EndpointData),
            data_source(data_sources::endpoint_status::EndpointStatusData),
            data_source(data_sources::deployments::DeploymentsData),
        ]
    }

    async fn shutdown(&self, client: Option<Arc<Client>>) {
        let Some(client) = client else { return };
        // Terraform is done and has stored what we answered: nothing of this session is left to adopt.
        if let Err(error) = client.registry.close_session().await {
            tracing::warn!(error = %error.chain(), "the session was not closed");
        }
    }
}

fn settings(config: Config) -> Result<Settings, Diagnostics> {
    let local = match config.local {
        Attr::Known(local) => local,
        Attr::Null => return Ok(Settings::default()),
        Attr::Unknown => return Err(unknown("local")),
    };
    if local.path.is_unknown() {
        return Err(unknown("path"));
    }
    if local.namespace.is_unknown() {
        return Err(unknown("namespace"));
    }
    Ok(Settings {
        path: local.path.into_known().map(Into::into),
        namespace: local.namespace.into_known(),
    })
}

/// Where the registry lies decides what everything else means, so it cannot wait for apply.
fn unknown(field: &str) -> Diagnostics {
    let detail = "The place of the registry must be known at plan. Use a value that no resource of this configuration computes.";
    let path = Path::attribute("local");
    let path = if field == "local" {
        path
    } else {
        path.then(field)
    };
    Diagnostic::error("The registry's place is not known", detail)
        .at(path)
        .into()
}
