//! What the registry holds: models, versions, aliases, and what their creation is asked with.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Retention;
use crate::artifacts::{Artifact, Digest};
use crate::gates::Gate;
use crate::images::ContainerImage;
use crate::names::{AliasName, ModelName, VersionId};
use crate::signature::{Compatibility, Signature};

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// More is better.
    Maximize,
    /// Less is better.
    Minimize,
}

/// A metric that a model declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSpec {
    /// Which way is better.
    pub goal: Goal,
    /// The least value a version may claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest value a version may claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the field's")]
pub enum Task {
    Classification,
    Regression,
    Ranking,
    Embedding,
    Llm,
    Other,
}

/// What must hold before an alias moves to a version of the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// One gate per metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<String, Gate>,
    /// How many different people must have approved; 0 asks for none.
    #[serde(default)]
    pub approvals_required: u32,
    /// Lineage fields that a version must have: `run_id`, `git_repo`, `git_commit`, `parent_version`, `datasets`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub require_lineage: BTreeSet<String>,
}

/// What becomes of a model when its resource is destroyed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ModelDeletionPolicy {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays, unmanaged.
    Abandon,
    /// Destroying is refused at plan.
    Prevent,
}

/// What becomes of a version when its resource is destroyed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VersionDeletionPolicy {
    /// It is archived.
    #[default]
    Archive,
    /// Its record is deleted; refused while it is bound.
    Delete,
    /// It stays, unmanaged.
    Abandon,
    /// Destroying is refused at plan.
    Prevent,
}

/// The part of a model that its owner chooses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Metrics by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, MetricSpec>,
    /// How signatures may change from version to version.
    #[serde(default)]
    pub signature_compatibility: Compatibility,
    /// What must hold before an alias moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Promotion>,
    /// Which archived versions a sweep keeps; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// What destroying does.
    #[serde(default)]
    pub deletion_policy: ModelDeletionPolicy,
    /// Tags, those added by others included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A model as the registry holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name, which is its id.
    pub name: ModelName,
    /// When this incarnation was created.
    pub created_at: Timestamp,
    /// When its description, tags or rules last changed; `None`: never, or before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// What its owner chose.
    #[serde(flatten)]
    pub spec: ModelSpec,
    /// Hash of the specification it was created with.
    pub spec_hash: String,
    /// The call that created it.
    #[serde(default)]
    pub nonce: String,
    /// Set while a delete of many records is under way; everything but another delete refuses such a model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
    /// The record's revision.
    #[serde(skip)]
    pub revision: u64,
}

impl Model {
    /// Its id, which is its name.
    pub fn id(&self) -> &str {
        self.name.as_str()
    }

    /// The gates of its promotion; empty without one.
    pub fn gates(&self) -> &BTreeMap<String, Gate> {
        static NONE: BTreeMap<String, Gate> = BTreeMap::new();
        self.spec.promotion.as_ref().map_or(&NONE, |p| &p.gates)
    }
}

/// Where a version comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The training run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The repository of the training code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_repo: Option<String>,
    /// Its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// The version it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_version: Option<String>,
    /// Data sets by role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub datasets: BTreeMap<String, String>,
}

impl Lineage {
    /// The names of [`Promotion::require_lineage`].
    pub const FIELDS: [&'static str; 5] = [
        "run_id",
        "git_repo",
        "git_commit",
        "parent_version",
        "datasets",
    ];

    /// Whether the field of this name is set; false for a name that is none of [`Lineage::FIELDS`].
    pub fn has(&self, field: &str) -> bool {
        match field {
            "run_id" => self.run_id.is_some(),
            "git_repo" => self.git_repo.is_some(),
            "git_commit" => self.git_commit.is_some(),
            "parent_version" => self.parent_version.is_some(),
            "datasets" => !self.datasets.is_empty(),
            _ => false,
        }
    }
}

/// What a registration by URI said of where the version comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The URI, as it was given.
    pub source: String,
    /// A page about the training run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_link: Option<String>,
}

/// Whether people agreed to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's")]
pub enum ApprovalStatus {
    PendingManualApproval,
    Approved,
    Rejected,
}

impl ApprovalStatus {
    /// The name as users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PendingManualApproval => "PendingManualApproval",
            Self::Approved => "Approved",
            Self::Rejected => "Rejected",
        }
    }
}

/// The last word on a version, and who said yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The last word.
    pub status: ApprovalStatus,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who had the last word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Everybody who approved since the last other word.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approvers: BTreeSet<String>,
}

/// A golden request asked of a candidate before it gets weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smoke {
    /// The request's body, JSON.
    pub inputs: String,
    /// What the answer must be, JSON; none: any answer without an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

/// Whether a version may be bound to anything new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionStatus {
    /// It may.
    #[default]
    Active,
    /// It may not; what is bound goes on serving.
    Archived,
}

/// The part of a version that is fixed once it is registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionSpec {
    /// The artifact: digest, size, files.
    pub artifact: Artifact,
    /// `onnx`, or `container`.
    pub framework: String,
    /// The image, of a version that is one: the artifact names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ContainerImage>,
    /// Inputs and outputs, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// How it was trained.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// The golden request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<Smoke>,
}

