//! A store of artifacts elsewhere, and copies of what this machine serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::artifacts::{
    Artifact, ArtifactReader, ArtifactStore, Digest, DigestCache, FileEntry, NoDigestCache,
    StoredArtifact, UnfinishedUploads,
};
use mlops_core::{Error, Result};

use crate::artifacts::LocalArtifacts;

/// The store `far`, whose artifacts are copied to `near` when they are asked for: after [`ArtifactStore::get`],
/// [`ArtifactStore::path_of`] tells where a file lies. Everything else is `far`'s.
///
/// So is a removal: the copies of this machine stay, and are found by [`ArtifactStore::get`]. Servers may run from them, and a
/// registry that lies in the same directory may name them. A sweep of that directory's own registry clears them; what is
/// served after that is copied anew.
pub struct Mirror {
    far: Arc<dyn ArtifactStore>,
    near: LocalArtifacts,
}

impl Mirror {
    /// Copies from `far` to `near`.
    pub fn new(far: Arc<dyn ArtifactStore>, near: LocalArtifacts) -> Self {
        Self { far, near }
    }

    async fn copy(&self, digest: &Digest) -> Result<Artifact> {
        let directory = tempfile::tempdir().map_err(|error| {
            Error::unavailable("no temporary directory could be made for an artifact")
                .because(error)
        })?;
        self.far.materialise(digest, directory.path()).await?;
        let copied = self.near.put_tree(directory.path(), &NoDigestCache).await?;
        if copied.digest != *digest {
            return Err(Error::corrupt(format!(
                "artifact {digest} became {} on its way to this machine; run the operation again",
                copied.digest
            )));
        }
        Ok(copied)
    }
}

#[async_trait]
impl ArtifactStore for Mirror {
    async fn put_tree(&self, source: &Path, cache: &dyn DigestCache) -> Result<Artifact> {
        self.far.put_tree(source, cache).await
    }

    async fn put_planned(
        &self,
        source: &Path,
        planned: &Digest,
        cache: &dyn DigestCache,
    ) -> Result<Artifact> {
        self.far.put_planned(source, planned, cache).await
    }

    async fn get(&self, digest: &Digest) -> Result<Artifact> {
        match self.near.get(digest).await {
            Err(error) if error.is_not_found() => self.copy(digest).await,
            found => found,
        }
    }

    async fn list(&self) -> Result<Vec<StoredArtifact>> {
        self.far.list().await
    }

    async fn check(&self, digest: &Digest) -> Result<()> {
        self.far.check(digest).await
    }

    async fn remove(&self, digest: &Digest) -> Result<u64> {
        self.far.remove(digest).await
    }

    async fn end_uploads(&self, grace: Duration, delete: bool) -> Result<UnfinishedUploads> {
        self.far.end_uploads(grace, delete).await
    }

    async fn open(&self, digest: &Digest, path: &str) -> Result<ArtifactReader> {
        self.far.open(digest, path).await
    }

    async fn materialise(&self, digest: &Digest, directory: &Path) -> Result<()> {
        self.far.materialise(digest, directory).await
    }

    fn path_of(&self, file: &FileEntry) -> Option<PathBuf> {
        self.near.path_of(file)
    }

    fn uri(&self, digest: &Digest) -> String {
        self.far.uri(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlops_core::memory::MemoryArtifacts;

    #[tokio::test]
    async fn an_artifact_that_is_asked_for_lies_on_this_machine_and_is_copied_once() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source");
        std::fs::create_dir_all(source.join("extra")).unwrap();
        std::fs::write(source.join("model.onnx"), b"graph").unwrap();
        std::fs::write(source.join("extra/labels.json"), b"[]").unwrap();
        let far = Arc::new(MemoryArtifacts::default());
        let stored = far.put_tree(&source, &NoDigestCache).await.unwrap();
        let near = directory.path().join("near");
        let mirror = Mirror::new(far.clone(), LocalArtifacts::new(&near));

        let found = mirror.get(&stored.digest).await.unwrap();
        assert_eq!(found, stored);
        for file in &found.files {
            let place = mirror.path_of(file).unwrap();
            assert_eq!(Digest::of(&std::fs::read(place).unwrap()), file.digest);
        }

        let alone = Mirror::new(
            Arc::new(MemoryArtifacts::default()),
            LocalArtifacts::new(&near),
        );
        assert_eq!(alone.get(&stored.digest).await.unwrap(), stored);
        // What is removed there is served from here on, and only what is there counts as stored.
        assert!(mirror.remove(&stored.digest).await.unwrap() > 0);
        assert!(mirror.list().await.unwrap().is_empty());
        assert!(far.get(&stored.digest).await.unwrap_err().is_not_found());
        assert!(
            mirror
                .check(&stored.digest)
                .await
                .unwrap_err()
                .is_not_found()
        );
        assert_eq!(mirror.get(&stored.digest).await.unwrap(), stored);

        let unknown = Digest::of(b"unknown");
        assert!(alone.get(&unknown).await.unwrap_err().is_not_found());
    }
}
