//! Versions that were asked for by the URI of their source, before their artifact is in the store.
//!
//! Such a version has its number from the first moment and keeps it: the counter is the one of all
//! registrations. Its record lies beside the versions under a key of its own, so that nothing that
//! lists, judges or binds versions sees it. Whoever ingests the source ends it with one commit that
//! replaces the record with the version; or with the reason why there is none.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::documents::{self, Document};
use super::events::NewEvent;
use super::hash::spec_hash;
use super::marks;
use super::models::{Counter, busy, merge};
use super::versions::{missing, subject};
use super::{Lineage, NewVersion, Origin, Registry, Version, VersionSpec, keys};
use crate::error::{Error, Result};
use crate::names::{ModelName, VersionId};
use crate::records::{CommitError, Write};

/// What a registration by URI asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPending {
    /// The model.
    pub model: ModelName,
    /// The URI, and what was said of it.
    pub origin: Origin,
    /// For people.
    pub description: Option<String>,
    /// Where the version comes from.
    pub lineage: Option<Lineage>,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A version whose artifact is not in the store yet, or could not be had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingVersion {
    /// Model and number; the version will have the same.
    #[serde(flatten)]
    pub id: VersionId,
    /// The URI, and what was said of it.
    pub origin: Origin,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the version comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Metrics by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// Why there will be no version; `None`: it is on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The record's revision.
    #[serde(skip)]
    pub revision: u64,
}

/// A change of a pending version in place; `None` leaves a field alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PendingUpdate {
    /// Sets or removes the description.
    pub description: Option<Option<String>>,
    /// Sets or removes tags; others stay.
    pub tags: BTreeMap<String, Option<String>>,
    /// Sets or removes metrics; others stay.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// The index holds names only.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Indexed {}

