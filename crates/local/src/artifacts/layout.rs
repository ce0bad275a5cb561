//! Where files lie, and who may sweep.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use mlops_core::artifacts::Digest;
use mlops_core::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.below("sha256", digest)
    }

    pub(super) fn manifest(&self, digest: &Digest) -> PathBuf {
        self.below("manifests", digest)
    }

    /// Where the files of all artifacts are.
    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("sha256")
    }

    /// Where all manifests are.
    pub(super) fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    fn below(&self, kind: &str, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(kind).join(&hex[..2]).join(&hex)
    }

    /// Whether the bytes of this digest are here. By size: reads verify the rest.
    pub(super) fn holds(&self, digest: &Digest, size: u64) -> bool {
        std::fs::metadata(self.blob(digest))
            .is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Makes the directories, sweeps what killed uploads left if nobody else uploads, and holds
    /// sweeps off until the returned file is dropped.
    pub(super) fn begin_upload(&self) -> Result<File> {
        self.make_directory(&self.root.join("tmp"))?;
        let lock = self.open_lock()?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            self.sweep_staged();
        }
        flock(&lock, FlockOperation::LockShared)
            .map_err(|error| self.fault(&self.lock(), "locked", error.into()))?;
        Ok(lock)
    }

    /// Holds uploads off until the returned file is dropped; `None` while one is at work.
    pub(super) fn try_alone(&self) -> Result<Option<File>> {
        let lock = self.open_lock()?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(lock)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(self.fault(&self.lock(), "locked", error.into())),
        }
    }

    /// Removes what killed uploads left in `tmp/`; its bytes. For whoever is alone here.
    pub(super) fn sweep_staged(&self) -> u64 {
        let mut freed = 0;
        for path in self.staged() {
            let size = path.metadata().map_or(0, |found| found.len());
            // What cannot be swept now is swept next time.
            if std::fs::remove_file(path).is_ok() {
                freed += size;
            }
        }
        freed
    }

    /// What lies in `tmp/`.
    pub(super) fn staged(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join("tmp"));
        let paths = entries.into_iter().flatten().flatten();
        paths.map(|entry| entry.path()).collect()
    }

    fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    fn open_lock(&self) -> Result<File> {
        let path = self.lock();
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| self.fault(&path, "opened for writing", error))
    }

    /// A fresh file in `tmp/`, filled by `write`, and what that returned.
    pub(super) fn stage<T>(
        &self,
        write: impl FnOnce(&mut Staging<'_>) -> Result<T>,
    ) -> Result<(Staged, T)> {
        let path = self.root.join("tmp").join(uuid::Uuid::new_v4().to_string());
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| self.fault(&path, "written", error))?;
        let staged = Staged(path);
        let written = write(&mut Staging {
            layout: self,
            path: &staged.0,
            file,
        })?;
        Ok((staged, written))
    }

    /// Makes a staged file durable and moves it to its place.
    pub(super) fn settle(&self, staged: &Staged, place: &Path) -> Result<()> {
        File::open(&staged.0)
            .and_then(|file| file.sync_all())
            .map_err(|error| self.fault(&staged.0, "synced", error))?;
        let directory = place.parent().unwrap_or(&self.root);
        self.make_directory(directory)?;
        std::fs::rename(&staged.0, place).map_err(|error| self.fault(place, "written", error))?;
        self.sync(directory)
    }

    /// Makes what was made and removed in a directory last.
    pub(super) fn sync(&self, directory: &Path) -> Result<()> {
        File::open(directory)
            .and_then(|opened| opened.sync_all())
            .map_err(|error| self.fault(directory, "synced", error))
    }

    /// Makes a directory for this user alone; every new entry is durable.
    fn make_directory(&self, directory: &Path) -> Result<()> {
        if directory.is_dir() {
            return Ok(());
        }
        if let Some(parent) = directory.parent() {
            self.make_directory(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(error) => return Err(self.fault(directory, "made", error)),
        }
        match directory.parent() {
            Some(parent) => self.sync(parent),
            None => Ok(()),
        }
    }

    pub(super) fn fault(&self, path: &Path, tried: &str, error: io::Error) -> Error {
        crate::records::explain_io(path, tried, error)
    }
}

/// A file in `tmp/` that is being written.
pub(super) struct Staging<'a> {
    layout: &'a Layout,
    path: &'a Path,
    file: File,
}

impl Staging<'_> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        (self.file.write_all(bytes)).map_err(|error| self.layout.fault(self.path, "written", error))
    }
}

/// A file in `tmp/`, written and not durable. Removed when this is dropped, unless it was settled.
pub(super) struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        // Gone already if it was settled; else a later upload sweeps what is left.
        let _ = std::fs::remove_file(&self.0);
    }
}
