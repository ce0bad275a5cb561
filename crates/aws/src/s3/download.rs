//! Artifacts on their way out: verified while they stream, written whole or not at all.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use mlops_core::artifacts::{Artifact, ArtifactReader, Digest, FileEntry, Verified};
use mlops_core::{Error, Result};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::io::StreamReader;

use super::blocking;
use super::body::{FILES, line};
use super::bucket::Bucket;
use crate::fault::{Failure, Kind};

/// How much is written at once.
const BUFFER: usize = 256 * 1024;

/// What the manifest of this digest says.
pub(super) async fn manifest(bucket: &Bucket, digest: &Digest) -> Result<Artifact> {
    let key = bucket.layout.manifest(digest);
    match bucket.get_text(&key).await.map_err(Failure::into_error)? {
        Some((text, _)) => Artifact::parse(digest, &text),
        None => Err(Error::not_found(format!(
            "artifact {digest} is not in {}; restore it, or register the version again",
            bucket.uri(&bucket.layout.artifact(digest))
        ))),
    }
}

/// A file's bytes.
pub(super) async fn open(
    bucket: &Arc<Bucket>,
    artifact: &Digest,
    file: &FileEntry,
) -> Result<ArtifactReader> {
    let first = begin(bucket, artifact, file, 0, None).await?;
    let object = Resumed {
        bucket: Arc::clone(bucket),
        artifact: *artifact,
        file: file.clone(),
        tag: first.tag,
        body: first.body,
        read: 0,
        broken: 0,
    };
    let pieces = stream::try_unfold(object, async |mut object: Resumed| {
        Ok::<_, io::Error>(object.next().await?.map(|piece| (piece, object)))
    });
    Ok(Box::new(Verified::new(
        StreamReader::new(Box::pin(pieces)),
        file,
    )))
}

struct Begun {
    tag: String,
    body: ByteStream,
}

/// Asks for a file from an offset on, of the object with this entity tag if one is given.
async fn begin(
    bucket: &Bucket,
    artifact: &Digest,
    file: &FileEntry,
    offset: u64,
    tag: Option<&str>,
) -> Result<Begun> {
    let key = bucket.layout.file(artifact, &file.path);
    let call = bucket.about("GetObject", &key);
    let sent = bucket.run(&call, |client| {
        let request = client
            .get_object()
            .bucket(bucket.name())
            .key(&key)
            .set_range((offset > 0).then(|| format!("bytes={offset}-")))
            .set_if_match(tag.map(str::to_owned))
            .set_expected_bucket_owner(bucket.owner())
            .customize()
            .config_override(bucket.limit(0));
        Box::pin(request.send())
    });
    match sent.await {
        Ok(answer) => Ok(Begun {
            tag: answer.e_tag.unwrap_or_default(),
            body: answer.body,
        }),
        Err(failure) if matches!(failure.kind, Kind::Missing | Kind::Condition) => {
            Err(Error::corrupt(format!(
                "artifact {artifact} has lost its file {:?}: {} is gone, or is another object now; restore it, or register the version again",
                file.path,
                bucket.uri(&key)
            ))
            .because(failure.into_error()))
        }
        Err(failure) => Err(failure.into_error()),
    }
}

/// So often in a row a stream may break without a byte in between.
const BREAKS: u32 = 5;

/// A file's bytes, gone on with where a connection breaks.
struct Resumed {
    bucket: Arc<Bucket>,
    artifact: Digest,
    file: FileEntry,
    tag: String,
    body: ByteStream,
    read: u64,
    broken: u32,
}

impl Resumed {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let error = match self.body.next().await {
                Some(Ok(piece)) => {
                    self.read += piece.len() as u64;
                    self.broken = 0;
                    return Ok(Some(piece));
                }
                None => return Ok(None),
                Some(Err(error)) => error,
            };
            self.broken += 1;
            // An empty range cannot be asked for: a break after the last byte is an end.
            if self.broken > BREAKS || self.read >= self.file.size {
                return Err(io::Error::other(error));
            }
            let (offset, tag) = (self.read, Some(self.tag.as_str()));
            let next = Box::pin(begin(&self.bucket, &self.artifact, &self.file, offset, tag)).await;
            self.body = next.map_err(io::Error::other)?.body;
        }
    }
}

