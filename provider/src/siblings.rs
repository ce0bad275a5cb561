//! What this run plans, so that resources of one run see each other.
//!
//! A plan of a model or alias leaves its planned value here; plans that follow in the same
//! walk look here before they ask the registry. So nothing that is planned "does not exist", gates
//! come from the planned model, and an alias that is planned to move is known to move. Terraform
//! starts a provider process for each walk, so the table lives exactly as long as it is true.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mlops_core::names::{AliasId, ModelName};
use mlops_core::registry::ModelSpec;
use tfplugin::Attr;

/// What is planned for one model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PlannedModel {
    /// It will look like this.
    Known(Box<ModelSpec>),
    /// It will exist, but part of it is not known yet.
    Unknown,
}

/// What is planned for an alias: where it will point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedAlias {
    /// Terraform moves it, or keeps it, there.
    Version(u64),
    /// Terraform moves it to a version that is not known yet.
    Unknown,
    /// Somebody else moves it; the registry tells where it points.
    Elsewhere,
}

/// What a version that is planned will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlannedVersion {
    /// A model's files.
    Files,
    /// This image, by its digest.
    Image(String),
    /// An image that is not known yet, or one of several.
    Unknown,
}

#[derive(Debug, Default)]
struct Planned {
    models: BTreeMap<ModelName, PlannedModel>,
    aliases: BTreeMap<AliasId, Alias>,
    versions: BTreeMap<ModelName, PlannedVersion>,
}

/// What this run knows of one alias.
#[derive(Debug, Default)]
struct Alias {
    /// Where it will point, once that is planned.
    planned: Option<PlannedAlias>,
    /// Where it pointed before this run changed it, once that is about to happen or a review asked.
    before: Option<Option<u64>>,
}

/// The table of one provider process.
#[derive(Debug, Default)]
pub(crate) struct Siblings(Mutex<Planned>);

impl Siblings {
    fn lock(&self) -> MutexGuard<'_, Planned> {
        // Every write is a single insert; a panic elsewhere cannot leave half of one behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A model will exist.
    pub(crate) fn plan_model(&self, name: ModelName, model: PlannedModel) {
        self.lock().models.insert(name, model);
    }

    /// What is planned for a model, if this run plans it.
    pub(crate) fn model(&self, name: &ModelName) -> Option<PlannedModel> {
        self.lock().models.get(name).cloned()
    }

    /// A version of the model will be registered.
    pub(crate) fn plan_version(&self, model: ModelName, version: PlannedVersion) {
        let mut planned = self.lock();
        let first = (planned.versions.entry(model)).or_insert_with(|| version.clone());
        // Of several nobody knows which one a variant will be bound to.
        if *first != version {
            *first = PlannedVersion::Unknown;
        }
    }

    /// What the model's next version is; `None` if this run plans none.
    pub(crate) fn version(&self, model: &ModelName) -> Option<PlannedVersion> {
        self.lock().versions.get(model).cloned()
    }

    /// An alias will point there.
    pub(crate) fn plan_alias(&self, id: AliasId, target: PlannedAlias) {
        self.lock().aliases.entry(id).or_default().planned = Some(target);
    }

    /// An alias points to `target`, and this run is about to create, move or delete it, or has not yet.
    pub(crate) fn note_before(&self, id: AliasId, target: Option<u64>) {
        let mut planned = self.lock();
        planned
            .aliases
            .entry(id)
            .or_default()
            .before
            .get_or_insert(target);
    }

    /// Where an alias pointed before this run changed it; the outer `None`: nobody noted it yet.
    ///
    /// A plan is made again during apply and must say the same, so what it says of an alias is what
    /// was true when the run began.
    pub(crate) fn before(&self, id: &AliasId) -> Option<Option<u64>> {
        self.lock().aliases.get(id)?.before
    }

    /// Where an alias will point, if this run plans it.
    pub(crate) fn alias(&self, id: &AliasId) -> Option<PlannedAlias> {
        self.lock().aliases.get(id)?.planned
    }
}

impl From<&Attr<u64>> for PlannedAlias {
    fn from(version: &Attr<u64>) -> Self {
        match version {
            Attr::Known(version) => Self::Version(*version),
            Attr::Null => Self::Elsewhere,
            Attr::Unknown => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planned_version_is_known_if_there_is_one_such_version() {
        let siblings = Siblings::default();
        let model = ModelName::new("fraud").unwrap();
        assert_eq!(siblings.version(&model), None);
        let image = |digest: &str| PlannedVersion::Image(format!("fraud@sha256:{digest}"));
        for _ in 0..2 {
            siblings.plan_version(model.clone(), image("aa"));
            assert_eq!(siblings.version(&model), Some(image("aa")));
        }
        siblings.plan_version(model.clone(), image("bb"));
        assert_eq!(siblings.version(&model), Some(PlannedVersion::Unknown));
    }

    #[test]
    fn a_planned_alias_hides_the_registry_and_others_do_not() {
        let siblings = Siblings::default();
        let champion: AliasId = "fraud@champion".parse().unwrap();
        assert_eq!(siblings.alias(&champion), None);
        siblings.plan_alias(champion.clone(), (&Attr::<u64>::Unknown).into());
        assert_eq!(siblings.alias(&champion), Some(PlannedAlias::Unknown));
        siblings.plan_alias(champion.clone(), (&Attr::Known(3)).into());
        assert_eq!(siblings.alias(&champion), Some(PlannedAlias::Version(3)));
        assert_eq!(siblings.alias(&"fraud@other".parse().unwrap()), None);
    }
}
