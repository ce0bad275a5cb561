//! Files on their way in and out, through one buffer. Blocking.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use mlops_core::artifacts::{Artifact, Digest, FileEntry, SourceFile};
use mlops_core::{Error, Result};
use sha2::{Digest as _, Sha256};

use super::layout::{Layout, Staged};

/// Copies a source file to `tmp/` while it is hashed.
pub(super) fn take_in(layout: &Layout, source: &SourceFile) -> Result<(Staged, Digest)> {
    layout.stage(|file| source.read(|piece| file.write(piece)))
}

/// Writes the manifest; from then on the artifact can be found.
pub(super) fn write_manifest(layout: &Layout, artifact: &Artifact) -> Result<()> {
    let place = layout.manifest(&artifact.digest);
    let text = artifact.manifest();
    if std::fs::read_to_string(&place).is_ok_and(|found| found == text) {
        return Ok(());
    }
    let (staged, ()) = layout.stage(|file| file.write(text.as_bytes()))?;
    layout.settle(&staged, &place)
}

/// Writes one file below `directory` and verifies it, unless it is there and right.
pub(super) fn hand_out(
    layout: &Layout,
    artifact: &Digest,
    entry: &FileEntry,
    directory: &Path,
) -> Result<()> {
    let target = directory.join(&entry.path);
    if File::open(&target).is_ok_and(|found| is_right(found, entry)) {
        return Ok(());
    }
    let blob = layout.blob(&entry.digest);
    let mut source = File::open(&blob).map_err(|error| lost(artifact, entry, &blob, error))?;
    let failed = |error| layout.fault(&target, "written", error);
    let parent = target.parent().unwrap_or(directory);
    std::fs::create_dir_all(parent).map_err(failed)?;
    let staged = parent.join(format!(".mlops-{}", uuid::Uuid::new_v4()));
    let mut file = File::create_new(&staged).map_err(failed)?;
    let mut hasher = Sha256::new();
    let copied = each_piece(&mut source, |piece| {
        hasher.update(piece);
        file.write_all(piece)
    });
    let settled = copied
        .and_then(|()| file.sync_all())
        .map_err(failed)
        .and_then(|()| {
            if Digest::finish(hasher) != entry.digest {
                return Err(damaged(artifact, entry, &blob));
            }
            std::fs::rename(&staged, &target).map_err(failed)
        });
    if settled.is_err() {
        let _ = std::fs::remove_file(&staged);
    }
    settled
}

fn is_right(mut file: File, entry: &FileEntry) -> bool {
    let mut hasher = Sha256::new();
    file.metadata()
        .is_ok_and(|found| found.is_file() && found.len() == entry.size)
        && each_piece(&mut file, |piece| {
            hasher.update(piece);
            Ok(())
        })
        .is_ok()
        && Digest::finish(hasher) == entry.digest
}

fn each_piece(file: &mut File, mut sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => sink(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn lost(artifact: &Digest, entry: &FileEntry, blob: &Path, error: io::Error) -> Error {
    Error::corrupt(format!(
        "artifact {artifact} has lost its file {:?}: {} cannot be read; restore it, or register the version again",
        entry.path,
        blob.display()
    ))
    .because(error)
}

fn damaged(artifact: &Digest, entry: &FileEntry, blob: &Path) -> Error {
    Error::corrupt(format!(
        "artifact {artifact} is damaged: {} does not have the digest of its file {:?}; restore it, or register the version again",
        blob.display(),
        entry.path
    ))
}
