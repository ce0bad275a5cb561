//! `data.mlops_model`: a model as the registry holds it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mlops_core::names::ModelName;
use tfplugin::schema::{Attribute, Block, Schema};
use tfplugin::{Attr, DataSource, Diagnostics, ReadContext};

use super::shared::{failed, number, numbers, text, texts};
use crate::client::Client;
use crate::resources::convert;

tfplugin::object! {
    /// Configuration and result.
    pub(crate) struct State {
        /// The model's name.
        pub(crate) id: Attr<String>,
        /// The model's name.
        pub(crate) name: Attr<String>,
        /// What it is for.
        pub(crate) description: Attr<String>,
        /// Who answers for it.
        pub(crate) owner: Attr<String>,
        /// Its task.
        pub(crate) task: Attr<String>,
        /// Its rule for signatures.
        pub(crate) signature_compatibility: Attr<String>,
        /// All tags.
        pub(crate) tags: Attr<BTreeMap<String, String>>,
        /// The aliases and where they point.
        pub(crate) aliases: Attr<BTreeMap<String, Attr<u64>>>,
        /// The newest version.
        pub(crate) latest_version: Attr<u64>,
        /// When it was created.
        pub(crate) created_at: Attr<String>,
    }
}

/// The data source.
pub(crate) struct ModelData;

#[async_trait]
impl DataSource<Client> for ModelData {
    type State = State;
    const TYPE: &'static str = "mlops_model";

    fn schema(&self) -> Schema {
        Schema::new(
            Block::new()
                .describe("A registered model, with what others move: its newest version and where its aliases point.")
                .attribute("id", text("The model's name."))
                .attribute("name", Attribute::string().required().describe("The model's name."))
                .attribute("description", text("What the model is for."))
                .attribute("owner", text("Who answers for it."))
                .attribute("task", text("The kind of task."))
                .attribute("signature_compatibility", text("Which signatures a new version may have."))
                .attribute("tags", texts("All tags, those added outside of Terraform included, but for those that the provider's `ignore_tags` names."))
                .attribute("aliases", numbers("The version that each alias points to; null for an alias without a target."))
                .attribute("latest_version", number("The number of the newest version; null without one."))
                .attribute("created_at", text("When it was created, RFC 3339.")),
        )
    }

    async fn read(&self, cx: &ReadContext<Client>, config: State) -> Result<State, Diagnostics> {
        let client = cx.client();
        let name: ModelName = convert::name(&config.name, "name")?;
        let object = format!("model {name}");
        let found = client
            .registry
            .model(&name)
            .await
            .map_err(|error| failed(&object, &error))?;
        let found = found.ok_or_else(|| failed(&object, &client.absent(&object).at("name")))?;
        let aliases = client
            .registry
            .list_aliases(&name)
            .await
            .map_err(|error| failed(&object, &error))?;
        let (newest, _) = client
            .registry
            .list_versions(&name, None, 1)
            .await
            .map_err(|error| failed(&object, &error))?;
        let spec = found.spec;
        Ok(State {
            id: name.to_string().into(),
            name: config.name,
            description: spec.description.into(),
            owner: spec.owner.into(),
            task: spec.task.as_ref().map(convert::text).into(),
            signature_compatibility: convert::text(&spec.signature_compatibility).into(),
            tags: client.tags.shown(spec.tags).into(),
            aliases: aliases
                .into_iter()
                .map(|alias| (alias.alias.to_string(), alias.version.into()))
                .collect::<BTreeMap<_, _>>()
                .into(),
            latest_version: newest.first().map(|version| version.id.version).into(),
            created_at: found.created_at.to_string().into(),
        })
    }
}
