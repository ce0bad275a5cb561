//! Sessions: which process created what, so that a create whose answer was lost is found again.
//!
//! A provider process that creates something opens a session, and with each record it leaves a
//! row that says "created, not acknowledged". An orderly end closes the session and removes the
//! rows. A process that was killed leaves its session open and its rows behind: the next create
//! with an equal specification adopts such a record, by one conditional write, instead of making
//! a second one. A record that some state already holds ([`Registry::note_held`]) is passed over
//! and acknowledged. Two equal creates in one session are two records: a session that lives is
//! never adopted from. Whether one of another machine lives its heartbeat tells: [`super::Heartbeat`].

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::documents::{self, Document};
use super::lately::Lately;
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
    pub(super) info: SessionInfo,
    opened_at: Timestamp,
    /// Its rows are being removed: nothing of it can be adopted any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closed: bool,
    /// Its process promises that the record changes within each period of so many milliseconds; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) silence_ms: Option<u64>,
    /// It broke that promise, and what it made may be adopted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) given_up: bool,
}

impl SessionRecord {
    pub(super) fn is_open(&self) -> bool {
        !self.closed
    }
}

/// "Created, not acknowledged."
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CreatedRow {
    pub(super) spec_hash: String,
    /// The create's nonce, which tells the record from a later one of the same name.
    nonce: String,
}

/// The other sessions, as seen a moment ago.
pub(super) type OtherSessions = Lately<Arc<Vec<Document<SessionRecord>>>>;

/// What a session that died had made, and nobody came for, is given up after so many days: it counts as acknowledged then.
const UNCLAIMED_DAYS: i64 = 30;

