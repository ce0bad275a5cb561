//! `data.mlops_model_version`: one version, by number, by alias, or the best by a metric.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mlops_core::Result as CoreResult;
use mlops_core::names::{AliasId, AliasName, ModelName, VersionId};
use mlops_core::registry::{Select, Version};
use tfplugin::schema::{Attribute, Block, Nested, Schema};
use tfplugin::types::Type;
use tfplugin::{Attr, DataSource, Diagnostics, ReadContext, validate};

use super::shared::{entry_of, failed, number, numbers, text, texts};
use crate::client::Client;
use crate::resources::convert;

tfplugin::object! {
    /// Configuration and result.
    pub(crate) struct State {
        /// `MODEL/VERSION`.
        pub(crate) id: Attr<String>,
        /// The model.
        pub(crate) model: Attr<String>,
        /// The number asked for, or found.
        pub(crate) version: Attr<u64>,
        /// The alias asked for.
        pub(crate) alias: Attr<String>,
        /// The best by a metric.
        pub(crate) select: Attr<SelectBy>,
        /// `active` or `archived`.
        pub(crate) status: Attr<String>,
        /// The last word on it.
        pub(crate) approval_status: Attr<String>,
        /// Why.
        pub(crate) approval_description: Attr<String>,
        /// The image that it is.
        pub(crate) image: Attr<Image>,
        /// What the artifact is.
        pub(crate) framework: Attr<String>,
        /// Inputs and outputs.
        pub(crate) signature: Attr<String>,
        /// All metrics.
        pub(crate) metrics: Attr<BTreeMap<String, f64>>,
        /// What it was trained with.
        pub(crate) params: Attr<BTreeMap<String, String>>,
        /// All tags.
        pub(crate) tags: Attr<BTreeMap<String, String>>,
        /// Where the artifact lies.
        pub(crate) artifact_uri: Attr<String>,
        /// What it is.
        pub(crate) artifact_digest: Attr<String>,
        /// How large it is.
        pub(crate) artifact_size_bytes: Attr<u64>,
        /// When it was registered.
        pub(crate) created_at: Attr<String>,
    }

    /// The image that a version is.
    pub(crate) struct Image {
        /// By its digest.
        pub(crate) uri: Attr<String>,
        /// Its digest.
        pub(crate) digest: Attr<String>,
        /// What it runs on.
        pub(crate) platforms: Attr<Vec<String>>,
    }

    /// The best by a metric.
    pub(crate) struct SelectBy {
        /// The metric.
        pub(crate) metric: Attr<String>,
        /// Which way is better.
        pub(crate) order: Attr<String>,
    }
}

/// The data source.
pub(crate) struct ModelVersionData;

#[async_trait]
impl DataSource<Client> for ModelVersionData {
    type State = State;
    const TYPE: &'static str = "mlops_model_version";

    fn schema(&self) -> Schema {
        let select = Nested::new()
            .attribute("metric", Attribute::string().required().describe("The metric; versions without it are passed over."))
            .attribute(
                "order",
                Attribute::string()
                    .optional()
                    .validate(validate::one_of(["maximize", "minimize"]))
                    .describe("Which way is better: `maximize` or `minimize`. Default: the goal that the model declares."),
            );
        let image = Nested::new()
            .attribute(
                "uri",
                text("The image by its digest, `REPOSITORY@sha256:DIGEST`."),
            )
            .attribute("digest", text("Its digest, `sha256:DIGEST`."))
            .attribute(
                "platforms",
                Attribute::list(Type::String)
                    .computed()
                    .describe("What it runs on, such as `linux/amd64`."),
            );
        Schema::new(
            Block::new()
                .describe("One version of a model: by number, by alias, or the best by a metric.")
                .validate(validate::exactly_one_of(["version", "alias", "select"]))
                .attribute("id", text("`MODEL/VERSION`."))
                .attribute("model", Attribute::string().required().describe("The model's name."))
                .attribute("version", Attribute::number().optional().computed().describe("The number."))
                .attribute("alias", Attribute::string().optional().describe("The alias that points to it."))
                .attribute("select", Attribute::single_nested(select).optional().describe(
                    "The best version by a metric, among those that are neither archived nor rejected.",
                ))
                .attribute("status", text("`active` or `archived`."))
                .attribute("approval_status", text("The last word on it; null if nobody spoke."))
                .attribute("approval_description", text("Why."))
                .attribute("image", Attribute::single_nested(image).computed().describe("The image, of a version that is one; null of a model's files."))
                .attribute("framework", text("What the artifact is."))
                .attribute("signature", text("Inputs and outputs, JSON."))
                .attribute("metrics", numbers("All metrics, by name."))
                .attribute("params", texts("What it was trained with."))
                .attribute("tags", texts("All tags but those that the provider's `ignore_tags` names."))
                .attribute("artifact_uri", text("Where the artifact lies."))
                .attribute("artifact_digest", text("SHA-256 of the artifact's manifest."))
                .attribute("artifact_size_bytes", number("The artifact's size in bytes."))
                .attribute("created_at", text("When it was registered, RFC 3339.")),
        )
    }

    async fn read(&self, cx: &ReadContext<Client>, config: State) -> Result<State, Diagnostics> {
        let model: ModelName = convert::name(&config.model, "model")?;
        let object = format!("a version of model {model}");
        let version = find(cx.client(), &model, &config)
            .await
            .map_err(|error| failed(&object, &error))?;
        let entry = entry_of(&version, &cx.client().tags);
        let size = version.size();
        let spec = version.spec;
        let image = spec.image.map(|image| Image {
            digest: image.digest().map(str::to_owned).ok().into(),
            uri: image.uri.into(),
            platforms: Attr::Known(image.platforms),
        });
        Ok(State {
            id: entry.id,
            version: entry.version,
            status: entry.status,
            approval_status: entry.approval_status,
            approval_description: version
                .approval
                .and_then(|approval| approval.description)
                .into(),
            image: image.into(),
            framework: spec.framework.into(),
            signature: spec
                .signature
                .and_then(|signature| serde_json::to_string(&signature).ok())
                .into(),
            metrics: entry.metrics,
            params: spec.params.into(),
            tags: entry.tags,
            artifact_uri: version.artifact_uri.into(),
            artifact_digest: entry.artifact_digest,
            artifact_size_bytes: size.into(),
            created_at: entry.created_at,
            ..config
        })
    }
}

async fn find(client: &Client, model: &ModelName, config: &State) -> CoreResult<Version> {
    let registry = &client.registry;
    if let Some(select) = config.select.known() {
        let metric = select.metric.to_option().unwrap_or_default();
        let absent = client.absent(&format!(
            "a live version of model {model} with metric {metric:?}"
        ));
        let order = select.order.as_str().and_then(convert::word);
        let best = registry
            .select_version(model, &Select { metric, order })
            .await?;
        return best.ok_or_else(|| absent.at("select"));
    }
    let (number, field) = match (config.alias.as_str(), config.version) {
        (Some(alias), _) => {
            let id = AliasId {
                model: model.clone(),
                alias: alias.parse::<AliasName>()?,
            };
            let found = registry.alias(&id).await?.and_then(|alias| alias.version);
            (
                found.ok_or_else(|| {
                    client
                        .absent(&format!("a target of alias {id}"))
                        .at("alias")
                })?,
                "alias",
            )
        }
        (None, version) => (version.to_option().unwrap_or_default(), "version"),
    };
    let id = VersionId {
        model: model.clone(),
        version: number,
    };
    registry
        .version(&id)
        .await?
        .ok_or_else(|| client.absent(&format!("version {id}")).at(field))
}
