//! `data.mlops_model_versions`: the versions of a model.

use async_trait::async_trait;
use mlops_core::names::ModelName;
use tfplugin::schema::{Attribute, Block, Schema};
use tfplugin::{Attr, DataSource, Diagnostics, ReadContext, validate};

use super::shared::{VersionEntry, entry_of, failed, version_entry};
use crate::client::Client;
use crate::resources::convert;

tfplugin::object! {
    /// Configuration and result.
    pub(crate) struct State {
        /// The model.
        pub(crate) model: Attr<String>,
        /// Only those in this status.
        pub(crate) status: Attr<String>,
        /// The versions, newest first.
        pub(crate) versions: Attr<Vec<VersionEntry>>,
    }
}

/// The data source.
pub(crate) struct ModelVersionsData;

#[async_trait]
impl DataSource<Client> for ModelVersionsData {
    type State = State;
    const TYPE: &'static str = "mlops_model_versions";

    fn schema(&self) -> Schema {
        Schema::new(
            Block::new()
                .describe("The versions of a model, newest first.")
                .attribute(
                    "model",
                    Attribute::string().required().describe("The model's name."),
                )
                .attribute(
                    "status",
                    Attribute::string()
                        .optional()
                        .validate(validate::one_of(["active", "archived"]))
                        .describe("Only versions in this status: `active` or `archived`."),
                )
                .attribute(
                    "versions",
                    Attribute::list_nested(version_entry())
                        .computed()
                        .describe("The versions, newest first."),
                ),
        )
    }

    async fn read(&self, cx: &ReadContext<Client>, config: State) -> Result<State, Diagnostics> {
        let client = cx.client();
        let model: ModelName = convert::name(&config.model, "model")?;
        let object = format!("the versions of model {model}");
        if client
            .registry
            .model(&model)
            .await
            .map_err(|error| failed(&object, &error))?
            .is_none()
        {
            return Err(failed(
                &object,
                &client.absent(&format!("model {model}")).at("model"),
            ));
        }
        let versions = client
            .registry
            .all_versions(&model)
            .await
            .map_err(|error| failed(&object, &error))?;
        let entries = versions
            .iter()
            .map(|version| entry_of(version, &client.tags));
        let wanted =
            entries.filter(|entry| config.status.is_null() || entry.status == config.status);
        Ok(State {
            versions: wanted.collect::<Vec<_>>().into(),
            ..config
        })
    }
}