/// For how long refreshes and registrations trust which other sessions they saw: a thousand resources ask within a few
/// seconds. A session that matters to a refresh made what a state held when the run began, so it is older than that.
const LATELY: Duration = Duration::from_secs(5);

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
                let key = keys::session(info.id);
                let silence = self.inner.heartbeat.map(|heartbeat| heartbeat.silence);
                let record = SessionRecord {
                    opened_at: self.inner.clock.now(),
                    closed: false,
                    silence_ms: silence.and_then(|silence| silence.as_millis().try_into().ok()),
                    given_up: false,
                    info,
                };
                let write = documents::create(key.clone(), &record)?;
                match self.commit(vec![write]).await {
                    Ok(_) | Err(CommitError::Condition { .. }) => {}
                    Err(CommitError::Store(error)) => return Err(error),
                }
                if self.inner.heartbeat.is_some()
                    && let Some(record) = self.document(&key).await?
                {
                    self.begin_beating(record).await;
                }
                Ok(())
            })
            .await?;
        self.expect_alive().await
    }

    /// Whether the session of this id died before it was closed, so that what it made last may never
    /// have reached a state.
    pub(crate) async fn is_abandoned(&self, session: uuid::Uuid) -> Result<bool> {
        let records = self.session_records().await?;
        let Some(record) = records.iter().find(|record| record.body.info.id == session) else {
            return Ok(false);
        };
        if self.is_dead(record) {
            return Ok(true);
        }
        let watched = self.suspects(std::slice::from_ref(record)).await?;
        let watched = watched.into_iter().map(|(id, _)| id).collect();
        Ok(!self.those_that_died(watched).await?.is_empty())
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

    pub(super) async fn session_records(&self) -> Result<Vec<Document<SessionRecord>>> {
        let ours = self.session().id;
        let asked = self.inner.clock.elapsed();
        let all = self
            .all_documents::<SessionRecord>(keys::SESSIONS, "")
            .await?;
        let others: Vec<_> = all
            .into_iter()
            .filter(|record| record.body.info.id != ours)
            .collect();
        self.witness(&others, asked);
        Ok(others)
    }

    /// As [`Self::session_records`], a moment ago.
    async fn session_records_lately(&self) -> Result<Arc<Vec<Document<SessionRecord>>>> {
        let look = async { self.session_records().await.map(Arc::new) };
        let (others, clock) = (&self.inner.others, &*self.inner.clock);
        others.get(clock, LATELY, look).await
    }

    /// Whether it is known without watching that the process is gone, and did not close its session.
    fn is_dead(&self, record: &Document<SessionRecord>) -> bool {
        record.body.is_open()
            && (record.body.given_up
                || self.inner.sessions.liveness(&record.body.info) == Liveness::Dead)
    }

    /// What dead sessions created with this specification and nobody acknowledged or holds.
    /// `prefix` is an object, or the beginning of several. Held ones are acknowledged here.
    ///
    /// Waits where only watching tells whether a session that made such a thing is dead.
    pub(super) async fn abandoned(&self, prefix: &str, spec_hash: &str) -> Result<Vec<Abandoned>> {
        if !self.inner.sessions.is_tracked() {
            return Ok(Vec::new());
        }
        let records = self.session_records().await?;
        self.abandoned_among(&records, prefix, spec_hash).await
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
        let records = self.session_records_lately().await?;
        self.abandoned_among(&records, prefix, spec_hash).await
    }

    async fn abandoned_among(
        &self,
        records: &[Document<SessionRecord>],
        prefix: &str,
        spec_hash: &str,
    ) -> Result<Vec<Abandoned>> {
        let dead = records.iter().filter(|record| self.is_dead(record));
        let mut dead: Vec<_> = dead.map(|record| record.body.info.id).collect();
        let mut watched = HashSet::new();
        for (session, rows) in self.suspects(records).await? {
            let is_wanted = rows.iter().any(|row| {
                row.key.sort.starts_with(prefix)
                    && row.body.spec_hash == spec_hash
                    && !self.is_held(session, row)
            });
            if is_wanted {
                watched.insert(session);
            }
        }
        dead.extend(self.those_that_died(watched).await?);
        self.abandoned_by(dead, prefix, spec_hash).await
    }

    /// Whether a state holds what the row is about.
    fn is_held(&self, session: uuid::Uuid, row: &Document<CreatedRow>) -> bool {
        let id = row.key.sort.split_once('#').map(|(_, id)| id);
        id.is_some_and(|id| self.inner.held.contains(&hint(session, id)))
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
        let records = self.session_records_lately().await?;
        let kind = match id {
            _ if id.contains('@') => "alias",
            _ if id.contains('/') => "version",
            _ => "model",
        };
        let object = object(kind, id);
        // That a state holds it is true whatever becomes of the session.
        for (session, rows) in self.suspects(&records).await? {
            if rows.iter().any(|row| row.key.sort == object) {
                self.inner.held.note(&hint(session, id));
            }
        }
        let dead = records.iter().filter(|record| self.is_dead(record));
        let dead: Vec<_> = dead.map(|record| record.body.info.id).collect();
        if dead.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = dead
            .iter()
            .map(|session| keys::created(*session, &object))
            .collect();
        let found = self.inner.records.get(&rows).await?;
        for (session, row) in dead.iter().zip(found) {
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
        self.end_beating().await;
        self.close_ours().await?;
        for record in self.session_records().await? {
            let id = record.body.info.id;
            let gone = self.inner.sessions.liveness(&record.body.info) == Liveness::Dead
                || self.is_left_closed(&record);
            let dead =
                self.is_dead(&record) || (self.is_silent(&record) && self.give_up(&record).await?);
            if dead {
                let rows = self
                    .all_documents::<CreatedRow>(&keys::session_partition(id), "")
                    .await?;
                let (held, open): (Vec<_>, Vec<_>) =
                    rows.into_iter().partition(|row| self.is_held(id, row));
                for row in &held {
                    self.acknowledge(row).await?;
                }
                if !open.is_empty() && !self.is_unclaimed(&record.body) {
                    continue;
                }
            }
            if dead || gone {
                self.remove_session(id).await?;
            }
        }
        Ok(())
    }

    async fn close_ours(&self) -> Result<()> {
        let ours = self.session().id;
        loop {
            let key = keys::session(ours);
            let Some(mut record) = self.document::<SessionRecord>(&key).await? else {
                return Ok(());
            };
            record.body.closed = true;
            match self.commit(vec![record.write()?]).await {
                Ok(_) => return self.remove_session(ours).await,
                // Nothing of ours writes it any more; another one that takes us for dead does so once.
                Err(CommitError::Condition { .. }) => {}
                Err(CommitError::Store(error)) => {
                    return Err(Error::new(
                        error.class(),
                        format!("session {ours} could not be closed"),
                    )
                    .because(error));
                }
            }
        }
    }

    /// Whether nobody came for what a dead session made for so long that nobody will.
    fn is_unclaimed(&self, session: &SessionRecord) -> bool {
        let age = self.inner.clock.now().duration_since(session.opened_at);
        age > SignedDuration::from_hours(24 * UNCLAIMED_DAYS)
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
