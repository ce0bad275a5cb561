//! Reads of many resources in few calls.
//!
//! Terraform refreshes each resource by itself, ten at a time. [`ReadAhead`] puts reads that wait at
//! the same time into one, and, once siblings are asked for (versions of one model, or the same
//! record of many models), fetches those that were not asked for yet.
//!
//! What it tells: a read that is sent for somebody began after he asked. What was fetched ahead is
//! told for five seconds and never past a commit of this process that touches its partition. Whatever is
//! decided on it is decided again by the condition of the commit.

mod known;
mod siblings;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use mlops_core::clock::{Clock, SystemClock};
use mlops_core::records::{CommitError, Identity, Item, Key, Page, Range, Records, Write};
use mlops_core::{Error, Result};
use tokio::sync::oneshot;

use known::{Known, Start};
use siblings::{Family, INDEX, MODEL, Siblings};

type Answer = Result<Vec<Option<Item>>>;
/// What lies at keys, or that nothing does.
type Found = Vec<(Key, Option<Item>)>;

/// So many names of models are known to read ahead; what lies beyond is read when it is asked for.
const NAMES: usize = 5000;
/// How long they serve.
const NAMES_LAST: Duration = Duration::from_secs(60);

/// A store whose reads are put together. Clones share what they know.
#[derive(Clone)]
pub struct ReadAhead {
    inner: Arc<Inner>,
}

struct Inner {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    /// Whether a task answers those who wait.
    busy: bool,
    known: Known,
    siblings: Siblings,
    /// When the names of models were read, and which there are.
    names: Option<(Duration, Arc<Vec<String>>)>,
}

struct Waiting {
    keys: Vec<Key>,
    answer: oneshot::Sender<Answer>,
}

