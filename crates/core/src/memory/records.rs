//! Records in a map.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::records::{
    Change, CommitError, Expect, Identity, Item, Key, Page, Range, Records, Write,
};

#[derive(Default)]
struct State {
    uuid: Option<uuid::Uuid>,
    last: u64,
    records: BTreeMap<Key, (u64, Map<String, Value>)>,
    /// Commits that take place and then report that the store went away.
    lose_answers: u32,
    commits: u64,
}

/// A store of records that lives as long as this value.
#[derive(Default)]
pub struct MemoryRecords(Mutex<State>);

impl MemoryRecords {
    /// The answers of the next `count` commits are lost: they take place and fail as unavailable.
    pub fn lose_answers(&self, count: u32) {
        self.state().lose_answers = count;
    }

    /// How many commits took place.
    pub fn commits(&self) -> u64 {
        self.state().commits
    }

    /// Every record, in the order of keys.
    pub fn dump(&self) -> Vec<Item> {
        let state = self.state();
        state
            .records
            .iter()
            .map(|(key, (revision, body))| Item {
                key: key.clone(),
                revision: *revision,
                body: body.clone(),
            })
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn identity(&self) -> Result<Option<Identity>> {
        Ok(self.state().uuid.map(|uuid| Identity {
            uuid,
            location: self.location(),
        }))
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        let state = self.state();
        let item = |key: &Key| {
            state.records.get(key).map(|(revision, body)| Item {
                key: key.clone(),
                revision: *revision,
                body: body.clone(),
            })
        };
        Ok(keys.iter().map(item).collect())
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        let state = self.state();
        let after = |sort: &str| match (&range.after, range.descending) {
            (None, _) => true,
            (Some(after), false) => sort > after.as_str(),
            (Some(after), true) => sort < after.as_str(),
        };
        let mut items: Vec<Item> = state
            .records
            .iter()
            .filter(|(key, _)| {
                key.partition == partition
                    && key.sort.starts_with(&range.prefix)
                    && after(&key.sort)
            })
            .map(|(key, (revision, body))| Item {
                key: key.clone(),
                revision: *revision,
                body: body.clone(),
            })
            .collect();
        if range.descending {
            items.reverse();
        }
        let limit = range.limit.unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items, more })
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        crate::records::check_commit(&writes)?;
        let mut state = self.state();
        for (index, write) in writes.iter().enumerate() {
            let found = state.records.get(&write.key).map(|(revision, _)| *revision);
            let holds = match write.expect {
                Expect::Absent => found.is_none(),
                Expect::Revision(revision) => found == Some(revision),
            };
            if !holds {
                return Err(CommitError::Condition { index });
            }
        }
        state.uuid.get_or_insert_with(uuid::Uuid::new_v4);
        state.last += 1;
        state.commits += 1;
        let revision = state.last;
        let revisions = writes
            .into_iter()
            .map(|write| match write.change {
                Change::Put(body) => {
                    state.records.insert(write.key, (revision, body));
                    revision
                }
                Change::Delete => {
                    state.records.remove(&write.key);
                    0
                }
                Change::Check => 0,
            })
            .collect();
        if state.lose_answers > 0 {
            state.lose_answers -= 1;
            return Err(CommitError::Store(Error::unavailable(
                "the memory's answer was lost",
            )));
        }
        Ok(revisions)
    }
}
