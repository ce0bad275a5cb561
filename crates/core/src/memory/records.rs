//! Records in a map.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::records::{
    Change, CommitError, Expect, Identity, Item, Key, Movable, Page, Range, Records, Write,
};

#[derive(Default)]
struct State {
    uuid: Option<uuid::Uuid>,
    last: u64,
    records: BTreeMap<Key, (u64, Map<String, Value>)>,
    /// Commits that take place and then report that the store went away.
    lose_answers: u32,
    commits: u64,
    left_for: Option<String>,
    /// Whose registry moves in here, and is not there yet.
    arriving: bool,
}

/// A store of records that lives as long as this value.
#[derive(Default, Clone)]
pub struct MemoryRecords {
    state: Arc<Mutex<State>>,
    /// What it calls itself, beside other memories.
    name: Option<String>,
    /// Whether this is who fills it.
    fills: bool,
}

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

    /// An empty one that is called so.
    pub fn named(name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// Refuses whoever does not fill a store that a registry moves into.
    fn check(&self, state: &State) -> Result<()> {
        match state.arriving && !self.fills {
            true => Err(Error::denied(format!(
                "a registry is moving to {} and is not there yet; finish it with `mlops registry migrate`",
                self.location()
            ))),
            false => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn identity(&self) -> Result<Option<Identity>> {
        let state = self.state();
        self.check(&state)?;
        Ok(state.uuid.map(|uuid| Identity {
            uuid,
            location: self.location(),
        }))
    }

    fn location(&self) -> String {
        self.name.clone().unwrap_or_else(|| "memory".to_owned())
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        let state = self.state();
        self.check(&state)?;
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
        self.check(&state)?;
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
        self.check(&state).map_err(CommitError::Store)?;
        let stays = |write: &Write| crate::registry::migrate::stays(&write.key.partition);
        if let Some(to) = &state.left_for
            && !writes.iter().all(stays)
        {
            return Err(CommitError::Store(Error::denied(format!(
                "the registry at {} moved to {to}",
                self.location()
            ))));
        }
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

/// How many records a page of an export has here.
const PAGE: usize = 3;

#[async_trait]
impl Movable for MemoryRecords {
    async fn export(&self, after: Option<&Key>) -> Result<Page> {
        let state = self.state();
        self.check(&state)?;
        let mut items: Vec<Item> = state
            .records
            .iter()
            .filter(|(key, _)| after.is_none_or(|after| *key > after))
            .take(PAGE + 1)
            .map(|(key, (revision, body))| Item {
                key: key.clone(),
                revision: *revision,
                body: body.clone(),
            })
            .collect();
        let more = items.len() > PAGE;
        items.truncate(PAGE);
        Ok(Page { items, more })
    }

    async fn left_for(&self) -> Result<Option<String>> {
        Ok(self.state().left_for.clone())
    }

    async fn leave(&self, to: &str) -> Result<()> {
        let mut state = self.state();
        match &state.left_for {
            Some(other) if other != to => Err(Error::conflict(format!("it moved to {other}"))),
            _ => {
                state.left_for = Some(to.to_owned());
                Ok(())
            }
        }
    }

    async fn stay(&self, to: &str) -> Result<()> {
        let mut state = self.state();
        if state.left_for.as_deref() == Some(to) {
            state.left_for = None;
        }
        Ok(())
    }

    async fn arrive(&self, uuid: uuid::Uuid) -> Result<Option<Arc<dyn Movable>>> {
        let mut state = self.state();
        let is_free = state.uuid.is_none() || (state.arriving && state.uuid == Some(uuid));
        if is_free {
            state.uuid = Some(uuid);
            state.arriving = true;
        } else if state.uuid != Some(uuid) || state.left_for.is_some() {
            return Err(Error::conflict("another registry lies there"));
        } else {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self {
            fills: true,
            ..self.clone()
        })))
    }

    async fn settle(&self) -> Result<()> {
        self.state().arriving = false;
        Ok(())
    }
}
