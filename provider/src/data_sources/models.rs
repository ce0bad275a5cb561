//! `data.mlops_models`: the models of a registry.

use std::collections::BTreeMap;

use async_trait::async_trait;
use mlops_core::registry::Model;
use tfplugin::schema::{Attribute, Block, Nested, Schema};
use tfplugin::types::Type;
use tfplugin::{Attr, DataSource, Diagnostics, ReadContext};

use super::shared::{failed, text, texts};
use crate::client::Client;
use crate::resources::convert;
use crate::tags::TagRules;

tfplugin::object! {
    /// Configuration and result.
    pub(crate) struct State {
        /// Part of the name.
        pub(crate) filter: Attr<String>,
        /// Tags that the models have.
        pub(crate) tags: Attr<BTreeMap<String, String>>,
        /// The names, in order.
        pub(crate) names: Attr<Vec<String>>,
        /// The models by name.
        pub(crate) models: Attr<BTreeMap<String, Entry>>,
    }

    /// One model.
    pub(crate) struct Entry {
        /// What it is for.
        pub(crate) description: Attr<String>,
        /// Who answers for it.
        pub(crate) owner: Attr<String>,
        /// Its task.
        pub(crate) task: Attr<String>,
        /// All tags.
        pub(crate) tags: Attr<BTreeMap<String, String>>,
        /// When it was created.
        pub(crate) created_at: Attr<String>,
    }
}

/// Models read from the registry at a time.
const PAGE: usize = 100;

/// The data source.
pub(crate) struct ModelsData;

#[async_trait]
impl DataSource<Client> for ModelsData {
    type State = State;
    const TYPE: &'static str = "mlops_models";

    fn schema(&self) -> Schema {
        let entry = Nested::new()
            .attribute("description", text("What the model is for."))
            .attribute("owner", text("Who answers for it."))
            .attribute("task", text("The kind of task."))
            .attribute(
                "tags",
                texts("All tags but those that the provider's `ignore_tags` names."),
            )
            .attribute("created_at", text("When it was created, RFC 3339."));
        Schema::new(
            Block::new()
                .describe("The models of the registry, all or some.")
                .attribute(
                    "filter",
                    Attribute::string()
                        .optional()
                        .describe("Only models whose name contains this text."),
                )
                .attribute(
                    "tags",
                    Attribute::map(Type::String)
                        .optional()
                        .describe("Only models with all of these tags."),
                )
                .attribute(
                    "names",
                    Attribute::list(Type::String)
                        .computed()
                        .describe("The names, in order."),
                )
                .attribute(
                    "models",
                    Attribute::map_nested(entry)
                        .computed()
                        .describe("The models by name."),
                ),
        )
    }

    async fn read(&self, cx: &ReadContext<Client>, config: State) -> Result<State, Diagnostics> {
        let mut models = BTreeMap::new();
        let mut after = None;
        loop {
            let page = cx.client().registry.list_models(after.as_ref(), PAGE).await;
            let (page, more) = page.map_err(|error| failed("the models", &error))?;
            after = page.last().map(|model| model.name.clone());
            models.extend(
                page.into_iter()
                    .filter(|model| wanted(model, &config))
                    .map(|model| (model.name.to_string(), entry(model, &cx.client().tags))),
            );
            if !more || after.is_none() {
                break;
            }
        }
        Ok(State {
            names: models.keys().cloned().collect::<Vec<_>>().into(),
            models: models.into(),
            ..config
        })
    }
}

fn wanted(model: &Model, config: &State) -> bool {
    let named = config
        .filter
        .as_str()
        .is_none_or(|filter| model.name.as_str().contains(filter));
    let tagged = config.tags.known().is_none_or(|tags| {
        tags.iter()
            .all(|(key, value)| model.spec.tags.get(key) == Some(value))
    });
    named && tagged
}

fn entry(model: Model, rules: &TagRules) -> Entry {
    let spec = model.spec;
    Entry {
        task: spec.task.as_ref().map(convert::text).into(),
        description: spec.description.into(),
        owner: spec.owner.into(),
        tags: rules.shown(spec.tags).into(),
        created_at: model.created_at.to_string().into(),
    }
}
