//! Reads a source tree: which files it has, and their digests.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::cache::stamp;
use super::digest::check_path;
use super::{Artifact, Digest, DigestCache, FileEntry, FileStamp};
use crate::error::{Error, Result};

/// A file of a source tree, not read yet.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its path within the artifact.
    pub path: String,
    /// Where its bytes are.
    pub location: PathBuf,
    /// What it looked like.
    pub stamp: FileStamp,
}

/// The files of a source, in no particular order.
#[derive(Debug, Clone)]
pub struct SourceTree {
    /// At least one.
    pub files: Vec<SourceFile>,
}

/// The size of the one buffer that a file passes through.
pub(super) const BUFFER: usize = 256 * 1024;

/// Lists the files at `source` without reading them. Blocking.
///
/// Every error has attribute `source`.
pub fn describe_source(source: &Path) -> Result<SourceTree> {
    let shown = source.display();
    let metadata = std::fs::metadata(source).map_err(|error| fault(source, source, error))?;
    let mut files = Vec::new();
    if metadata.is_file() {
        if metadata.len() == 0 {
            return Err(at_source(Error::invalid(format!(
                "source {shown} is an empty file; was the model written there?"
            ))));
        }
        files.push(SourceFile {
            path: single_name(source),
            stamp: stamp(source, &metadata),
            location: source.to_owned(),
        });
    } else {
        let mut above = Vec::new();
        walk(source, source, &metadata, "", &mut above, &mut files)?;
        if files.is_empty() {
            return Err(at_source(Error::invalid(format!(
                "source {shown} is a directory without files; was the model written there?"
            ))));
        }
    }
    Ok(SourceTree { files })
}

/// The artifact at `source`, without storing it: [`describe_source`], then [`SourceTree::hash`].
pub fn hash_source(source: &Path, cache: &dyn DigestCache) -> Result<Artifact> {
    describe_source(source)?.hash(cache)
}

impl SourceTree {
    /// The artifact that these files are, without storing it. Blocking; streams through a fixed
    /// buffer.
    ///
    /// Reads `cache` and never [puts](DigestCache::put) into it: a plan calls this. Every error has
    /// attribute `source`.
    pub fn hash(&self, cache: &dyn DigestCache) -> Result<Artifact> {
        let mut entries = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let digest = match cache.get(&file.stamp) {
                Some(digest) => digest,
                None => {
                    let digest = file.read(|_| Ok(()))?;
                    cache.saw(&file.stamp, &digest);
                    digest
                }
            };
            entries.push(FileEntry {
                path: file.path.clone(),
                size: file.stamp.size,
                digest,
            });
        }
        Artifact::new(entries)
    }
}

impl SourceFile {
    /// Passes the file's bytes through `sink` piece by piece and returns their digest. Blocking.
    ///
    /// Fails if the file is not, before and after, what [`SourceFile::stamp`] says.
    pub fn read(&self, mut sink: impl FnMut(&[u8]) -> Result<()>) -> Result<Digest> {
        let failed = |error| fault(&self.location, &self.location, error);
        let mut file = File::open(&self.location).map_err(failed)?;
        self.unchanged(&file.metadata().map_err(failed)?)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; BUFFER];
        let mut size = 0u64;
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            size += read as u64;
            if size > self.stamp.size {
                return Err(self.changed());
            }
            hasher.update(&buffer[..read]);
            sink(&buffer[..read])?;
        }
        self.unchanged(&file.metadata().map_err(failed)?)?;
        self.check_unchanged()?;
        if size != self.stamp.size {
            return Err(self.changed());
        }
        Ok(Digest::finish(hasher))
    }

    /// Fails, as [`SourceFile::read`] does, if the file is not what [`SourceFile::stamp`] says any
    /// more. Blocking.
    pub fn check_unchanged(&self) -> Result<()> {
        let found = std::fs::metadata(&self.location);
        self.unchanged(&found.map_err(|error| fault(&self.location, &self.location, error))?)
    }

    fn unchanged(&self, metadata: &Metadata) -> Result<()> {
        if stamp(&self.location, metadata) == self.stamp {
            return Ok(());
        }
        Err(self.changed())
    }

    fn changed(&self) -> Error {
        at_source(Error::conflict(format!(
            "source file {} changed while it was read; wait until it is written and apply again",
            self.location.display()
        )))
    }
}

/// The name under which a single file lies in its artifact.
fn single_name(source: &Path) -> String {
    match source.extension().and_then(|extension| extension.to_str()) {
        Some(extension)
            if (1..=16).contains(&extension.len())
                && extension.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            format!("model.{}", extension.to_ascii_lowercase())
        }
        _ => "model".to_owned(),
    }
}

fn walk(
    root: &Path,
    directory: &Path,
    metadata: &Metadata,
    prefix: &str,
    above: &mut Vec<(u64, u64)>,
    files: &mut Vec<SourceFile>,
) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    if !metadata.is_dir() {
        return Err(special(root, directory));
    }
    let me = (metadata.dev(), metadata.ino());
    if above.contains(&me) {
        return Err(at_source(Error::invalid(format!(
            "source {} holds a loop of symbolic links at {}; remove the link",
            root.display(),
            directory.display()
        ))));
    }
    above.push(me);
    for entry in std::fs::read_dir(directory).map_err(|error| fault(root, directory, error))? {
        let entry = entry.map_err(|error| fault(root, directory, error))?;
        let location = entry.path();
        let name = entry.file_name().into_string().map_err(|_| {
            at_source(Error::invalid(format!(
                "the file name {} is not UTF-8; rename the file",
                location.display()
            )))
        })?;
        let path = format!("{prefix}{name}");
        check_path(&path)?;
        let metadata =
            std::fs::metadata(&location).map_err(|error| fault(root, &location, error))?;
        if metadata.is_file() {
            files.push(SourceFile {
                path,
                stamp: stamp(&location, &metadata),
                location,
            });
        } else {
            walk(
                root,
                &location,
                &metadata,
                &format!("{path}/"),
                above,
                files,
            )?;
        }
    }
    above.pop();
    Ok(())
}

fn special(root: &Path, at: &Path) -> Error {
    at_source(Error::invalid(format!(
        "source {} holds {}, which is neither a file nor a directory; a model is made of plain files",
        root.display(),
        at.display()
    )))
}

fn fault(root: &Path, at: &Path, error: std::io::Error) -> Error {
    let (root, shown) = (root.display(), at.display());
    // ELOOP has no stable ErrorKind.
    let looped = is_link_loop(&error);
    let of = match error.kind() {
        _ if looped => Error::invalid(format!(
            "source {root} holds a loop of symbolic links at {shown}; remove the link"
        )),
        ErrorKind::NotFound if root.to_string() == shown.to_string() => Error::not_found(format!(
            "source {shown} does not exist; train or download the model first, or correct the path"
        )),
        ErrorKind::NotFound => Error::invalid(format!(
            "source {root} holds {shown}, a symbolic link to nothing; remove it or restore its target"
        )),
        ErrorKind::PermissionDenied => Error::denied(format!(
            "source {shown} is not readable by this user; change its permissions"
        )),
        _ => Error::unavailable(format!("source {shown} could not be read")),
    };
    at_source(of.because(error))
}

/// Whether an I/O error is ELOOP: 40 on Linux, 62 on macOS.
fn is_link_loop(error: &std::io::Error) -> bool {
    const ELOOP: i32 = if cfg!(target_os = "macos") { 62 } else { 40 };
    error.raw_os_error() == Some(ELOOP)
}

fn at_source(error: Error) -> Error {
    error.at("source")
}
