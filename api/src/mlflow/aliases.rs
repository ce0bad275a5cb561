//! `registered-models/alias`.

use std::sync::Arc;

use axum::extract::State;
use mlops_core::names::{AliasId, AliasName, ModelName};
use mlops_core::registry::{Alias, Registry, SetAlias};

use super::shelf::Entry;
use super::wire::ModelVersionAnswer;
use super::{name, no_model, versions};
use crate::answer::{Answer, Json, Refusal};
use crate::api::Inner;
use crate::input::Input;

/// `POST`: creates or moves an alias, if the model's gates let it.
pub(super) async fn set(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let id = versions::id(&input)?;
    let alias: AliasName = input.required("alias")?.parse()?;
    refuse_reserved(&alias)?;
    let registry = &api.registry;
    if registry.model(&id.model).await?.is_none() {
        return Err(no_model(&id.model));
    }
    Entry::find(registry, &id).await?;
    point(registry, &id.model, &alias, id.version).await?;
    Ok(Json::empty())
}

/// `GET`: the version that an alias points to.
pub(super) async fn get(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let model = name(&input)?;
    let alias: AliasName = input.required("alias")?.parse()?;
    let registry = &api.registry;
    if registry.model(&model).await?.is_none() {
        return Err(no_model(&model));
    }
    let id = AliasId { model, alias };
    let target = registry.alias(&id).await?.and_then(|alias| alias.target());
    let Some(target) = target else {
        return Err(Refusal::invalid(format!(
            "Registered model alias {} not found.",
            id.alias
        )));
    };
    let entry = Entry::find(registry, &target).await?;
    let aliases = registry.list_aliases(&id.model).await?;
    Json::of(&ModelVersionAnswer {
        model_version: entry.wire(&aliases),
    })
}

/// `DELETE`: an alias that does not exist is success.
pub(super) async fn delete(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let model = name(&input)?;
    let alias: AliasName = input.required("alias")?.parse()?;
    if api.registry.model(&model).await?.is_none() {
        return Err(no_model(&model));
    }
    api.registry.delete_alias(&AliasId { model, alias }).await?;
    Ok(Json::empty())
}

/// Points an alias to a version, and makes it if it is missing; where it pointed before. An alias
/// keeps its own policy: whether the gates are asked is not for the caller to choose.
pub(super) async fn point(
    registry: &Registry,
    model: &ModelName,
    alias: &AliasName,
    version: u64,
) -> Result<Option<u64>, Refusal> {
    let id = AliasId {
        model: model.clone(),
        alias: alias.clone(),
    };
    let mut existing = registry.alias(&id).await?;
    loop {
        let set = SetAlias {
            model: model.clone(),
            name: alias.clone(),
            version: Some(version),
            enforce_promotion: existing
                .as_ref()
                .is_none_or(|alias| alias.enforce_promotion),
            override_reason: None,
            if_revision: existing.as_ref().map(|alias| alias.revision),
            by: None,
        };
        let moved = match &existing {
            None => registry.create_alias(set).await,
            Some(_) => registry.move_alias(set).await,
        };
        let error = match moved {
            Ok(moved) => return Ok(moved.previous),
            Err(error) => error,
        };
        // If it was created, moved or deleted meanwhile, the other one is done: there is nothing to wait for.
        let now = registry.alias(&id).await?;
        let revision = |alias: &Option<Alias>| alias.as_ref().map(|alias| alias.revision);
        if revision(&now) == revision(&existing) {
            return Err(error.into());
        }
        existing = now;
    }
}

/// Names that `models:/NAME@ALIAS` and `models:/NAME/…` would confuse.
fn refuse_reserved(alias: &AliasName) -> Result<(), Refusal> {
    let text = alias.as_str().to_ascii_lowercase();
    let numbered = text
        .strip_prefix('v')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    if text == "latest" || numbered {
        return Err(Refusal::invalid(format!(
            "alias name '{alias}' is reserved; choose another"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_and_version_numbers_are_no_aliases() {
        for name in ["latest", "Latest", "v1", "V20"] {
            assert!(refuse_reserved(&name.parse().unwrap()).is_err(), "{name}");
        }
        for name in ["v", "vector", "v1a", "newest"] {
            assert!(refuse_reserved(&name.parse().unwrap()).is_ok(), "{name}");
        }
    }
}
