//! The heartbeat of this process's session, for registries whose sessions run on machines that cannot be seen from here.
//!
//! A beat writes the session's record again, as it is: its revision changes, and whoever watches the record sees that
//! the process lives. Clocks of two machines are never compared. Who sees no change for as long as the record itself
//! promises ([`Heartbeat::silence`], by his own clock) may take the session for dead ([`super::watch`]), and from then on its next
//! beat is refused: so a process that was suspended learns that it was given up before it answers a create.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Registry;
use super::documents::Document;
use super::sessions::SessionRecord;
use crate::error::{Error, Result};
use crate::records::CommitError;

/// How a session shows that its process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The pause between two beats.
    pub every: Duration,
    /// After so long without one the others may take the session for dead. It is several times [`Heartbeat::every`], and
    /// longer than one call of the store that is never answered.
    pub silence: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(4),
            silence: Duration::from_secs(15),
        }
    }
}

impl Heartbeat {
    /// For so long after a beat nobody can have taken the session for dead, with as much again for the commit that relies on it.
    fn trusted(&self) -> Duration {
        self.silence / 2
    }
}

/// What is known of our own record. Its lock puts beats and the end in order, so it is held during their commits.
#[derive(Default)]
pub(super) struct Pulse(tokio::sync::Mutex<Option<Beating>>);

struct Beating {
    /// Our record, as we last wrote it.
    record: Document<SessionRecord>,
    /// When the last beat that took place was sent.
    sent: Moment,
    /// Nothing beats any more.
    ended: bool,
    /// Somebody took us for dead.
    given_up: bool,
}

/// By two clocks of this machine: the one that never goes back stands still while a machine sleeps.
#[derive(Clone, Copy)]
struct Moment {
    elapsed: Duration,
    now: Timestamp,
}

impl Moment {
    fn until(self, later: Self) -> Duration {
        let steady = later.elapsed.saturating_sub(self.elapsed);
        let wall = Duration::try_from(later.now.duration_since(self.now)).unwrap_or_default();
        steady.max(wall)
    }
}

impl Registry {
    /// The same registry, of which other machines have sessions too: sessions beat, and a create that meets what a session
    /// made that cannot be seen from here watches whether that one beats.
    #[must_use]
    pub fn with_heartbeat(self, heartbeat: Heartbeat) -> Self {
        self.rebuilt(|inner| inner.heartbeat = Some(heartbeat))
    }

    fn moment(&self) -> Moment {
        Moment {
            elapsed: self.inner.clock.elapsed(),
            now: self.inner.clock.now(),
        }
    }

    /// The session's record was written, just now: begins to beat.
    pub(super) async fn begin_beating(&self, record: Document<SessionRecord>) {
        let Some(heartbeat) = self.inner.heartbeat else {
            return;
        };
        *self.inner.pulse.0.lock().await = Some(Beating {
            record,
            sent: self.moment(),
            ended: false,
            given_up: false,
        });
        // It ends with the registry that it beats for.
        let weak = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            loop {
                let Some(clock) = weak.upgrade().map(|inner| inner.clock.clone()) else {
                    return;
                };
                clock.sleep(heartbeat.every).await;
                let Some(inner) = weak.upgrade() else { return };
                let registry = Self { inner };
                match registry.beat_session(Duration::ZERO).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        tracing::debug!(error = %error.chain(), "a heartbeat failed for now");
                    }
                }
            }
        });
    }

    /// Beats unless the last one is younger than this. Whether there will be more.
    async fn beat_session(&self, unless: Duration) -> Result<bool> {
        let mut pulse = self.inner.pulse.0.lock().await;
        let Some(beating) = pulse.as_mut() else {
            return Ok(false);
        };
        if beating.ended || beating.given_up {
            return Ok(false);
        }
        if beating.sent.until(self.moment()) < unless {
            return Ok(true);
        }
        loop {
            let sent = self.moment();
            match self.commit(vec![beating.record.write()?]).await {
                Ok(revisions) => {
                    beating.record.revision = revisions[0];
                    beating.sent = sent;
                    return Ok(true);
                }
                Err(CommitError::Condition { .. }) => {}
                Err(CommitError::Store(error)) => return Err(error),
            }
            // It was us, and the answer was lost; or those who took us for dead.
            match self.document::<SessionRecord>(&beating.record.key).await? {
                Some(record) if !record.body.given_up => beating.record = record,
                _ => break,
            }
        }
        beating.given_up = true;
        tracing::warn!("this run was taken for dead: it was silent for too long");
        Ok(false)
    }

    /// Refuses to go on in a session that was taken for dead. Asked before each create.
    pub(super) async fn expect_alive(&self) -> Result<()> {
        let Some(heartbeat) = self.inner.heartbeat else {
            return Ok(());
        };
        self.beat_session(heartbeat.trusted()).await?;
        self.expect_not_given_up(heartbeat).await
    }

    /// Asked after a create's commit and before its answer: what was made in a session that the others may have taken for dead
    /// in the meantime may be somebody else's by now.
    pub(super) async fn answer<T>(&self, created: T) -> Result<T> {
        if let Some(heartbeat) = self.inner.heartbeat {
            // What was committed is committed: a store that is away since changes nothing, and the next create meets it.
            let _ = self.beat_session(heartbeat.trusted()).await;
            self.expect_not_given_up(heartbeat).await?;
        }
        Ok(created)
    }

    async fn expect_not_given_up(&self, heartbeat: Heartbeat) -> Result<()> {
        let pulse = self.inner.pulse.0.lock().await;
        match pulse.as_ref() {
            Some(beating) if beating.given_up => Err(Error::conflict(format!(
                "another run took this one for dead, and may have adopted what it created: for more than {} s it was suspended or did not reach the registry; run it again",
                heartbeat.silence.as_secs()
            ))),
            _ => Ok(()),
        }
    }

    /// No beat follows, and none is under way.
    pub(super) async fn end_beating(&self) {
        if let Some(beating) = self.inner.pulse.0.lock().await.as_mut() {
            beating.ended = true;
        }
    }
}
