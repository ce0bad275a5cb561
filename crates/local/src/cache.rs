//! What is remembered between runs and may be lost: digests of files, and ids that a state holds.
//!
//! One small file per fact, below `.mlops/cache`, written aside and renamed. Nothing here fails:
//! a cache that cannot be written forgets.

use std::collections::HashSet;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mlops_core::artifacts::{Digest, DigestCache, FileStamp};
use mlops_core::registry::sessions::HeldHints;

use crate::location::Namespace;

/// Digests of files, by path, size, modification time and inode.
#[derive(Debug)]
pub struct LocalDigestCache {
    directory: PathBuf,
}

impl LocalDigestCache {
    /// Below `directory` (`.mlops`).
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.join("cache/digests"),
        }
    }

    fn file(&self, stamp: &FileStamp) -> PathBuf {
        let FileStamp {
            path,
            size,
            mtime_nanos,
            inode,
        } = stamp;
        let mut name = format!("{size} {mtime_nanos} {inode} ").into_bytes();
        name.extend_from_slice(path.as_os_str().as_encoded_bytes());
        self.directory.join(Digest::of(&name).hex())
    }
}

impl DigestCache for LocalDigestCache {
    fn get(&self, stamp: &FileStamp) -> Option<Digest> {
        std::fs::read_to_string(self.file(stamp))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    fn put(&self, stamp: &FileStamp, digest: &Digest) {
        if !stamp.is_settled() || self.get(stamp).as_ref() == Some(digest) {
            return;
        }
        remember(&self.file(stamp), &digest.to_string());
    }
}

/// Ids that a state holds although the session that created them died.
#[derive(Debug)]
pub struct LocalHeldHints {
    directory: PathBuf,
    namespace: Namespace,
    noted: Mutex<HashSet<String>>,
}

impl LocalHeldHints {
    /// Below `directory` (`.mlops`), of one namespace.
    pub fn new(directory: &Path, namespace: Namespace) -> Self {
        Self {
            directory: directory.join("cache/held"),
            namespace,
            noted: Mutex::default(),
        }
    }

    fn file(&self, id: &str) -> PathBuf {
        let name = format!("{} {id}", self.namespace);
        self.directory.join(Digest::of(name.as_bytes()).hex())
    }
}

impl HeldHints for LocalHeldHints {
    fn note(&self, id: &str) {
        let new = self
            .noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned());
        let file = self.file(id);
        if new && !file.exists() {
            remember(&file, id);
        }
    }

    fn contains(&self, id: &str) -> bool {
        self.noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(id)
            || self.file(id).exists()
    }
}

/// Writes a small file whole or not at all.
fn remember(file: &Path, text: &str) {
    use std::io::Write as _;
    let Some(directory) = file.parent() else {
        return;
    };
    let staged = directory.join(format!(".{}", uuid::Uuid::new_v4()));
    let written = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .and_then(|()| {
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&staged)
        })
        .and_then(|mut opened| opened.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&staged, file));
    if let Err(error) = written {
        tracing::debug!(file = %file.display(), %error, "not remembered");
        let _ = std::fs::remove_file(&staged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(mtime_nanos: i128) -> FileStamp {
        FileStamp {
            path: "/models/a.onnx".into(),
            size: 3,
            mtime_nanos,
            inode: 7,
        }
    }

    #[test]
    fn a_digest_is_remembered_for_exactly_its_stamp_and_survives_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"abc");
        LocalDigestCache::new(directory.path()).put(&stamp(1_000), &digest);
        let later = LocalDigestCache::new(directory.path());
        assert_eq!(later.get(&stamp(1_000)), Some(digest));
        assert_eq!(later.get(&stamp(1_001)), None);
    }

    #[test]
    fn a_file_that_changed_a_moment_ago_is_not_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        let fresh = stamp(now.as_nanos() as i128);
        let cache = LocalDigestCache::new(directory.path());
        cache.put(&fresh, &Digest::of(b"abc"));
        assert_eq!(cache.get(&fresh), None);
    }

    #[test]
    fn held_ids_are_known_to_the_next_process_of_the_same_namespace() {
        let directory = tempfile::tempdir().unwrap();
        let hints = |namespace: &str| {
            LocalHeldHints::new(directory.path(), Namespace::new(namespace).unwrap())
        };
        hints("default").note("fraud/8");
        assert!(hints("default").contains("fraud/8"));
        assert!(!hints("default").contains("fraud/9"));
        assert!(!hints("dev").contains("fraud/8"));
    }

    #[test]
    fn a_cache_that_cannot_be_written_forgets_quietly() {
        let cache = LocalDigestCache::new(Path::new("/dev/null"));
        cache.put(&stamp(1_000), &Digest::of(b"abc"));
        assert_eq!(cache.get(&stamp(1_000)), None);
    }
}
