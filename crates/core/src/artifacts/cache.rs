//! The port to a cache of file digests.

use std::path::{Path, PathBuf};

use super::Digest;

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

/// Remembers digests of files. Best effort: a cache that fails is a cache that forgets.
pub trait DigestCache: Send + Sync {
    /// The digest of the file, if it was remembered with exactly this stamp.
    fn get(&self, stamp: &FileStamp) -> Option<Digest>;
    /// Remembers. A plan never calls it.
    fn put(&self, stamp: &FileStamp, digest: &Digest);
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
