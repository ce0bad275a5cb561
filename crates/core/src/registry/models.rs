//! Models.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::documents::{self, Document};
use super::events::{NewEvent, Subject};
use super::hash::spec_hash;
use super::sessions::object;
use super::{Lineage, Model, ModelSpec, ModelUpdate, Registry, Version, keys};
use crate::error::{Error, Result};
use crate::names::ModelName;
use crate::records::{COMMIT_LIMIT, CommitError, Item, Range};

/// The last number given to a version. It outlives the model.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) last: u64,
    /// The model is gone: this is its tombstone.
    #[serde(default)]
    pub(super) deleted: bool,
}

/// The index of models holds names only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Indexed {}

impl ModelSpec {
    /// Refuses gates, metrics and lineage rules that say nothing sensible; the error names the
    /// attribute.
    pub fn validate(&self) -> Result<()> {
        for (name, metric) in &self.metrics {
            let wrong = |what: &str| {
                Err(Error::invalid(format!("metric {name:?} {what}")).at(format!("metrics.{name}")))
            };
            if [metric.min, metric.max]
                .iter()
                .flatten()
                .any(|limit| !limit.is_finite())
            {
                return wrong("has a limit that is not a finite number");
            }
            if let (Some(min), Some(max)) = (metric.min, metric.max)
                && min > max
            {
                return wrong(&format!("has min {min} above max {max}; swap them"));
            }
        }
        if let Some(retention) = &self.retention {
            retention.validate()?;
        }
        let Some(promotion) = &self.promotion else {
            return Ok(());
        };
        for (metric, gate) in &promotion.gates {
            gate.validate(metric)?;
        }
        if let Some(field) = promotion
            .require_lineage
            .iter()
            .find(|f| !Lineage::FIELDS.contains(&f.as_str()))
        {
            return Err(Error::invalid(format!(
                "require_lineage names {field:?}, which is no lineage field; use some of {}",
                Lineage::FIELDS.join(", ")
            ))
            .at("promotion.require_lineage"));
        }
        Ok(())
    }

    /// Refuses a metric's value that the model declares impossible.
    pub fn check_metrics(&self, metrics: &BTreeMap<String, f64>) -> Result<()> {
        for (name, value) in metrics {
            let wrong = |what: String| {
                Err(Error::invalid(format!("metric {name:?} = {value} {what}"))
                    .at(format!("metrics.{name}")))
            };
            if !value.is_finite() {
                return wrong("is not a finite number".into());
            }
            let Some(spec) = self.metrics.get(name) else {
                continue;
            };
            if spec.min.is_some_and(|min| *value < min) || spec.max.is_some_and(|max| *value > max)
            {
                let show = |limit: Option<f64>, none: &str| {
                    limit.map_or(none.to_owned(), |limit| limit.to_string())
                };
                return wrong(format!(
                    "is outside the range {} to {} that the model declares",
                    show(spec.min, "-infinity"),
                    show(spec.max, "infinity")
                ));
            }
        }
        Ok(())
    }
}

