//! `registered-models`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use mlops_core::names::ModelName;
use mlops_core::registry::{Model, ModelDeletionPolicy, ModelSpec, ModelUpdate, Registry};

use super::shelf::Shelf;
use super::wire::{ModelVersionsAnswer, RegisteredModelAnswer};
use super::{name, no_model, stages};
use crate::answer::{Answer, Json, Refusal};
use crate::api::Inner;
use crate::input::Input;

pub(super) async fn create(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let name = name(&input)?;
    let spec = ModelSpec {
        description: said(input.text("description")?),
        tags: input.tags()?.into_iter().collect(),
        ..ModelSpec::default()
    };
    match api.registry.create_model(&name, spec).await {
        Ok(model) => answer(&api.registry, model).await,
        Err(error) if error.is_conflict() => Err(Refusal::exists(format!(
            "Registered Model (name={name}) already exists."
        ))),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn get(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let shelf = Shelf::find(&api.registry, &name(&input)?).await?;
    Json::of(&RegisteredModelAnswer {
        registered_model: shelf.wire(),
    })
}

/// Changes the description; an empty one removes it, none leaves it alone.
pub(super) async fn update(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let name = name(&input)?;
    let text = input.text("description")?;
    let model = change(&api.registry, &name, |spec, _| {
        if text.is_some() {
            spec.description = said(text);
        }
    })
    .await?;
    answer(&api.registry, model).await
}

/// Deletes the model with its versions and aliases. Refused while an endpoint serves one of them,
/// and if the model's owner said so.
pub(super) async fn delete(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let name = name(&input)?;
    let model = api
        .registry
        .model(&name)
        .await?
        .ok_or_else(|| no_model(&name))?;
    if model.spec.deletion_policy == ModelDeletionPolicy::Prevent {
        return Err(Refusal::conflict(format!(
            "model {name} is not deleted: its deletion_policy is PREVENT; change that where the model is declared"
        )));
    }
    api.registry.delete_model(&name, true).await?;
    Ok(Json::empty())
}

/// A name is the identity of a model: its versions, the endpoints bound to them and the states of
/// whoever manages it say `NAME/NUMBER`.
pub(super) async fn rename(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let name = name(&input)?;
    let to: ModelName = input.required("new_name")?.parse()?;
    let model = api
        .registry
        .model(&name)
        .await?
        .ok_or_else(|| no_model(&name))?;
    if name == to {
        return answer(&api.registry, model).await;
    }
    Err(Refusal::not_implemented(format!(
        "model {name} cannot be renamed: its name is its identity, and {name}/1 must never mean two artifacts; create {to} and copy the versions that it needs (source models:/{name}/VERSION)"
    )))
}

/// Of each stage the newest version that can be used.
pub(super) async fn latest_versions(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let wanted = stages::wanted(&input)?;
    let shelf = Shelf::find(&api.registry, &name(&input)?).await?;
    Json::of(&ModelVersionsAnswer {
        model_versions: shelf.latest(&wanted),
        next_page_token: None,
    })
}

pub(super) async fn set_tag(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let value = input.text("value")?.unwrap_or_default().to_owned();
    tag(&api, &input, Some(value)).await
}

/// A tag that does not exist is success.
pub(super) async fn delete_tag(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    tag(&api, &input, None).await
}

async fn tag(api: &Inner, input: &Input, value: Option<String>) -> Answer {
    let key = input.required("key")?;
    change(&api.registry, &name(input)?, |_, tags| {
        tags.insert(key.to_owned(), value.clone());
    })
    .await?;
    Ok(Json::empty())
}

async fn answer(registry: &Registry, model: Model) -> Answer {
    let shelf = Shelf::of(registry, model).await?;
    Json::of(&RegisteredModelAnswer {
        registered_model: shelf.wire(),
    })
}

/// Changes what the owner chose, however often others change it meanwhile.
async fn change(
    registry: &Registry,
    name: &ModelName,
    change: impl Fn(&mut ModelSpec, &mut BTreeMap<String, Option<String>>),
) -> Result<Model, Refusal> {
    let mut model = registry.model(name).await?.ok_or_else(|| no_model(name))?;
    loop {
        let mut update = ModelUpdate {
            spec: model.spec,
            tags: BTreeMap::new(),
            if_revision: Some(model.revision),
        };
        change(&mut update.spec, &mut update.tags);
        let error = match registry.update_model(name, update).await {
            Ok(model) => return Ok(model),
            Err(error) => error,
        };
        // If it was changed meanwhile, the other one is done: there is nothing to wait for.
        let now = registry.model(name).await?.ok_or_else(|| no_model(name))?;
        if now.revision == model.revision {
            return Err(error.into());
        }
        model = now;
    }
}

fn said(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}
