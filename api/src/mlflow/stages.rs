//! Stages, which MLflow itself has given up for aliases, mapped to them.
//!
//! A version is in `Staging` or `Production` if the alias `staging` or `production` points to it,
//! so each of the two holds one version at most, and the model's gates decide who gets in. It is
//! `Archived` if it is archived, for good: nothing new is bound to it. All others are in `None`.

use std::sync::Arc;

use axum::extract::State;
use mlops_core::names::{AliasId, AliasName, ModelName, VersionId};
use mlops_core::registry::{Alias, Registry, Version};

use super::shelf::Entry;
use super::wire::ModelVersionAnswer;
use super::{aliases, name, versions};
use crate::answer::{Answer, Json, Refusal};
use crate::api::Inner;
use crate::input::Input;

pub(super) const NONE: &str = "None";
const STAGING: &str = "Staging";
const PRODUCTION: &str = "Production";
const ARCHIVED: &str = "Archived";

/// In the order in which MLflow lists them.
pub(super) const ALL: [&str; 4] = [NONE, STAGING, PRODUCTION, ARCHIVED];

/// The stage of a version, given its model's aliases.
pub(super) fn of(version: &Version, aliases: &[Alias]) -> &'static str {
    if version.is_archived() {
        return ARCHIVED;
    }
    let held = |stage: &str| {
        aliases.iter().any(|alias| {
            alias.version == Some(version.id.version)
                && alias.alias.as_str() == stage.to_lowercase()
        })
    };
    [PRODUCTION, STAGING]
        .into_iter()
        .find(|stage| held(stage))
        .unwrap_or(NONE)
}

/// The stage of this name, however it is capitalised.
pub(super) fn named(stage: &str) -> Result<&'static str, Refusal> {
    ALL.into_iter()
        .find(|known| known.eq_ignore_ascii_case(stage))
        .ok_or_else(|| {
            Refusal::invalid(format!(
                "Invalid Model Version stage: {stage}. Value must be one of {}.",
                ALL.join(", ")
            ))
        })
}

fn alias(stage: &str) -> Result<AliasName, Refusal> {
    Ok(stage.to_lowercase().parse()?)
}

/// `transition-stage`.
pub(super) async fn transition(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let id = versions::id(&input)?;
    let stage = named(input.required("stage")?)?;
    let archive = input.flag("archive_existing_versions")?;
    let registry = &api.registry;
    let Entry::Ready(version) = Entry::find(registry, &id).await? else {
        return Err(Refusal::invalid(format!(
            "version {id} is not READY, so it has no stage yet"
        )));
    };
    match stage {
        STAGING | PRODUCTION => enter(registry, &id, stage, archive).await?,
        _ if archive => {
            return Err(Refusal::invalid(format!(
                "archive_existing_versions cannot be used with stage {stage}: only {STAGING} and {PRODUCTION} hold a version that it could archive"
            )));
        }
        NONE if version.is_archived() => {
            return Err(Refusal::invalid(format!(
                "version {id} is archived, and that is final; register the model again"
            )));
        }
        NONE => leave(registry, &id).await?,
        _ => {
            registry.archive_version(&id).await?;
            leave(registry, &id).await?;
        }
    }
    let entry = Entry::find(registry, &id).await?;
    let aliases = registry.list_aliases(&id.model).await?;
    Json::of(&ModelVersionAnswer {
        model_version: entry.wire(&aliases),
    })
}

/// Points the stage's alias to the version, and takes it out of the other stage.
async fn enter(
    registry: &Registry,
    id: &VersionId,
    stage: &str,
    archive: bool,
) -> Result<(), Refusal> {
    let before = aliases::point(registry, &id.model, &alias(stage)?, id.version).await?;
    let other = if stage == STAGING {
        PRODUCTION
    } else {
        STAGING
    };
    vacate(registry, &id.model, other, id.version).await?;
    if let Some(version) = before.filter(|before| archive && *before != id.version) {
        let model = id.model.clone();
        registry
            .archive_version(&VersionId { model, version })
            .await?;
    }
    Ok(())
}

async fn leave(registry: &Registry, id: &VersionId) -> Result<(), Refusal> {
    for stage in [STAGING, PRODUCTION] {
        vacate(registry, &id.model, stage, id.version).await?;
    }
    Ok(())
}

/// Deletes the stage's alias if it points to this version.
async fn vacate(
    registry: &Registry,
    model: &ModelName,
    stage: &str,
    version: u64,
) -> Result<(), Refusal> {
    let id = AliasId {
        model: model.clone(),
        alias: alias(stage)?,
    };
    if registry
        .alias(&id)
        .await?
        .is_some_and(|alias| alias.version == Some(version))
    {
        registry.delete_alias(&id).await?;
    }
    Ok(())
}

/// The stages that `get-latest-versions` is asked for; all, if none is named.
pub(super) fn wanted(input: &Input) -> Result<Vec<&'static str>, Refusal> {
    name(input)?;
    let asked = input.list("stages")?;
    if asked.is_empty() {
        return Ok(ALL.to_vec());
    }
    asked.into_iter().map(named).collect()
}
