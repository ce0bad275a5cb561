//! Aliases: names that move from version to version, behind gates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::bindings::bindable;
use super::documents::{self, Document};
use super::events::NewEvent;
use super::hash::spec_hash;
use super::models::{busy, changed};
use super::sessions::object;
use super::versions::subject;
use super::{Alias, ApprovalStatus, Lineage, Model, Registry, SetAlias, Version, keys};
use crate::error::{Error, Result};
use crate::gates::{Baseline, Candidate, Gate, GateReport, check_gates};
use crate::names::{AliasId, AliasName, ModelName, VersionId};
use crate::records::{CommitError, Expect, Write};

/// An alias that was created or moved.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasMove {
    /// How it is now.
    pub alias: Alias,
    /// Where it pointed before.
    pub previous: Option<u64>,
    /// What the gates said; empty where they were not asked.
    pub report: GateReport,
}

/// Baselines as read, and what must not change until the commit.
struct Baselines {
    found: BTreeMap<AliasName, Baseline>,
    checks: Vec<Write>,
}

impl Registry {
    /// Creates an alias. One that exists is a conflict, unless a killed run created it from an
    /// equal request and nobody knows it yet: then it is adopted. See [`Registry::move_alias`].
    pub async fn create_alias(&self, set: SetAlias) -> Result<AliasMove> {
        self.open_session().await?;
        let created = self.put_alias(set, true).await?;
        self.answer(created).await
    }

    /// Moves an alias, or changes its policy.
    ///
    /// With `enforce_promotion` the model's gates, approvals and lineage rules must hold for the
    /// version; `override_reason` forces all of these and is recorded. Archived and rejected
    /// versions are always refused. The commit takes place only if the model, the version, the
    /// alias and the baselines are still what the rules were checked against.
    pub async fn move_alias(&self, set: SetAlias) -> Result<AliasMove> {
        self.put_alias(set, false).await
    }

