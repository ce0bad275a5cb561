//! One revision in memory: its engine, its counters, and how many requests it takes at once.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mlops_core::serving::{
    ModelFile, RevisionMetrics, RevisionSpec, RevisionState, RevisionStatus,
};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::drift::Counts;
use crate::engine::{Engine, RunError, Tensor};
use crate::metrics::Meter;

/// Graphs that run faster than this run on the thread that speaks HTTP: handing over to another one costs more than it
/// saves (docs/decisions/0004-tract.md).
const INLINE_BELOW: Duration = Duration::from_millis(1);

pub(crate) struct Revision {
    pub(crate) name: String,
    pub(crate) spec: RevisionSpec,
    /// Empty while loading.
    loaded: OnceLock<Result<Loaded, String>>,
    pub(crate) live: Meter,
    pub(crate) shadow: Meter,
    in_flight: [AtomicU64; 2],
    turns: Arc<Semaphore>,
    queued: AtomicUsize,
    draining: AtomicBool,
    /// Moving average of the time a run takes, in nanoseconds; 0 before the first.
    run_nanos: AtomicU64,
}

/// What was in the files.
struct Loaded {
    engine: Engine,
    /// Of a version with a reference.
    counts: Option<Counts>,
}

/// What becomes of a request's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// It goes to a client.
    Live,
    /// Nobody sees it.
    Shadow,
}

/// A request that a revision has accepted; it is in flight as long as this lives.
pub(crate) struct Accepted {
    pub(crate) revision: Arc<Revision>,
    traffic: Traffic,
}

impl Accepted {
    pub(crate) fn new(revision: Arc<Revision>, traffic: Traffic) -> Self {
        revision.in_flight[traffic as usize].fetch_add(1, SeqCst);
        Self { revision, traffic }
    }

    /// Counts the answer.
    pub(crate) fn count(&self, status: u16, took: Duration) {
        match self.traffic {
            Traffic::Live => self.revision.live.count(status, took),
            Traffic::Shadow => self.revision.shadow.count(status, took),
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        self.revision.in_flight[self.traffic as usize].fetch_sub(1, SeqCst);
    }
}

/// Why a revision gave no answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// Nothing more may wait.
    QueueFull { waiting: usize },
    /// The time was up before there was an answer.
    TimedOut { after_ms: u64 },
    /// See [`RunError`].
    Run(RunError),
}

impl Revision {
    pub(crate) fn new(name: String, spec: RevisionSpec) -> Arc<Self> {
        Arc::new(Self {
            turns: Arc::new(Semaphore::new(
                spec.limits.max_concurrency.clamp(1, Semaphore::MAX_PERMITS),
            )),
            name,
            spec,
            loaded: OnceLock::new(),
            live: Meter::default(),
            shadow: Meter::default(),
            in_flight: [AtomicU64::new(0), AtomicU64::new(0)],
            queued: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            run_nanos: AtomicU64::new(0),
        })
    }

