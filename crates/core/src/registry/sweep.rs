//! The sweep: what `mlops artifact gc` does.
//!
//! It ends uploads that nobody finished, deletes the versions that their models' retention no longer keeps, then the artifacts
//! that no version names and that have been so for a grace time. How it stays out of the way of registrations: [`super::marks`].

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::documents::{self, Document};
use super::leases::{Holder, Lease};
use super::marks::{self, Mark, State};
use super::{Registry, Version, keys};
use crate::artifacts::{Digest, StoredArtifact};
use crate::error::{Error, Result};
use crate::names::{ModelName, VersionId};
use crate::records::{CommitError, Expect, Records, Write};

/// The name of the lease: one sweep at a time.
const LEASE: &str = "sweep";

/// A sweep of another machine that was killed is out of the way after this time.
const LEASE_TTL: Duration = Duration::from_secs(10 * 60);

/// So many artifacts are condemned before the versions are looked at again.
const AT_ONCE: usize = 50;

/// What a sweep is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// How long an artifact stays after it was stored, and after a sweep first saw that no version names it; and how long an
    /// upload that nobody finishes after it was begun.
    pub grace: Duration,
    /// Whether to delete and remove. Otherwise the report says what would be, and nothing is written.
    pub delete: bool,
    /// Who does it, for those who find it at work.
    pub by: String,
}

/// What a sweep did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Versions that their model's retention does not keep, deleted.
    pub versions: Vec<VersionId>,
    /// Versions that it does not keep either, but somebody uses.
    pub in_use: Vec<InUse>,
    /// Artifacts removed.
    pub artifacts: Vec<StoredArtifact>,
    /// Artifacts that go once their grace time is over.
    pub waiting: Vec<Unnamed>,
    /// Where uploads were to lie that nobody finished, ended.
    pub uploads: Vec<String>,
    /// Artifacts that could not be removed, and why.
    pub failed: Vec<(Digest, String)>,
    /// Bytes freed, or that would be at most.
    pub freed_bytes: u64,
}

/// A version that is kept because of who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// The version.
    pub version: VersionId,
    /// Aliases and endpoints, as people read them.
    pub users: Vec<String>,
}

/// An artifact that no version names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnamed {
    /// The artifact.
    pub artifact: StoredArtifact,
    /// When its grace time is over.
    pub until: Timestamp,
}

impl Registry {
    /// Deletes what retention does not keep, and removes the artifacts that no version names.
    ///
    /// Retention counts in this namespace; an artifact is named if a version of any namespace names it.
    ///
    /// # Errors
    /// A conflict that names the holder while another sweep runs. What cannot be removed does not end the sweep: it stands in
    /// the report.
    pub async fn sweep(&self, sweep: &Sweep) -> Result<SweepReport> {
        if !sweep.delete {
            return self.sweeping(sweep, None).await;
        }
        if self.identity().await?.is_none() {
            // A lease would make the registry.
            return Err(Error::not_found(format!(
                "there is no registry at {}",
                self.location()
            )));
        }
        let holder = Holder::new(&sweep.by);
        let lease = self.acquire_lease(LEASE, holder, LEASE_TTL).await?;
        let report = self.sweeping(sweep, Some(&lease)).await;
        let released = self.release_lease(&lease).await;
        let report = report?;
        released?;
        Ok(report)
    }

    async fn sweeping(&self, sweep: &Sweep, lease: Option<&Lease>) -> Result<SweepReport> {
        let mut report = SweepReport::default();
        // First: if this may not be done, nothing else was yet.
        let uploads = self.inner.artifacts.end_uploads(sweep.grace, sweep.delete);
        report.uploads = uploads.await?.old;
        self.sweep_versions(lease, &mut report).await?;
        let mut stored = self.inner.artifacts.list().await?;
        stored.sort_by_key(|artifact| artifact.digest);
        // Those that were deleted name nothing already.
        let named = self.named_without(&report.versions).await?;
        let unnamed: Vec<_> = stored
            .into_iter()
            .filter(|artifact| !named.contains(&artifact.digest))
            .collect();
        let found: BTreeSet<_> = unnamed.iter().map(|artifact| artifact.digest).collect();
        let due = self.due(unnamed, sweep, lease, &mut report).await?;
        let Some(lease) = lease else {
            report.freed_bytes = due.iter().map(|(artifact, _)| artifact.size_bytes).sum();
            report.artifacts = due.into_iter().map(|(artifact, _)| artifact).collect();
            return Ok(report);
        };
        for batch in due.chunks(AT_ONCE) {
            self.heartbeat(lease).await?;
            self.sweep_artifacts(batch, lease, &mut report).await?;
        }
        self.forget_marks(&found).await?;
        Ok(report)
    }

