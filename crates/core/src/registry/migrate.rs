//! A registry moves from one store to another, with its UUID: what `mlops registry migrate` does.
//!
//! 1. The target is made a place that this registry moves into, which nobody else reads or writes.
//! 2. Artifacts are copied while the source is still in use: they are most of the time, and never change.
//! 3. The source is marked as moved. From here on nobody writes either.
//! 4. Records are copied, and compared once more, and the target is settled.
//!
//! Each part may be done again, so a move that was killed is finished by the same command. Until the last part it can be taken back
//! ([`take_back`]). What belongs to processes and machines rather than to the registry stays behind ([`stays`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Version;
use super::documents::Document;
use super::events::{self, NewEvent, Subject};
use super::keys;
use crate::artifacts::{ArtifactStore, Digest, NoDigestCache};
use crate::clock::{Clock, Ids};
use crate::error::{Class, Error, Result};
use crate::records::{COMMIT_LIMIT, Change, CommitError, Expect, Item, Key, Movable, Write};

/// So many bytes of documents go into one commit; a store may take no more than 4 MB.
const COMMIT_BYTES: usize = 1024 * 1024;

/// A registry's two stores.
#[derive(Clone)]
pub struct Place {
    /// Its records.
    pub records: Arc<dyn Movable>,
    /// Its artifacts.
    pub artifacts: Arc<dyn ArtifactStore>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("location", &self.records.location())
            .finish_non_exhaustive()
    }
}

/// What a move found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The registry's UUID, here as there.
    pub uuid: uuid::Uuid,
    /// Whether it had moved before this was asked for.
    pub already: bool,
    /// Records that moved, in all.
    pub records: usize,
    /// Records that this call wrote.
    pub written: usize,
    /// Artifacts that moved, in all.
    pub artifacts: usize,
    /// Artifacts that this call copied.
    pub copied: usize,
    /// Their bytes.
    pub copied_bytes: u64,
}

/// What a move needs beside the two places.
pub struct Movers<'a> {
    /// A directory with room for the largest artifact. What is put there is removed again.
    pub scratch: &'a Path,
    /// Time, for the event.
    pub clock: &'a dyn Clock,
    /// Ids, for the event.
    pub ids: &'a dyn Ids,
    /// Who does it.
    pub by: Option<String>,
}

/// Whether records of this partition stay where they are: they are about processes, machines and the place itself.
pub fn stays(partition: &str) -> bool {
    matches!(partition, keys::SESSIONS | "swept" | "local-port")
        || partition.starts_with("session#")
        || partition.starts_with("lease#")
}

/// Moves the registry at `from` to `to`.
///
/// # Errors
/// Not found if there is none; a conflict if `to` holds another registry, or `from` moved elsewhere; `Invalid` while it has endpoints:
/// their servers belong to a machine.
pub async fn migrate(from: &Place, to: &Place, movers: &Movers<'_>) -> Result<Migrated> {
    let identity = from.records.identity().await?.ok_or_else(|| {
        Error::not_found(format!(
            "there is no registry at {}",
            from.records.location()
        ))
    })?;
    let mut moved = Migrated {
        uuid: identity.uuid,
        ..Migrated::default()
    };
    let place = to.records.location();
    let left = from.records.left_for().await?;
    if let Some(left) = left.filter(|left| *left != place) {
        return Err(Error::conflict(format!(
            "the registry at {} moved to {left}, or is moving there; finish that, or take it back",
            from.records.location()
        )));
    }
    let found = survey(from, to).await?;
    if let Some(endpoint) = &found.endpoint {
        return Err(Error::invalid(format!(
            "endpoint {endpoint} is deployed from the registry at {}, and its server belongs to a machine; destroy it first, and deploy it again from the new place",
            from.records.location()
        )));
    }
    let Some(arriving) = to.records.arrive(identity.uuid).await? else {
        if from.records.left_for().await?.is_none() {
            return Err(Error::conflict(format!(
                "registry {} lives at {place} and at {} both, as after a restored backup; only one of them may",
                identity.uuid,
                from.records.location()
            )));
        }
        moved.already = true;
        return Ok(moved);
    };
    copy_artifacts(&found.digests, from, to, movers, &mut moved).await?;
    from.records.leave(&place).await?;

    // Now nothing changes any more: what came since, and the records.
    let found = survey(from, to).await?;
    copy_artifacts(&found.digests, from, to, movers, &mut moved).await?;
    moved.artifacts = found.digests.len();
    moved.records = found.records.len();
    let wanted = found.records;
    moved.written = bring(arriving.as_ref(), &wanted).await?;
    // Once more, from what lies there: nothing is missing, and nothing else is there.
    let left_over = bring(arriving.as_ref(), &wanted).await?;
    if left_over > 0 {
        return Err(Error::conflict(format!(
            "{left_over} records at {place} changed while they were copied: somebody else writes there; run this again"
        )));
    }
    let event = NewEvent {
        by: movers.by.clone(),
        ..NewEvent::new(
            "registry.moved",
            format!("the registry moved here from {}", from.records.location()),
        )
    };
    let now = movers.clock.now();
    let write = events::single(&Subject::Registry, event, now, movers.ids.uuid())?;
    arriving
        .commit(vec![write])
        .await
        .map_err(|error| error.into_error("the event of the move could not be written"))?;
    to.records.settle().await?;
    Ok(moved)
}

