//! Typed access to records. Fields of a record that the type does not know survive a rewrite.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Registry;
use crate::error::{Class, Error, Result};
use crate::records::{Change, CommitError, Expect, Item, Key, Range, Write};

/// A record read as a `T`.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<T> {
    /// Where it lies.
    pub key: Key,
    /// Its revision.
    pub revision: u64,
    /// What it says.
    pub body: T,
    /// Fields that `T` does not have; they are written back.
    pub extra: Map<String, Value>,
}

/// A page of documents.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentPage<T> {
    /// In the order of the query.
    pub documents: Vec<Document<T>>,
    /// Whether more follow the last.
    pub more: bool,
}

impl<T: Serialize + DeserializeOwned> Document<T> {
    /// Reads an item; an item that is no `T` is corrupt, and the error names its key.
    pub fn read(item: Item) -> Result<Self> {
        let Item {
            key,
            revision,
            body: raw,
        } = item;
        let body: T = serde_json::from_value(Value::Object(raw.clone())).map_err(|error| {
            Error::corrupt(format!(
                "record {} {} is not what this program expects; it may be damaged, or written by a newer version: upgrade, or restore the registry",
                key.partition, key.sort
            ))
            .because(error)
        })?;
        let known = to_map(&key, &body)?;
        let extra = raw
            .into_iter()
            .filter(|(name, value)| !known.contains_key(name) && !value.is_null())
            .collect();
        Ok(Self {
            key,
            revision,
            body,
            extra,
        })
    }

    /// The write that replaces this document with what `body` says now, if it is still at this
    /// revision.
    pub fn write(&self) -> Result<Write> {
        let mut map = to_map(&self.key, &self.body)?;
        for (name, value) in &self.extra {
            map.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Ok(Write {
            key: self.key.clone(),
            expect: Expect::Revision(self.revision),
            change: Change::Put(map),
        })
    }
}

impl<T> Document<T> {
    /// The write that deletes this document, if it is still at this revision.
    pub fn delete(&self) -> Write {
        delete(self.key.clone(), self.revision)
    }

    /// The write that only demands that this document is still at this revision.
    pub fn check(&self) -> Write {
        check(self.key.clone(), Expect::Revision(self.revision))
    }
}

/// The write that creates a document where none is.
pub fn create<T: Serialize>(key: Key, body: &T) -> Result<Write> {
    let map = to_map(&key, body)?;
    Ok(Write {
        key,
        expect: Expect::Absent,
        change: Change::Put(map),
    })
}

/// The write that puts `body` under a condition, dropping fields it does not have.
pub fn put<T: Serialize>(key: Key, expect: Expect, body: &T) -> Result<Write> {
    let map = to_map(&key, body)?;
    Ok(Write {
        key,
        expect,
        change: Change::Put(map),
    })
}

/// The write that deletes a document of this revision.
pub fn delete(key: Key, revision: u64) -> Write {
    Write {
        key,
        expect: Expect::Revision(revision),
        change: Change::Delete,
    }
}

/// The write that changes nothing and only demands.
pub fn check(key: Key, expect: Expect) -> Write {
    Write {
        key,
        expect,
        change: Change::Check,
    }
}

fn to_map<T: Serialize>(key: &Key, body: &T) -> Result<Map<String, Value>> {
    match serde_json::to_value(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::bug(format!(
            "record {} {} is not a JSON object; report this",
            key.partition, key.sort
        ))),
        Err(error) => Err(Error::bug(format!(
            "record {} {} could not be written as JSON; report this",
            key.partition, key.sort
        ))
        .because(error)),
    }
}

impl Registry {
    /// The document at `key`.
    pub async fn document<T: Serialize + DeserializeOwned>(
        &self,
        key: &Key,
    ) -> Result<Option<Document<T>>> {
        let found = self.inner.records.get(std::slice::from_ref(key)).await?;
        found
            .into_iter()
            .next()
            .flatten()
            .map(Document::read)
            .transpose()
    }

    /// The documents at `keys`, in their order, in one batch.
    pub async fn documents<T: Serialize + DeserializeOwned>(
        &self,
        keys: &[Key],
    ) -> Result<Vec<Option<Document<T>>>> {
        let found = self.inner.records.get(keys).await?;
        found
            .into_iter()
            .map(|item| item.map(Document::read).transpose())
            .collect()
    }

    /// One page of a partition.
    pub async fn query_documents<T: Serialize + DeserializeOwned>(
        &self,
        partition: &str,
        range: Range,
    ) -> Result<DocumentPage<T>> {
        let page = self.inner.records.query(partition, range).await?;
        Ok(DocumentPage {
            documents: page
                .items
                .into_iter()
                .map(Document::read)
                .collect::<Result<_>>()?,
            more: page.more,
        })
    }

    /// Every document of a partition whose sort key begins with `prefix`, in order.
    pub async fn all_documents<T: Serialize + DeserializeOwned>(
        &self,
        partition: &str,
        prefix: &str,
    ) -> Result<Vec<Document<T>>> {
        self.all_items(partition, prefix)
            .await?
            .into_iter()
            .map(Document::read)
            .collect()
    }

    pub(super) async fn all_items(&self, partition: &str, prefix: &str) -> Result<Vec<Item>> {
        let mut items: Vec<Item> = Vec::new();
        loop {
            let range = Range {
                prefix: prefix.to_owned(),
                after: items.last().map(|item| item.key.sort.clone()),
                ..Range::default()
            };
            let page = self.inner.records.query(partition, range).await?;
            let empty = page.items.is_empty();
            items.extend(page.items);
            if !page.more || empty {
                return Ok(items);
            }
        }
    }

    /// Commits writes of any parts of the registry at once: all or none, durable on return.
    pub async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        self.inner.records.commit(writes).await
    }
}

impl CommitError {
    /// As an error, for callers to whom a failed condition is just a conflict. `what` names the
    /// object and the attempt.
    pub fn into_error(self, what: &str) -> Error {
        match self {
            Self::Condition { .. } => Error::conflict(format!(
                "{what}: somebody else changed it in the meantime; run the operation again"
            )),
            Self::Store(error) => error,
        }
    }

    /// Whether the outcome is unknown: the store failed in a way after which the writes may
    /// have taken place.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Store(error) if error.class() == Class::Unavailable)
    }
}
