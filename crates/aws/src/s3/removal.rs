//! What lies in the bucket, and its removal.

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use mlops_core::artifacts::{Digest, StoredArtifact};
use mlops_core::{Class, Error, Result};

use super::body::FILES;
use super::bucket::Bucket;
use super::download;
use super::earlier;
use super::known;
use super::layout::LEAST_KNOWN;
use super::sweep;
use crate::fault::{Failure, Kind};

/// Everything below the prefix, by artifact. An upload that has not finished a single object yet
/// is not seen.
pub(super) async fn list(bucket: &Bucket) -> Result<Vec<StoredArtifact>> {
    let prefix = bucket.layout.artifacts();
    let objects = bucket.list(&prefix).await.map_err(Failure::into_error)?;
    let mut found: BTreeMap<Digest, (u64, SystemTime, bool)> = BTreeMap::new();
    for object in objects {
        let Some(digest) = bucket.layout.artifact_of(&object.key) else {
            continue;
        };
        let (size, modified, complete) =
            found
                .entry(digest)
                .or_insert((0, SystemTime::UNIX_EPOCH, false));
        *size += object.size;
        *modified = object.modified.max(*modified);
        *complete |= object.key == bucket.layout.manifest(&digest);
    }
    let stored = found
        .into_iter()
        .map(|(digest, (size_bytes, modified, complete))| {
            // A time beyond the calendar says nothing: it could have been written now.
            let modified = modified
                .try_into()
                .or_else(|_| SystemTime::now().try_into())
                .unwrap_or_default();
            StoredArtifact {
                digest,
                size_bytes,
                modified,
                complete,
            }
        });
    Ok(stored.collect())
}

/// Fails unless every object is there with its size.
pub(super) async fn check(bucket: &Bucket, digest: &Digest) -> Result<()> {
    let artifact = download::manifest(bucket, digest).await?;
    let there = bucket.sizes(digest).await.map_err(Failure::into_error)?;
    let lost = artifact
        .files
        .iter()
        .map(|file| (file, bucket.layout.file(digest, &file.path)))
        .find(|(file, key)| there.get(key) != Some(&file.size));
    match lost {
        None => Ok(()),
        Some((file, key)) => Err(Error::not_found(format!(
            "artifact {digest} is not whole: {} is not there, or does not have the {} bytes of its file {:?}; restore it, or register the version again",
            bucket.uri(&key),
            file.size,
            file.path
        ))),
    }
}

/// Removes what lies below the digest, and what points there.
pub(super) async fn remove(bucket: &Bucket, digest: &Digest) -> Result<u64> {
    let prefix = bucket.layout.artifact(digest);
    let manifest = bucket.layout.manifest(digest);
    let objects = bucket.list(&prefix).await.map_err(Failure::into_error)?;
    let contents = contents(bucket, digest).await?;
    let chunks = bucket.layout.all_chunks(digest);
    let indexes = objects.iter().map(|object| object.key.as_str());
    let indexes = indexes.filter(|key| key.starts_with(&chunks));
    bucket
        .delete(&manifest)
        .await
        .map_err(Failure::into_error)?;
    each(indexes.map(|index| earlier::forget(bucket, index).boxed())).await?;
    let deletes = objects.iter().filter(|object| object.key != manifest);
    each(deletes.map(|object| bucket.delete(&object.key).boxed())).await?;
    let uploads = sweep::list(bucket, &prefix)
        .await
        .map_err(Failure::into_error)?;
    each(
        uploads
            .iter()
            .map(|upload| sweep::abort(bucket, &upload.key, &upload.id).boxed()),
    )
    .await?;
    let hints = contents.iter().filter(|(_, size)| **size >= LEAST_KNOWN);
    each(hints.map(|(content, _)| known::forget(bucket, content, &prefix).boxed())).await?;
    Ok(objects.iter().map(|object| object.size).sum())
}

/// What the artifact's files hold, where its manifest tells. Where it does not, the hints that
/// point to them stay: a stale one costs a call and nothing else.
async fn contents(bucket: &Bucket, digest: &Digest) -> Result<BTreeMap<Digest, u64>> {
    match download::manifest(bucket, digest).await {
        Ok(artifact) => Ok(artifact.contents()),
        Err(error) if matches!(error.class(), Class::NotFound | Class::Corrupt) => {
            Ok(BTreeMap::new())
        }
        Err(error) => Err(error),
    }
}

/// Makes the calls, a few at a time.
async fn each<'a>(calls: impl Iterator<Item = BoxFuture<'a, Result<(), Failure>>>) -> Result<()> {
    // Collected first: the compiler does not see that a lazy iterator of futures may be sent.
    let calls: Vec<_> = calls.collect();
    stream::iter(calls)
        .buffer_unordered(FILES)
        .try_collect::<Vec<()>>()
        .await
        .map_err(Failure::into_error)
        .map(drop)
}

impl Bucket {
    /// Deletes an object; one that is gone was deleted.
    pub(super) async fn delete(&self, key: &str) -> Result<(), Failure> {
        let call = self.about("DeleteObject", key);
        let sent = self.run(&call, |client| {
            let request = client
                .delete_object()
                .bucket(self.name())
                .key(key)
                .set_expected_bucket_owner(self.owner())
                .customize()
                .config_override(self.limit(0));
            Box::pin(request.send())
        });
        match sent.await {
            Err(failure) if failure.kind != Kind::Missing => Err(failure),
            _ => Ok(()),
        }
    }
}