    /// Deletes the versions of this namespace that are kept by nothing, or only finds them.
    async fn sweep_versions(&self, lease: Option<&Lease>, report: &mut SweepReport) -> Result<()> {
        let now = self.inner.clock.now();
        for name in self.model_names().await? {
            let Some(model) = self.model(&name).await? else {
                continue;
            };
            let Some(retention) = model.spec.retention else {
                continue;
            };
            let versions = self.all_versions(&name).await?;
            for version in retention.expired(&versions, now) {
                let id = &version.id;
                let users = self.users_of(id).await?;
                if !users.is_empty() {
                    report.in_use.push(InUse {
                        version: id.clone(),
                        users,
                    });
                    continue;
                }
                if let Some(lease) = lease {
                    self.heartbeat(lease).await?;
                    match self.delete_version(id).await {
                        // Somebody came to use it since.
                        Err(error) if error.is_conflict() => continue,
                        outcome => outcome?,
                    }
                }
                report.versions.push(id.clone());
            }
        }
        Ok(())
    }

    /// Those whose grace time is over, with their marks. The others are reported, and marked if they were not.
    async fn due(
        &self,
        unnamed: Vec<StoredArtifact>,
        sweep: &Sweep,
        lease: Option<&Lease>,
        report: &mut SweepReport,
    ) -> Result<Vec<(StoredArtifact, Option<Document<Mark>>)>> {
        let now = self.inner.clock.now();
        let grace = SignedDuration::try_from(sweep.grace).unwrap_or(SignedDuration::MAX);
        let keys: Vec<_> = unnamed
            .iter()
            .map(|artifact| marks::key(&artifact.digest))
            .collect();
        let found = self.documents::<Mark>(&keys).await?;
        let mut due = Vec::new();
        for (artifact, mark) in unnamed.into_iter().zip(found) {
            let seen = match &mark {
                Some(mark) if mark.body.state == State::Unnamed => mark.body.at,
                // It was being swept before, and something is there still, or again.
                Some(_) => Timestamp::MIN,
                None => now,
            };
            let until = seen
                .max(artifact.modified)
                .checked_add(grace)
                .unwrap_or(Timestamp::MAX);
            if until <= now {
                due.push((artifact, mark));
                continue;
            }
            if lease.is_some() && mark.is_none() {
                let mark = Mark {
                    state: State::Unnamed,
                    at: now,
                };
                self.mark(documents::create(marks::key(&artifact.digest), &mark)?)
                    .await?;
            }
            report.waiting.push(Unnamed { artifact, until });
        }
        Ok(due)
    }

