//! The port to a store of artifacts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncRead;

use super::{Artifact, Digest, DigestCache, FileEntry};
use crate::error::Result;

/// Streams a file's bytes. The read that would return the last of them fails with an I/O error
/// instead, if the bytes do not have the digest that was asked for.
pub type ArtifactReader = Box<dyn AsyncRead + Send + Unpin>;

/// What a store holds below one digest, as a sweep sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArtifact {
    /// The artifact's.
    pub digest: Digest,
    /// Bytes that lie below this digest, its manifest's among them, and that removing it would
    /// free at most: files that other artifacts share stay.
    pub size_bytes: u64,
    /// When the youngest of it was written.
    pub modified: jiff::Timestamp,
    /// Whether the manifest is there; what a killed upload left has none.
    pub complete: bool,
}

/// What killed uploads left that no digest tells, as a sweep sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnfinishedUploads {
    /// Where they were to lie, of those that are older than the sweep's grace time.
    pub old: Vec<String>,
    /// How many are younger, or may still be at work.
    pub young: usize,
}

/// A content-addressed store. Every operation streams through a fixed amount of memory.
///
/// A removal never harms another artifact, whatever is uploaded meanwhile. Of a removal and an
/// upload of the same artifact at the same time, either may win, and a store without locks may be
/// left with a part of it: who registers what a sweep touched asks [`ArtifactStore::check`]. An
/// upload that begins when the removal has ended stores the artifact whole, and a read of what is
/// being removed fails as a read of what is not there, or of what is damaged.
///
/// Conformance: [`crate::conformance::artifacts`].
#[async_trait]
pub trait ArtifactStore: Send + Sync {
    /// Stores the file or directory at `source`; durable when it returns. Files that the store
    /// already holds are not copied again. The digests of files that were hashed go to `cache`.
    ///
    /// Fails with attribute `source` for a source that is missing, empty, unreadable, holds a
    /// link loop or a special file, or changed while it was read.
    async fn put_tree(&self, source: &Path, cache: &dyn DigestCache) -> Result<Artifact>;

    /// Stores the source if it is the artifact `planned`, as [`ArtifactStore::put_tree`] does, and
    /// fails as [`Artifact::check_planned`] does if it is another.
    ///
    /// The default looks at what it stored, which then lies there and belongs to nothing. A store
    /// that knows the digest before anything can be found overrides it and keeps nothing.
    async fn put_planned(
        &self,
        source: &Path,
        planned: &Digest,
        cache: &dyn DigestCache,
    ) -> Result<Artifact> {
        let stored = self.put_tree(source, cache).await?;
        stored.check_planned(source, planned)?;
        Ok(stored)
    }

    /// What the manifest of this digest says; not found if the store has none.
    async fn get(&self, digest: &Digest) -> Result<Artifact>;

    /// Everything that lies in the store, in any order: incomplete uploads too, as far as the
    /// store can tell which artifact they were to be.
    async fn list(&self) -> Result<Vec<StoredArtifact>>;

    /// Fails (not found) unless the manifest and every file it names are there with their sizes.
    /// Reads no file's content. Used by a registration whose artifact a sweep touched.
    async fn check(&self, digest: &Digest) -> Result<()>;

    /// Removes an artifact, manifest first, so that a killed removal leaves nothing that looks
    /// whole; answers the bytes that were freed. What is not there is success (0). Files that
    /// other artifacts share stay.
    ///
    /// If the future is dropped, nothing more is removed but what is under way in that moment.
    ///
    /// A store that clears up what killed uploads and removals left, while it is at it, counts
    /// those bytes too.
    async fn remove(&self, digest: &Digest) -> Result<u64>;

    /// Ends the uploads that were begun longer than `grace` ago and that nobody finished, and
    /// frees what they hold. Without `delete` it only says which. One that is ended while it is
    /// at work after all begins anew.
    ///
    /// What lies under an artifact's digest is not among them: that is listed.
    async fn end_uploads(&self, grace: Duration, delete: bool) -> Result<UnfinishedUploads>;

    /// Opens one file of an artifact.
    async fn open(&self, digest: &Digest, path: &str) -> Result<ArtifactReader>;

    /// Writes an artifact's files below `directory`, which is made if it is missing, and
    /// verifies each while it is written. Files that are there with the right content stay.
    async fn materialise(&self, digest: &Digest, directory: &Path) -> Result<()>;

    /// Where this file lies, if the store is a directory of this machine. The content is not
    /// verified: whoever reads it there does that.
    fn path_of(&self, file: &FileEntry) -> Option<PathBuf>;

    /// The URI under which people find the artifact.
    fn uri(&self, digest: &Digest) -> String;
}