    /// Reads and verifies the files, and compiles the model. Blocks.
    pub(crate) fn load(&self) {
        // Whoever loads a revision made it: nobody else sets this.
        let _ = self.loaded.set(loaded(&self.spec));
    }

    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.loaded().map(|loaded| &loaded.engine)
    }

    /// The counts of its values, if it has a reference.
    pub(crate) fn counts(&self) -> Option<&Counts> {
        self.loaded()?.counts.as_ref()
    }

    fn loaded(&self) -> Option<&Loaded> {
        self.loaded.get().and_then(|loaded| loaded.as_ref().ok())
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.loaded
            .get()
            .and_then(|loaded| loaded.as_ref().err())
            .map(String::as_str)
    }

    pub(crate) fn state(&self) -> RevisionState {
        match self.loaded.get() {
            _ if self.draining.load(SeqCst) => RevisionState::Draining,
            None => RevisionState::Loading,
            Some(Ok(_)) => RevisionState::Ready,
            Some(Err(_)) => RevisionState::Failed,
        }
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, SeqCst);
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.iter().map(|n| n.load(SeqCst)).sum()
    }

    pub(crate) fn in_flight_of(&self, traffic: &str) -> u64 {
        self.in_flight[usize::from(traffic == "shadow")].load(SeqCst)
    }

    pub(crate) fn status(&self, weight: u32) -> RevisionStatus {
        RevisionStatus {
            revision: self.name.clone(),
            spec: self.spec.clone(),
            state: self.state(),
            failure: self.failure().map(String::from),
            weight,
            in_flight: self.in_flight(),
            signature: self.engine().map(|e| e.signature().clone()),
        }
    }

    pub(crate) fn metrics(&self) -> RevisionMetrics {
        RevisionMetrics {
            variant: self.spec.variant.clone(),
            live: self.live.read(),
            shadow: self.shadow.read(),
        }
    }

    /// Waits for a turn, then runs the graph. `arrived` is when the request did: its time counts from then. Values are
    /// counted as those of `traffic`; those of a golden request, which is none, are not.
    pub(crate) async fn run(
        self: &Arc<Self>,
        inputs: Vec<Tensor>,
        arrived: Instant,
        traffic: Option<Traffic>,
    ) -> Result<Vec<Tensor>, Refusal> {
        let after_ms = self.spec.limits.timeout_ms;
        let deadline = tokio::time::Instant::from_std(arrived + Duration::from_millis(after_ms));
        let timed_out = || Refusal::TimedOut { after_ms };
        let turn = match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => {
                let waiting = Queued::join(self)?;
                let turn =
                    tokio::time::timeout_at(deadline, Arc::clone(&self.turns).acquire_owned())
                        .await;
                drop(waiting);
                turn.map_err(|_| timed_out())?
                    .expect("the semaphore is never closed")
            }
        };
        let average = self.run_nanos.load(Relaxed);
        if average != 0 && u128::from(average) < INLINE_BELOW.as_nanos() {
            return self.run_now(inputs, traffic).map_err(Refusal::Run);
        }
        let this = Arc::clone(self);
        let run = tokio::task::spawn_blocking(move || {
            // Held to the end of the run, also when nobody waits for it any more: a turn is a running graph.
            let _turn = turn;
            this.run_now(inputs, traffic)
        });
        let joined = tokio::time::timeout_at(deadline, run)
            .await
            .map_err(|_| timed_out())?;
        joined
            .expect("the engine catches panics, and nothing cancels the run")
            .map_err(Refusal::Run)
    }

    fn run_now(
        &self,
        inputs: Vec<Tensor>,
        traffic: Option<Traffic>,
    ) -> Result<Vec<Tensor>, RunError> {
        let Loaded { engine, counts } = self
            .loaded()
            .expect("only ready revisions are chosen, and they stay ready");
        let counting = traffic.and_then(|traffic| Some((counts.as_ref()?, traffic)));
        let began = Instant::now();
        let outputs = engine.run(inputs, |inputs| {
            if let Some((counts, traffic)) = counting {
                counts.saw_inputs(inputs, traffic);
            }
        });
        if let (Some((counts, traffic)), Ok(outputs)) = (counting, &outputs) {
            counts.saw_outputs(outputs, traffic);
        }
        let nanos = u64::try_from(began.elapsed().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        let average = match self.run_nanos.load(Relaxed) {
            0 => nanos,
            before => before - before / 8 + nanos / 8,
        };
        self.run_nanos.store(average.max(1), Relaxed);
        outputs
    }
}

/// A place in the queue.
struct Queued<'a>(&'a Revision);

impl<'a> Queued<'a> {
    fn join(revision: &'a Revision) -> Result<Self, Refusal> {
        let waiting = revision.queued.fetch_add(1, SeqCst);
        let place = Queued(revision);
        if waiting >= revision.spec.limits.max_queue {
            Err(Refusal::QueueFull { waiting })
        } else {
            Ok(place)
        }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, SeqCst);
    }
}

fn loaded(spec: &RevisionSpec) -> Result<Loaded, String> {
    let engine = verified("model", &spec.file).and_then(|bytes| {
        Engine::load(&bytes).map_err(|e| format!("model file {:?}: {e}", spec.file.path))
    })?;
    let counts = spec.reference.as_ref().map(|file| {
        let bytes = verified("reference", file)?;
        Counts::read(&bytes, engine.signature())
            .map_err(|e| format!("reference file {:?}: {}", file.path, e.chain()))
    });
    Ok(Loaded {
        counts: counts.transpose()?,
        engine,
    })
}

/// The file's bytes, if they are the ones that were named: what is compiled is what was hashed.
fn verified(kind: &str, file: &ModelFile) -> Result<Vec<u8>, String> {
    let path = &file.path;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|mut f| {
        if !f.metadata()?.is_file() {
            return Err(std::io::Error::other("it is no regular file"));
        }
        f.read_to_end(&mut bytes)
    });
    read.map_err(|e| format!("{kind} file {path:?} cannot be read: {e}"))?;
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    if digest == file.sha256 {
        Ok(bytes)
    } else {
        Err(format!(
            "{kind} file {path:?} has SHA-256 {digest}, not {} as the registry recorded; it is not loaded",
            file.sha256
        ))
    }
}
