//! What is answered: MLflow's messages, with its names and types.

use jiff::Timestamp;
use mlops_core::registry::{Alias, Model, PendingVersion, Version};
use serde::Serialize;

use super::tags;

#[derive(Debug, Serialize)]
pub(super) struct RegisteredModelAnswer {
    pub(super) registered_model: RegisteredModel,
}

#[derive(Debug, Serialize)]
pub(super) struct ModelVersionAnswer {
    pub(super) model_version: ModelVersion,
}

#[derive(Debug, Serialize)]
pub(super) struct ModelVersionsAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) model_versions: Vec<ModelVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct RegisteredModelsAnswer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) registered_models: Vec<RegisteredModel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct DownloadUriAnswer {
    pub(super) artifact_uri: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ModelAlias {
    alias: String,
    version: String,
}

/// Where a version stands on its way into the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    /// Its artifact is on its way.
    PendingRegistration,
    /// Its artifact could not be had.
    FailedRegistration,
    /// It can be used.
    Ready,
}

#[derive(Debug, Serialize)]
pub(super) struct RegisteredModel {
    name: String,
    /// Milliseconds since the epoch, as all times here.
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    latest_versions: Vec<ModelVersion>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<ModelAlias>,
}

impl RegisteredModel {
    pub(super) fn new(model: &Model, latest: Vec<ModelVersion>, aliases: &[Alias]) -> Self {
        let alias = |alias: &Alias| {
            Some(ModelAlias {
                alias: alias.alias.to_string(),
                version: alias.version?.to_string(),
            })
        };
        Self {
            name: model.name.to_string(),
            creation_timestamp: model.created_at.as_millisecond(),
            last_updated_timestamp: changed(model.updated_at, model.created_at),
            description: model.spec.description.clone(),
            latest_versions: latest,
            tags: tags::plain(&model.spec.tags),
            aliases: aliases.iter().filter_map(alias).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Metric {
    key: String,
    value: f64,
    timestamp: i64,
    step: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct Param {
    name: String,
    value: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ModelVersion {
    name: String,
    version: String,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
    current_stage: &'static str,
    description: String,
    source: String,
    run_id: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    run_link: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_params: Vec<Param>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_metrics: Vec<Metric>,
}

impl ModelVersion {
    /// A version that can be used. One that was not registered by URI has its artifact's as source.
    pub(super) fn ready(version: &Version, stage: &'static str, aliases: Vec<String>) -> Self {
        let origin = version.origin.as_ref();
        let at = changed(version.updated_at, version.created_at);
        let metric = |(key, value): (&String, &f64)| Metric {
            key: key.clone(),
            value: *value,
            timestamp: at,
            step: 0,
        };
        let param = |(name, value): (&String, &String)| Param {
            name: name.clone(),
            value: value.clone(),
        };
        Self {
            name: version.id.model.to_string(),
            version: version.id.version.to_string(),
            creation_timestamp: version.created_at.as_millisecond(),
            last_updated_timestamp: at,
            current_stage: stage,
            description: version.description.clone().unwrap_or_default(),
            source: origin.map_or_else(
                || version.artifact_uri.clone(),
                |origin| origin.source.clone(),
            ),
            run_id: run_id(version.spec.lineage.as_ref()),
            status: Status::Ready,
            status_message: None,
            tags: tags::shown(&version.tags, &version.metrics),
            run_link: origin.and_then(|o| o.run_link.clone()).unwrap_or_default(),
            aliases,
            model_params: version.spec.params.iter().map(param).collect(),
            model_metrics: version.metrics.iter().map(metric).collect(),
        }
    }

    /// A version that is not one yet, or never will be.
    pub(super) fn pending(pending: &PendingVersion) -> Self {
        let status = match pending.failure {
            None => Status::PendingRegistration,
            Some(_) => Status::FailedRegistration,
        };
        Self {
            name: pending.id.model.to_string(),
            version: pending.id.version.to_string(),
            creation_timestamp: pending.created_at.as_millisecond(),
            last_updated_timestamp: changed(pending.updated_at, pending.created_at),
            current_stage: super::stages::NONE,
            description: pending.description.clone().unwrap_or_default(),
            source: pending.origin.source.clone(),
            run_id: run_id(pending.lineage.as_ref()),
            status,
            status_message: pending.failure.clone(),
            tags: tags::shown(&pending.tags, &pending.metrics),
            run_link: pending.origin.run_link.clone().unwrap_or_default(),
            aliases: Vec::new(),
            model_params: Vec::new(),
            model_metrics: Vec::new(),
        }
    }
}

pub(super) fn changed(updated: Option<Timestamp>, created: Timestamp) -> i64 {
    updated.unwrap_or(created).as_millisecond()
}

pub(super) fn run_id(lineage: Option<&mlops_core::registry::Lineage>) -> String {
    lineage
        .and_then(|lineage| lineage.run_id.clone())
        .unwrap_or_default()
}