    async fn put_alias(&self, set: SetAlias, create: bool) -> Result<AliasMove> {
        let id = AliasId {
            model: set.model.clone(),
            alias: set.name.clone(),
        };
        let asked = (
            &set.model,
            &set.name,
            set.version,
            set.enforce_promotion,
            &set.override_reason,
        );
        let hash = spec_hash("alias", &asked)?;
        let mut attempts = self.attempts();
        loop {
            let keys = [keys::model(&set.model), keys::alias(&set.model, &set.name)];
            let mut found = self.inner.records.get(&keys).await?.into_iter();
            let model = found.next().flatten().map(Document::read).transpose()?;
            let model = self.usable(&set.model, model)?;
            let existing: Option<Document<Alias>> =
                found.next().flatten().map(Document::read).transpose()?;
            match (&existing, create) {
                (Some(existing), true) => {
                    return self.adopt_alias(existing.clone(), &hash).await?.ok_or_else(|| {
                        Error::conflict(format!(
                            "alias {id} already exists; import it with id \"{id}\", or choose another name"
                        ))
                        .at("name")
                    });
                }
                (None, false) => {
                    return Err(Error::not_found(format!(
                        "alias {id} does not exist; create it first"
                    )));
                }
                _ => {}
            }
            if set
                .if_revision
                .is_some_and(|rev| existing.as_ref().map(|a| a.revision) != Some(rev))
            {
                return Err(changed(&format!("alias {id}")));
            }
            let Some((moved, writes)) = self
                .alias_writes(&set, &id, &hash, &model, existing)
                .await?
            else {
                continue;
            };
            if writes.is_empty() {
                return Ok(moved);
            }
            match self.commit(writes).await {
                Ok(revisions) => {
                    let mut moved = moved;
                    moved.alias.revision = revisions[0];
                    return Ok(moved);
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("alias {id} could not be moved"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// What the alias becomes, and the writes of it, the alias itself first; none if nothing
    /// changes.
    async fn alias_writes(
        &self,
        set: &SetAlias,
        id: &AliasId,
        hash: &str,
        model: &Document<Model>,
        existing: Option<Document<Alias>>,
    ) -> Result<Option<(AliasMove, Vec<Write>)>> {
        let now = self.inner.clock.now();
        let previous = existing.as_ref().and_then(|alias| alias.body.version);
        let target = set.version.or(previous);
        let moves = target != previous;
        let alias = Alias {
            model: id.model.clone(),
            alias: id.alias.clone(),
            version: target,
            enforce_promotion: set.enforce_promotion,
            override_reason: if moves || set.override_reason.is_some() {
                set.override_reason.clone()
            } else {
                existing
                    .as_ref()
                    .and_then(|alias| alias.body.override_reason.clone())
            },
            created_at: existing.as_ref().map_or(now, |alias| alias.body.created_at),
            moved_at: if moves {
                Some(now)
            } else {
                existing.as_ref().and_then(|alias| alias.body.moved_at)
            },
            spec_hash: existing
                .as_ref()
                .map_or(hash.to_owned(), |alias| alias.body.spec_hash.clone()),
            nonce: existing.as_ref().map_or_else(
                || self.inner.ids.uuid().to_string(),
                |alias| alias.body.nonce.clone(),
            ),
            revision: 0,
        };
        let mut report = GateReport::default();
        if let Some(existing) = &existing
            && existing.body == alias
        {
            let alias = Alias {
                revision: existing.revision,
                ..alias
            };
            let unchanged = AliasMove {
                alias,
                previous,
                report,
            };
            return Ok(Some((unchanged, Vec::new())));
        }

        let mut writes = vec![match &existing {
            None => documents::create(keys::alias(&id.model, &id.alias), &alias)?,
            Some(existing) => Document {
                body: alias.clone(),
                ..existing.clone()
            }
            .write()?,
        }];
        // A new alias changes its model, so that a delete of the model sees it.
        writes.push(if existing.is_none() {
            model.write()?
        } else {
            model.check()
        });
        if let Some(number) = target.filter(|_| moves) {
            let version_id = VersionId {
                model: id.model.clone(),
                version: number,
            };
            let version: Option<Document<Version>> =
                self.document(&keys::version(&version_id)).await?;
            let Some(version) = version else {
                return Err(self.absent(&version_id).await?);
            };
            bindable(&version.body, &format!("alias {id}"))?;
            if set.enforce_promotion {
                let baselines = self
                    .read_baselines(model.body.gates(), id, &version.body.id)
                    .await?;
                report = promotable(&model.body, &version.body, id, set, &baselines)?;
                writes.extend(baselines.checks);
            }
            writes.push(version.write()?);
        }
        writes.push(self.alias_event(set, id, previous, target, &report)?);
        if existing.is_none() {
            writes.extend(
                self.created_write(&object("alias", id), hash, &alias.nonce)
                    .await?,
            );
        }
        Ok(Some((
            AliasMove {
                alias,
                previous,
                report,
            },
            writes,
        )))
    }

    fn alias_event(
        &self,
        set: &SetAlias,
        id: &AliasId,
        previous: Option<u64>,
        target: Option<u64>,
        report: &GateReport,
    ) -> Result<Write> {
        let (kind, message) = match (previous, target) {
            (from, to) if from == to => ("alias.changed", format!("alias {id} was changed")),
            (None, Some(to)) => (
                "alias.moved",
                format!("alias {id} now points to version {to}"),
            ),
            (from, to) => {
                let show = |version: Option<u64>| version.map_or("none".into(), |v| v.to_string());
                (
                    "alias.moved",
                    format!(
                        "alias {id} moved from version {} to {}",
                        show(from),
                        show(to)
                    ),
                )
            }
        };
        let event = NewEvent {
            by: set.by.clone(),
            ..NewEvent::new(kind, message)
        }
        .with("alias", id.alias.to_string())
        .with("from", json!(previous))
        .with("to", json!(target))
        .with("override_reason", json!(set.override_reason))
        .with("gates", json!(report.to_map()));
        self.event_write(&subject(&id.model), event)
    }

    async fn adopt_alias(
        &self,
        existing: Document<Alias>,
        hash: &str,
    ) -> Result<Option<AliasMove>> {
        let id = existing.body.id();
        let object = object("alias", &id);
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
            Ok(_) => {
                let previous = existing.body.version;
                Ok(Some(AliasMove {
                    alias: sealed(existing),
                    previous,
                    report: GateReport::default(),
                }))
            }
            Err(CommitError::Condition { .. }) => Ok(None),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// What the aliases that gates compare with point to, for [`check_gates`] at plan.
    pub async fn baselines(
        &self,
        model: &ModelName,
        gates: &BTreeMap<String, Gate>,
    ) -> Result<BTreeMap<AliasName, Baseline>> {
        let names: BTreeSet<_> = gates
            .values()
            .filter_map(|gate| gate.baseline.clone())
            .collect();
        let mut found = BTreeMap::new();
        for name in names {
            let alias: Option<Document<Alias>> = self.document(&keys::alias(model, &name)).await?;
            let target = alias.and_then(|alias| alias.body.target());
            let baseline = match target {
                None => Baseline::Missing,
                Some(id) => match self.version(&id).await? {
                    None => Baseline::Missing,
                    Some(version) => Baseline::Version {
                        id,
                        metrics: version.metrics,
                    },
                },
            };
            found.insert(name, baseline);
        }
        Ok(found)
    }

    /// Baselines for a move of `moving` to `candidate`, with the checks that hold them still.
    /// What the move itself writes is left out of the checks: a key stands once in a commit.
    async fn read_baselines(
        &self,
        gates: &BTreeMap<String, Gate>,
        moving: &AliasId,
        candidate: &VersionId,
    ) -> Result<Baselines> {
        let mut baselines = Baselines {
            found: BTreeMap::new(),
            checks: Vec::new(),
        };
        let mut checked = BTreeSet::from([keys::version(candidate)]);
        let names: BTreeSet<_> = gates
            .values()
            .filter_map(|gate| gate.baseline.clone())
            .collect();
        for name in names {
            let key = keys::alias(&moving.model, &name);
            let alias: Option<Document<Alias>> = self.document(&key).await?;
            if name != moving.alias {
                let expect = alias
                    .as_ref()
                    .map_or(Expect::Absent, |a| Expect::Revision(a.revision));
                baselines.checks.push(documents::check(key, expect));
            }
            let mut baseline = Baseline::Missing;
            if let Some(id) = alias.and_then(|alias| alias.body.target())
                && let Some(version) = self.version_document(&id).await?
            {
                if checked.insert(version.key.clone()) {
                    baselines.checks.push(version.check());
                }
                baseline = Baseline::Version {
                    id,
                    metrics: version.body.metrics,
                };
            }
            baselines.found.insert(name, baseline);
        }
        Ok(baselines)
    }

    /// The alias of this id.
    pub async fn alias(&self, id: &AliasId) -> Result<Option<Alias>> {
        let found = self.document(&keys::alias(&id.model, &id.alias)).await?;
        Ok(found.map(sealed))
    }

    /// The aliases of these ids, in their order, in one batch.
    pub async fn aliases(&self, ids: &[AliasId]) -> Result<Vec<Option<Alias>>> {
        let keys: Vec<_> = ids
            .iter()
            .map(|id| keys::alias(&id.model, &id.alias))
            .collect();
        let found = self.documents::<Alias>(&keys).await?;
        Ok(found.into_iter().map(|alias| alias.map(sealed)).collect())
    }

    /// All aliases of a model, by name.
    pub async fn list_aliases(&self, model: &ModelName) -> Result<Vec<Alias>> {
        let all = self
            .all_documents::<Alias>(&keys::model_partition(model), keys::ALIASES)
            .await?;
        Ok(all.into_iter().map(sealed).collect())
    }

    /// Deletes an alias; one that does not exist is success.
    pub async fn delete_alias(&self, id: &AliasId) -> Result<()> {
        let mut attempts = self.attempts();
        loop {
            let key = keys::alias(&id.model, &id.alias);
            let Some(alias) = self.document::<Alias>(&key).await? else {
                return Ok(());
            };
            let event = NewEvent::new("alias.deleted", format!("alias {id} was deleted"))
                .with("alias", id.alias.to_string());
            let writes = vec![
                alias.delete(),
                self.event_write(&subject(&id.model), event)?,
            ];
            match self.commit(writes).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(busy(
                        &format!("alias {id} could not be deleted"),
                        attempts.count(),
                    ));
                }
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }
}

fn sealed(document: Document<Alias>) -> Alias {
    Alias {
        revision: document.revision,
        ..document.body
    }
}

/// Checks gates, approvals and lineage; with an override reason their failures stay in the report.
fn promotable(
    model: &Model,
    version: &Version,
    id: &AliasId,
    set: &SetAlias,
    baselines: &Baselines,
) -> Result<GateReport> {
    let report = check_gates(
        model.gates(),
        &model.spec.metrics,
        &Candidate::registered(version),
        |alias| {
            baselines
                .found
                .get(alias)
                .cloned()
                .unwrap_or(Baseline::Missing)
        },
    );
    if set.override_reason.is_some() {
        return Ok(report);
    }
    let refused = |why: String| {
        Error::invalid(format!(
            "alias {id} does not move to version {}: {why}; improve the version, or set override_reason to force it",
            version.id
        ))
        .at("version")
    };
    if report.has_failed() {
        let lines: Vec<String> = report
            .failures()
            .map(|failed| format!("{}: {}", failed.metric, failed.text))
            .collect();
        return Err(refused(format!("its gates fail ({})", lines.join("; "))));
    }
    promotion_rules(model, version).map_err(|why| refused(why.to_string()))?;
    Ok(report)
}

/// Checks approvals and lineage of a version against its model's promotion rules. Pure: plans ask
/// too.
pub fn promotion_rules(model: &Model, version: &Version) -> Result<()> {
    let Some(promotion) = &model.spec.promotion else {
        return Ok(());
    };
    let required = promotion.approvals_required as usize;
    let approvals = version
        .approval
        .as_ref()
        .filter(|approval| approval.status == ApprovalStatus::Approved)
        .map_or(0, |approval| approval.approvers.len());
    if approvals < required {
        return Err(Error::invalid(format!(
            "it has {approvals} of {required} approvals"
        )));
    }
    let none = Lineage::default();
    let lineage = version.spec.lineage.as_ref().unwrap_or(&none);
    let missing: Vec<&str> = promotion
        .require_lineage
        .iter()
        .map(String::as_str)
        .filter(|field| !lineage.has(field))
        .collect();
    if !missing.is_empty() {
        return Err(Error::invalid(format!(
            "its lineage lacks {}",
            missing.join(", ")
        )));
    }
    Ok(())
}
