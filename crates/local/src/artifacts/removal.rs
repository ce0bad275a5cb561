//! What lies here, and its removal. Blocking, but for the wait for uploads to end.

use std::collections::{BTreeSet, HashSet};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mlops_core::artifacts::{Artifact, Digest, StoredArtifact, UnfinishedUploads};
use mlops_core::{Error, Result};
use tokio_util::sync::CancellationToken;

use super::layout::Layout;
use super::{LocalArtifacts, blocking};

/// How long a removal waits for uploads of all processes to leave it alone.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
const STEP: Duration = Duration::from_millis(25);

/// The artifacts that have a manifest. Files of killed uploads have none and could be any
/// artifact's: a removal clears them.
pub(super) fn list(layout: &Layout) -> Result<Vec<StoredArtifact>> {
    let mut stored = Vec::new();
    for entry in each(layout, &layout.manifests())? {
        let Some(text) = present(layout, &entry.path, std::fs::read(&entry.path))? else {
            continue;
        };
        let Some(found) = present(layout, &entry.path, std::fs::metadata(&entry.path))? else {
            continue;
        };
        // Of a damaged one only its own bytes are known to be its.
        let files = Artifact::parse(&entry.digest, &String::from_utf8_lossy(&text))
            .map_or(0, |artifact| artifact.contents().values().sum());
        stored.push(StoredArtifact {
            digest: entry.digest,
            size_bytes: found.len() + files,
            modified: modified(layout, &entry.path, &found)?,
            complete: true,
        });
    }
    Ok(stored)
}

/// Fails unless every file is there with its size.
pub(super) fn check(layout: &Layout, digest: &Digest) -> Result<()> {
    let artifact = LocalArtifacts::load(layout, digest)?;
    let lost = artifact
        .files
        .iter()
        .find(|file| !layout.holds(&file.digest, file.size));
    match lost {
        None => Ok(()),
        Some(file) => Err(Error::not_found(format!(
            "artifact {digest} is not whole: {} is not there, or does not have the {} bytes of its file {:?}; restore it, or register the version again",
            layout.blob(&file.digest).display(),
            file.size,
            file.path
        ))),
    }
}

