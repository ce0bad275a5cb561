//! A tree on its way in: files first, each as the service can make it with the fewest bytes
//! sent, the manifest last.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use mlops_core::artifacts::{
    Artifact, Digest, DigestCache, FileEntry, SourceTree, describe_source,
};
use mlops_core::{Error, Result};

use super::blocking;
use super::body::{FILES, Opened, line};
use super::bucket::{Bucket, Condition};
use super::earlier::{self, Earlier};
use super::known::{self, Known};
use super::layout::GREATEST_OBJECT;
use super::parts;
use super::survey::Surveyed;
use crate::fault::{Failure, Kind};

/// Files that are read at once in the first pass.
const READERS: usize = 2;
/// How often a file is begun again because somebody else wrote its object meanwhile.
const ROUNDS: usize = 5;

/// With a digest that was `planned`, any other artifact is refused before a byte of it is sent.
pub(super) async fn put(
    bucket: &Arc<Bucket>,
    source: &Path,
    planned: Option<&Digest>,
    cache: &dyn DigestCache,
) -> Result<Artifact> {
    let expected = |artifact: &Artifact| {
        planned.map_or(Ok(()), |planned| artifact.check_planned(source, planned))
    };
    let from = source.to_owned();
    let tree = blocking(move || describe_source(&from)).await?;
    if let Some((artifact, digests)) = stored_before(bucket, &tree, cache).await? {
        expected(&artifact)?;
        for (file, digest) in tree.files.iter().zip(&digests) {
            cache.put(&file.stamp, digest);
        }
        return Ok(artifact);
    }
    let files = survey(bucket, tree).await?;
    let artifact = Artifact::new(files.iter().map(|file| file.entry.clone()).collect())?;
    expected(&artifact)?;
    let there = bucket
        .sizes(&artifact.digest)
        .await
        .map_err(Failure::into_error)?;
    let mut groups: BTreeMap<Digest, Vec<&Surveyed>> = BTreeMap::new();
    for file in &files {
        groups.entry(file.entry.digest).or_default().push(file);
    }
    let upload = Upload {
        bucket,
        artifact: &artifact,
        there: &there,
    };
    let uploads: Vec<BoxFuture<'_, _>> = groups
        .values()
        .map(|group| upload.group(group).boxed())
        .collect();
    let hints: Vec<_> = stream::iter(uploads)
        .buffer_unordered(FILES)
        .try_collect()
        .await?;
    let files = blocking(move || {
        files.iter().try_for_each(Surveyed::unchanged)?;
        Ok(files)
    })
    .await?;
    write_manifest(bucket, &artifact).await?;
    let by_digest: HashMap<_, _> = files.iter().map(|file| (file.entry.digest, file)).collect();
    let hints: Vec<BoxFuture<'_, _>> = hints
        .into_iter()
        .flatten()
        .map(|(digest, known)| remember(bucket, &artifact, by_digest[&digest], known).boxed())
        .collect();
    stream::iter(hints)
        .buffer_unordered(FILES)
        .try_collect::<Vec<()>>()
        .await
        .map_err(Failure::into_error)?;
    for file in &files {
        cache.put(&file.source.stamp, &file.entry.digest);
    }
    Ok(artifact)
}

/// The artifact and its files' digests in the tree's order, if the cache knows them all and the
/// bucket holds the artifact, by the sizes of its objects. Nothing is read then.
async fn stored_before(
    bucket: &Bucket,
    tree: &SourceTree,
    cache: &dyn DigestCache,
) -> Result<Option<(Artifact, Vec<Digest>)>> {
    let known: Option<Vec<Digest>> = tree
        .files
        .iter()
        .map(|file| cache.get(&file.stamp))
        .collect();
    let Some(digests) = known else {
        return Ok(None);
    };
    let entries = tree
        .files
        .iter()
        .zip(&digests)
        .map(|(file, digest)| FileEntry {
            path: file.path.clone(),
            size: file.stamp.size,
            digest: *digest,
        });
    let artifact = Artifact::new(entries.collect())?;
    let manifest = bucket.layout.manifest(&artifact.digest);
    let found = bucket
        .get_text(&manifest)
        .await
        .map_err(Failure::into_error)?;
    if found.is_none_or(|(text, _)| text != artifact.manifest()) {
        return Ok(None);
    }
    let there = bucket
        .sizes(&artifact.digest)
        .await
        .map_err(Failure::into_error)?;
    let whole = artifact.files.iter().all(|file| {
        let key = bucket.layout.file(&artifact.digest, &file.path);
        there.get(&key) == Some(&file.size)
    });
    Ok(whole.then_some((artifact, digests)))
}

async fn survey(bucket: &Bucket, tree: SourceTree) -> Result<Vec<Surveyed>> {
    let part_size = bucket.settings.part_size;
    if let Some(large) = tree
        .files
        .iter()
        .find(|file| file.stamp.size > GREATEST_OBJECT)
    {
        return Err(Error::invalid(format!(
            "source file {} has {} bytes, and S3 takes 5 TiB at most; split it",
            large.location.display(),
            large.stamp.size
        ))
        .at("source"));
    }
    stream::iter(tree.files)
        .map(|file| blocking(move || Surveyed::read(file, part_size)))
        .buffered(READERS)
        .try_collect()
        .await
}

/// An upload of one artifact.
struct Upload<'a> {
    bucket: &'a Bucket,
    artifact: &'a Artifact,
    there: &'a HashMap<String, u64>,
}

