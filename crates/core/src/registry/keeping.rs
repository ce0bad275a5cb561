//! The leases that this process holds are kept together: one commit renews all of them.
//!
//! Fifty endpoints of one apply hold fifty leases, each of which has to be renewed several times a minute. Whoever finds his own due renews those of the others
//! with it, whose turn would come soon. Nobody's is renewed for him once he has stopped asking: a run that hangs loses its lease, as it should.
//!
//! A renewal demands that the heartbeat is as this process last wrote it. Whoever takes a lease writes its heartbeat in the same commit, so that this tells of every
//! theft, and the lease's own record, which fences the journal, is left alone: renewals are in no journal's way.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Registry;
use super::documents;
use super::leases::{Lease, beat_key};
use crate::error::{Error, Result};
use crate::records::{COMMIT_LIMIT, CommitError, Expect};

/// What is known of the leases that this process holds. Its lock puts renewals in order, so it is held during their commits.
#[derive(Default)]
pub(super) struct Kept(tokio::sync::Mutex<State>);

#[derive(Default)]
struct State {
    leases: HashMap<String, Held>,
    /// When a renewal failed last because the store did not answer.
    failed: Option<Duration>,
}

struct Held {
    lease: Weak<()>,
    /// Of the lease's own record.
    revision: u64,
    token: u64,
    ttl: Duration,
    /// How the heartbeat was last written.
    beat: Expect,
    /// When that was sent.
    renewed: Duration,
    /// When its holder last asked.
    asked: Duration,
}

impl Held {
    /// Whether it is renewed with others at this time.
    fn joins(&self, now: Duration) -> bool {
        let is_alive = self.lease.strong_count() > 0;
        let is_asked_for = now.saturating_sub(self.asked) < self.ttl / 2;
        is_alive && is_asked_for && now.saturating_sub(self.renewed) >= self.ttl / 12
    }
}

impl Registry {
    /// Notes a lease that was just taken, with the revision of its heartbeat.
    pub(super) async fn begin_keeping(&self, lease: &Lease, beat: Expect, sent: Duration) {
        let mut kept = self.inner.kept.0.lock().await;
        kept.leases
            .retain(|_, other| other.lease.strong_count() > 0);
        let held = Held {
            lease: Arc::downgrade(&lease.alive),
            revision: lease.revision,
            token: lease.token,
            ttl: lease.ttl,
            beat,
            renewed: sent,
            asked: sent,
        };
        kept.leases.insert(lease.name.clone(), held);
    }

    /// It is given back, or about to be: nobody renews it any more.
    pub(super) async fn end_keeping(&self, lease: &Lease) {
        let mut kept = self.inner.kept.0.lock().await;
        let is_this = |held: &Held| held.token == lease.token;
        if kept.leases.get(&lease.name).is_some_and(is_this) {
            kept.leases.remove(&lease.name);
        }
    }

    /// Keeps the lease while its holder works: he asks again and again, and it is renewed once a sixth of its time is over, together with others. A
    /// conflict once somebody else took it.
    pub async fn keep_lease(&self, lease: &Lease) -> Result<()> {
        let mut kept = self.inner.kept.0.lock().await;
        let now = self.inner.clock.elapsed();
        let pause = lease.ttl / 12;
        let has_just_failed = (kept.failed).is_some_and(|at| now.saturating_sub(at) < pause);
        let Some(held) = kept.leases.get_mut(&lease.name) else {
            return Err(lost(&lease.name));
        };
        if held.token != lease.token {
            return Err(lost(&lease.name));
        }
        held.asked = now;
        // Those who waited while it failed do not each wait for the store again.
        if now.saturating_sub(held.renewed) < lease.ttl / 6 || has_just_failed {
            return Ok(());
        }
        let joining = kept.leases.iter().filter(|(_, held)| held.joins(now));
        let mut names: Vec<String> = joining.map(|(name, _)| name.clone()).collect();
        // His own is in the first commit.
        names.sort_by_key(|name| *name != lease.name);
        for batch in names.chunks(COMMIT_LIMIT) {
            if let Err(error) = self.renew(&mut kept.leases, batch.to_vec()).await {
                kept.failed = Some(self.inner.clock.elapsed());
                return Err(error);
            }
        }
        kept.failed = None;
        match kept.leases.contains_key(&lease.name) {
            true => Ok(()),
            false => Err(lost(&lease.name)),
        }
    }

    /// Renews these in one commit. Those that somebody else took are no longer among the `held`.
    async fn renew(&self, held: &mut HashMap<String, Held>, mut names: Vec<String>) -> Result<()> {
        while !names.is_empty() {
            let sent = self.inner.clock.elapsed();
            let mut writes = Vec::with_capacity(names.len());
            for name in &names {
                let Some(one) = held.get(name) else { continue };
                let beat = self.beat(one.token, one.ttl);
                writes.push(documents::put(beat_key(name), one.beat, &beat)?);
            }
            match self.commit(writes).await {
                Ok(revisions) => {
                    for (name, revision) in names.iter().zip(revisions) {
                        if let Some(one) = held.get_mut(name) {
                            one.beat = Expect::Revision(revision);
                            one.renewed = sent;
                        }
                    }
                    return Ok(());
                }
                Err(CommitError::Store(error)) => return Err(error),
                Err(CommitError::Condition { index }) => {
                    let name = names[index].clone();
                    self.look_again(held, &name).await?;
                    names.retain(|name| held.contains_key(name));
                }
            }
        }
        Ok(())
    }

    /// A heartbeat is not as it was written: an answer was lost, or the lease was.
    async fn look_again(&self, held: &mut HashMap<String, Held>, name: &str) -> Result<()> {
        let (lease, beat) = self.read_lease(name).await?;
        if let Some(one) = held.get_mut(name)
            && lease.is_some_and(|lease| lease.revision == one.revision)
        {
            one.beat = beat.map_or(Expect::Absent, |beat| Expect::Revision(beat.revision));
        } else {
            held.remove(name);
        }
        Ok(())
    }
}

/// The refusal of whoever no longer holds a lease.
pub(super) fn lost(name: &str) -> Error {
    Error::conflict(format!(
        "lease {name} was lost: its heartbeat came too late and somebody else took it; nothing more is written by this run"
    ))
}