/// Writes an artifact's files below `directory`.
pub(super) async fn materialise(
    bucket: &Arc<Bucket>,
    digest: &Digest,
    directory: &Path,
) -> Result<()> {
    let artifact = manifest(bucket, digest).await?;
    let files: Vec<BoxFuture<'_, _>> = artifact
        .files
        .iter()
        .map(|file| write_file(bucket, digest, file, directory).boxed())
        .collect();
    stream::iter(files)
        .buffer_unordered(FILES)
        .try_collect::<Vec<()>>()
        .await
        .map(drop)
}

async fn write_file(
    bucket: &Arc<Bucket>,
    artifact: &Digest,
    file: &FileEntry,
    directory: &Path,
) -> Result<()> {
    let target = directory.join(&file.path);
    let (at, entry) = (target.clone(), file.clone());
    let _line = line().await;
    let staged = blocking(move || Staged::begin(at, &entry)).await?;
    let Some(mut staged) = staged else {
        return Ok(());
    };
    let mut reader = open(bucket, artifact, file).await?;
    loop {
        let mut buffer = Vec::with_capacity(BUFFER);
        let end = fill(&mut reader, &mut buffer)
            .await
            .map_err(|error| unread(bucket, artifact, file, error))?;
        staged = blocking(move || staged.write(&buffer)).await?;
        if end {
            break;
        }
    }
    blocking(move || staged.settle()).await
}

/// Fills the buffer as far as there are bytes; true at their end.
async fn fill(reader: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<bool> {
    while buffer.len() < BUFFER {
        let room = (BUFFER - buffer.len()) as u64;
        if reader.take(room).read_buf(buffer).await? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a reader's error means: our own, bytes that are wrong, or a line that kept breaking.
fn unread(bucket: &Bucket, artifact: &Digest, file: &FileEntry, error: io::Error) -> Error {
    let place = bucket.uri(&bucket.layout.file(artifact, &file.path));
    if error.kind() == io::ErrorKind::InvalidData {
        return Error::corrupt(format!(
            "artifact {artifact} is damaged: {place} does not have the digest of its file {:?}; restore it, or register the version again",
            file.path
        ))
        .because(error);
    }
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(error) => Error::unavailable(format!(
            "the bytes of {place} stopped coming; check the network, then run the operation again"
        ))
        .because(error),
    }
}

/// A file that is written under another name until it is whole; it goes with this.
struct Staged {
    path: PathBuf,
    target: PathBuf,
    file: File,
    done: bool,
}

impl Staged {
    /// `None` if the target is there and right. Blocking, as all of this.
    fn begin(target: PathBuf, entry: &FileEntry) -> Result<Option<Self>> {
        if is_right(&target, entry) {
            return Ok(None);
        }
        let parent = target.parent().unwrap_or(Path::new(".")).to_owned();
        std::fs::create_dir_all(&parent).map_err(|error| fault(&target, error))?;
        let path = parent.join(format!(".mlops-{}", uuid::Uuid::new_v4()));
        let file = File::create_new(&path).map_err(|error| fault(&target, error))?;
        Ok(Some(Self {
            path,
            target,
            file,
            done: false,
        }))
    }

    fn write(mut self, bytes: &[u8]) -> Result<Self> {
        match self.file.write_all(bytes) {
            Ok(()) => Ok(self),
            Err(error) => Err(fault(&self.target, error)),
        }
    }

    fn settle(mut self) -> Result<()> {
        let settled = self.file.sync_all().and_then(|()| {
            std::fs::rename(&self.path, &self.target)?;
            self.done = true;
            match self.target.parent() {
                Some(parent) => File::open(parent)?.sync_all(),
                None => Ok(()),
            }
        });
        settled.map_err(|error| fault(&self.target, error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn is_right(path: &Path, entry: &FileEntry) -> bool {
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    let same_size = file
        .metadata()
        .is_ok_and(|found| found.is_file() && found.len() == entry.size);
    let mut hasher = Sha256::new();
    same_size && io::copy(&mut file, &mut hasher).is_ok() && Digest::finish(hasher) == entry.digest
}

fn fault(target: &Path, error: io::Error) -> Error {
    Error::unavailable(format!(
        "{} could not be written; make room for it, let this user write there, or name another directory",
        target.display()
    ))
    .because(error)
}
