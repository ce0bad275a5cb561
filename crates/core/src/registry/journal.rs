//! The journal of deployments: intents before effects, results after them, fenced by a lease.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Registry;
use super::documents::{self, Document};
use super::leases::Lease;
use crate::error::{Error, Result};
use crate::records::{CommitError, Key, Write};

/// Where an endpoint's journal lies.
pub fn partition(endpoint: &str) -> String {
    format!("journal#{endpoint}")
}

/// Where an entry lies. `entry` orders the entries of a deployment bytewise; a deployment id
/// holds no `#`.
pub fn key(endpoint: &str, deployment: &str, entry: &str) -> Key {
    Key::new(partition(endpoint), format!("{deployment}#{entry}"))
}

/// The write that creates an entry where none is, to ride in a commit beside [`Lease::fence`].
pub fn create<T: Serialize>(
    endpoint: &str,
    deployment: &str,
    entry: &str,
    body: &T,
) -> Result<Write> {
    documents::create(key(endpoint, deployment, entry), body)
}

impl Registry {
    /// One entry.
    pub async fn journal_entry<T: Serialize + DeserializeOwned>(
        &self,
        endpoint: &str,
        deployment: &str,
        entry: &str,
    ) -> Result<Option<Document<T>>> {
        self.document(&key(endpoint, deployment, entry)).await
    }

    /// All entries of a deployment, in order.
    pub async fn journal<T: Serialize + DeserializeOwned>(
        &self,
        endpoint: &str,
        deployment: &str,
    ) -> Result<Vec<Document<T>>> {
        self.all_documents(&partition(endpoint), &format!("{deployment}#"))
            .await
    }

    /// Commits journal writes, and whatever rides with them, only while `lease` is held. The
    /// revisions are those of `writes`. A lost lease or a changed entry is a conflict.
    pub async fn journal_commit(&self, lease: &Lease, writes: Vec<Write>) -> Result<Vec<u64>> {
        self.commit_under(lease, lease.fence(), writes).await
    }

    /// As [`Registry::journal_commit`], and gives `lease` back in the same commit: a process that
    /// is killed at it leaves the lease held and nothing written, or everything written and the
    /// lease free.
    pub async fn journal_commit_last(&self, lease: &Lease, writes: Vec<Write>) -> Result<Vec<u64>> {
        let committed = self.commit_under(lease, lease.release()?, writes).await?;
        self.end_keeping(lease).await;
        Ok(committed)
    }

    async fn commit_under(
        &self,
        lease: &Lease,
        held: Write,
        writes: Vec<Write>,
    ) -> Result<Vec<u64>> {
        let mut all = vec![held];
        all.extend(writes);
        match self.commit(all).await {
            Ok(mut revisions) => Ok(revisions.split_off(1)),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::Condition { index: 0 }) => Err(Error::conflict(format!(
                "lease {} was lost to another run; nothing was written. The other run, or the next apply, goes on from the journal",
                lease.name
            ))),
            Err(CommitError::Condition { index }) => Err(Error::conflict(format!(
                "write {index} of the journal of {} found a record that changed in the meantime; run the operation again",
                lease.name
            ))),
        }
    }
}
