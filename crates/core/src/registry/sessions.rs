//! Sessions: which process created what, so that a create whose answer was lost is found again.
//!
//! A provider process that creates something opens a session, and with each record it leaves a
//! row that says "created, not acknowledged". An orderly end closes the session and removes the
//! rows. A process that was killed leaves its session open and its rows behind: the next create
//! with an equal specification adopts such a record, by one conditional write, instead of making
//! a second one. A record that some state already holds ([`Registry::note_held`]) is passed over
//! and acknowledged. Two equal creates in one session are two records: a session that lives is
//! never adopted from.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::documents::{self, Document};
use super::{Registry, keys};
use crate::error::{Error, Result};
use crate::records::{COMMIT_LIMIT, CommitError, Expect, Key, Write};

/// A process that uses the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// Minted when the process first needed it.
    pub id: uuid::Uuid,
    /// Its process id.
    pub pid: u32,
    /// When it started, in the unit of [`SessionInfo::boot_id`]'s machine; with the pid it names
    /// a process for as long as the machine is up.
    pub start_time: u64,
    /// The machine's boot, where known.
    pub boot_id: String,
    /// The machine.
    pub host: String,
}

/// Whether a session's process still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Liveness {
    /// It does.
    Alive,
    /// It does not, and never will again.
    Dead,
    /// It cannot be told from here, as for another machine.
    Unknown,
}

/// The port that knows this process and tells whether others live.
pub trait Sessions: Send + Sync {
    /// This process; the same answer every time.
    fn current(&self) -> SessionInfo;
    /// Whether that process still runs.
    fn liveness(&self, session: &SessionInfo) -> Liveness;
    /// Whether what this process creates can be adopted later.
    fn is_tracked(&self) -> bool {
        true
    }
}

/// Remembers ids of records that a state already holds. Best effort.
pub trait HeldHints: Send + Sync {
    /// Remembers.
    fn note(&self, id: &str);
    /// Whether it was remembered, by this process or an earlier one.
    fn contains(&self, id: &str) -> bool;
}

/// A session that adopts nothing and from which nothing is adopted.
#[derive(Debug)]
pub struct Unadoptable(pub uuid::Uuid);

impl Sessions for Unadoptable {
    fn current(&self) -> SessionInfo {
        SessionInfo {
            id: self.0,
            pid: std::process::id(),
            start_time: 0,
            boot_id: String::new(),
            host: String::new(),
        }
    }
    fn liveness(&self, _: &SessionInfo) -> Liveness {
        Liveness::Unknown
    }
    fn is_tracked(&self) -> bool {
        false
    }
}

/// Remembers for the life of the process.
#[derive(Debug, Default)]
pub struct HeldInMemory(Mutex<HashSet<String>>);

impl HeldHints for HeldInMemory {
    fn note(&self, id: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned());
    }
    fn contains(&self, id: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(id)
    }
}

/// An open session's record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SessionRecord {
    #[serde(flatten)]
    info: SessionInfo,
    opened_at: Timestamp,
    /// Its rows are being removed: nothing of it can be adopted any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closed: bool,
}

/// "Created, not acknowledged."
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CreatedRow {
    spec_hash: String,
    /// The create's nonce, which tells the record from a later one of the same name.
    nonce: String,
}

/// The dead sessions, as seen a moment ago.
pub(super) struct DeadSessions {
    seen: Duration,
    ids: Vec<uuid::Uuid>,
}

/// For how long refreshes and registrations trust what they saw: a thousand resources ask within a few seconds.
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// What an object is called in a session's rows.
pub(super) fn object(kind: &str, id: impl std::fmt::Display) -> String {
    format!("{kind}#{id}")
}

/// What a hint calls a record that a state holds: one of this session. A model or an alias of that
/// name that is made again after a destroy, by a session that is killed, is not held.
fn hint(session: uuid::Uuid, id: &str) -> String {
    format!("{session} {id}")
}

fn created_row(key: Key, expect: Expect, spec_hash: &str, nonce: &str) -> Result<Write> {
    let row = CreatedRow {
        spec_hash: spec_hash.to_owned(),
        nonce: nonce.to_owned(),
    };
    documents::put(key, expect, &row)
}

/// A record that a dead session created and never acknowledged.
pub(super) struct Abandoned {
    /// `fraud/8`, without the kind.
    pub(super) id: String,
    /// The nonce of the create.
    pub(super) nonce: String,
    row: Document<CreatedRow>,
}

impl Abandoned {
    /// The write that takes it out of the dead session; it fails if somebody else was faster.
    pub(super) fn take(&self) -> Write {
        self.row.delete()
    }
}