impl Upload<'_> {
    /// Stores files of one content: one of them travels at most, the others are copies. Returns
    /// what to remember of it.
    async fn group(&self, files: &[&Surveyed]) -> Result<Option<(Digest, Known)>> {
        let mut first: Option<Known> = None;
        let mut sent = false;
        for file in files {
            let key = self
                .bucket
                .layout
                .file(&self.artifact.digest, &file.entry.path);
            let (tag, new) = Box::pin(self.ensure(file, &key, first.as_ref())).await?;
            if first.is_none() {
                first = Some(Known { key, tag });
                sent = new;
            }
        }
        let digest = files[0].entry.digest;
        Ok(first.filter(|_| sent).map(|known| (digest, known)))
    }

    /// Sees to it that the object is there and right: its entity tag, and whether its bytes had
    /// to be sent.
    async fn ensure(
        &self,
        file: &Surveyed,
        key: &str,
        twin: Option<&Known>,
    ) -> Result<(String, bool)> {
        let mut look = self.there.contains_key(key);
        let mut copies = true;
        for _ in 0..ROUNDS {
            let found = match look {
                true => self.bucket.head(key).await.map_err(Failure::into_error)?,
                false => None,
            };
            let condition = match found {
                Some(object) if object.is(file) => return Ok((object.tag, false)),
                Some(object) => Condition::Replaces(object.tag),
                None => Condition::Absent,
            };
            look = true;
            let known = match (copies, twin) {
                (false, _) => None,
                (true, Some(twin)) => Some(twin.clone()),
                (true, None) => known::find(self.bucket, file)
                    .await
                    .map_err(Failure::into_error)?
                    .filter(|known| known.key != key),
            };
            if let Some(known) = known {
                match self.copy(file, key, &known, &condition).await {
                    Ok(true) => continue,
                    // Its object is gone or is another now, or may not be read: the bytes travel.
                    Ok(false) => {}
                    Err(failure)
                        if failure.kind == Kind::Throttled || failure.kind == Kind::Lost =>
                    {
                        return Err(failure.into_error());
                    }
                    Err(failure) => {
                        let why = failure.into_error();
                        tracing::debug!(why = %why.chain(), "a file is not copied but sent");
                    }
                }
                copies = false;
                continue;
            }
            match self.send(file, key, &condition).await {
                Ok(tag) => return Ok((tag, true)),
                Err(failure) if is_overtaken(&failure) => {}
                Err(failure) => return Err(failure.into_error()),
            }
        }
        Err(Error::conflict(format!(
            "{} was written by somebody else again and again while it was uploaded; run the operation again",
            self.bucket.uri(key)
        )))
    }

    /// False if the service could not make this file of what is known.
    async fn copy(
        &self,
        file: &Surveyed,
        key: &str,
        known: &Known,
        condition: &Condition,
    ) -> Result<bool, Failure> {
        if file.entry.size <= self.bucket.settings.copy_limit {
            let _line = line().await;
            return self.bucket.copy(known, key, file, condition).await;
        }
        let Some(same) = Earlier::same(self.bucket, file, known).await? else {
            return Ok(false);
        };
        let opened = self.open(file, key).await?;
        parts::upload(self.bucket, file, key, condition, &opened, Some(&same)).await?;
        Ok(true)
    }

    async fn send(
        &self,
        file: &Surveyed,
        key: &str,
        condition: &Condition,
    ) -> Result<String, Failure> {
        let opened = self.open(file, key).await?;
        if file.parts.len() == 1 {
            let _line = line().await;
            return self.bucket.put_file(key, file, &opened, condition).await;
        }
        let earlier = match file.is_cut_by_content() {
            true => Earlier::find(self.bucket, file, key).await?,
            false => None,
        };
        parts::upload(self.bucket, file, key, condition, &opened, earlier.as_ref()).await
    }

    async fn open(&self, file: &Surveyed, key: &str) -> Result<Opened, Failure> {
        let owned = file.clone();
        blocking(move || Opened::open(&owned))
            .await
            .map_err(|error| Failure::before(&self.bucket.about("PutObject", key), error))
    }
}

/// Whether somebody else wrote the object, or finished the upload, first.
fn is_overtaken(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Condition | Kind::Busy) || failure.code() == Some("NoSuchUpload")
}

/// Writes down for later uploads what an object holds.
async fn remember(
    bucket: &Bucket,
    artifact: &Artifact,
    file: &Surveyed,
    object: Known,
) -> Result<(), Failure> {
    let index = bucket.layout.chunks(&artifact.digest, &file.entry.path);
    earlier::remember(bucket, file, index, object.clone()).await?;
    known::remember(bucket, file, object).await
}

/// From now on the artifact exists.
async fn write_manifest(bucket: &Bucket, artifact: &Artifact) -> Result<()> {
    let key = bucket.layout.manifest(&artifact.digest);
    let text = artifact.manifest();
    let mut condition = Condition::Absent;
    for _ in 0..ROUNDS {
        match bucket.put_text(&key, &text, Some(&condition)).await {
            Ok(()) => return Ok(()),
            Err(failure) if is_overtaken(&failure) => {}
            Err(failure) => return Err(failure.into_error()),
        }
        condition = match bucket.get_text(&key).await.map_err(Failure::into_error)? {
            Some((found, _)) if found == text => return Ok(()),
            Some((_, tag)) => Condition::Replaces(tag),
            None => Condition::Absent,
        };
    }
    Err(Error::conflict(format!(
        "{} was written by somebody else again and again; run the operation again",
        bucket.uri(&key)
    )))
}
