//! Versions of models.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use serde_json::json;

use super::compatibility::compare;
use super::documents::{self, Document};
use super::events::{NewEvent, Subject};
use super::hash::spec_hash;
use super::marks;
use super::models::{Counter, busy, few, merge};
use super::retry::Pace;
use super::sessions::object;
use super::{
    Approval, ApprovalStatus, ApprovalUpdate, Goal, NewVersion, Registry, Select, Version,
    VersionStatus, VersionUpdate, keys,
};
use crate::error::{Error, Result};
use crate::names::{ModelName, VersionId};
use crate::records::{CommitError, Range, Write};
use crate::signature::Signature;

/// Where the registrations of one model by this process wait for each other, and what the last one did.
pub(super) type Queue = Arc<tokio::sync::Mutex<Line>>;

/// What a process knows of a model from its last registration.
#[derive(Default)]
pub(super) struct Line {
    last: Option<Last>,
    pace: Pace,
}

/// The last version that this process registered of a model.
pub(super) struct Last {
    /// The revision that this gave to the counter.
    counter: u64,
    /// Of a version without one nothing is remembered.
    signature: (VersionId, Signature),
}

impl Registry {
    /// Registers a version under the model's next number. The artifact must have been stored.
    ///
    /// # Errors
    /// Not found if the artifact is not in the store; unavailable if a sweep removed it: store it again.
    ///
    /// If a killed run registered a version from an equal specification, and no state holds it,
    /// that one is adopted instead.
    pub async fn register_version(&self, new: NewVersion) -> Result<Version> {
        let digest = new.spec.artifact.digest;
        if let Err(error) = self.expect_stored(&digest).await {
            return Err(Error::new(
                error.class(),
                format!("a version of model {} was not registered: its artifact {digest} is not in the store", new.model),
            )
            .because(error));
        }
        self.open_session().await?;
        let asked = (&new.model, &new.spec, &new.metrics, &new.tags);
        let hash = spec_hash("version", &asked)?;
        let nonce = new
            .nonce
            .clone()
            .unwrap_or_else(|| self.inner.ids.uuid().to_string());
        let queue = self.queue(&new.model);
        let mut line = queue.lock().await;
        let mut attempts = self.attempts_after(line.pace).await;
        let mut looked = false;
        loop {
            let wanted = [
                keys::model(&new.model),
                keys::counter(&new.model),
                marks::key(&digest),
            ];
            let found = self.inner.records.get(&wanted).await?;
            let mut found = found.into_iter();
            let model = found.next().flatten().map(Document::read).transpose()?;
            let model = self.usable(&new.model, model)?;
            model.body.spec.check_metrics(&new.metrics)?;
            let counter = found.next().flatten();
            let mark = found.next().flatten().map(Document::read).transpose()?;
            let protected = (&model.body.spec, &new.model, new.spec.signature.as_ref());
            // If nobody has taken a number since, ours is the newest. It may have been deleted: what it allows, the
            // one before allows too, and what it refuses is asked again.
            let ours = line.last.as_ref().filter(|last| {
                let counter = counter.as_ref();
                counter.is_some_and(|counter| last.counter == counter.revision)
            });
            let allowed = ours.is_some_and(|ours| compare(protected, &ours.signature).is_ok());
            if !allowed {
                self.check_with_newest(protected).await?;
            }
            // Once: who died since leaves what he made to the next run.
            if !std::mem::replace(&mut looked, true)
                && let Some(adopted) = self.adopt_version(&new.model, &hash).await?
            {
                return self.answer(adopted).await;
            }
            let mut counter: Document<Counter> =
                counter.map(Document::read).transpose()?.ok_or_else(|| {
                    Error::corrupt(format!(
                        "model {} has lost its version counter; restore the registry",
                        new.model
                    ))
                })?;
            let Some(unswept) = self.admit(&digest, mark, &mut attempts).await? else {
                continue;
            };
            counter.body.last += 1;
            let version = self.minted(&new, counter.body.last, &hash, &nonce);
            let mut writes = vec![
                counter.write()?,
                documents::create(keys::version(&version.id), &version)?,
                self.registered_event(&version)?,
                unswept,
            ];
            writes.extend(self.created_once(&object("version", &version.id), &hash, &nonce)?);
            match self.commit(writes).await {
                Ok(revisions) => {
                    line.pace = attempts.pace();
                    line.last = version.spec.signature.clone().map(|signature| Last {
                        counter: revisions[0],
                        signature: (version.id.clone(), signature),
                    });
                    let version = Version {
                        revision: revisions[1],
                        ..version
                    };
                    return self.answer(version).await;
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    let what = format!("a version of model {} could not be registered", new.model);
                    return Err(busy(&what, attempts.count()));
                }
                Err(error) if error.is_outcome_unknown() => {
                    // The commit may have taken place before the answer was lost.
                    match self.version(&version.id).await {
                        Ok(Some(found)) if found.nonce == nonce => return self.answer(found).await,
                        _ => return Err(error.into_error("")),
                    }
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    pub(super) fn minted(&self, new: &NewVersion, number: u64, hash: &str, nonce: &str) -> Version {
        let now = self.inner.clock.now();
        Version {
            id: VersionId {
                model: new.model.clone(),
                version: number,
            },
            spec: new.spec.clone(),
            description: None,
            origin: None,
            artifact_uri: self.inner.artifacts.uri(&new.spec.artifact.digest),
            metrics: new.metrics.clone(),
            tags: new.tags.clone(),
            approval: new.approval.as_ref().map(|word| said(None, word, now)),
            status: VersionStatus::Active,
            deletion_policy: new.deletion_policy,
            created_at: now,
            updated_at: None,
            spec_hash: hash.to_owned(),
            nonce: nonce.to_owned(),
            revision: 0,
        }
    }

    pub(super) fn registered_event(&self, version: &Version) -> Result<Write> {
        let event = NewEvent::new(
            "version.registered",
            format!("version {} was registered", version.id),
        )
        .with("version", version.id.version)
        .with("digest", version.digest().to_string())
        .with("metrics", json!(version.metrics));
        self.event_write(&subject(&version.id.model), event)
    }

    async fn adopt_version(&self, model: &ModelName, hash: &str) -> Result<Option<Version>> {
        let prefix = object("version", format_args!("{model}/"));
        for found in self.abandoned_lately(&prefix, hash).await? {
            let id: VersionId = found.id.parse()?;
            let Some(version) = self.version_document(&id).await? else {
                continue;
            };
            if version.body.is_archived() || version.body.nonce != found.nonce {
                continue;
            }
            let event = NewEvent::new(
                "version.adopted",
                format!("version {id}, which a killed run registered, was adopted"),
            );
            // The version is written as it is, so that its revision tells the adoption.
            let mut writes = vec![version.write()?, found.take()];
            writes.push(self.event_write(&subject(model), event)?);
            writes.extend(
                self.created_write(&object("version", &id), hash, &found.nonce)
                    .await?,
            );
            match self.commit(writes).await {
                Ok(revisions) => {
                    let mut version = sealed(version);
                    version.revision = revisions[0];
                    return Ok(Some(version));
                }
                Err(CommitError::Condition { .. }) => {}
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    pub(super) fn queue(&self, model: &ModelName) -> Queue {
        let mut queues = self
            .inner
            .queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Queues nobody stands in are forgotten, so that the map does not grow with the registry.
        queues.retain(|name, queue| name == model || Arc::strong_count(queue) > 1);
        queues.entry(model.clone()).or_default().clone()
    }

    /// The version of this id.
    pub async fn version(&self, id: &VersionId) -> Result<Option<Version>> {
        Ok(self.version_document(id).await?.map(sealed))
    }

    /// The same, as it is in the store by now: what was read ahead of it may be seconds old.
    pub async fn version_by_now(&self, id: &VersionId) -> Result<Option<Version>> {
        let range = Range {
            prefix: keys::version_sort(id.version),
            limit: Some(1),
            ..Range::default()
        };
        let page = self
            .query_documents::<Version>(&keys::model_partition(&id.model), range)
            .await?;
        Ok(page.documents.into_iter().next().map(sealed))
    }

    /// The versions of these ids, in their order, in one batch.
    pub async fn versions(&self, ids: &[VersionId]) -> Result<Vec<Option<Version>>> {
        let keys: Vec<_> = ids.iter().map(keys::version).collect();
        let found = self.documents::<Version>(&keys).await?;
        Ok(found
            .into_iter()
            .map(|version| version.map(sealed))
            .collect())
    }

    /// A page of a model's versions, newest first, older than `before`; whether more follow.
    /// Archived ones are among them.
    pub async fn list_versions(
        &self,
        model: &ModelName,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<Version>, bool)> {
        let range = Range {
            prefix: keys::VERSIONS.to_owned(),
            after: before.map(keys::version_sort),
            descending: true,
            limit: Some(limit),
        };
        let page = self
            .query_documents::<Version>(&keys::model_partition(model), range)
            .await?;
        Ok((page.documents.into_iter().map(sealed).collect(), page.more))
    }

    /// All versions of a model, newest first, archived ones among them.
    pub async fn all_versions(&self, model: &ModelName) -> Result<Vec<Version>> {
        let all = self
            .all_documents::<Version>(&keys::model_partition(model), keys::VERSIONS)
            .await?;
        Ok(all.into_iter().rev().map(sealed).collect())
    }

    /// The best version by a metric among those that are neither archived nor rejected; the
    /// newest of equals. Fails if neither the question nor the model says which way is better.
    pub async fn select_version(
        &self,
        model: &ModelName,
        select: &Select,
    ) -> Result<Option<Version>> {
        let declared = self.usable_model(model).await?.body.spec.metrics;
        let order = select
            .order
            .or_else(|| declared.get(&select.metric).map(|spec| spec.goal))
            .ok_or_else(|| {
                Error::invalid(format!(
                    "model {model} declares no metric {:?}, so best is not defined; set select.order, or declare the metric with a goal",
                    select.metric
                ))
                .at("select.order")
            })?;
        let all = self
            .all_documents::<Version>(&keys::model_partition(model), keys::VERSIONS)
            .await?;
        let mut best: Option<(f64, Version)> = None;
        for version in all.into_iter().map(sealed) {
            if version.is_archived() || version.is_rejected() {
                continue;
            }
            let Some(value) = version.metrics.get(&select.metric).copied() else {
                continue;
            };
            let better = best.as_ref().is_none_or(|(best, _)| match order {
                Goal::Maximize => value >= *best,
                Goal::Minimize => value <= *best,
            });
            if better {
                best = Some((value, version));
            }
        }
        Ok(best.map(|(_, version)| version))
    }

    /// Changes a version in place: metrics, tags, approval. Equal content is not written; a
    /// change of metrics or approval leaves an audit event.
    pub async fn update_version(&self, id: &VersionId, update: VersionUpdate) -> Result<Version> {
        let model = self.usable_model(&id.model).await?;
        let mut attempts = self.attempts();
        loop {
            let mut version = self.existing_version(id).await?;
            let before = version.body.clone();
            version.body.metrics = merge(&before.metrics, &update.metrics);
            version.body.tags = merge(&before.tags, &update.tags);
            version.body.deletion_policy = update.deletion_policy.unwrap_or(before.deletion_policy);
            if let Some(word) = &update.approval
                && says_something_new(before.approval.as_ref(), word)
            {
                version.body.approval =
                    Some(said(before.approval.as_ref(), word, self.inner.clock.now()));
            }
            if version.body == before {
                return Ok(sealed(version));
            }
            version.body.updated_at = Some(self.inner.clock.now());
            model.body.spec.check_metrics(&version.body.metrics)?;
            let mut writes = vec![version.write()?];
            for event in audit(&before, &version.body) {
                let event = NewEvent {
                    by: update.by.clone(),
                    ..event
                };
                writes.push(self.event_write(&subject(&id.model), event)?);
            }
            match self.commit(writes).await {
                Ok(revisions) => {
                    version.revision = revisions[0];
                    return Ok(sealed(version));
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

    /// Archives a version: nothing new may be bound to it, what is bound goes on serving.
    /// Archiving what is archived, or what does not exist, is success.
    pub async fn archive_version(&self, id: &VersionId) -> Result<()> {
        let mut attempts = self.attempts();
        loop {
            let Some(mut version) = self.version_document(id).await? else {
                return Ok(());
            };
            if version.body.is_archived() {
                return Ok(());
            }
            version.body.status = VersionStatus::Archived;
            version.body.updated_at = Some(self.inner.clock.now());
            let event = NewEvent::new("version.archived", format!("version {id} was archived"))
                .with("version", id.version);
            let writes = vec![
                version.write()?,
                self.event_write(&subject(&id.model), event)?,
            ];
            match self.commit(writes).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("version {id} could not be archived"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// Deletes a version's record; its number is never used again. Refused while an alias points
    /// to it or an endpoint is bound to it, naming them. What does not exist is success.
    pub async fn delete_version(&self, id: &VersionId) -> Result<()> {
        let mut attempts = self.attempts();
        loop {
            let Some(version) = self.version_document(id).await? else {
                return Ok(());
            };
            let users = self.users_of(id).await?;
            if !users.is_empty() {
                return Err(Error::conflict(format!(
                    "version {id} is not deleted: it is in use by {}; move or destroy those first, or use deletion_policy = \"ARCHIVE\"",
                    few(&users)
                )));
            }
            let event = NewEvent::new("version.deleted", format!("version {id} was deleted"))
                .with("version", id.version);
            let writes = vec![
                version.delete(),
                self.event_write(&subject(&id.model), event)?,
            ];
            match self.commit(writes).await {
                Ok(_) => return Ok(()),
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

    pub(super) async fn version_document(
        &self,
        id: &VersionId,
    ) -> Result<Option<Document<Version>>> {
        self.document(&keys::version(id)).await
    }

    pub(super) async fn existing_version(&self, id: &VersionId) -> Result<Document<Version>> {
        match self.version_document(id).await? {
            Some(version) => Ok(version),
            None => Err(self.absent(id).await?),
        }
    }
}

pub(super) fn subject(model: &ModelName) -> Subject {
    Subject::Model(model.to_string())
}

pub(super) fn sealed(document: Document<Version>) -> Version {
    Version {
        revision: document.revision,
        ..document.body
    }
}

pub(super) fn missing(id: &VersionId) -> Error {
    Error::not_found(format!(
        "version {id} does not exist; register it first, or correct the number"
    ))
    .at("version")
}

/// The approval after one more word.
fn said(before: Option<&Approval>, word: &ApprovalUpdate, at: jiff::Timestamp) -> Approval {
    let approved = |status| status == ApprovalStatus::Approved;
    let mut approvers = match before {
        Some(before) if approved(before.status) && approved(word.status) => {
            before.approvers.clone()
        }
        _ => BTreeSet::new(),
    };
    if approved(word.status) {
        approvers.insert(word.by.clone().unwrap_or_else(|| "unknown".to_owned()));
    }
    Approval {
        status: word.status,
        description: word.description.clone(),
        by: word.by.clone(),
        at,
        approvers,
    }
}

fn says_something_new(before: Option<&Approval>, word: &ApprovalUpdate) -> bool {
    before.is_none_or(|before| {
        before.status != word.status
            || before.description != word.description
            || (word.by.is_some() && before.by != word.by)
    })
}

fn audit(before: &Version, after: &Version) -> Vec<NewEvent> {
    let mut events = Vec::new();
    let id = &after.id;
    if before.metrics != after.metrics {
        events.push(
            NewEvent::new(
                "version.metrics",
                format!("metrics of version {id} were changed"),
            )
            .with("version", id.version)
            .with("before", json!(before.metrics))
            .with("after", json!(after.metrics)),
        );
    }
    if before.approval != after.approval
        && let Some(approval) = &after.approval
    {
        events.push(
            NewEvent::new(
                "version.approval",
                format!("version {id} is now {}", approval.status.as_str()),
            )
            .with("version", id.version)
            .with("status", approval.status.as_str())
            .with("description", json!(approval.description)),
        );
    }
    events
}