impl Registry {
    /// This process's session.
    pub fn session(&self) -> SessionInfo {
        self.inner.sessions.current()
    }

    /// Makes sure that the session's record exists; creates call it first.
    pub(crate) async fn open_session(&self) -> Result<()> {
        if !self.inner.sessions.is_tracked() {
            return Ok(());
        }
        self.inner
            .opened
            .get_or_try_init(|| async {
                let info = self.session();
                let record = SessionRecord {
                    opened_at: self.inner.clock.now(),
                    closed: false,
                    info: info.clone(),
                };
                let write = documents::create(keys::session(info.id), &record)?;
                match self.commit(vec![write]).await {
                    Ok(_) | Err(CommitError::Condition { .. }) => Ok(()),
                    Err(CommitError::Store(error)) => Err(error),
                }
            })
            .await
            .copied()
    }

    /// Whether the session of this id died before it was closed, so that what it made last may never
    /// have reached a state.
    pub(crate) async fn is_abandoned(&self, session: uuid::Uuid) -> Result<bool> {
        Ok(self.dead_sessions().await?.contains(&session))
    }

    /// The row that says that this session created `object`; none in a session without rows.
    /// One that this session left when it created an earlier object of that name is replaced.
    pub(super) async fn created_write(
        &self,
        object: &str,
        spec_hash: &str,
        nonce: &str,
    ) -> Result<Option<Write>> {
        if !self.inner.sessions.is_tracked() {
            return Ok(None);
        }
        let key = keys::created(self.session().id, object);
        let before = self
            .inner
            .records
            .get(std::slice::from_ref(&key))
            .await?
            .pop()
            .flatten();
        let expect = before.map_or(Expect::Absent, |row| Expect::Revision(row.revision));
        created_row(key, expect, spec_hash, nonce).map(Some)
    }

    /// As [`Self::created_write`], of an object whose name no other ever has: nothing is looked up.
    pub(super) fn created_once(
        &self,
        object: &str,
        spec_hash: &str,
        nonce: &str,
    ) -> Result<Option<Write>> {
        if !self.inner.sessions.is_tracked() {
            return Ok(None);
        }
        let key = keys::created(self.session().id, object);
        created_row(key, Expect::Absent, spec_hash, nonce).map(Some)
    }

    async fn session_records(&self) -> Result<Vec<Document<SessionRecord>>> {
        let ours = self.session().id;
        let all = self
            .all_documents::<SessionRecord>(keys::SESSIONS, "")
            .await?;
        Ok(all
            .into_iter()
            .filter(|record| record.body.info.id != ours)
            .collect())
    }

    async fn dead_sessions(&self) -> Result<Vec<uuid::Uuid>> {
        let dead = |record: &Document<SessionRecord>| {
            !record.body.closed && self.inner.sessions.liveness(&record.body.info) == Liveness::Dead
        };
        let records = self.session_records().await?;
        Ok(records
            .iter()
            .filter(|record| dead(record))
            .map(|record| record.body.info.id)
            .collect())
    }

    /// As [`Self::dead_sessions`], a moment ago.
    async fn dead_sessions_lately(&self) -> Result<Vec<uuid::Uuid>> {
        let lock = || {
            let dead = self.inner.dead.lock();
            dead.unwrap_or_else(PoisonError::into_inner)
        };
        let now = self.inner.clock.elapsed();
        if let Some(dead) = lock().as_ref()
            && now.saturating_sub(dead.seen) < FRESH
        {
            return Ok(dead.ids.clone());
        }
        let ids = self.dead_sessions().await?;
        *lock() = Some(DeadSessions {
            seen: now,
            ids: ids.clone(),
        });
        Ok(ids)
    }

    /// What dead sessions created with this specification and nobody acknowledged or holds.
    /// `prefix` is an object, or the beginning of several. Held ones are acknowledged here.
    pub(super) async fn abandoned(&self, prefix: &str, spec_hash: &str) -> Result<Vec<Abandoned>> {
        if !self.inner.sessions.is_tracked() {
            return Ok(Vec::new());
        }
        let dead = self.dead_sessions().await?;
        self.abandoned_by(dead, prefix, spec_hash).await
    }

    /// As [`Self::abandoned`], by those who were dead a moment ago: for what is created by the thousand. Who died
    /// since leaves what he made to the next run.
    pub(super) async fn abandoned_lately(
        &self,
        prefix: &str,
        spec_hash: &str,
    ) -> Result<Vec<Abandoned>> {
        if !self.inner.sessions.is_tracked() {
            return Ok(Vec::new());
        }
        let dead = self.dead_sessions_lately().await?;
        self.abandoned_by(dead, prefix, spec_hash).await
    }

