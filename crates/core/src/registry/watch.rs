//! What is known of sessions whose processes cannot be seen from here.
//!
//! A session that this process never saw change may be that of a run that was killed, which this one repeats. A session
//! that was not there when this process first looked, or whose record changed since, lived after this process
//! had begun: that is no run which this one repeats, and what it makes is its own. So each such session is watched until its first
//! beat and never again, and only what it had made when this process first looked can be adopted.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::stream::{StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use super::documents::Document;
use super::sessions::{CreatedRow, Liveness, SessionRecord};
use super::{Registry, keys};
use crate::error::Result;
use crate::records::CommitError;

/// How often a session is looked at while a create waits for what becomes of it.
const LOOK: Duration = Duration::from_secs(1);
/// So many sessions' rows are read at a time.
const AT_ONCE: usize = 16;

/// The sessions as this process saw them.
#[derive(Default)]
pub(super) struct Watch {
    /// Whether this process has looked before.
    begun: bool,
    seen: HashMap<Uuid, Seen>,
}

struct Seen {
    /// The record's revision when it was first seen.
    revision: u64,
    /// When the answer came that first told it, by our own clock.
    since: Duration,
    /// For how long nothing changed at least.
    silent: Duration,
    /// It lived after this process had begun.
    lived: bool,
    rows: Option<Rows>,
}

type Rows = Arc<Vec<Document<CreatedRow>>>;

/// What becomes of a session that is watched.
enum Fate {
    Open,
    /// It lives, or has ended in good order.
    NotOurs,
    Dead,
}

impl Registry {
    fn watch<T>(&self, change: impl FnOnce(&mut Watch) -> T) -> T {
        let watch = self.inner.watch.lock();
        change(&mut watch.unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what a look told that was asked for at this time, and is answered now.
    pub(super) fn witness(&self, records: &[Document<SessionRecord>], asked: Duration) {
        if self.inner.heartbeat.is_none() {
            return;
        }
        let answered = self.inner.clock.elapsed();
        let there: HashSet<Uuid> = records.iter().map(|record| record.body.info.id).collect();
        self.watch(|watch| {
            watch.seen.retain(|id, _| there.contains(id));
            for record in records {
                let lived = watch.begun;
                let seen = watch
                    .seen
                    .entry(record.body.info.id)
                    .or_insert_with(|| Seen {
                        revision: record.revision,
                        since: answered,
                        silent: Duration::ZERO,
                        lived,
                        rows: None,
                    });
                seen.lived |= seen.revision != record.revision;
                // From the first answer to this question: the change would have to lie between.
                seen.silent = asked.saturating_sub(seen.since);
            }
            watch.begun = true;
        });
    }

    /// Whether only watching tells what becomes of this session, and it may be that of a run which this one repeats.
    fn is_suspect(&self, record: &Document<SessionRecord>) -> bool {
        let unknown = || self.inner.sessions.liveness(&record.body.info) == Liveness::Unknown;
        self.inner.heartbeat.is_some()
            && record.body.is_open()
            && !record.body.given_up
            && record.body.silence_ms.is_some()
            && !self.watch(|watch| {
                let seen = watch.seen.get(&record.body.info.id);
                seen.is_some_and(|seen| seen.lived)
            })
            && unknown()
    }

    /// What suspects had made when this process first looked.
    pub(super) async fn suspects(
        &self,
        records: &[Document<SessionRecord>],
    ) -> Result<Vec<(Uuid, Rows)>> {
        let suspects = records.iter().filter(|record| self.is_suspect(record));
        let ids: Vec<Uuid> = suspects.map(|record| record.body.info.id).collect();
        futures::stream::iter(ids)
            .map(|id| async move { Ok((id, self.first_rows(id).await?)) })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn first_rows(&self, session: Uuid) -> Result<Rows> {
        let known = |watch: &mut Watch| watch.seen.get(&session).and_then(|seen| seen.rows.clone());
        if let Some(rows) = self.watch(known) {
            return Ok(rows);
        }
        let rows: Rows = Arc::new(
            self.all_documents(&keys::session_partition(session), "")
                .await?,
        );
        self.watch(|watch| {
            if let Some(seen) = watch.seen.get_mut(&session) {
                seen.rows = Some(rows.clone());
            }
        });
        Ok(rows)
    }

    /// Waits until these sessions have changed, ended or been silent for as long as they promised not to be, and takes the
    /// silent ones for dead. Those.
    pub(super) async fn those_that_died(&self, mut watched: HashSet<Uuid>) -> Result<Vec<Uuid>> {
        let mut dead = Vec::new();
        if !watched.is_empty() {
            tracing::info!(
                "an earlier run made this and did not end: watching for up to {} s whether it still lives",
                self.inner.heartbeat.unwrap_or_default().silence.as_secs()
            );
        }
        while !watched.is_empty() {
            for record in self.session_records().await? {
                let id = record.body.info.id;
                if !watched.contains(&id) {
                    continue;
                }
                match self.fate(&record).await? {
                    Fate::Open => continue,
                    Fate::NotOurs => {}
                    Fate::Dead => dead.push(id),
                }
                watched.remove(&id);
            }
            // Whose record is gone has ended in good order.
            self.watch(|watch| watched.retain(|id| watch.seen.contains_key(id)));
            if !watched.is_empty() {
                self.inner.clock.sleep(LOOK).await;
            }
        }
        Ok(dead)
    }

    async fn fate(&self, record: &Document<SessionRecord>) -> Result<Fate> {
        let body = &record.body;
        if !body.is_open() {
            return Ok(Fate::NotOurs);
        }
        if body.given_up {
            return Ok(Fate::Dead);
        }
        if self.is_silent(record) {
            return Ok(match self.give_up(record).await? {
                true => Fate::Dead,
                false => Fate::NotOurs,
            });
        }
        Ok(match self.is_suspect(record) {
            true => Fate::Open,
            false => Fate::NotOurs,
        })
    }

    /// Whether an open session has been silent for as long as it promised not to be, while this process watched.
    pub(super) fn is_silent(&self, record: &Document<SessionRecord>) -> bool {
        self.is_suspect(record) && self.was_silent(record)
    }

    /// Whether a closed session's owner does not come to remove it any more, as far as this process can tell.
    pub(super) fn is_left_closed(&self, record: &Document<SessionRecord>) -> bool {
        !record.body.is_open() && self.was_silent(record)
    }

    fn was_silent(&self, record: &Document<SessionRecord>) -> bool {
        let Some(promised) = record.body.silence_ms.map(Duration::from_millis) else {
            return false;
        };
        self.watch(|watch| {
            let seen = watch.seen.get(&record.body.info.id);
            seen.is_some_and(|seen| !seen.lived && seen.silent >= promised)
        })
    }

    /// Takes a silent session for dead, in its record; its next beat is refused by that. False if it was not silent after all.
    pub(super) async fn give_up(&self, record: &Document<SessionRecord>) -> Result<bool> {
        let mut marked = record.clone();
        marked.body.given_up = true;
        match self.commit(vec![marked.write()?]).await {
            Ok(_) => Ok(true),
            Err(CommitError::Condition { .. }) => {
                let found: Option<Document<SessionRecord>> = self.document(&record.key).await?;
                Ok(found.is_some_and(|found| found.body.is_open() && found.body.given_up))
            }
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}
