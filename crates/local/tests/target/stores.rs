//! Records in memory, and a store without artifacts: what these tests need of the other ports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use mlops_core::artifacts::{
    Artifact, ArtifactReader, ArtifactStore, Digest, DigestCache, FileEntry,
};
use mlops_core::records::{
    Change, CommitError, Expect, Identity, Item, Key, Page, Range, Records, Write,
};
use mlops_core::{Error, Result};

#[derive(Default)]
pub(crate) struct MemoryRecords(Mutex<(u64, BTreeMap<Key, Item>)>);

#[async_trait]
impl Records for MemoryRecords {
    async fn identity(&self) -> Result<Option<Identity>> {
        Ok(None)
    }

    fn location(&self) -> String {
        "memory".into()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        let held = self.0.lock().unwrap();
        Ok(keys.iter().map(|key| held.1.get(key).cloned()).collect())
    }

    async fn query(&self, partition: &str, _: Range) -> Result<Page> {
        let held = self.0.lock().unwrap();
        let items = held
            .1
            .values()
            .filter(|item| item.key.partition == partition);
        Ok(Page {
            items: items.cloned().collect(),
            more: false,
        })
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        let mut held = self.0.lock().unwrap();
        for (index, write) in writes.iter().enumerate() {
            let found = held.1.get(&write.key).map(|item| item.revision);
            let holds = match write.expect {
                Expect::Absent => found.is_none(),
                Expect::Revision(revision) => found == Some(revision),
            };
            if !holds {
                return Err(CommitError::Condition { index });
            }
        }
        let mut revisions = Vec::new();
        for write in writes {
            let key = write.key;
            match write.change {
                Change::Put(body) => {
                    held.0 += 1;
                    let revision = held.0;
                    held.1.insert(
                        key.clone(),
                        Item {
                            key,
                            revision,
                            body,
                        },
                    );
                    revisions.push(revision);
                }
                Change::Delete => {
                    held.1.remove(&key);
                    revisions.push(0);
                }
                Change::Check => revisions.push(0),
            }
        }
        Ok(revisions)
    }
}

/// Nothing is ever loaded here.
pub(crate) struct NoArtifacts;

fn none<T>() -> Result<T> {
    Err(Error::not_found("this store holds nothing"))
}

#[async_trait]
impl ArtifactStore for NoArtifacts {
    async fn put_tree(&self, _: &Path, _: &dyn DigestCache) -> Result<Artifact> {
        none()
    }
    async fn get(&self, _: &Digest) -> Result<Artifact> {
        none()
    }
    async fn open(&self, _: &Digest, _: &str) -> Result<ArtifactReader> {
        none()
    }
    async fn materialise(&self, _: &Digest, _: &Path) -> Result<()> {
        none()
    }
    fn path_of(&self, _: &FileEntry) -> Option<PathBuf> {
        None
    }
    fn uri(&self, digest: &Digest) -> String {
        digest.to_string()
    }
}