    async fn abandoned_by(
        &self,
        dead: Vec<uuid::Uuid>,
        prefix: &str,
        spec_hash: &str,
    ) -> Result<Vec<Abandoned>> {
        let mut found = Vec::new();
        for session in dead {
            let partition = keys::session_partition(session);
            for row in self.all_documents::<CreatedRow>(&partition, prefix).await? {
                let Some((_, id)) = row.key.sort.split_once('#') else {
                    continue;
                };
                if self.inner.held.contains(&hint(session, id)) {
                    self.acknowledge(&row).await?;
                } else if row.body.spec_hash == spec_hash {
                    found.push(Abandoned {
                        id: id.to_owned(),
                        nonce: row.body.nonce.clone(),
                        row,
                    });
                }
            }
        }
        Ok(found)
    }

    async fn acknowledge(&self, row: &Document<CreatedRow>) -> Result<()> {
        match self.commit(vec![row.delete()]).await {
            // Somebody else adopted or acknowledged it.
            Ok(_) | Err(CommitError::Condition { .. }) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Tells that a state holds the record `id` (`fraud`, `fraud/8`, `fraud@champion`), so that
    /// no create adopts it. Read and Plan of a resource with state call it; it writes nothing to
    /// the registry.
    pub async fn note_held(&self, id: &str) -> Result<()> {
        if !self.inner.sessions.is_tracked() {
            return Ok(());
        }
        let ids = self.dead_sessions_lately().await?;
        if ids.is_empty() {
            return Ok(());
        }
        let kind = match id {
            _ if id.contains('@') => "alias",
            _ if id.contains('/') => "version",
            _ => "model",
        };
        let object = object(kind, id);
        let rows: Vec<_> = ids
            .iter()
            .map(|session| keys::created(*session, &object))
            .collect();
        let found = self.inner.records.get(&rows).await?;
        for (session, row) in ids.iter().zip(found) {
            if row.is_some() {
                self.inner.held.note(&hint(*session, id));
            }
        }
        Ok(())
    }

    /// Closes the session: everything it created is acknowledged. Called on an orderly shutdown.
    /// Also clears up after sessions that were killed while they closed, or whose records were
    /// all adopted. Does nothing for a process that created nothing.
    pub async fn close_session(&self) -> Result<()> {
        if self.inner.opened.get().is_none() {
            return Ok(());
        }
        let key = keys::session(self.session().id);
        if let Some(mut record) = self.document::<SessionRecord>(&key).await? {
            record.body.closed = true;
            let write = record.write()?;
            self.commit(vec![write]).await.map_err(|error| {
                error.into_error(&format!(
                    "session {} could not be closed",
                    record.body.info.id
                ))
            })?;
            self.remove_session(record.body.info.id).await?;
        }
        for record in self.session_records().await? {
            let id = record.body.info.id;
            let session = id;
            let dead = self.inner.sessions.liveness(&record.body.info) == Liveness::Dead;
            if dead && !record.body.closed {
                let rows = self
                    .all_documents::<CreatedRow>(&keys::session_partition(id), "")
                    .await?;
                let (held, open): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| {
                    let id = row.key.sort.split_once('#').map(|(_, id)| id);
                    id.is_some_and(|id| self.inner.held.contains(&hint(session, id)))
                });
                for row in &held {
                    self.acknowledge(row).await?;
                }
                if !open.is_empty() {
                    continue;
                }
            }
            if dead {
                self.remove_session(id).await?;
            }
        }
        Ok(())
    }

    /// Removes the rows of a session and then its record. Losing a race is fine: the other one
    /// does the same.
    async fn remove_session(&self, id: uuid::Uuid) -> Result<()> {
        let rows = self.all_items(&keys::session_partition(id), "").await?;
        let deletes: Vec<Write> = rows
            .into_iter()
            .map(|row| documents::delete(row.key, row.revision))
            .collect();
        let mut batches: Vec<Vec<Write>> = deletes
            .chunks(COMMIT_LIMIT)
            .map(<[Write]>::to_vec)
            .collect();
        if let Some(record) = self.document::<SessionRecord>(&keys::session(id)).await? {
            batches.push(vec![record.delete()]);
        }
        for batch in batches {
            match self.commit(batch).await {
                Ok(_) => {}
                Err(CommitError::Condition { .. }) => return Ok(()),
                Err(CommitError::Store(error)) => {
                    return Err(Error::new(
                        error.class(),
                        format!("the rows of session {id} could not be removed"),
                    )
                    .because(error));
                }
            }
        }
        Ok(())
    }
}
