//! The registry: models, versions, aliases, and the records that endpoints keep.
//!
//! Its semantics are written here once, over the ports [`Records`] and [`ArtifactStore`].
//!
//! # Layout
//!
//! | partition | sort | what |
//! |---|---|---|
//! | `models` | `NAME` | index of models, empty documents |
//! | `model#NAME` | `model` | the model |
//! | `model#NAME` | `counter` | last version number; outlives the model: the tombstone |
//! | `model#NAME` | `version#NUMBER` (20 digits) | a version |
//! | `model#NAME` | `pending#NUMBER` | a version whose artifact is on its way, or could not be had |
//! | `model#NAME` | `alias#ALIAS` | an alias |
//! | `model#NAME` | `binding#NUMBER#ENDPOINT` | an endpoint that serves the version |
//! | `sessions` | `ID` | a session that is open, or died open |
//! | `session#ID` | `KIND#OBJECT` | what the session created and did not acknowledge yet |
//! | `pending` | `NAME/NUMBER` | index of the registrations that are under way |
//! | `swept` | `DIGEST` | that a sweep of the artifacts found it unnamed, removes it, or removed it |
//! | `lease#NAME` | `lease`, `beat` | a lease and its heartbeat |
//! | `journal#ENDPOINT` | `DEPLOYMENT#ENTRY` | journal of deployments |
//! | `events#SUBJECT` | `MICROS#ID` | events, oldest first |
//!
//! Other documents (endpoints, port leases) go through [`documents`] in partitions of their own.
//!
//! # Who sees whom
//!
//! Whatever refers to a version (an alias move, a binding) rewrites the version's record in the
//! same commit, so a delete that read the version before fails and looks again. A new alias does
//! the same to its model.

mod aliases;
mod bindings;
mod compatibility;
pub mod documents;
pub mod events;
mod hash;
pub mod journal;
mod keeping;
mod keys;
mod lately;
pub mod leases;
mod marks;
pub mod migrate;
mod models;
mod pending;
mod pulse;
mod retention;
mod retry;
pub mod sessions;
mod sweep;
mod together;
mod types;
mod versions;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::artifacts::ArtifactStore;
use crate::clock::{Clock, Ids};
use crate::error::{Error, Result};
use crate::names::ModelName;
use crate::records::{Identity, Records};

pub use aliases::{AliasMove, promotion_rules};
pub use bindings::bindable;
pub use marks::was_swept;
pub use pending::{NewPending, PendingUpdate, PendingVersion};
pub use pulse::Heartbeat;
pub use retention::Retention;
pub use retry::RetryBudget;
pub use sweep::{InUse, Sweep, SweepReport, Unnamed};
pub use types::*;

/// The registry. Cheap to clone; clones share sessions, queues and budgets.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    records: Arc<dyn Records>,
    artifacts: Arc<dyn ArtifactStore>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    sessions: Arc<dyn sessions::Sessions>,
    held: Arc<dyn sessions::HeldHints>,
    budget: RetryBudget,
    /// Registrations of one model wait here rather than at the store.
    queues: Mutex<HashMap<ModelName, versions::Queue>>,
    newest: compatibility::Newest,
    opened: tokio::sync::OnceCell<()>,
    /// How the session shows that it lives; `None` where the process itself can be seen by all who use the registry.
    heartbeat: Option<Heartbeat>,
    pulse: pulse::Pulse,
    others: sessions::OtherSessions,
    watch: Mutex<watch::Watch>,
    kept: keeping::Kept,
    together: together::Together,
    last_event: std::sync::atomic::AtomicI64,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry over these ports, in a session that adopts nothing and whose records nobody
    /// adopts; see [`Registry::with_sessions`].
    pub fn new(
        records: Arc<dyn Records>,
        artifacts: Arc<dyn ArtifactStore>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let sessions = Arc::new(sessions::Unadoptable(ids.uuid()));
        Self {
            inner: Arc::new(Inner {
                records,
                artifacts,
                clock,
                ids,
                sessions,
                held: Arc::new(sessions::HeldInMemory::default()),
                budget: RetryBudget::default(),
                queues: Mutex::default(),
                newest: compatibility::Newest::default(),
                opened: tokio::sync::OnceCell::new(),
                heartbeat: None,
                pulse: pulse::Pulse::default(),
                others: sessions::OtherSessions::default(),
                watch: Mutex::default(),
                kept: keeping::Kept::default(),
                together: together::Together::default(),
                last_event: std::sync::atomic::AtomicI64::new(0),
            }),
        }
    }

    /// The same registry in a session of this process: what it creates and never acknowledges
    /// can be adopted once the process is gone.
    #[must_use]
    pub fn with_sessions(
        self,
        sessions: Arc<dyn sessions::Sessions>,
        held: Arc<dyn sessions::HeldHints>,
    ) -> Self {
        self.rebuilt(|inner| {
            inner.sessions = sessions;
            inner.held = held;
        })
    }

    /// The same registry with another time budget for contended writes.
    #[must_use]
    pub fn with_budget(self, budget: RetryBudget) -> Self {
        self.rebuilt(|inner| inner.budget = budget)
    }

    fn rebuilt(self, change: impl FnOnce(&mut Inner)) -> Self {
        let old = &self.inner;
        let mut inner = Inner {
            records: old.records.clone(),
            artifacts: old.artifacts.clone(),
            clock: old.clock.clone(),
            ids: old.ids.clone(),
            sessions: old.sessions.clone(),
            held: old.held.clone(),
            budget: old.budget,
            queues: Mutex::default(),
            newest: compatibility::Newest::default(),
            opened: tokio::sync::OnceCell::new(),
            heartbeat: old.heartbeat,
            pulse: pulse::Pulse::default(),
            others: sessions::OtherSessions::default(),
            watch: Mutex::default(),
            kept: keeping::Kept::default(),
            together: together::Together::default(),
            last_event: std::sync::atomic::AtomicI64::new(0),
        };
        change(&mut inner);
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Who the registry is; `None` while it does not exist.
    pub async fn identity(&self) -> Result<Option<Identity>> {
        self.inner.records.identity().await
    }

    /// Refuses a registry that is missing or another one than the caller's state was written
    /// with. Asked by refresh and by every update and delete, never by a create.
    pub async fn expect_identity(&self, uuid: uuid::Uuid) -> Result<()> {
        match self.identity().await? {
            Some(found) if found.uuid == uuid => Ok(()),
            Some(found) => Err(Error::unavailable(format!(
                "registry {uuid} not found at {}; registry {} lies there; restore it or import",
                found.location, found.uuid
            ))),
            None => Err(Error::unavailable(format!(
                "registry {uuid} not found at {}; restore it or import",
                self.location()
            ))),
        }
    }

    /// Where it lies or would lie, for messages.
    pub fn location(&self) -> String {
        self.inner.records.location()
    }

    /// Its artifacts.
    pub fn artifacts(&self) -> &Arc<dyn ArtifactStore> {
        &self.inner.artifacts
    }

    /// Its records, for what is not covered here.
    pub fn records(&self) -> &Arc<dyn Records> {
        &self.inner.records
    }

    /// Its clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Its source of ids.
    pub fn ids(&self) -> &Arc<dyn Ids> {
        &self.inner.ids
    }

    /// Its budget for contended writes.
    pub fn budget(&self) -> RetryBudget {
        self.inner.budget
    }
}

#[cfg(test)]
mod tests;
