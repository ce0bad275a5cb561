//! Artifacts in a directory, each file once.
//!
//! ```text
//! artifacts/sha256/ab/<hex>      a file, named by the digest of its bytes
//! artifacts/manifests/ab/<hex>   a manifest, named by the digest of its text
//! artifacts/tmp/                 files on their way in
//! artifacts/lock                 held shared by uploads, exclusively by removals and sweeps of tmp/
//! ```
//!
//! All files of an artifact are written to `tmp/` while they are hashed. If they are what was planned,
//! each is synced, renamed to its place, and its directory synced; the manifest comes last, so an
//! artifact that can be found is whole. What a killed upload left in `tmp/` is swept by the next one
//! that finds nobody else at work.
//!
//! A removal is alone: no upload of any process is between finding a file here and writing the
//! manifest that names it. It removes the manifest, then the files that no other manifest names,
//! whoever left them. The locks end with their processes.

mod copy;
mod layout;
mod removal;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mlops_core::artifacts::{
    Artifact, ArtifactReader, ArtifactStore, Digest, DigestCache, FileEntry, StoredArtifact,
    UnfinishedUploads, Verified, describe_source,
};
use mlops_core::{Error, Result};

use layout::Layout;

/// The store below one directory (`.mlops/artifacts`). Made by the first upload.
#[derive(Debug, Clone)]
pub struct LocalArtifacts {
    layout: Arc<Layout>,
}

impl LocalArtifacts {
    /// The artifacts in `directory` (`.mlops`), below its `artifacts`.
    pub fn new(directory: &Path) -> Self {
        let root = directory.join("artifacts");
        Self {
            layout: Arc::new(Layout::new(std::path::absolute(&root).unwrap_or(root))),
        }
    }

    /// Takes all files in, compares, and only then moves them to where they stay.
    async fn put(
        &self,
        source: &Path,
        planned: Option<Digest>,
        cache: &dyn DigestCache,
    ) -> Result<Artifact> {
        let (layout, source) = (Arc::clone(&self.layout), source.to_owned());
        let (from, layout_of) = (source.clone(), Arc::clone(&self.layout));
        let (tree, lock) =
            blocking(move || Ok((describe_source(&from)?, layout_of.begin_upload()?))).await?;
        let lock = Arc::new(lock);
        let mut entries = Vec::with_capacity(tree.files.len());
        let mut staged = HashMap::new();
        for file in tree.files {
            // A digest that is remembered and whose bytes are here needs no reading.
            let known = cache
                .get(&file.stamp)
                .filter(|digest| layout.holds(digest, file.stamp.size));
            let digest = match known {
                Some(digest) => digest,
                None => {
                    let (layout_of, from, lock) =
                        (Arc::clone(&layout), file.clone(), Arc::clone(&lock));
                    let (copy, digest) = blocking(move || {
                        let _held = lock;
                        copy::take_in(&layout_of, &from)
                    })
                    .await?;
                    if !layout.holds(&digest, file.stamp.size) {
                        staged.entry(digest).or_insert(copy);
                    }
                    digest
                }
            };
            cache.put(&file.stamp, &digest);
            entries.push(FileEntry {
                path: file.path,
                size: file.stamp.size,
                digest,
            });
        }
        blocking(move || {
            let _held = lock;
            let artifact = Artifact::new(entries)?;
            if let Some(planned) = planned {
                artifact.check_planned(&source, &planned)?;
            }
            for (digest, copy) in staged {
                layout.settle(&copy, &layout.blob(&digest))?;
            }
            copy::write_manifest(&layout, &artifact)?;
            Ok(artifact)
        })
        .await
    }

    fn load(layout: &Layout, digest: &Digest) -> Result<Artifact> {
        let path = layout.manifest(digest);
        match std::fs::read_to_string(&path) {
            Ok(text) => Artifact::parse(digest, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::not_found(format!(
                    "artifact {digest} is not in {}; restore it, or register the version again",
                    layout.root().display()
                )))
            }
            Err(error) => Err(layout.fault(&path, "read", error)),
        }
    }
}

/// Runs blocking file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::bug("file work of the artifact store did not end; report this").because(error)
    })?
}

#[async_trait]
impl ArtifactStore for LocalArtifacts {
    async fn put_tree(&self, source: &Path, cache: &dyn DigestCache) -> Result<Artifact> {
        self.put(source, None, cache).await
    }

    async fn put_planned(
        &self,
        source: &Path,
        planned: &Digest,
        cache: &dyn DigestCache,
    ) -> Result<Artifact> {
        self.put(source, Some(*planned), cache).await
    }

    async fn get(&self, digest: &Digest) -> Result<Artifact> {
        let (layout, digest) = (Arc::clone(&self.layout), *digest);
        blocking(move || Self::load(&layout, &digest)).await
    }

    async fn list(&self) -> Result<Vec<StoredArtifact>> {
        let layout = Arc::clone(&self.layout);
        blocking(move || removal::list(&layout)).await
    }

    async fn check(&self, digest: &Digest) -> Result<()> {
        let (layout, digest) = (Arc::clone(&self.layout), *digest);
        blocking(move || removal::check(&layout, &digest)).await
    }

    async fn remove(&self, digest: &Digest) -> Result<u64> {
        removal::remove(&self.layout, digest, removal::PATIENCE).await
    }

    async fn end_uploads(&self, grace: Duration, delete: bool) -> Result<UnfinishedUploads> {
        let layout = Arc::clone(&self.layout);
        blocking(move || removal::end_uploads(&layout, grace, delete)).await
    }

    async fn open(&self, digest: &Digest, path: &str) -> Result<ArtifactReader> {
        let artifact = self.get(digest).await?;
        let entry = artifact.file(path)?;
        let location = self.layout.blob(&entry.digest);
        let file = tokio::fs::File::open(&location)
            .await
            .map_err(|error| copy::lost(digest, entry, &location, error))?;
        Ok(Box::new(Verified::new(file, entry)))
    }

    async fn materialise(&self, digest: &Digest, directory: &Path) -> Result<()> {
        let (layout, digest, directory) = (Arc::clone(&self.layout), *digest, directory.to_owned());
        blocking(move || {
            let artifact = Self::load(&layout, &digest)?;
            artifact
                .files
                .iter()
                .try_for_each(|file| copy::hand_out(&layout, &digest, file, &directory))
        })
        .await
    }

    fn path_of(&self, file: &FileEntry) -> Option<PathBuf> {
        Some(self.layout.blob(&file.digest))
    }

    fn uri(&self, digest: &Digest) -> String {
        format!("file://{}", self.layout.manifest(digest).display())
    }
}