impl ReadAhead {
    /// The same records as in `records`, read together.
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self::with_clock(records, Arc::new(SystemClock::default()))
    }

    fn with_clock(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Arc::new(Inner {
                records,
                clock,
                state: Mutex::default(),
            }),
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of all of `keys`.
    fn known(&self, keys: &[Key]) -> Option<Vec<Option<Item>>> {
        let now = self.clock.elapsed();
        let state = self.state();
        keys.iter().map(|key| state.known.get(key, now)).collect()
    }

    /// Answers those who wait until nobody does.
    async fn answer(self: Arc<Self>) {
        loop {
            // Those who are about to ask come first; then all wait for one call.
            tokio::task::yield_now().await;
            let waiting = {
                let mut state = self.state();
                if state.waiting.is_empty() {
                    state.busy = false;
                    return;
                }
                std::mem::take(&mut state.waiting)
            };
            let asked: HashSet<Key> = waiting
                .iter()
                .flat_map(|one| one.keys.iter().cloned())
                .collect();
            let found = self.fetch(asked).await;
            for one in waiting {
                let answer = match &found {
                    Ok(found) => Ok(one
                        .keys
                        .iter()
                        .map(|key| found.get(key).cloned().flatten())
                        .collect()),
                    Err(error) => Err(error.copy()),
                };
                // Who no longer waits does not mind.
                let _ = one.answer.send(answer);
            }
        }
    }

    /// The records at `keys`, each by itself or together with its siblings.
    async fn fetch(&self, keys: HashSet<Key>) -> Result<HashMap<Key, Option<Item>>> {
        let now = self.clock.elapsed();
        let (alone, ahead, commits) = {
            let mut state = self.state();
            let mut alone = Vec::new();
            let mut families: HashMap<Family, Vec<Key>> = HashMap::new();
            for key in keys {
                match state.siblings.asked(&key) {
                    Some(family) if !state.known.covers(&key, now) => {
                        families.entry(family).or_default().push(key);
                    }
                    _ => alone.push(key),
                }
            }
            let mut ahead = Vec::new();
            for (family, mut keys) in families {
                keys.sort_unstable();
                let limit = state.siblings.ahead(&family);
                ahead.push((family, keys, limit));
            }
            (alone, ahead, state.known.commits())
        };
        let mut calls: Vec<BoxFuture<'_, Result<Found>>> = Vec::new();
        if !alone.is_empty() {
            calls.push(Box::pin(self.get(alone)));
        }
        for (family, keys, limit) in ahead {
            calls.push(Box::pin(self.fetch_family(family, keys, limit, commits)));
        }
        let found = futures::future::try_join_all(calls).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn get(&self, keys: Vec<Key>) -> Result<Found> {
        let found = self.records.get(&keys).await?;
        Ok(keys.into_iter().zip(found).collect())
    }

    async fn fetch_family(
        &self,
        family: Family,
        keys: Vec<Key>,
        limit: usize,
        commits: u64,
    ) -> Result<Found> {
        match family {
            Family::Inside { partition, prefix } => {
                self.fetch_inside(partition, prefix, keys, limit, commits)
                    .await
            }
            Family::Across { sort } => self.fetch_across(sort, keys, limit, commits).await,
        }
    }

    /// Towards the first of `keys`, from where the records next to it are known, or from that key on. Those of `keys`
    /// that one query does not reach are asked for by themselves.
    async fn fetch_inside(
        &self,
        partition: String,
        prefix: String,
        keys: Vec<Key>,
        limit: usize,
        commits: u64,
    ) -> Result<Found> {
        let Some(first) = keys.first() else {
            return Ok(Vec::new());
        };
        let now = self.clock.elapsed();
        let start = self.state().known.beside(first, &prefix, now);
        let range = Range {
            after: match &start {
                Start::After(known) | Start::Before(known) => Some(known.clone()),
                Start::At => before(&first.sort).filter(|after| after.starts_with(&prefix)),
            },
            prefix,
            descending: matches!(start, Start::Before(_)),
            limit: Some(limit),
        };
        let page = self.records.query(&partition, range.clone()).await?;
        // To the end of the prefix, if nothing follows: what is not there was not there then.
        let last = page.items.last().filter(|_| page.more);
        let last = last.map(|item| item.key.sort.clone());
        let end = || format!("{}{}", range.prefix, char::MAX);
        let (from, to) = match start {
            Start::After(known) => (known, last.unwrap_or_else(end)),
            Start::At => (first.sort.clone(), last.unwrap_or_else(end)),
            Start::Before(known) => (last.unwrap_or_else(|| range.prefix.clone()), known),
        };
        let mut found: HashMap<Key, Option<Item>> = page
            .items
            .into_iter()
            .map(|item| (item.key.clone(), Some(item)))
            .collect();
        let mut beyond = Vec::new();
        for key in keys {
            if from <= key.sort && key.sort <= to {
                found.entry(key).or_insert(None);
            } else {
                beyond.push(key);
            }
        }
        let now = self.clock.elapsed();
        self.state()
            .known
            .add(commits, now, found.clone(), Some((partition, from, to)));
        if !beyond.is_empty() {
            found.extend(self.get(beyond).await?);
        }
        Ok(found.into_iter().collect())
    }

    /// The same record of other models: of those that follow the first of `keys` and are not known,
    /// and then of those before it.
    async fn fetch_across(
        &self,
        sort: String,
        keys: Vec<Key>,
        limit: usize,
        commits: u64,
    ) -> Result<Found> {
        let names = self.names().await?;
        let first = keys
            .first()
            .and_then(|key| key.partition.strip_prefix(MODEL))
            .unwrap_or_default();
        let start = names.partition_point(|name| name.as_str() < first);
        let mut wanted: HashSet<Key> = keys.into_iter().collect();
        {
            let now = self.clock.elapsed();
            let state = self.state();
            let others = names[start..].iter().chain(&names[..start]);
            let others = others.map(|name| Key::new(format!("{MODEL}{name}"), &*sort));
            let unknown = others.filter(|key| state.known.get(key, now).is_none());
            wanted.extend(unknown.take(limit));
        }
        let found = self.get(wanted.into_iter().collect()).await?;
        let now = self.clock.elapsed();
        self.state().known.add(commits, now, found.clone(), None);
        Ok(found)
    }

    /// Names of models, in order. They only say where to look, so old ones do no harm.
    async fn names(&self) -> Result<Arc<Vec<String>>> {
        let now = self.clock.elapsed();
        if let Some((at, names)) = &self.state().names
            && now.saturating_sub(*at) < NAMES_LAST
        {
            return Ok(Arc::clone(names));
        }
        let range = Range {
            limit: Some(NAMES),
            ..Range::default()
        };
        let page = self.records.query(INDEX, range).await?;
        let names = Arc::new(page.items.into_iter().map(|item| item.key.sort).collect());
        self.state().names = Some((self.clock.elapsed(), Arc::clone(&names)));
        Ok(names)
    }
}

/// A sort key that lies before `sort` and after all that are less in practice: its last character
/// one lower, and the greatest after it. `None`: from the beginning.
fn before(sort: &str) -> Option<String> {
    let mut chars: Vec<char> = sort.chars().collect();
    let last = chars.pop()?;
    let lower = char::from_u32((last as u32).checked_sub(1)?)?;
    chars.push(lower);
    chars.push(char::MAX);
    Some(chars.into_iter().collect())
}

#[async_trait]
impl Records for ReadAhead {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.inner.records.identity().await
    }

    fn location(&self) -> String {
        self.inner.records.location()
    }

    async fn get(&self, keys: &[Key]) -> Answer {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(known) = self.inner.known(keys) {
            return Ok(known);
        }
        let (answer, answered) = oneshot::channel();
        let starts = {
            let mut state = self.inner.state();
            state.waiting.push(Waiting {
                keys: keys.to_vec(),
                answer,
            });
            !std::mem::replace(&mut state.busy, true)
        };
        if starts {
            // A task of its own, so that a caller who is cancelled takes nobody with him.
            tokio::spawn(Arc::clone(&self.inner).answer());
        }
        answered.await.unwrap_or_else(|_| {
            Err(Error::bug(
                "a read that was put together with others did not end; report this",
            ))
        })
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        self.inner.records.query(partition, range).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        let partitions = writes
            .iter()
            .map(|write| write.key.partition.clone())
            .collect();
        let touched = Touched {
            inner: &self.inner,
            partitions,
        };
        touched.forget();
        let outcome = self.inner.records.commit(writes).await;
        drop(touched);
        outcome
    }
}

/// Forgets what a commit touches when it ends, also by being dropped.
struct Touched<'a> {
    inner: &'a Inner,
    partitions: HashSet<String>,
}

impl Touched<'_> {
    fn forget(&self) {
        self.inner.state().known.committed(&self.partitions);
    }
}

impl Drop for Touched<'_> {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests;