impl Registry {
    /// Gives the model's next number to a version whose artifact has yet to come.
    ///
    /// # Errors
    /// The model does not exist or is being deleted; a metric outside its declared range.
    pub async fn reserve_version(&self, new: NewPending) -> Result<PendingVersion> {
        let queue = self.queue(&new.model);
        let _turn = queue.lock().await;
        let mut attempts = self.attempts();
        loop {
            let wanted = [keys::model(&new.model), keys::counter(&new.model)];
            let mut found = self.inner.records.get(&wanted).await?.into_iter();
            let model = found.next().flatten().map(Document::read).transpose()?;
            let model = self.usable(&new.model, model)?;
            model.body.spec.check_metrics(&new.metrics)?;
            let counter = found.next().flatten().map(Document::read).transpose()?;
            let mut counter: Document<Counter> = counter.ok_or_else(|| {
                Error::corrupt(format!(
                    "model {} has lost its version counter; restore the registry",
                    new.model
                ))
            })?;
            counter.body.last += 1;
            let pending = PendingVersion {
                id: VersionId {
                    model: new.model.clone(),
                    version: counter.body.last,
                },
                origin: new.origin.clone(),
                description: new.description.clone(),
                lineage: new.lineage.clone(),
                metrics: new.metrics.clone(),
                tags: new.tags.clone(),
                created_at: self.inner.clock.now(),
                updated_at: None,
                failure: None,
                revision: 0,
            };
            let writes = vec![
                counter.write()?,
                documents::create(keys::pending(&pending.id), &pending)?,
                documents::create(keys::unfinished(&pending.id), &Indexed {})?,
            ];
            match self.commit(writes).await {
                Ok(revisions) => {
                    return Ok(PendingVersion {
                        revision: revisions[1],
                        ..pending
                    });
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    let what = format!("a version of model {} could not be registered", new.model);
                    return Err(busy(&what, attempts.count()));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// The pending version of this id; `None` once it is a version, and if it never was asked for.
    pub async fn pending_version(&self, id: &VersionId) -> Result<Option<PendingVersion>> {
        Ok(self.pending_document(id).await?.map(sealed))
    }

    /// A model's pending versions, oldest first, failed ones among them.
    pub async fn pending_versions(&self, model: &ModelName) -> Result<Vec<PendingVersion>> {
        let all = self
            .all_documents::<PendingVersion>(&keys::model_partition(model), keys::PENDING_OF_MODEL)
            .await?;
        Ok(all.into_iter().map(sealed).collect())
    }

    /// The registrations under way, of all models: what a server takes up when it starts.
    pub async fn unfinished_registrations(&self) -> Result<Vec<VersionId>> {
        let items = self.all_items(keys::PENDING, "").await?;
        items.iter().map(|item| item.key.sort.parse()).collect()
    }

    /// Makes a pending version a version; the artifact must have been stored. One that somebody
    /// else finished meanwhile is answered as it is now.
    ///
    /// # Errors
    /// Not found if it was deleted meanwhile; whatever [`Registry::register_version`] refuses.
    pub async fn complete_registration(
        &self,
        id: &VersionId,
        spec: VersionSpec,
    ) -> Result<Version> {
        self.expect_stored(&spec.artifact.digest).await?;
        let mut attempts = self.attempts();
        loop {
            let Some(pending) = self.pending_document(id).await? else {
                return self.existing_version(id).await.map(super::versions::sealed);
            };
            let model = self.usable_model(&id.model).await?;
            model.body.spec.check_metrics(&pending.body.metrics)?;
            self.check_with_newest((&model.body.spec, &id.model, spec.signature.as_ref()))
                .await?;
            let digest = &spec.artifact.digest;
            let mark = self.document(&marks::key(digest)).await?;
            let Some(unswept) = self.admit(digest, mark, &mut attempts).await? else {
                continue;
            };
            let asked = pending.body.clone();
            let new = NewVersion {
                model: id.model.clone(),
                spec: VersionSpec {
                    lineage: asked.lineage.or_else(|| spec.lineage.clone()),
                    ..spec.clone()
                },
                metrics: asked.metrics,
                tags: asked.tags,
                approval: None,
                deletion_policy: super::VersionDeletionPolicy::default(),
                nonce: None,
            };
            let hash = spec_hash("version", &(&new.model, &new.spec, &new.metrics, &new.tags))?;
            let nonce = self.inner.ids.uuid().to_string();
            let version = Version {
                description: asked.description,
                origin: Some(asked.origin),
                created_at: asked.created_at,
                updated_at: Some(self.inner.clock.now()),
                ..self.minted(&new, id.version, &hash, &nonce)
            };
            let mut writes = vec![
                documents::create(keys::version(id), &version)?,
                pending.delete(),
                self.registered_event(&version)?,
                unswept,
            ];
            writes.extend(self.forget_unfinished(id).await?);
            match self.commit(writes).await {
                Ok(revisions) => {
                    return Ok(Version {
                        revision: revisions[0],
                        ..version
                    });
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("version {id} could not be registered"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// Ends a registration without a version: its number is spent, its record says why. One that
    /// is finished or gone is left alone.
    pub async fn fail_registration(&self, id: &VersionId, why: &str) -> Result<()> {
        let mut attempts = self.attempts();
        loop {
            let Some(mut pending) = self.pending_document(id).await? else {
                return Ok(());
            };
            if pending.body.failure.is_some() {
                return Ok(());
            }
            pending.body.failure = Some(why.to_owned());
            pending.body.updated_at = Some(self.inner.clock.now());
            let event = NewEvent::new(
                "version.failed",
                format!("version {id} was not registered: {why}"),
            )
            .with("version", id.version);
            let mut writes = vec![
                pending.write()?,
                self.event_write(&subject(&id.model), event)?,
            ];
            writes.extend(self.forget_unfinished(id).await?);
            match self.commit(writes).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("the failure of version {id} could not be written down"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// Changes a pending version in place; `None` if it is none (any more).
    ///
    /// # Errors
    /// A metric outside the range that the model declares.
    pub async fn update_pending(
        &self,
        id: &VersionId,
        update: &PendingUpdate,
    ) -> Result<Option<PendingVersion>> {
        let mut attempts = self.attempts();
        loop {
            let Some(mut pending) = self.pending_document(id).await? else {
                return Ok(None);
            };
            let body = &mut pending.body;
            if let Some(description) = &update.description {
                body.description.clone_from(description);
            }
            body.tags = merge(&body.tags, &update.tags);
            body.metrics = merge(&body.metrics, &update.metrics);
            if !update.metrics.is_empty() {
                let model = self.usable_model(&id.model).await?;
                model.body.spec.check_metrics(&body.metrics)?;
            }
            body.updated_at = Some(self.inner.clock.now());
            match self.commit(vec![pending.write()?]).await {
                Ok(revisions) => {
                    pending.revision = revisions[0];
                    return Ok(Some(sealed(pending)));
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("version {id} could not be changed"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// Deletes a pending version, whether it is on its way or failed; its number is never used
    /// again. Whether there was one.
    pub async fn discard_pending(&self, id: &VersionId) -> Result<bool> {
        let mut attempts = self.attempts();
        loop {
            let Some(pending) = self.pending_document(id).await? else {
                return Ok(false);
            };
            let event = NewEvent::new("version.deleted", format!("version {id} was deleted"))
                .with("version", id.version);
            let mut writes = vec![
                pending.delete(),
                self.event_write(&subject(&id.model), event)?,
            ];
            writes.extend(self.forget_unfinished(id).await?);
            match self.commit(writes).await {
                Ok(_) => return Ok(true),
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("version {id} could not be deleted"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// Removes a registration from the index if its record is gone, as after a delete of the model.
    pub async fn drop_unfinished(&self, id: &VersionId) -> Result<()> {
        let writes: Vec<Write> = self.forget_unfinished(id).await?.into_iter().collect();
        if writes.is_empty() || self.pending_document(id).await?.is_some() {
            return Ok(());
        }
        match self.commit(writes).await {
            Ok(_) | Err(CommitError::Condition { .. }) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Sets or removes what a version says to people.
    pub async fn describe_version(
        &self,
        id: &VersionId,
        description: Option<String>,
    ) -> Result<Version> {
        let mut attempts = self.attempts();
        loop {
            let mut version = self.existing_version(id).await?;
            if version.body.description == description {
                return Ok(super::versions::sealed(version));
            }
            version.body.description.clone_from(&description);
            version.body.updated_at = Some(self.inner.clock.now());
            match self.commit(vec![version.write()?]).await {
                Ok(revisions) => {
                    version.revision = revisions[0];
                    return Ok(super::versions::sealed(version));
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("version {id} could not be changed"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    async fn pending_document(&self, id: &VersionId) -> Result<Option<Document<PendingVersion>>> {
        self.document(&keys::pending(id)).await
    }

    async fn forget_unfinished(&self, id: &VersionId) -> Result<Option<Write>> {
        let found = self.inner.records.get(&[keys::unfinished(id)]).await?;
        let item = found.into_iter().next().flatten();
        Ok(item.map(|item| documents::delete(item.key, item.revision)))
    }

    /// Why there is no version of this id to bind anything to.
    pub(super) async fn absent(&self, id: &VersionId) -> Result<Error> {
        let error = match self.pending_version(id).await? {
            None => return Ok(missing(id)),
            Some(PendingVersion {
                failure: Some(why), ..
            }) => Error::invalid(format!(
                "version {id} could not be registered and cannot be bound: {why}; register the model again"
            )),
            Some(_) => Error::invalid(format!(
                "version {id} is being registered (PENDING_REGISTRATION) and cannot be bound yet; wait until it is READY"
            )),
        };
        Ok(error.at("version"))
    }
}

fn sealed(document: Document<PendingVersion>) -> PendingVersion {
    PendingVersion {
        revision: document.revision,
        ..document.body
    }
}
