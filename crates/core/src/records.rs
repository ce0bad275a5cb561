//! The port to a store of records: keyed documents, conditional writes, atomic batches.
//!
//! It is cut to what both SQLite and DynamoDB do natively, so that the registry's semantics
//! (counters, tombstones, gates, leases, journal) are written once, above it, in
//! [`crate::registry`], and an adapter is only a store.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Where a record lies. The partition begins with the kind and name of the object that owns it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Records of one partition are listed together, and a policy can fence it.
    pub partition: String,
    /// Orders the records of a partition, bytewise.
    pub sort: String,
}

impl Key {
    /// A key.
    pub fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            sort: sort.into(),
        }
    }
}

/// A stored record.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where it lies.
    pub key: Key,
    /// Changes with every write of this key and is never used again for it, not even after a
    /// delete and a new put.
    pub revision: u64,
    /// The document. Fields that this program does not know survive a write: whoever rewrites
    /// an item keeps them.
    pub body: Map<String, Value>,
}

/// What must hold of a key for a [`Write`] to take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No record lies there.
    Absent,
    /// The record that lies there has this revision.
    Revision(u64),
}

/// What a [`Write`] does once its condition holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Stores this document.
    Put(Map<String, Value>),
    /// Removes the record.
    Delete,
    /// Changes nothing: only the condition counts.
    Check,
}

/// One conditional write. There is no unconditional one.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Where.
    pub key: Key,
    /// If.
    pub expect: Expect,
    /// What.
    pub change: Change,
}

/// Which records of a partition a query returns, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range {
    /// Only sort keys that begin so.
    pub prefix: String,
    /// Only sort keys after this one (in the direction of the query): the last of the page before.
    pub after: Option<String>,
    /// From the greatest sort key down.
    pub descending: bool,
    /// At most so many; a store may return fewer and say that there is more.
    pub limit: Option<usize>,
}

/// A page of records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The records, in order.
    pub items: Vec<Item>,
    /// Whether more follow the last.
    pub more: bool,
}

/// Why a commit did not take place. Nothing of it was written in either case.
#[derive(Debug)]
pub enum CommitError {
    /// The condition of the write with this index did not hold.
    Condition {
        /// Index into the writes of the commit.
        index: usize,
    },
    /// The store failed. After [`crate::error::Class::Unavailable`] the outcome is unknown.
    Store(Error),
}

/// The number of writes that one commit takes at most (DynamoDB's TransactWriteItems limit).
pub const COMMIT_LIMIT: usize = 100;

/// Whether the records of a partition are the same in every namespace of a store. The artifacts
/// are one store for all namespaces, so what guards them is one set of records as well.
pub fn is_shared(partition: &str) -> bool {
    matches!(partition, "swept" | "lease#sweep")
}

/// Refuses a commit that no store takes: nothing in it, too much, or one key twice. Adapters call
/// it first.
pub fn check_commit(writes: &[Write]) -> Result<(), CommitError> {
    let bug = |what: String| {
        Err(CommitError::Store(Error::bug(format!(
            "{what}; report this"
        ))))
    };
    if writes.is_empty() || writes.len() > COMMIT_LIMIT {
        return bug(format!(
            "a commit of {} writes was asked for, and it takes 1 to {COMMIT_LIMIT}",
            writes.len()
        ));
    }
    let mut keys: Vec<&Key> = writes.iter().map(|write| &write.key).collect();
    keys.sort_unstable();
    if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        return bug(format!(
            "the key {} {} stands twice in one commit",
            pair[0].partition, pair[0].sort
        ));
    }
    Ok(())
}

/// Who a registry is: minted once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The registry's UUID; resources keep it in private state.
    pub uuid: uuid::Uuid,
    /// Where it lies, for messages.
    pub location: String,
}

/// A store of records. Reads are strongly consistent.
///
/// A store that does not exist yet reads as empty and has no identity; the first commit makes
/// it. Conformance: [`crate::conformance::records`].
#[async_trait]
pub trait Records: Send + Sync {
    /// Who this store is; `None` while it does not exist. Refuses a format that is too new.
    async fn identity(&self) -> Result<Option<Identity>>;

    /// Where it lies or would lie, for messages.
    fn location(&self) -> String;

    /// The records at `keys`, in their order; one batch, however many.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>>;

    /// A page of one partition.
    async fn query(&self, partition: &str, range: Range) -> Result<Page>;

    /// The store's other namespaces, as they are now: a sweep of the artifacts asks all of them.
    /// Empty for a store that has one.
    async fn neighbours(&self) -> Result<Vec<Arc<dyn Records>>> {
        Ok(Vec::new())
    }

    /// All writes or none; durable when it returns. The new revision of each put, in order
    /// (0 for other changes). A key stands at most once in `writes`.
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError>;
}

/// A store that a registry can move out of, or into. One that took a registry in is that registry: it has its UUID.
///
/// Conformance: [`crate::conformance::movable`].
#[async_trait]
pub trait Movable: Records {
    /// A page of all records of this namespace, from the one after `after` on. The order is the store's own; who asks for every page
    /// sees each record that was there all the time, once.
    async fn export(&self, after: Option<&Key>) -> Result<Page>;

    /// Where the registry moved, or is moving; `None` for one that is at home here.
    async fn left_for(&self) -> Result<Option<String>>;

    /// Marks the registry as moved to the place that is called so: from then on commits are refused, and name it. When this
    /// returns, no commit of any process takes place any more. Success if it is so marked already.
    ///
    /// # Errors
    /// A conflict if it is marked for another place.
    async fn leave(&self, to: &str) -> Result<()>;

    /// Takes the mark for that place away. Only who made sure that the registry never lived there may do so.
    async fn stay(&self, to: &str) -> Result<()>;

    /// Makes the store a place that the registry of this UUID moves into: until [`Movable::settle`] it is neither read nor written, except
    /// through what this returns. One that is that already goes on; `None` if the registry lives here already.
    ///
    /// # Errors
    /// A conflict if another registry lies here, or this one did before it moved on.
    async fn arrive(&self, uuid: uuid::Uuid) -> Result<Option<Arc<dyn Movable>>>;

    /// The registry lives here from now on. Success if it does already.
    async fn settle(&self) -> Result<()>;
}
