//! What the data side and the admin side share.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mlops_core::serving::{ServerLimits, Status};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::log::Log;
use crate::router::Table;

pub(crate) struct App {
    pub(crate) endpoint: String,
    pub(crate) nonce: String,
    pub(crate) started_at_unix_ms: u64,
    pub(crate) listen: std::net::SocketAddr,
    pub(crate) limits: ServerLimits,
    pub(crate) log: Log,
    table: RwLock<Table>,
    /// Requests inside, over all revisions.
    inside: AtomicUsize,
    /// Connections and shadow requests: what a drain waits for.
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
    drain_until: Mutex<Option<Instant>>,
}

/// A request's place inside the server.
pub(crate) struct Inside<'a>(&'a App);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

impl App {
    pub(crate) fn new(
        endpoint: String,
        nonce: String,
        listen: std::net::SocketAddr,
        limits: ServerLimits,
        log: Log,
        table: Table,
    ) -> Self {
        Self {
            endpoint,
            nonce,
            started_at_unix_ms: unix_ms(),
            listen,
            limits,
            log,
            table: RwLock::new(table),
            inside: AtomicUsize::new(0),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            drain_until: Mutex::new(None),
        }
    }

    /// Reads the table. Picking and accepting under one guard is what makes removal exact.
    pub(crate) fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the table and works out the routing anew, in one step for every request.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table: RwLockWriteGuard<'_, Table> =
            self.table.write().unwrap_or_else(PoisonError::into_inner);
        let out = change(&mut table);
        table.compile(&self.endpoint);
        out
    }

    /// Lets a request in, or not if the server is full.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        let before = self.inside.fetch_add(1, SeqCst);
        let inside = Inside(self);
        (before < self.limits.max_in_flight).then_some(inside)
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside.load(SeqCst)
    }

    pub(crate) fn ready(&self) -> bool {
        !self.stopping.is_cancelled() && self.table().ready()
    }

    pub(crate) fn status(&self) -> Status {
        let accepting = !self.stopping.is_cancelled();
        let table = self.table();
        Status {
            endpoint: self.endpoint.clone(),
            listen: self.listen,
            accepting,
            ready: accepting && table.ready(),
            variants: table.status(),
        }
    }

    /// Begins the shutdown; a later call may only shorten the drain.
    pub(crate) fn stop(&self, drain: Duration) {
        let until = Instant::now() + drain.min(Duration::from_secs(24 * 3600));
        let mut drain_until = self
            .drain_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *drain_until = Some(drain_until.map_or(until, |before| before.min(until)));
        drop(drain_until);
        self.stopping.cancel();
    }

    /// When the drain ends, once a shutdown began.
    pub(crate) fn drain_until(&self) -> Option<Instant> {
        *self
            .drain_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