/// Removes an artifact while nobody uploads. Waits so long for that.
pub(super) async fn remove(
    layout: &Arc<Layout>,
    digest: &Digest,
    patience: Duration,
) -> Result<u64> {
    let deadline = tokio::time::Instant::now() + patience;
    // Work off the async threads goes on when this future is dropped, unless it is told.
    let given_up = CancellationToken::new();
    let _guard = given_up.clone().drop_guard();
    loop {
        let (here, digest, given_up) = (Arc::clone(layout), *digest, given_up.clone());
        let removed = blocking(move || {
            if !here.root().is_dir() {
                return Ok(Some(0));
            }
            let Some(_lock) = here.try_alone()? else {
                return Ok(None);
            };
            alone(&here, &digest, &given_up).map(Some)
        });
        if let Some(freed) = removed.await? {
            return Ok(freed);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(Error::conflict(format!(
                "artifact {digest} was not removed from {}: uploads were at work there for {} seconds on end; run the operation again when they have ended",
                layout.root().display(),
                patience.as_secs()
            )));
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Finds the files of uploads that were killed longer than `grace` ago, or removes them. While an
/// upload is at work, nothing here is anybody's but its own.
pub(super) fn end_uploads(
    layout: &Layout,
    grace: Duration,
    delete: bool,
) -> Result<UnfinishedUploads> {
    let mut found = UnfinishedUploads::default();
    let staged = layout.staged();
    if staged.is_empty() {
        return Ok(found);
    }
    let Some(_lock) = layout.try_alone()? else {
        found.young = staged.len();
        return Ok(found);
    };
    for path in staged {
        let written = present(
            layout,
            &path,
            std::fs::metadata(&path).and_then(|of| of.modified()),
        )?;
        let Some(written) = written else {
            continue;
        };
        if written.elapsed().is_ok_and(|age| age >= grace) {
            if delete {
                unlink(layout, &path)?;
            }
            found.old.push(path.display().to_string());
        } else {
            found.young += 1;
        }
    }
    found.old.sort();
    Ok(found)
}

/// Removes the manifest, then every file that none of the others names: its own, and those that
/// a killed upload or removal left. Takes nothing more away once nobody waits for it.
fn alone(layout: &Layout, digest: &Digest, given_up: &CancellationToken) -> Result<u64> {
    let wanted = || match given_up.is_cancelled() {
        false => Ok(()),
        true => Err(Error::cancelled(format!(
            "the removal of artifact {digest} was given up; run the operation again"
        ))),
    };
    let named = named_by_others(layout, digest)?;
    wanted()?;
    let mut freed = discard(layout, &layout.manifest(digest))?;
    let mut touched = BTreeSet::new();
    for entry in each(layout, &layout.blobs())? {
        if !named.contains(&entry.digest) {
            wanted()?;
            freed += unlink(layout, &entry.path)?;
            touched.extend(entry.path.parent().map(Path::to_owned));
        }
    }
    touched
        .iter()
        .try_for_each(|directory| layout.sync(directory))?;
    Ok(freed + layout.sweep_staged())
}

/// The files that the other manifests name.
fn named_by_others(layout: &Layout, digest: &Digest) -> Result<HashSet<Digest>> {
    let mut named = HashSet::new();
    for entry in each(layout, &layout.manifests())? {
        if entry.digest != *digest {
            let other = LocalArtifacts::load(layout, &entry.digest).map_err(|error| {
                Error::new(
                    error.class(),
                    format!(
                        "nothing was removed: which files artifact {} needs cannot be read from {}; restore that file, or remove it if no version needs it",
                        entry.digest,
                        entry.path.display()
                    ),
                )
                .because(error)
            })?;
            named.extend(other.files.iter().map(|file| file.digest));
        }
    }
    Ok(named)
}

/// Removes a file for good; its bytes.
fn discard(layout: &Layout, path: &Path) -> Result<u64> {
    let freed = unlink(layout, path)?;
    match path.parent() {
        Some(directory) if directory.is_dir() => layout.sync(directory)?,
        _ => {}
    }
    Ok(freed)
}

/// Removes a file; its bytes. What is not there is removed.
fn unlink(layout: &Layout, path: &Path) -> Result<u64> {
    let Some(found) = present(layout, path, std::fs::symlink_metadata(path))? else {
        return Ok(0);
    };
    match std::fs::remove_file(path) {
        Ok(()) => Ok(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(layout.fault(path, "removed", error)),
    }
}

struct Entry {
    digest: Digest,
    path: PathBuf,
}

/// The files of this folder that are named by digests, in its two-letter folders. Others are
/// somebody else's.
fn each(layout: &Layout, folder: &Path) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    for outer in names(layout, folder)? {
        if outer.len() != 2 {
            continue;
        }
        let directory = folder.join(&outer);
        for name in names(layout, &directory)? {
            if let Ok(digest) = format!("sha256:{name}").parse()
                && name.starts_with(&outer)
            {
                let path = directory.join(&name);
                found.push(Entry { digest, path });
            }
        }
    }
    Ok(found)
}

fn names(layout: &Layout, directory: &Path) -> Result<Vec<String>> {
    let failed = |error| layout.fault(directory, "read", error);
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        // Not made yet, or a file of somebody else's.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}

/// `None` for what was removed meanwhile.
fn present<T>(layout: &Layout, path: &Path, found: io::Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(layout.fault(path, "read", error)),
    }
}

fn modified(layout: &Layout, path: &Path, found: &Metadata) -> Result<Timestamp> {
    found
        .modified()
        .and_then(|at| Timestamp::try_from(at).map_err(io::Error::other))
        .map_err(|error| layout.fault(path, "read", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlops_core::Class;
    use mlops_core::artifacts::{ArtifactStore as _, NoDigestCache};

    #[tokio::test]
    async fn a_removal_waits_for_uploads_to_end_and_gives_up_in_time() {
        let parent = tempfile::tempdir().unwrap();
        let source = parent.path().join("model.onnx");
        std::fs::write(&source, b"graph").unwrap();
        let artifacts = LocalArtifacts::new(&parent.path().join(".mlops"));
        let stored = artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
        let layout = &artifacts.layout;

        let uploads = [
            layout.begin_upload().unwrap(),
            layout.begin_upload().unwrap(),
        ];
        let error = remove(layout, &stored.digest, Duration::ZERO).await;
        let error = error.unwrap_err();
        assert_eq!(error.class(), Class::Conflict, "{error}");
        assert!(
            error.to_string().contains("run the operation again"),
            "{error}"
        );
        artifacts.check(&stored.digest).await.unwrap();

        let removal = remove(layout, &stored.digest, PATIENCE);
        let (freed, ()) = tokio::join!(removal, async { drop(uploads) });
        assert!(freed.unwrap() > 5);
        // It holds nobody off when it has ended.
        artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_killed_upload_left_is_found_then_removed_and_nothing_of_one_at_work() {
        let parent = tempfile::tempdir().unwrap();
        let artifacts = LocalArtifacts::new(&parent.path().join(".mlops"));
        let unfinished = async |grace: u64, delete| {
            let found = artifacts.end_uploads(Duration::from_secs(grace), delete);
            let found = found.await.unwrap();
            (found.old.len(), found.young)
        };
        assert_eq!(unfinished(0, true).await, (0, 0), "no directory is there");
        let upload = artifacts.layout.begin_upload().unwrap();
        let left = artifacts.layout.root().join("tmp/left");
        std::fs::write(&left, b"gra").unwrap();
        assert_eq!(unfinished(0, true).await, (0, 1), "it may be the upload's");
        drop(upload);
        assert_eq!(unfinished(3600, true).await, (0, 1));
        assert_eq!(unfinished(0, false).await, (1, 0));
        assert!(left.exists(), "nobody said delete");
        assert_eq!(unfinished(0, true).await, (1, 0));
        assert!(!left.exists());
    }

    #[tokio::test]
    async fn a_removal_that_nobody_waits_for_takes_nothing_more_away() {
        let parent = tempfile::tempdir().unwrap();
        let source = parent.path().join("model.onnx");
        std::fs::write(&source, b"graph").unwrap();
        let artifacts = LocalArtifacts::new(&parent.path().join(".mlops"));
        let stored = artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
        let given_up = CancellationToken::new();
        drop(given_up.clone().drop_guard());
        let error = alone(&artifacts.layout, &stored.digest, &given_up).unwrap_err();
        assert_eq!(error.class(), Class::Cancelled, "{error}");
        artifacts.check(&stored.digest).await.unwrap();
    }
}