impl Registry {
    /// Creates a model. A name whose model was deleted goes on counting where that one ended.
    ///
    /// A name that exists is a conflict, unless a killed run created it from an equal
    /// specification and nobody knows it yet: then it is adopted.
    pub async fn create_model(&self, name: &ModelName, spec: ModelSpec) -> Result<Model> {
        spec.validate()?;
        self.open_session().await?;
        let hash = spec_hash("model", &(name, &spec))?;
        let nonce = self.inner.ids.uuid().to_string();
        let mut attempts = self.attempts();
        loop {
            let found = self
                .inner
                .records
                .get(&[keys::model(name), keys::counter(name)])
                .await?;
            let mut found = found.into_iter();
            if let Some(existing) = found.next().flatten() {
                match self.adopt_model(Document::read(existing)?, &hash).await? {
                    Some(model) => return self.answer(model).await,
                    None => return Err(exists(name)),
                }
            }
            let counter: Option<Document<Counter>> =
                found.next().flatten().map(Document::read).transpose()?;
            let model = Model {
                name: name.clone(),
                created_at: self.inner.clock.now(),
                updated_at: None,
                spec: spec.clone(),
                spec_hash: hash.clone(),
                nonce: nonce.clone(),
                deleting: false,
                revision: 0,
            };
            let mut writes = vec![documents::create(keys::model(name), &model)?];
            writes.push(match counter {
                None => documents::create(keys::counter(name), &Counter::default())?,
                Some(mut counter) => {
                    counter.body.deleted = false;
                    counter.write()?
                }
            });
            writes.push(documents::create(keys::index(name), &Indexed {})?);
            let event = NewEvent::new("model.created", format!("model {name} was created"));
            writes.push(self.event_write(&Subject::Model(name.to_string()), event)?);
            writes.extend(
                self.created_write(&object("model", name), &hash, &nonce)
                    .await?,
            );
            match self.commit(writes).await {
                Ok(revisions) => {
                    let model = Model {
                        revision: revisions[0],
                        ..model
                    };
                    return self.answer(model).await;
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("model {name} could not be created"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    async fn adopt_model(&self, existing: Document<Model>, hash: &str) -> Result<Option<Model>> {
        let name = existing.body.name.clone();
        let object = object("model", &name);
        let abandoned = self.abandoned(&object, hash).await?;
        let Some(found) = abandoned
            .iter()
            .find(|found| found.nonce == existing.body.nonce)
        else {
            return Ok(None);
        };
        let mut writes = vec![existing.check(), found.take()];
        writes.extend(self.created_write(&object, hash, &found.nonce).await?);
        match self.commit(writes).await {
            Ok(_) => Ok(Some(sealed(existing))),
            Err(CommitError::Condition { .. }) => Ok(None),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// The model of this name.
    pub async fn model(&self, name: &ModelName) -> Result<Option<Model>> {
        Ok(self.model_document(name).await?.map(sealed))
    }

    /// The models of these names, in their order, in one batch.
    pub async fn models(&self, names: &[ModelName]) -> Result<Vec<Option<Model>>> {
        let keys: Vec<_> = names.iter().map(keys::model).collect();
        let found = self.documents::<Model>(&keys).await?;
        Ok(found.into_iter().map(|model| model.map(sealed)).collect())
    }

    /// A page of models by name, after `after`; whether more follow.
    pub async fn list_models(
        &self,
        after: Option<&ModelName>,
        limit: usize,
    ) -> Result<(Vec<Model>, bool)> {
        let range = Range {
            after: after.map(ModelName::to_string),
            limit: Some(limit),
            ..Range::default()
        };
        let page = self.inner.records.query(keys::MODELS, range).await?;
        let names: Vec<ModelName> = page
            .items
            .iter()
            .map(|item| item.key.sort.parse())
            .collect::<Result<_>>()?;
        let models = self.models(&names).await?;
        Ok((models.into_iter().flatten().collect(), page.more))
    }

    /// Changes a model in place. Equal content is not written.
    pub async fn update_model(&self, name: &ModelName, update: ModelUpdate) -> Result<Model> {
        update.spec.validate()?;
        let mut attempts = self.attempts();
        loop {
            let mut model = self.usable_model(name).await?;
            if update
                .if_revision
                .is_some_and(|revision| revision != model.revision)
            {
                return Err(changed(&format!("model {name}")));
            }
            let tags = merge(&model.body.spec.tags, &update.tags);
            let spec = ModelSpec {
                tags,
                ..update.spec.clone()
            };
            if spec == model.body.spec {
                return Ok(sealed(model));
            }
            model.body.spec = spec;
            model.body.updated_at = Some(self.inner.clock.now());
            let event = NewEvent::new("model.updated", format!("model {name} was changed"));
            let writes = vec![
                model.write()?,
                self.event_write(&Subject::Model(name.to_string()), event)?,
            ];
            match self.commit(writes).await {
                Ok(revisions) => {
                    model.revision = revisions[0];
                    return Ok(sealed(model));
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("model {name} could not be changed"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// Deletes a model, its archived versions and its aliases; the counter stays as a tombstone.
    /// A model that does not exist is success.
    ///
    /// Refused while an endpoint serves one of its versions, and, without `force`, while it has
    /// versions that are not archived, or aliases.
    pub async fn delete_model(&self, name: &ModelName, force: bool) -> Result<()> {
        let mut attempts = self.attempts();
        loop {
            let items = self.all_items(&keys::model_partition(name), "").await?;
            let Some(model) = items.iter().find(|item| item.key.sort == "model") else {
                return Ok(());
            };
            let model: Document<Model> = Document::read(model.clone())?;
            refuse_delete(name, &items, force || model.body.deleting)?;
            match self.delete_model_items(model, items).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("model {name} could not be deleted"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    async fn delete_model_items(
        &self,
        mut model: Document<Model>,
        items: Vec<Item>,
    ) -> Result<(), CommitError> {
        let name = model.body.name.clone();
        let mut counter: Option<Document<Counter>> = None;
        let mut rest = Vec::new();
        for item in items {
            match item.key.sort.as_str() {
                "model" => {}
                "counter" => counter = Some(Document::read(item).map_err(CommitError::Store)?),
                _ => rest.push(documents::delete(item.key, item.revision)),
            }
        }
        let mut counter = counter.ok_or_else(|| {
            CommitError::Store(Error::corrupt(format!(
                "model {name} has lost its version counter; restore the registry"
            )))
        })?;
        // The last commit also writes the model, its index entry, the counter and an event.
        const LAST: usize = COMMIT_LIMIT - 4;
        if rest.len() > LAST {
            // Too much for one commit: fence off everybody else first, then empty it.
            if !model.body.deleting {
                model.body.deleting = true;
                let writes = vec![
                    model.write().map_err(CommitError::Store)?,
                    counter.write().map_err(CommitError::Store)?,
                ];
                let revisions = self.commit(writes).await?;
                model.revision = revisions[0];
                counter.revision = revisions[1];
            }
            let first = rest.len() - LAST;
            for batch in rest[..first].chunks(COMMIT_LIMIT) {
                self.commit(batch.to_vec()).await?;
            }
            rest.drain(..first);
        }
        counter.body.deleted = true;
        let mut writes = vec![model.delete(), counter.write().map_err(CommitError::Store)?];
        let index = self
            .inner
            .records
            .get(&[keys::index(&name)])
            .await
            .map_err(CommitError::Store)?;
        writes.extend(
            index
                .into_iter()
                .flatten()
                .map(|item| documents::delete(item.key, item.revision)),
        );
        let event = NewEvent::new("model.deleted", format!("model {name} was deleted"));
        let event = self.event_write(&Subject::Model(name.to_string()), event);
        writes.push(event.map_err(CommitError::Store)?);
        writes.append(&mut rest);
        self.commit(writes).await.map(|_| ())
    }

    pub(super) async fn model_document(&self, name: &ModelName) -> Result<Option<Document<Model>>> {
        self.document(&keys::model(name)).await
    }

    /// The model, or an error if it does not exist or is being deleted.
    pub(super) async fn usable_model(&self, name: &ModelName) -> Result<Document<Model>> {
        let model = self.model_document(name).await?;
        self.usable(name, model)
    }

    pub(super) fn usable(
        &self,
        name: &ModelName,
        model: Option<Document<Model>>,
    ) -> Result<Document<Model>> {
        let model = model.ok_or_else(|| {
            Error::not_found(format!(
                "model {name} does not exist in the registry at {}; create it first, or correct the name",
                self.location()
            ))
            .at("model")
        })?;
        if model.body.deleting {
            return Err(Error::conflict(format!(
                "model {name} is being deleted; destroy it again to finish that, then create it anew"
            ))
            .at("model"));
        }
        Ok(model)
    }
}

/// The model with its record's revision.
pub(super) fn sealed(document: Document<Model>) -> Model {
    Model {
        revision: document.revision,
        ..document.body
    }
}

/// Sets and removes keys; the others stay.
pub(super) fn merge<T: Clone>(
    old: &BTreeMap<String, T>,
    change: &BTreeMap<String, Option<T>>,
) -> BTreeMap<String, T> {
    let mut merged = old.clone();
    for (key, value) in change {
        match value {
            Some(value) => drop(merged.insert(key.clone(), value.clone())),
            None => drop(merged.remove(key)),
        }
    }
    merged
}

pub(super) fn busy(what: &str, attempts: u32) -> Error {
    Error::unavailable(format!(
        "{what}: its records changed under each of {attempts} attempts; run the operation again when fewer others write"
    ))
}

pub(super) fn changed(what: &str) -> Error {
    Error::conflict(format!(
        "{what} was changed by somebody else since it was read; plan again"
    ))
}

fn exists(name: &ModelName) -> Error {
    Error::conflict(format!(
        "model {name} already exists; import it with id \"{name}\", or choose another name"
    ))
    .at("name")
}

fn refuse_delete(name: &ModelName, items: &[Item], force: bool) -> Result<()> {
    let (mut live, mut aliases, mut endpoints) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        let sort = item.key.sort.as_str();
        if sort.starts_with(keys::VERSIONS) {
            let version: Document<Version> = Document::read(item.clone())?;
            if !version.body.is_archived() {
                live.push(version.body.id.to_string());
            }
        } else if let Some(alias) = sort.strip_prefix(keys::ALIASES) {
            aliases.push(format!("{name}@{alias}"));
        } else if let Some(binding) = sort.strip_prefix(keys::BINDINGS) {
            endpoints.extend(
                binding
                    .split_once('#')
                    .map(|(_, endpoint)| endpoint.to_owned()),
            );
        }
    }
    let refused = |what: String| Err(Error::conflict(what));
    if !endpoints.is_empty() {
        endpoints.dedup();
        return refused(format!(
            "model {name} is not deleted: a version of it is bound to {}; destroy that first",
            few(&endpoints)
        ));
    }
    if force {
        return Ok(());
    }
    if !live.is_empty() {
        return refused(format!(
            "model {name} is not deleted: its versions {} are live and belong to others; archive them, or set force_destroy = true and apply first",
            few(&live)
        ));
    }
    if !aliases.is_empty() {
        return refused(format!(
            "model {name} is not deleted: its aliases {} belong to others; delete them, or set force_destroy = true and apply first",
            few(&aliases)
        ));
    }
    Ok(())
}

/// Names a handful, and says how many more there are.
pub(super) fn few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
