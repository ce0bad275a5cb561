//! What was fetched ahead, for as long as it may be told.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use mlops_core::records::{Item, Key};

/// How old an answer may be when it was not asked for by itself.
pub(super) const FRESH: Duration = Duration::from_secs(5);
/// At most so many records are kept.
const KEPT: usize = 4000;

/// Everything fetched ahead. Times are those of the clock's `elapsed`.
#[derive(Default)]
pub(super) struct Known {
    items: HashMap<Key, (Duration, Option<Item>)>,
    /// Sort keys of a partition that were all fetched, both ends included.
    ranges: Vec<Fetched>,
    /// Counts commits: one that begins or ends while records are fetched spoils them.
    commits: u64,
}

struct Fetched {
    at: Duration,
    partition: String,
    from: String,
    to: String,
}

/// Where a query for a key begins, so that it reads nothing that is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// At the key: nothing is known on either side.
    At,
    /// After this sort key, where what is known before the key ends.
    After(String),
    /// Before this sort key, downwards: there begins what is known after the key.
    Before(String),
}

impl Known {
    /// The record at `key`, if it was fetched and may still be told; `Some(None)`: there is none.
    pub(super) fn get(&self, key: &Key, now: Duration) -> Option<Option<Item>> {
        let (at, item) = self.items.get(key)?;
        (now.saturating_sub(*at) < FRESH).then(|| item.clone())
    }

    /// Whether `key` lies where everything was fetched, so that fetching there again finds no more.
    pub(super) fn covers(&self, key: &Key, now: Duration) -> bool {
        self.ranges.iter().any(|range| {
            now.saturating_sub(range.at) < FRESH
                && range.partition == key.partition
                && range.from <= key.sort
                && key.sort <= range.to
        })
    }

    /// Where to begin to look for `key` among the sort keys with this prefix.
    pub(super) fn beside(&self, key: &Key, prefix: &str, now: Duration) -> Start {
        let fresh = || {
            let ranges = self.ranges.iter();
            ranges.filter(|range| {
                now.saturating_sub(range.at) < FRESH
                    && range.partition == key.partition
                    && range.from.starts_with(prefix)
            })
        };
        let before = fresh().map(|range| &range.to).filter(|to| **to < key.sort);
        if let Some(known) = before.max() {
            return Start::After(known.clone());
        }
        let after = fresh().map(|range| &range.from);
        match after.filter(|from| **from > key.sort).min() {
            Some(known) => Start::Before(known.clone()),
            None => Start::At,
        }
    }

    /// What a later [`Known::add`] has to show.
    pub(super) fn commits(&self) -> u64 {
        self.commits
    }

    /// Keeps what was fetched since `commits` was read, unless something was committed since.
    pub(super) fn add(
        &mut self,
        commits: u64,
        now: Duration,
        items: impl IntoIterator<Item = (Key, Option<Item>)>,
        range: Option<(String, String, String)>,
    ) {
        if commits != self.commits {
            return;
        }
        self.items
            .retain(|_, (at, _)| now.saturating_sub(*at) < FRESH);
        self.ranges
            .retain(|range| now.saturating_sub(range.at) < FRESH);
        if self.items.len() > KEPT {
            self.items.clear();
            self.ranges.clear();
        }
        for (key, item) in items {
            self.items.insert(key, (now, item));
        }
        if let Some((partition, from, to)) = range {
            self.ranges.push(Fetched {
                at: now,
                partition,
                from,
                to,
            });
        }
    }

    /// Forgets what a commit touches. Called before it and after it, however it ended: what failed
    /// may have failed because what is known here is old.
    pub(super) fn committed(&mut self, partitions: &HashSet<String>) {
        self.commits += 1;
        self.items
            .retain(|key, _| !partitions.contains(&key.partition));
        self.ranges
            .retain(|range| !partitions.contains(&range.partition));
    }
}
