//! Leases: at most one holder of a name, and a fencing token that outlives none of its steals.
//!
//! A lease is two records. `lease` changes only when the holder does, so that
//! [`Lease::fence`] can ride in any commit; `beat` changes with every heartbeat.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Registry;
use super::documents::{self, Document};
use super::keeping::lost;
use super::sessions::{Liveness, SessionInfo};
use crate::error::{Error, Result};
use crate::records::{CommitError, Expect, Key, Write};

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// For people: what it does, and for whom (`terraform apply by ann on build-7, deployment d-12`).
    pub description: String,
    /// The session, whose death frees the lease at once; set by the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionInfo>,
}

impl Holder {
    /// A holder in the registry's own session.
    pub fn new(description: impl Into<String>) -> Self {
        Self {
            description: description.into(),
            session: None,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LeaseRecord {
    token: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<Holder>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Beat {
    token: u64,
    expires_at: Timestamp,
}

/// A lease that this process holds, as long as it keeps the heartbeat up.
#[derive(Debug, Clone)]
pub struct Lease {
    /// What is leased.
    pub name: String,
    /// Greater than that of every earlier holder.
    pub token: u64,
    /// Who holds it: us.
    pub holder: Holder,
    /// How long a heartbeat lasts.
    pub ttl: Duration,
    pub(super) revision: u64,
    /// Lives as long as somebody has it.
    pub(super) alive: Arc<()>,
}

/// Who holds a lease now, for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Its fencing token.
    pub token: u64,
    /// The holder; `None` when it is free.
    pub holder: Option<Holder>,
    /// Until when the last heartbeat lasts.
    pub expires_at: Option<Timestamp>,
    /// Whether somebody else could take it now.
    pub is_free: bool,
}

fn lease_key(name: &str) -> Key {
    Key::new(format!("lease#{name}"), "lease")
}

pub(super) fn beat_key(name: &str) -> Key {
    Key::new(format!("lease#{name}"), "beat")
}

impl Lease {
    /// The write that makes a commit fail unless we still hold the lease. Heartbeats do not
    /// disturb it.
    pub fn fence(&self) -> Write {
        documents::check(lease_key(&self.name), Expect::Revision(self.revision))
    }

    /// The write that gives the lease back, and makes a commit fail unless we still hold it. The
    /// record stays, without a holder: the next one's token is greater than ours.
    pub fn release(&self) -> Result<Write> {
        let free = LeaseRecord {
            token: self.token,
            holder: None,
        };
        documents::put(
            lease_key(&self.name),
            Expect::Revision(self.revision),
            &free,
        )
    }
}

pub(super) type Read = (Option<Document<LeaseRecord>>, Option<Document<Beat>>);

impl Registry {
    /// Takes the lease `name`, or fails as a conflict that names the holder.
    ///
    /// It is free when nobody holds it, its heartbeat expired, or its holder's session is dead.
    pub async fn acquire_lease(&self, name: &str, holder: Holder, ttl: Duration) -> Result<Lease> {
        let holder = Holder {
            session: Some(self.inner.sessions.current()),
            ..holder
        };
        let (lease, beat) = self.read_lease(name).await?;
        if let Some(held) = &lease
            && let Some(other) = &held.body.holder
            && !self.is_lease_free(other, beat.as_ref())
        {
            return Err(held_by(name, other, beat.as_ref()));
        }
        let token = lease.as_ref().map_or(1, |lease| lease.body.token + 1);
        let record = LeaseRecord {
            token,
            holder: Some(holder.clone()),
        };
        let writes = vec![
            over(lease.as_ref(), lease_key(name), record)?,
            over(beat.as_ref(), beat_key(name), self.beat(token, ttl))?,
        ];
        let sent = self.inner.clock.elapsed();
        match self.commit(writes).await {
            Ok(revisions) => {
                let lease = Lease {
                    name: name.to_owned(),
                    token,
                    holder,
                    ttl,
                    revision: revisions[0],
                    alive: Arc::default(),
                };
                let beat = Expect::Revision(revisions[1]);
                self.begin_keeping(&lease, beat, sent).await;
                Ok(lease)
            }
            Err(CommitError::Condition { .. }) => {
                let (lease, beat) = self.read_lease(name).await?;
                let other = lease.and_then(|lease| lease.body.holder);
                Err(match other {
                    Some(other) => held_by(name, &other, beat.as_ref()),
                    None => Error::conflict(format!(
                        "lease {name} changed hands while it was acquired; run the operation again"
                    )),
                })
            }
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Renews the lease for another `ttl` now, and by itself; a conflict once somebody else took it. [`Registry::keep_lease`] does so when it is time.
    pub async fn heartbeat(&self, lease: &Lease) -> Result<()> {
        let mut attempts = self.attempts();
        loop {
            let beat: Option<Document<Beat>> = self.document(&beat_key(&lease.name)).await?;
            let body = self.beat(lease.token, lease.ttl);
            let writes = vec![
                lease.fence(),
                over(beat.as_ref(), beat_key(&lease.name), body)?,
            ];
            match self.commit(writes).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Store(error)) => return Err(error),
                Err(CommitError::Condition { index: 0 }) => {
                    return Err(lost(&lease.name));
                }
                Err(CommitError::Condition { .. }) if attempts.again().await => {}
                Err(CommitError::Condition { .. }) => {
                    return Err(Error::unavailable(format!(
                        "the heartbeat of lease {} could not be written in {} attempts",
                        lease.name,
                        attempts.count()
                    )));
                }
            }
        }
    }

    /// Gives the lease back. One that somebody else took is left alone.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        self.end_keeping(lease).await;
        match self.commit(vec![lease.release()?]).await {
            Ok(_) | Err(CommitError::Condition { .. }) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }

    /// Who holds a lease; `None` for one that was never taken.
    pub async fn lease_status(&self, name: &str) -> Result<Option<LeaseStatus>> {
        let (lease, beat) = self.read_lease(name).await?;
        Ok(lease.map(|lease| LeaseStatus {
            token: lease.body.token,
            is_free: lease
                .body
                .holder
                .as_ref()
                .is_none_or(|holder| self.is_lease_free(holder, beat.as_ref())),
            holder: lease.body.holder,
            expires_at: beat.map(|beat| beat.body.expires_at),
        }))
    }

    pub(super) async fn read_lease(&self, name: &str) -> Result<Read> {
        let keys = [lease_key(name), beat_key(name)];
        let mut items = self.inner.records.get(&keys).await?.into_iter();
        let lease = items.next().flatten().map(Document::read).transpose()?;
        let beat = items.next().flatten().map(Document::read).transpose()?;
        Ok((lease, beat))
    }

    fn is_lease_free(&self, holder: &Holder, beat: Option<&Document<Beat>>) -> bool {
        let expired = beat.is_none_or(|beat| beat.body.expires_at <= self.inner.clock.now());
        let dead = holder
            .session
            .as_ref()
            .is_some_and(|session| self.inner.sessions.liveness(session) == Liveness::Dead);
        expired || dead
    }

    pub(super) fn beat(&self, token: u64, ttl: Duration) -> Beat {
        let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
        let expires_at = self
            .inner
            .clock
            .now()
            .checked_add(ttl)
            .unwrap_or(Timestamp::MAX);
        Beat { token, expires_at }
    }
}

fn over<T>(old: Option<&Document<T>>, key: Key, body: T) -> Result<Write>
where
    T: Serialize + serde::de::DeserializeOwned + Clone,
{
    match old {
        None => documents::create(key, &body),
        Some(old) => Document {
            body,
            ..old.clone()
        }
        .write(),
    }
}

fn held_by(name: &str, holder: &Holder, beat: Option<&Document<Beat>>) -> Error {
    let until = beat.map_or(String::new(), |beat| {
        format!(" (its heartbeat lasts until {})", beat.body.expires_at)
    });
    Error::conflict(format!(
        "{name} is held by {}{until}; wait until that ends, then run this again",
        holder.description
    ))
}
