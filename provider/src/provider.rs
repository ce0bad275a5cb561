//! The provider: its block, and the list of what it offers.

use std::mem::take;
use std::sync::Arc;

use async_trait::async_trait;
use tfplugin::data_source::AnyDataSource;
use tfplugin::resource::AnyResource;
use tfplugin::schema::{Attribute, Block, Schema};
use tfplugin::{
    Attr, Context, Diagnostic, Diagnostics, Path, Provider, Secret, data_source, resource, validate,
};

use crate::client::{Client, Open, Settings};
use crate::preflight::{self, Preflight};
use crate::tags::{DefaultTags, IgnoreTags, TagRules};
use crate::{aws, data_sources, diagnose, prices, resources, tags};

tfplugin::object! {
    /// The `provider` block.
    pub(crate) struct Config {
        /// The embedded registry.
        pub(crate) local: Attr<Local>,
        /// The registry on AWS.
        pub(crate) registry: Option<aws::Place>,
        /// Its region.
        pub(crate) region: Option<String>,
        /// A profile of the shared files.
        pub(crate) profile: Option<String>,
        /// A key.
        pub(crate) access_key: Option<String>,
        /// Its secret.
        pub(crate) secret_key: Option<Secret<String>>,
        /// A session's token.
        pub(crate) token: Option<Secret<String>>,
        /// In place of `~/.aws/config`.
        pub(crate) shared_config_files: Option<Vec<String>>,
        /// In place of `~/.aws/credentials`.
        pub(crate) shared_credentials_files: Option<Vec<String>>,
        /// Accounts that may be used.
        pub(crate) allowed_account_ids: Option<Vec<String>>,
        /// Accounts that may not.
        pub(crate) forbidden_account_ids: Option<Vec<String>>,
        /// Where STS is asked.
        pub(crate) sts_region: Option<String>,
        /// How often a call is tried again.
        pub(crate) max_retries: Option<u32>,
        /// `standard` or `adaptive`.
        pub(crate) retry_mode: Option<String>,
        /// The proxy for HTTP.
        pub(crate) http_proxy: Option<String>,
        /// The proxy for HTTPS.
        pub(crate) https_proxy: Option<String>,
        /// Hosts without a proxy.
        pub(crate) no_proxy: Option<String>,
        /// More trusted certificates.
        pub(crate) custom_ca_bundle: Option<String>,
        /// FIPS endpoints.
        pub(crate) use_fips_endpoint: Option<bool>,
        /// IPv6 endpoints.
        pub(crate) use_dualstack_endpoint: Option<bool>,
        /// Bucket in the path.
        pub(crate) s3_use_path_style: Option<bool>,
        /// No question to STS.
        pub(crate) skip_credentials_validation: Option<bool>,
        /// Any region.
        pub(crate) skip_region_validation: Option<bool>,
        /// No question to the instance.
        pub(crate) skip_metadata_api_check: Option<bool>,
        /// A role.
        pub(crate) assume_role: Option<aws::AssumeRole>,
        /// A role, with a token.
        pub(crate) assume_role_with_web_identity: Option<aws::WebIdentity>,
        /// Where services answer.
        pub(crate) endpoints: Option<aws::Endpoints>,
        /// The image of the model server.
        pub(crate) server_image: Option<aws::ServerImage>,
        /// What a plan looks at.
        pub(crate) preflight: Option<preflight::Block>,
        /// A file of prices.
        pub(crate) price_file: Option<String>,
        /// Tags of every object.
        pub(crate) default_tags: Attr<DefaultTags>,
        /// Tags that belong to others.
        pub(crate) ignore_tags: Attr<IgnoreTags>,
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
        let block = Block::new()
            .describe("Models, versions, aliases and endpoints. Without configuration the registry is embedded: no account is needed.")
            .validate(validate::at_most_one_of(["local", "registry"]))
            .single("local", local);
        let block = prices::declare(preflight::declare(aws::declare(block)));
        Schema::new(tags::declare(block))
    }

    async fn configure(
        &self,
        cx: &Context,
        mut config: Config,
    ) -> Result<Arc<Client>, Diagnostics> {
        let (default, ignore) = (
            take(&mut config.default_tags),
            take(&mut config.ignore_tags),
        );
        let rules = TagRules::new(default, ignore, environment())?;
        rules.warn_of_ignored_defaults(cx);
        let image = config.server_image.take().map(|image| image.uri);
        let preflight = Preflight::new(config.preflight.take(), environment())?;
        let prices = prices::read(config.price_file.take().as_deref())?;
        let settings = settings(config)?;
        let what = match settings {
            Settings::Embedded { .. } => "Cannot use the embedded registry",
            Settings::Aws(_) => "Cannot use the registry on AWS",
        };
        let parts = (self.open)(settings).map_err(|error| diagnose::failed(what, &error))?;
        Ok(Arc::new(Client::new(
            parts, rules, image, preflight, prices,
        )))
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
            data_source(data_sources::image::ImageData),
            data_source(data_sources::endpoint::EndpointData),
            data_source(data_sources::endpoint_status::EndpointStatusData),
            data_source(data_sources::deployments::DeploymentsData),
        ]
    }

    async fn shutdown(&self, client: Option<Arc<Client>>) {
        let Some(client) = client else { return };
        client.sources.clear();
        // Terraform is done and has stored what we answered: nothing of this session is left to adopt.
        if let Err(error) = client.registry.close_session().await {
            tracing::warn!(error = %error.chain(), "the session was not closed");
        }
    }
}

/// The environment variables that are text.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn settings(mut config: Config) -> Result<Settings, Diagnostics> {
    if config.registry.is_some() {
        return Ok(Settings::Aws(Box::new(config)));
    }
    let local = match take(&mut config.local) {
        Attr::Known(local) => local,
        Attr::Null => Local {
            path: Attr::Null,
            namespace: Attr::Null,
        },
        Attr::Unknown => return Err(unknown("local")),
    };
    if local.path.is_unknown() {
        return Err(unknown("path"));
    }
    if local.namespace.is_unknown() {
        return Err(unknown("namespace"));
    }
    Ok(Settings::Embedded {
        path: local.path.into_known().map(Into::into),
        namespace: local.namespace.into_known(),
        aws: Box::new(config),
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
