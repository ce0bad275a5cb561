//! The port to a cache of file digests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::Digest;

/// A file that changed so recently may change again without its modification time telling.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells that a file is still the one that was hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileStamp {
    /// The file, absolute.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch.
    pub mtime_nanos: i128,
    /// Inode.
    pub inode: u64,
}

impl FileStamp {
    /// Whether the file's last change is so long ago that another one would show in the stamp. The
    /// digest of one that is not settled is not worth remembering.
    pub fn is_settled(&self) -> bool {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let age = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX) - self.mtime_nanos;
        age >= SETTLED.as_nanos() as i128
    }
}

/// Remembers digests of files. Best effort: a cache that fails is a cache that forgets.
pub trait DigestCache: Send + Sync {
    /// The digest of the file, if it was remembered with exactly this stamp.
    fn get(&self, stamp: &FileStamp) -> Option<Digest>;
    /// Remembers. A plan never calls it.
    fn put(&self, stamp: &FileStamp, digest: &Digest);
    /// Remembers for as long as this process lives, and writes nothing: a plan calls this. The
    /// default forgets.
    fn saw(&self, _: &FileStamp, _: &Digest) {}
}

/// Forgets everything.
#[derive(Debug, Default)]
pub struct NoDigestCache;

impl DigestCache for NoDigestCache {
    fn get(&self, _: &FileStamp) -> Option<Digest> {
        None
    }
    fn put(&self, _: &FileStamp, _: &Digest) {}
}

/// Remembers for this process what it saw, above a cache that outlives it. Terraform plans a
/// replacement twice, and several versions may have one source: each file is hashed once.
pub struct RunDigests {
    lasting: Arc<dyn DigestCache>,
    seen: Mutex<HashMap<FileStamp, Digest>>,
}

impl RunDigests {
    /// Above `lasting`, which alone is written by [`DigestCache::put`].
    pub fn new(lasting: Arc<dyn DigestCache>) -> Self {
        Self {
            lasting,
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<FileStamp, Digest>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DigestCache for RunDigests {
    fn get(&self, stamp: &FileStamp) -> Option<Digest> {
        let seen = self.seen().get(stamp).copied();
        seen.or_else(|| self.lasting.get(stamp))
    }

    fn put(&self, stamp: &FileStamp, digest: &Digest) {
        self.saw(stamp, digest);
        self.lasting.put(stamp, digest);
    }

    fn saw(&self, stamp: &FileStamp, digest: &Digest) {
        if stamp.is_settled() {
            self.seen().insert(stamp.clone(), *digest);
        }
    }
}

/// Reads the stamp of a file's metadata.
pub(super) fn stamp(path: &Path, metadata: &std::fs::Metadata) -> FileStamp {
    use std::os::unix::fs::MetadataExt as _;
    FileStamp {
        path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        size: metadata.len(),
        mtime_nanos: i128::from(metadata.mtime()) * 1_000_000_000
            + i128::from(metadata.mtime_nsec()),
        inode: metadata.ino(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::artifacts::hash_source;

    /// Counts what is to outlive the process.
    #[derive(Default)]
    struct Lasting(AtomicUsize);

    impl DigestCache for Lasting {
        fn get(&self, _: &FileStamp) -> Option<Digest> {
            None
        }
        fn put(&self, _: &FileStamp, _: &Digest) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes a file that says when it was changed.
    fn write(path: &Path, bytes: &[u8], changed: SystemTime) {
        std::fs::write(path, bytes).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(changed))
            .unwrap();
    }

    #[test]
    fn a_process_reads_a_file_once_however_often_it_plans_and_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.onnx");
        let lasting = Arc::new(Lasting::default());
        let digests = RunDigests::new(Arc::<Lasting>::clone(&lasting));
        let then = SystemTime::now() - Duration::from_secs(60);
        write(&path, b"one", then);
        let first = hash_source(&path, &digests).unwrap();
        // Only a second read could tell.
        write(&path, b"two", then);
        assert_eq!(hash_source(&path, &digests).unwrap(), first);
        assert_eq!(lasting.0.load(Ordering::Relaxed), 0);

        write(&path, b"two", then + Duration::from_secs(1));
        assert_ne!(hash_source(&path, &digests).unwrap(), first);
    }

    #[test]
    fn a_file_that_changed_a_moment_ago_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.onnx");
        let digests = RunDigests::new(Arc::new(Lasting::default()));
        let now = SystemTime::now();
        write(&path, b"one", now);
        let first = hash_source(&path, &digests).unwrap();
        write(&path, b"two", now);
        assert_ne!(hash_source(&path, &digests).unwrap(), first);
    }
}
