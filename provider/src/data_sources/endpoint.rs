//! `data.mlops_endpoint`: an endpoint as its last successful deployment left it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mlops_core::endpoint::{self, EndpointRecord};
use mlops_core::names::{EndpointId, EndpointName};
use tfplugin::schema::{Attribute, Block, Schema};
use tfplugin::{Attr, DataSource, Diagnostics, ReadContext};

use super::shared::{failed, number, numbers, text, texts};
use crate::client::Client;
use crate::resources::convert;
use crate::resources::endpoint::front;

tfplugin::object! {
    /// Configuration and result.
    pub(crate) struct State {
        /// `local/NAME`, `ecs/CLUSTER/NAME` or `ecs/REGION/CLUSTER/NAME`.
        pub(crate) id: Attr<String>,
        /// The endpoint's name.
        pub(crate) name: Attr<String>,
        /// Its cluster, if it runs on ECS.
        pub(crate) cluster: Attr<String>,
        /// Where it answers.
        pub(crate) invoke_url: Attr<String>,
        /// What clients reach it by on AWS.
        pub(crate) arn: Attr<String>,
        /// How many deployments succeeded.
        pub(crate) revision: Attr<u64>,
        /// The version of each variant.
        pub(crate) target_versions: Attr<BTreeMap<String, u64>>,
        /// The model of each variant.
        pub(crate) models: Attr<BTreeMap<String, String>>,
        /// The image of each variant that runs one.
        pub(crate) images: Attr<BTreeMap<String, String>>,
        /// All tags.
        pub(crate) tags: Attr<BTreeMap<String, String>>,
        /// The last successful deployment.
        pub(crate) deployment_id: Attr<String>,
        /// When it was created.
        pub(crate) created_at: Attr<String>,
        /// When it was last deployed.
        pub(crate) updated_at: Attr<String>,
    }
}

/// The data source.
pub(crate) struct EndpointData;

#[async_trait]
impl DataSource<Client> for EndpointData {
    type State = State;
    const TYPE: &'static str = "mlops_endpoint";

    fn schema(&self) -> Schema {
        Schema::new(
            Block::new()
                .describe("An endpoint as its last successful deployment left it. What runs at this moment is in `mlops_endpoint_status`.")
                .attribute("id", text("`local/NAME` or `ecs/CLUSTER/NAME`, and `ecs/REGION/CLUSTER/NAME` in another region than the registry's."))
                .attribute("name", Attribute::string().required().describe("The endpoint's name."))
                .attribute("cluster", cluster())
                .attribute("invoke_url", text("The URL of the endpoint."))
                .attribute("arn", text("On ECS, the ARN of its listener, or of its rule on a listener of others."))
                .attribute("revision", number("How many deployments of this name succeeded."))
                .attribute("target_versions", numbers("The version of each variant that runs a model."))
                .attribute("models", texts("The model of each variant that runs one."))
                .attribute("images", texts("The image of each variant that runs one of the user's own."))
                .attribute("tags", texts("All tags but those that the provider's `ignore_tags` names."))
                .attribute("deployment_id", text("The last deployment that succeeded."))
                .attribute("created_at", text("When it was created, RFC 3339."))
                .attribute("updated_at", text("When it was last deployed, RFC 3339.")),
        )
    }

    async fn read(&self, cx: &ReadContext<Client>, config: State) -> Result<State, Diagnostics> {
        let client = cx.client();
        let record = find(client, &config.name, &config.cluster).await?;
        let running = record.running.iter();
        let models: BTreeMap<_, _> = running
            .filter_map(|(name, revision)| {
                let bound = revision.workload.bound()?;
                Some((name.to_string(), bound.model.to_string()))
            })
            .collect();
        let images = record.spec.images().into_iter();
        let images: BTreeMap<_, _> = images
            .map(|(name, image)| (name.to_string(), image))
            .collect();
        let versions = record
            .target_versions()
            .into_iter()
            .map(|(name, version)| (name.to_string(), version));
        Ok(State {
            id: record.identity().into(),
            name: config.name,
            cluster: config.cluster,
            invoke_url: record.server.invoke_url.clone().into(),
            arn: front::arn_of(client, &record),
            revision: record.revision.into(),
            target_versions: versions.collect::<BTreeMap<_, _>>().into(),
            models: models.into(),
            images: images.into(),
            tags: client.tags.shown(record.spec.tags.clone()).into(),
            deployment_id: record.deployment.to_string().into(),
            created_at: record.created_at.to_string().into(),
            updated_at: record.updated_at.to_string().into(),
        })
    }
}

/// The attribute that names an endpoint's cluster.
pub(super) fn cluster() -> Attribute {
    Attribute::string()
        .optional()
        .describe(
            "The ECS cluster of the endpoint, by name or ARN; one in another region than the registry's by its ARN. Without it, the endpoint is one on this machine.",
        )
}

/// The id of the endpoint with this name, in this cluster if one is named.
pub(super) async fn id(
    client: &Client,
    name: &Attr<String>,
    cluster: &Attr<String>,
) -> Result<EndpointId, Diagnostics> {
    let name: EndpointName = convert::name(name, "name")?;
    match cluster.as_str() {
        Some(cluster) => client.id_on_ecs(cluster, name).await,
        None => Ok(EndpointId::local(name)),
    }
}

/// The record of the endpoint with this name.
pub(super) async fn find(
    client: &Client,
    name: &Attr<String>,
    cluster: &Attr<String>,
) -> Result<EndpointRecord, Diagnostics> {
    let id = id(client, name, cluster).await?;
    let object = format!("endpoint {id}");
    let record = endpoint::record(&client.registry, &id)
        .await
        .map_err(|error| failed(&object, &error))?;
    record.ok_or_else(|| failed(&object, &client.absent(&object).at("name")))
}