/// What a registration asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// The model.
    pub model: ModelName,
    /// What stays fixed.
    pub spec: VersionSpec,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The first word on it; `None`: nobody's yet.
    pub approval: Option<ApprovalUpdate>,
    /// What destroying does; kept for other tools to see.
    pub deletion_policy: VersionDeletionPolicy,
    /// Identifies retries of one call; `None` mints one.
    pub nonce: Option<String>,
}

/// A word on a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalUpdate {
    /// The word.
    pub status: ApprovalStatus,
    /// Why.
    pub description: Option<String>,
    /// Who says it.
    pub by: Option<String>,
}

/// A version as the registry holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Model and number.
    #[serde(flatten)]
    pub id: VersionId,
    /// What stays fixed.
    #[serde(flatten)]
    pub spec: VersionSpec,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it was registered from, where that was a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Where the artifact lies.
    pub artifact_uri: String,
    /// Metrics by name, those added by others included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Tags, those added by others included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The last word on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Active or archived.
    #[serde(default)]
    pub status: VersionStatus,
    /// What destroying does.
    #[serde(default)]
    pub deletion_policy: VersionDeletionPolicy,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its description, metrics, tags, approval or status last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// Hash of what it was registered with.
    pub spec_hash: String,
    /// The call that registered it.
    pub nonce: String,
    /// The record's revision. Every alias move and endpoint binding that names this version
    /// changes it, so that a delete sees them.
    #[serde(skip)]
    pub revision: u64,
}

impl Version {
    /// The digest of its artifact.
    pub fn digest(&self) -> &Digest {
        &self.spec.artifact.digest
    }

    /// What a machine fetches to run it, in bytes, where that is known: of an image its layers.
    pub fn size(&self) -> Option<u64> {
        match &self.spec.image {
            Some(image) => image.size,
            None => Some(self.spec.artifact.size),
        }
    }

    /// Whether it is archived.
    pub fn is_archived(&self) -> bool {
        self.status == VersionStatus::Archived
    }

    /// Whether the last word on it is no.
    pub fn is_rejected(&self) -> bool {
        self.approval
            .as_ref()
            .is_some_and(|a| a.status == ApprovalStatus::Rejected)
    }
}

/// A change of a version in place; `None` leaves a field alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionUpdate {
    /// Sets (`Some`) or removes (`None`) metrics; others stay.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// Sets or removes tags; others stay.
    pub tags: BTreeMap<String, Option<String>>,
    /// A word on it.
    pub approval: Option<ApprovalUpdate>,
    /// What destroying does.
    pub deletion_policy: Option<VersionDeletionPolicy>,
    /// Who changes it, for the audit event.
    pub by: Option<String>,
}

/// A change of a model in place. It replaces what the owner chose, except that tags are merged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelUpdate {
    /// The new choice; its `tags` are ignored in favour of [`ModelUpdate::tags`].
    pub spec: ModelSpec,
    /// Sets or removes tags; others stay.
    pub tags: BTreeMap<String, Option<String>>,
    /// Only if the record still has this revision; `None`: whatever it is.
    pub if_revision: Option<u64>,
}

/// How an alias is created or moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAlias {
    /// The model.
    pub model: ModelName,
    /// The alias.
    pub name: AliasName,
    /// Where it shall point; `None` creates it without a target and leaves an existing target alone.
    pub version: Option<u64>,
    /// Whether the model's gates, approvals and lineage rules apply, now and for later moves.
    pub enforce_promotion: bool,
    /// Moves although a gate fails; recorded with the move.
    pub override_reason: Option<String>,
    /// Only if the record has this revision; `None`: whatever it is.
    pub if_revision: Option<u64>,
    /// Who moves it, for the audit event.
    pub by: Option<String>,
}

/// An alias as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The model.
    pub model: ModelName,
    /// Its name.
    pub alias: AliasName,
    /// Where it points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Whether moves obey the model's promotion rules.
    #[serde(default = "yes")]
    pub enforce_promotion: bool,
    /// Why the last move was forced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_reason: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<Timestamp>,
    /// Hash of what it was created with.
    pub spec_hash: String,
    /// The call that created it.
    #[serde(default)]
    pub nonce: String,
    /// The record's revision.
    #[serde(skip)]
    pub revision: u64,
}

fn yes() -> bool {
    true
}

impl Alias {
    /// `fraud@champion`.
    pub fn id(&self) -> crate::names::AliasId {
        crate::names::AliasId {
            model: self.model.clone(),
            alias: self.alias.clone(),
        }
    }

    /// The version it points to.
    pub fn target(&self) -> Option<VersionId> {
        self.version.map(|version| VersionId {
            model: self.model.clone(),
            version,
        })
    }
}

/// Which version of a model is best by a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The metric; versions without it are passed over.
    pub metric: String,
    /// Which way; `None`: the model's declared goal.
    pub order: Option<Goal>,
}

/// An endpoint that serves, or may be rolled back to, a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Model and number.
    #[serde(flatten)]
    pub version: VersionId,
    /// The endpoint's id, `local/digits`.
    pub endpoint: String,
    /// Since when.
    pub at: Timestamp,
}
