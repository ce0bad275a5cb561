//! The port to a store of artifacts.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::io::AsyncRead;

use super::{Artifact, Digest, DigestCache, FileEntry};
use crate::error::Result;

/// Streams a file's bytes. The read that would return the last of them fails with an I/O error
/// instead, if the bytes do not have the digest that was asked for.
pub type ArtifactReader = Box<dyn AsyncRead + Send + Unpin>;

/// A content-addressed store. Every operation streams through a fixed amount of memory.
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
