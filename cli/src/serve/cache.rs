//! Models' files in a directory that tasks share, by their digests: the first task that needs one keeps it for the others.
//!
//! Whatever goes wrong here costs time and nothing else: the file is fetched from the store. A file is whole from the moment it has its name, and is
//! verified all the same when it is read, because whoever may write there may change it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mlops_core::artifacts::{ArtifactReader, FileEntry, Verified};
use uuid::Uuid;

/// What is in the directory's own one, so that other things have room beside it.
const PLACE: &str = "mlops-models/sha256";
/// What the names of files begin with that are being written.
const UNFINISHED: &str = ".unfinished-";
/// How long nothing was written to a file that nobody finishes.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// The files of models in a shared directory.
#[derive(Debug)]
pub(super) struct Cache {
    place: PathBuf,
}

impl Cache {
    /// Those in `directory`. Touches nothing yet.
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            place: directory.join(PLACE),
        }
    }

    fn path(&self, file: &FileEntry) -> PathBuf {
        self.place.join(file.digest.hex())
    }

    /// The file, if it is there: the last bytes come only if all have the right digest.
    pub(super) async fn open(&self, file: &FileEntry) -> io::Result<Option<ArtifactReader>> {
        match tokio::fs::File::open(self.path(file)).await {
            Ok(found) => Ok(Some(Box::new(Verified::new(found, file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps what lies at `from`, which was verified.
    pub(super) async fn keep(&self, file: &FileEntry, from: &Path) -> io::Result<()> {
        tokio::fs::create_dir_all(&self.place).await?;
        self.sweep().await;
        // Tasks write side by side; each has a file of its own until it is whole.
        let unfinished = self.place.join(format!("{UNFINISHED}{}", Uuid::new_v4()));
        let written = write(from, &unfinished).await;
        let kept = match written {
            Ok(()) => tokio::fs::rename(&unfinished, self.path(file)).await,
            Err(error) => Err(error),
        };
        if kept.is_err() {
            let _ = tokio::fs::remove_file(&unfinished).await;
        }
        kept
    }

    /// Takes away what was kept with other bytes than it should have.
    pub(super) async fn forget(&self, file: &FileEntry) {
        // Who may not do so reads it again the next time, to the same end.
        let _ = tokio::fs::remove_file(self.path(file)).await;
    }

    /// Takes away what tasks left that were killed while they wrote.
    async fn sweep(&self) {
        let Ok(mut entries) = tokio::fs::read_dir(&self.place).await else {
            return;
        };
        while let Ok(Some(entry)) = entries.next_entry().await {
            if !entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                continue;
            }
            let Ok(written) = entry.metadata().await.and_then(|about| about.modified()) else {
                continue;
            };
            if written.elapsed().is_ok_and(|since| since > ABANDONED) {
                let _ = tokio::fs::remove_file(entry.path()).await;
            }
        }
    }
}

/// Copies, and waits until it is on the disk: a name must not stand for bytes that a crash may lose.
async fn write(from: &Path, to: &Path) -> io::Result<()> {
    tokio::fs::copy(from, to).await?;
    tokio::fs::File::open(to).await?.sync_all().await
}

#[cfg(test)]
mod tests {
    use mlops_core::artifacts::Digest;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn entry(bytes: &[u8]) -> FileEntry {
        FileEntry {
            path: "model.onnx".to_owned(),
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        }
    }

    async fn read(cache: &Cache, file: &FileEntry) -> io::Result<Option<Vec<u8>>> {
        let Some(mut reader) = cache.open(file).await? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).await?;
        Ok(Some(bytes))
    }

    #[tokio::test]
    async fn what_one_task_keeps_another_finds_and_what_was_changed_is_not_handed_out() {
        let directory = tempfile::tempdir().expect("a directory");
        let source = directory.path().join("source");
        std::fs::write(&source, b"weights").expect("written");
        let (file, cache) = (entry(b"weights"), Cache::new(directory.path()));
        assert_eq!(read(&cache, &file).await.expect("read"), None);
        cache.keep(&file, &source).await.expect("kept");
        let other = Cache::new(directory.path());
        let found = read(&other, &file).await.expect("read");
        assert_eq!(found.as_deref(), Some(&b"weights"[..]));
        // Again is no harm.
        other.keep(&file, &source).await.expect("kept");

        std::fs::write(cache.path(&file), b"Weights").expect("changed");
        let error = read(&cache, &file).await.expect_err("damaged");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        cache.forget(&file).await;
        assert_eq!(read(&cache, &file).await.expect("read"), None);
    }

    #[tokio::test]
    async fn what_cannot_be_kept_leaves_nothing_and_what_was_abandoned_goes() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, cache) = (entry(b"weights"), Cache::new(directory.path()));
        let missing = directory.path().join("missing");
        cache.keep(&file, &missing).await.expect_err("no such file");
        let names = || {
            let there = std::fs::read_dir(&cache.place).expect("there");
            there.count()
        };
        assert_eq!(names(), 0);

        let left = cache.place.join(format!("{UNFINISHED}1"));
        let recent = cache.place.join(format!("{UNFINISHED}2"));
        for path in [&left, &recent] {
            std::fs::write(path, b"wei").expect("written");
        }
        let old = std::time::SystemTime::now() - 2 * ABANDONED;
        let abandoned = std::fs::File::options().write(true).open(&left);
        abandoned.expect("there").set_modified(old).expect("set");
        std::fs::write(directory.path().join("source"), b"weights").expect("written");
        let source = directory.path().join("source");
        cache.keep(&file, &source).await.expect("kept");
        assert!(!left.exists() && recent.exists());
    }
}