    /// Condemns, looks again, removes.
    async fn sweep_artifacts(
        &self,
        batch: &[(StoredArtifact, Option<Document<Mark>>)],
        lease: &Lease,
        report: &mut SweepReport,
    ) -> Result<()> {
        let mut condemned = Vec::new();
        let began = self.inner.clock.elapsed();
        for (artifact, before) in batch {
            let mark = Mark {
                state: State::Condemned,
                at: self.inner.clock.now(),
            };
            let key = marks::key(&artifact.digest);
            let expect = match before {
                None => Expect::Absent,
                Some(before) => Expect::Revision(before.revision),
            };
            // Whoever changed it meanwhile has come to name it.
            if let Some(revision) = self
                .mark(documents::put(key.clone(), expect, &mark)?)
                .await?
            {
                let mark = Document {
                    key,
                    revision,
                    body: mark,
                    extra: serde_json::Map::default(),
                };
                condemned.push((artifact, before, mark));
            }
        }
        let named = self.named().await?;
        for (artifact, before, mark) in condemned {
            if named.contains(&artifact.digest) {
                self.mark(spared(before.as_ref(), &mark)?).await?;
                continue;
            }
            let spent = self.inner.clock.elapsed().saturating_sub(began);
            let left = marks::REMOVAL.saturating_sub(spent);
            self.heartbeat(lease).await?;
            let removed = tokio::select! {
                biased;
                () = self.inner.clock.sleep(left) => Err(Error::unavailable(format!(
                    "it was not removed within {} minutes; run the sweep again, which goes on",
                    marks::REMOVAL.as_secs() / 60
                ))),
                removed = self.inner.artifacts.remove(&artifact.digest) => removed,
            };
            // Even if it failed: part of it may be gone.
            let swept = Document {
                body: Mark {
                    state: State::Swept,
                    at: self.inner.clock.now(),
                },
                ..mark
            };
            self.mark(swept.write()?).await?;
            match removed {
                Ok(freed) => {
                    report.freed_bytes += freed;
                    report.artifacts.push(artifact.clone());
                }
                Err(error) => report
                    .failed
                    .push((artifact.digest, error.chain().to_string())),
            }
        }
        Ok(())
    }

    /// Forgets marks that have had their use: of removals long ago, and of artifacts that are gone by other ways.
    async fn forget_marks(&self, unnamed: &BTreeSet<Digest>) -> Result<()> {
        let now = self.inner.clock.now();
        for mark in self.all_documents::<Mark>(marks::PARTITION, "").await? {
            let over = match mark.body.state {
                State::Unnamed => !unnamed.iter().any(|digest| digest.hex() == mark.key.sort),
                State::Condemned | State::Swept => {
                    now.duration_since(mark.body.at) >= marks::REMEMBERED
                }
            };
            if over {
                self.mark(mark.delete()).await?;
            }
        }
        Ok(())
    }

    /// Writes a mark; its revision, or `None` if somebody else changed it before.
    async fn mark(&self, write: Write) -> Result<Option<u64>> {
        match self.commit(vec![write]).await {
            Ok(revisions) => Ok(revisions.first().copied()),
            Err(CommitError::Condition { .. }) => Ok(None),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// The names of all models, as the index has them.
    async fn model_names(&self) -> Result<Vec<ModelName>> {
        let items = self.all_items(keys::MODELS, "").await?;
        items.iter().map(|item| item.key.sort.parse()).collect()
    }

    /// The digests that versions name, of all namespaces.
    async fn named(&self) -> Result<BTreeSet<Digest>> {
        self.named_without(&[]).await
    }

    /// The digests that versions name, of all namespaces, if those of this one are not counted.
    async fn named_without(&self, gone: &[VersionId]) -> Result<BTreeSet<Digest>> {
        let gone: BTreeSet<_> = gone.iter().collect();
        let mut named = self.digests(|version| !gone.contains(&version.id)).await?;
        for records in self.inner.records.neighbours().await? {
            named.extend(self.beside(records).digests(|_| true).await?);
        }
        Ok(named)
    }

    async fn digests(&self, counts: impl Fn(&Version) -> bool) -> Result<BTreeSet<Digest>> {
        let mut digests = BTreeSet::new();
        for name in self.model_names().await? {
            let versions = self.all_versions(&name).await?;
            let counted = versions.iter().filter(|version| counts(version));
            digests.extend(counted.map(|version| *version.digest()));
        }
        Ok(digests)
    }

    /// The registry of another namespace.
    fn beside(&self, records: std::sync::Arc<dyn Records>) -> Self {
        self.clone().rebuilt(|inner| inner.records = records)
    }
}

/// The write that takes a condemnation back.
fn spared(before: Option<&Document<Mark>>, condemned: &Document<Mark>) -> Result<Write> {
    match before {
        // Named again, it is unnamed no longer.
        None => Ok(condemned.delete()),
        Some(before) if before.body.state == State::Unnamed => Ok(condemned.delete()),
        Some(before) => Document {
            body: before.body.clone(),
            ..condemned.clone()
        }
        .write(),
    }
}
