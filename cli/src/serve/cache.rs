//! Models' files in a directory that tasks share, by their digests: the first task that needs one keeps it for the others.
//!
//! Whatever goes wrong here costs time and nothing else: the file is fetched from the store. A file is whole from the moment it has its name, and is
//! verified all the same when it is read, because whoever may write there may change it.

mod room;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mlops_core::artifacts::{ArtifactReader, FileEntry, Verified};
use rustix::fs::OFlags;
use tokio::fs::{DirEntry, File};
use uuid::Uuid;

use self::room::Sweep;

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
    /// How much of the disk stays free, if this is all that ever cleans it. What is not on one machine's disk is left alone: nobody knows who else
    /// needs it.
    free_percent: Option<u8>,
}

impl Cache {
    /// Those in `directory`. Touches nothing yet.
    pub(super) fn new(directory: &Path, free_percent: Option<u8>) -> Self {
        Self {
            place: directory.join(PLACE),
            free_percent,
        }
    }

    fn path(&self, file: &FileEntry) -> PathBuf {
        self.place.join(file.digest.hex())
    }

    /// The file, if it is there: the last bytes come only if all have the right digest.
    pub(super) async fn open(&self, file: &FileEntry) -> io::Result<Option<ArtifactReader>> {
        let found = match regular(&self.path(file)).await {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = match self.free_percent {
            Some(_) => used_now(found).await,
            None => found,
        };
        Ok(Some(Box::new(Verified::new(found, file))))
    }

    /// Makes room for the file where it is served from, which on one machine's disk is the same disk: what is kept must not be why a start finds
    /// none. What is kept of the file itself stays.
    pub(super) async fn make_room(&self, file: &FileEntry) -> io::Result<()> {
        let Some(percent) = self.free_percent else {
            return Ok(());
        };
        self.forget_unfinished().await;
        match self.plan(file, percent).await {
            Ok(sweep) => swept(sweep).await,
            // Nothing was kept yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Keeps what lies at `from`, which was verified.
    pub(super) async fn keep(&self, file: &FileEntry, from: &Path) -> io::Result<()> {
        tokio::fs::create_dir_all(&self.place).await?;
        self.forget_unfinished().await;
        if let Some(percent) = self.free_percent {
            let sweep = self.plan(file, percent).await?;
            // All or nothing: one that never fits must not cost the others theirs at each start.
            if !sweep.is_enough() {
                return Err(sweep.refusal());
            }
            swept(sweep).await?;
        }
        // Tasks write side by side; each has a file of its own until it is whole.
        let unfinished = self.place.join(format!("{UNFINISHED}{}", Uuid::new_v4()));
        let kept = async {
            // Until it has its name, somebody writes it.
            let _writer = write(from, &unfinished).await?;
            tokio::fs::rename(&unfinished, self.path(file)).await
        }
        .await;
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

    /// What has to go so that the file fits.
    async fn plan(&self, file: &FileEntry, percent: u8) -> io::Result<Sweep> {
        let (place, name, size) = (self.place.clone(), file.digest.hex(), file.size);
        let planned =
            tokio::task::spawn_blocking(move || Sweep::plan(&place, &name, size, percent));
        planned.await.map_err(io::Error::other)?
    }

    /// Takes away what tasks left that were killed while they wrote.
    async fn forget_unfinished(&self) {
        let Ok(mut entries) = tokio::fs::read_dir(&self.place).await else {
            return;
        };
        while let Ok(Some(entry)) = entries.next_entry().await {
            let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            if unfinished && self.is_abandoned(&entry).await {
                let _ = tokio::fs::remove_file(entry.path()).await;
            }
        }
    }

    async fn is_abandoned(&self, unfinished: &DirEntry) -> bool {
        if self.free_percent.is_some() {
            // On one machine's disk a lock tells it at once: a task that is killed at each start must not leave a file each time.
            let Ok(found) = regular(&unfinished.path()).await else {
                return false;
            };
            return found.into_std().await.try_lock().is_ok();
        }
        let written = unfinished
            .metadata()
            .await
            .and_then(|about| about.modified());
        written.is_ok_and(|written| written.elapsed().is_ok_and(|since| since > ABANDONED))
    }
}

/// Opens a file, and nothing else that may be found under its name: who opens a pipe waits for a writer.
async fn regular(path: &Path) -> io::Result<File> {
    let found = tokio::fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
        .await?;
    if !found.metadata().await?.is_file() {
        return Err(io::Error::other(format!("{} is no file", path.display())));
    }
    Ok(found)
}

/// Marks the file as used, by when it was changed: when it was read, disks seldom tell.
async fn used_now(found: File) -> File {
    let found = found.into_std().await;
    // Who may not do so loses a file that is fetched again.
    let _ = found.set_modified(SystemTime::now());
    File::from_std(found)
}

async fn swept(sweep: Sweep) -> io::Result<()> {
    let run = tokio::task::spawn_blocking(move || sweep.run());
    run.await.map_err(io::Error::other)?
}

/// Copies, and waits until it is on the disk: a name must not stand for bytes that a crash may lose. What is handed out says for as long as it is
/// open that somebody writes.
async fn write(from: &Path, to: &Path) -> io::Result<File> {
    let writer = tokio::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(to)
        .await?;
    let writer = writer.into_std().await;
    // A file system without locks is none on which they are asked for.
    let _ = writer.try_lock();
    let writer = File::from_std(writer);
    tokio::fs::copy(from, to).await?;
    writer.sync_all().await?;
    Ok(writer)
}

#[cfg(test)]
mod tests;