/// Takes a move back that was not finished: the source is in use again, and the target stays empty to all others.
///
/// # Errors
/// A conflict if the registry lives at the target already.
pub async fn take_back(from: &Place, to: &Place) -> Result<()> {
    let identity = from.records.identity().await?.ok_or_else(|| {
        Error::not_found(format!(
            "there is no registry at {}",
            from.records.location()
        ))
    })?;
    let place = to.records.location();
    match from.records.left_for().await? {
        Some(left) if left == place => {}
        _ => {
            return Err(Error::not_found(format!(
                "the registry at {} is not moving to {place}",
                from.records.location()
            )));
        }
    }
    if to.records.arrive(identity.uuid).await?.is_none() {
        return Err(Error::conflict(format!(
            "the registry lives at {place} already; move it back from there to an empty place"
        )));
    }
    from.records.stay(&place).await
}

/// What is to move.
#[derive(Default)]
struct Found {
    /// As they shall lie there.
    records: BTreeMap<Key, Map<String, Value>>,
    digests: BTreeSet<Digest>,
    endpoint: Option<String>,
}

async fn survey(from: &Place, to: &Place) -> Result<Found> {
    let mut found = Found::default();
    let mut after = None;
    loop {
        let page = from.records.export(after.as_ref()).await?;
        after = page.items.last().map(|item| item.key.clone());
        for item in page.items {
            if stays(&item.key.partition) {
                continue;
            }
            if let Some(endpoint) = deployed(&item) {
                found.endpoint = Some(endpoint.to_owned());
            }
            let Item { key, body, .. } = match version(&item)? {
                None => item,
                Some(mut version) => {
                    let digest = *version.body.digest();
                    found.digests.insert(digest);
                    version.body.artifact_uri = to.artifacts.uri(&digest);
                    match version.write()?.change {
                        Change::Put(body) => Item { body, ..item },
                        Change::Delete | Change::Check => item,
                    }
                }
            };
            found.records.insert(key, body);
        }
        if !page.more || after.is_none() {
            return Ok(found);
        }
    }
}

/// The record as a version, if it is one.
fn version(item: &Item) -> Result<Option<Document<Version>>> {
    let is_version =
        item.key.partition.starts_with("model#") && item.key.sort.starts_with(keys::VERSIONS);
    is_version.then(|| Document::read(item.clone())).transpose()
}

/// The endpoint that the record tells to be deployed, or to be in the middle of it.
fn deployed(item: &Item) -> Option<&str> {
    let is_live = || item.body.get("live").is_some_and(|live| !live.is_null());
    if let Some(id) = item.key.partition.strip_prefix("endpoint#") {
        return is_live().then_some(id);
    }
    let id = item.key.partition.strip_prefix("journal#")?;
    (item.key.sort == "open").then_some(id)
}

async fn copy_artifacts(
    digests: &BTreeSet<Digest>,
    from: &Place,
    to: &Place,
    movers: &Movers<'_>,
    moved: &mut Migrated,
) -> Result<()> {
    for digest in digests {
        match to.artifacts.check(digest).await {
            Ok(()) => continue,
            Err(error) if error.class() == Class::NotFound => {}
            Err(error) => return Err(error),
        }
        let directory = movers.scratch.join(digest.hex());
        // It verifies each file by its digest; the store verifies what it takes in.
        from.artifacts.materialise(digest, &directory).await?;
        let stored = to
            .artifacts
            .put_planned(&directory, digest, &NoDigestCache)
            .await;
        let removed = tokio::fs::remove_dir_all(&directory).await;
        moved.copied_bytes += stored?.size;
        moved.copied += 1;
        removed.map_err(|cause| {
            Error::unavailable(format!("{} could not be removed", directory.display()))
                .because(cause)
        })?;
    }
    Ok(())
}

/// Makes the store hold these records and no others but those that stay; how many it had to write.
async fn bring(store: &dyn Movable, wanted: &BTreeMap<Key, Map<String, Value>>) -> Result<usize> {
    let mut writes = Vec::new();
    let mut seen = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.export(after.as_ref()).await?;
        after = page.items.last().map(|item| item.key.clone());
        for item in page.items {
            if stays(&item.key.partition) {
                continue;
            }
            let expect = Expect::Revision(item.revision);
            let change = match wanted.get(&item.key) {
                Some(body) if *body == item.body => None,
                Some(body) => Some(Change::Put(body.clone())),
                None => Some(Change::Delete),
            };
            seen.insert(item.key.clone());
            let key = item.key;
            writes.extend(change.map(|change| Write {
                key,
                expect,
                change,
            }));
        }
        if !page.more || after.is_none() {
            break;
        }
    }
    for (key, body) in wanted {
        if !seen.contains(key) {
            writes.push(Write {
                key: key.clone(),
                expect: Expect::Absent,
                change: Change::Put(body.clone()),
            });
        }
    }
    let count = writes.len();
    write_all(store, writes).await?;
    Ok(count)
}

/// Writes in as few commits as the store takes.
async fn write_all(store: &dyn Movable, writes: Vec<Write>) -> Result<()> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    for write in writes {
        let size = match &write.change {
            Change::Put(body) => serde_json::to_string(body).map_or(0, |text| text.len()),
            Change::Delete | Change::Check => 0,
        };
        if batch.len() == COMMIT_LIMIT || (!batch.is_empty() && bytes + size > COMMIT_BYTES) {
            write_batch(store, std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
        bytes += size;
        batch.push(write);
    }
    if batch.is_empty() {
        return Ok(());
    }
    write_batch(store, batch).await
}

async fn write_batch(store: &dyn Movable, batch: Vec<Write>) -> Result<()> {
    match store.commit(batch).await {
        Ok(_) => Ok(()),
        Err(CommitError::Condition { .. }) => Err(Error::conflict(format!(
            "somebody else moves this registry to {} at the same time; wait until that ends, then run this again",
            store.location()
        ))),
        Err(CommitError::Store(error)) => Err(error),
    }
}
