//! Artifacts in a map.

use std::collections::{HashMap, HashSet};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::artifacts::{
    Artifact, ArtifactReader, ArtifactStore, Digest, DigestCache, FileEntry, StoredArtifact,
    UnfinishedUploads, Verified, describe_source,
};
use crate::error::{Error, Result};

#[derive(Default)]
struct State {
    blobs: HashMap<Digest, Vec<u8>>,
    artifacts: HashMap<Digest, (Artifact, Timestamp)>,
}

impl State {
    fn keep(&mut self, artifact: &Artifact) {
        let stored = (artifact.clone(), Timestamp::now());
        self.artifacts.insert(artifact.digest, stored);
    }
}

/// A store of artifacts that lives as long as this value. For small ones: it keeps their bytes.
#[derive(Default)]
pub struct MemoryArtifacts(Mutex<State>);

impl MemoryArtifacts {
    /// Stores one file's bytes under this path, without a source on disk.
    pub fn put_bytes(&self, path: &str, bytes: &[u8]) -> Result<Artifact> {
        let entry = FileEntry {
            path: path.to_owned(),
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        };
        let artifact = Artifact::new(vec![entry.clone()])?;
        let mut state = self.state();
        state.blobs.insert(entry.digest, bytes.to_vec());
        state.keep(&artifact);
        Ok(artifact)
    }

    /// Damages a stored file.
    pub fn corrupt(&self, file: &Digest) {
        if let Some(byte) = self
            .state()
            .blobs
            .get_mut(file)
            .and_then(|bytes| bytes.last_mut())
        {
            *byte ^= 1;
        }
    }

    /// Loses a stored file, as a killed process or a damaged disk does.
    pub fn lose(&self, file: &Digest) {
        self.state().blobs.remove(file);
    }

    /// Has an artifact be written at this time: a test's clock is not the machine's, which this
    /// store asks.
    pub fn set_modified(&self, artifact: &Digest, at: Timestamp) {
        if let Some((_, modified)) = self.state().artifacts.get_mut(artifact) {
            *modified = at;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ArtifactStore for MemoryArtifacts {
    async fn put_tree(&self, source: &Path, cache: &dyn DigestCache) -> Result<Artifact> {
        let tree = describe_source(source)?;
        let mut entries = Vec::new();
        let mut blobs = Vec::new();
        for file in &tree.files {
            let mut bytes = Vec::new();
            let digest = file.read(|piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            cache.put(&file.stamp, &digest);
            entries.push(FileEntry {
                path: file.path.clone(),
                size: bytes.len() as u64,
                digest,
            });
            blobs.push((digest, bytes));
        }
        let artifact = Artifact::new(entries)?;
        let mut state = self.state();
        state.blobs.extend(blobs);
        state.keep(&artifact);
        Ok(artifact)
    }

    async fn get(&self, digest: &Digest) -> Result<Artifact> {
        self.state()
            .artifacts
            .get(digest)
            .map(|(artifact, _)| artifact.clone())
            .ok_or_else(|| Error::not_found(format!("artifact {digest} is not in memory")))
    }

    async fn list(&self) -> Result<Vec<StoredArtifact>> {
        let state = self.state();
        let stored = state
            .artifacts
            .values()
            .map(|(artifact, modified)| StoredArtifact {
                digest: artifact.digest,
                size_bytes: artifact.manifest().len() as u64
                    + artifact.contents().values().sum::<u64>(),
                modified: *modified,
                complete: true,
            });
        Ok(stored.collect())
    }

    async fn check(&self, digest: &Digest) -> Result<()> {
        let artifact = self.get(digest).await?;
        let state = self.state();
        let held = |file: &&FileEntry| {
            let found = state.blobs.get(&file.digest);
            found.is_some_and(|bytes| bytes.len() as u64 == file.size)
        };
        match artifact.files.iter().find(|file| !held(file)) {
            None => Ok(()),
            Some(file) => Err(Error::not_found(format!(
                "artifact {digest} is not whole: its file {:?} is not in memory",
                file.path
            ))),
        }
    }

    async fn remove(&self, digest: &Digest) -> Result<u64> {
        let mut state = self.state();
        let Some((artifact, _)) = state.artifacts.remove(digest) else {
            return Ok(0);
        };
        let shared: HashSet<Digest> = state
            .artifacts
            .values()
            .flat_map(|(other, _)| other.files.iter().map(|file| file.digest))
            .collect();
        let mut freed = artifact.manifest().len() as u64;
        for content in artifact.contents().keys() {
            if !shared.contains(content) {
                freed += state
                    .blobs
                    .remove(content)
                    .map_or(0, |bytes| bytes.len() as u64);
            }
        }
        Ok(freed)
    }

    /// None: an upload is one step here.
    async fn end_uploads(&self, _: Duration, _: bool) -> Result<UnfinishedUploads> {
        Ok(UnfinishedUploads::default())
    }

    async fn open(&self, digest: &Digest, path: &str) -> Result<ArtifactReader> {
        let artifact = self.get(digest).await?;
        let file = artifact.file(path)?;
        let bytes = self.state().blobs.get(&file.digest).cloned();
        let bytes = bytes.ok_or_else(|| {
            Error::corrupt(format!("artifact {digest} has lost its file {path:?}"))
        })?;
        Ok(Box::new(Verified::new(Cursor::new(bytes), file)))
    }

    async fn materialise(&self, digest: &Digest, directory: &Path) -> Result<()> {
        use tokio::io::AsyncReadExt as _;
        let failed = |error: std::io::Error| {
            Error::unavailable(format!(
                "artifact {digest} could not be written to {}",
                directory.display()
            ))
            .because(error)
        };
        for file in self.get(digest).await?.files {
            let mut bytes = Vec::new();
            self.open(digest, &file.path)
                .await?
                .read_to_end(&mut bytes)
                .await
                .map_err(|error| Error::corrupt(error.to_string()))?;
            let target = directory.join(&file.path);
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent).map_err(failed)?;
            }
            std::fs::write(target, bytes).map_err(failed)?;
        }
        Ok(())
    }

    fn path_of(&self, _: &FileEntry) -> Option<PathBuf> {
        None
    }

    fn uri(&self, digest: &Digest) -> String {
        format!("memory://{digest}")
    }
}
