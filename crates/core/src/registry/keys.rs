//! Where the registry's records lie.

use crate::names::{AliasName, ModelName, VersionId};
use crate::records::Key;

pub(super) const MODELS: &str = "models";
pub(super) const SESSIONS: &str = "sessions";

pub(super) fn model_partition(model: &ModelName) -> String {
    format!("model#{model}")
}

pub(super) fn index(model: &ModelName) -> Key {
    Key::new(MODELS, model.as_str())
}

pub(super) fn model(model: &ModelName) -> Key {
    Key::new(model_partition(model), "model")
}

pub(super) fn counter(model: &ModelName) -> Key {
    Key::new(model_partition(model), "counter")
}

pub(super) const VERSIONS: &str = "version#";
pub(super) const ALIASES: &str = "alias#";
pub(super) const BINDINGS: &str = "binding#";

pub(super) fn version_sort(version: u64) -> String {
    format!("{VERSIONS}{version:020}")
}

pub(super) fn version(id: &VersionId) -> Key {
    Key::new(model_partition(&id.model), version_sort(id.version))
}

pub(super) fn alias(model: &ModelName, alias: &AliasName) -> Key {
    Key::new(model_partition(model), format!("{ALIASES}{alias}"))
}

pub(super) fn bindings_of(version: u64) -> String {
    format!("{BINDINGS}{version:020}#")
}

pub(super) fn binding(id: &VersionId, endpoint: &str) -> Key {
    Key::new(
        model_partition(&id.model),
        format!("{}{endpoint}", bindings_of(id.version)),
    )
}

pub(super) const PENDING: &str = "pending";
pub(super) const PENDING_OF_MODEL: &str = "pending#";

pub(super) fn pending(id: &VersionId) -> Key {
    Key::new(
        model_partition(&id.model),
        format!("{PENDING_OF_MODEL}{:020}", id.version),
    )
}

/// The entry by which a registration that nobody finished is found: `fraud/8`.
pub(super) fn unfinished(id: &VersionId) -> Key {
    Key::new(PENDING, id.to_string())
}

pub(super) fn session(id: uuid::Uuid) -> Key {
    Key::new(SESSIONS, id.to_string())
}

pub(super) fn session_partition(id: uuid::Uuid) -> String {
    format!("session#{id}")
}

/// `object` is `model#fraud`, `version#fraud/8` or `alias#fraud@champion`.
pub(super) fn created(session: uuid::Uuid, object: &str) -> Key {
    Key::new(session_partition(session), object)
}
