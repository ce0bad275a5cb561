//! A model with all that hangs on it, as one look found it.

use mlops_core::names::{ModelName, VersionId};
use mlops_core::registry::{Alias, Model, PendingVersion, Registry, Version};

use super::wire::{ModelVersion, RegisteredModel};
use super::{no_model, stages};
use crate::answer::Refusal;

/// A version, or one to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// It can be used.
    Ready(Box<Version>),
    /// It is on its way, or failed.
    Pending(Box<PendingVersion>),
}

impl Entry {
    /// The entry of this id.
    pub(crate) async fn find(registry: &Registry, id: &VersionId) -> Result<Self, Refusal> {
        // A registration ends while it is asked for, and never goes back: pending is asked first.
        if let Some(pending) = registry.pending_version(id).await? {
            return Ok(Self::Pending(Box::new(pending)));
        }
        match registry.version(id).await? {
            Some(version) => Ok(Self::Ready(Box::new(version))),
            None => Err(Refusal::missing(format!(
                "Model Version (name={}, version={}) not found",
                id.model, id.version
            ))),
        }
    }

    /// Model and number.
    pub(crate) fn id(&self) -> &VersionId {
        match self {
            Self::Ready(version) => &version.id,
            Self::Pending(pending) => &pending.id,
        }
    }

    /// As clients see it, given the model's aliases.
    pub(super) fn wire(&self, aliases: &[Alias]) -> ModelVersion {
        match self {
            Self::Pending(pending) => ModelVersion::pending(pending),
            Self::Ready(version) => ModelVersion::ready(
                version,
                stages::of(version, aliases),
                aliases
                    .iter()
                    .filter(|alias| alias.version == Some(version.id.version))
                    .map(|alias| alias.alias.to_string())
                    .collect(),
            ),
        }
    }
}

/// A model, its versions, and its aliases.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    pub(crate) model: Model,
    pub(crate) aliases: Vec<Alias>,
    /// Oldest first.
    pub(crate) entries: Vec<Entry>,
}

impl Shelf {
    /// The model of this name with what hangs on it.
    pub(crate) async fn find(registry: &Registry, name: &ModelName) -> Result<Self, Refusal> {
        let model = registry.model(name).await?.ok_or_else(|| no_model(name))?;
        Self::of(registry, model).await
    }

    /// What hangs on a model.
    pub(crate) async fn of(registry: &Registry, model: Model) -> Result<Self, Refusal> {
        // In this order a version that becomes ready meanwhile is seen at least once.
        let pending = registry.pending_versions(&model.name).await?;
        let versions = registry.all_versions(&model.name).await?;
        let aliases = registry.list_aliases(&model.name).await?;
        let ready = versions
            .into_iter()
            .map(|version| Entry::Ready(Box::new(version)));
        let pending = pending
            .into_iter()
            .map(|pending| Entry::Pending(Box::new(pending)));
        let mut entries: Vec<Entry> = ready.chain(pending).collect();
        // The stable sort keeps a ready one before its pending double, which goes.
        entries.sort_by_key(|entry| entry.id().version);
        entries.dedup_by_key(|entry| entry.id().version);
        Ok(Self {
            model,
            aliases,
            entries,
        })
    }

    /// Of each stage the newest version that can be used, in the order of the stages.
    pub(super) fn latest(&self, wanted: &[&'static str]) -> Vec<ModelVersion> {
        wanted
            .iter()
            .filter_map(|stage| {
                self.entries.iter().rev().find(|entry| match entry {
                    Entry::Ready(version) => stages::of(version, &self.aliases) == *stage,
                    Entry::Pending(_) => false,
                })
            })
            .map(|entry| entry.wire(&self.aliases))
            .collect()
    }

    /// As clients see it.
    pub(super) fn wire(&self) -> RegisteredModel {
        RegisteredModel::new(&self.model, self.latest(&stages::ALL), &self.aliases)
    }
}
