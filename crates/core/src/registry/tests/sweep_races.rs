//! Sweeps beside registrations of the same artifact, in many orders of their calls.
//!
//! The store is like S3: an upload and a removal are several calls, and either may pass between two of the other.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::*;
use crate::artifacts::{
    Artifact, ArtifactReader, Digest, DigestCache, FileEntry, StoredArtifact, UnfinishedUploads,
};
use crate::clock::Clock;
use crate::records::{CommitError, Identity, Item, Key, Page, Range, Records, Write};

/// Pending once, so that another task may run.
async fn step() {
    let mut waited = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut waited, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Records whose every call is a step.
struct Stepping(Arc<MemoryRecords>);

#[async_trait]
impl Records for Stepping {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.0.identity().await
    }

    fn location(&self) -> String {
        self.0.location()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        step().await;
        self.0.get(keys).await
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        step().await;
        self.0.query(partition, range).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        step().await;
        self.0.commit(writes).await
    }
}

/// One artifact of two files, each an object of its own, and its manifest.
struct Objects {
    artifact: Artifact,
    there: Mutex<BTreeSet<&'static str>>,
}

const FILES: [&str; 2] = ["a", "b"];
const MANIFEST: &str = "manifest";

impl Objects {
    fn new() -> Self {
        let files = FILES.map(|path| FileEntry {
            path: path.to_owned(),
            size: 1,
            digest: Digest::of(path.as_bytes()),
        });
        Self {
            artifact: Artifact::new(files.to_vec()).unwrap(),
            there: Mutex::default(),
        }
    }

    fn has(&self, object: &str) -> bool {
        self.there.lock().unwrap().contains(object)
    }

    /// As an upload does: what is there is not sent again, the manifest comes last.
    async fn put(&self) {
        for object in FILES.into_iter().chain([MANIFEST]) {
            step().await;
            if !self.has(object) {
                step().await;
                self.there.lock().unwrap().insert(object);
            }
        }
    }

    fn is_whole(&self) -> bool {
        FILES.iter().all(|object| self.has(object)) && self.has(MANIFEST)
    }
}

fn missing() -> Error {
    Error::not_found("it is not there")
}

#[async_trait]
impl ArtifactStore for Objects {
    async fn put_tree(&self, _: &Path, _: &dyn DigestCache) -> Result<Artifact> {
        Err(Error::bug("there are no sources here"))
    }

    async fn get(&self, _: &Digest) -> Result<Artifact> {
        step().await;
        self.has(MANIFEST)
            .then(|| self.artifact.clone())
            .ok_or_else(missing)
    }

    async fn list(&self) -> Result<Vec<StoredArtifact>> {
        step().await;
        let empty = self.there.lock().unwrap().is_empty();
        let stored = StoredArtifact {
            digest: self.artifact.digest,
            size_bytes: 2,
            modified: Timestamp::MIN,
            complete: self.has(MANIFEST),
        };
        Ok(if empty { vec![] } else { vec![stored] })
    }

    async fn check(&self, _: &Digest) -> Result<()> {
        for object in [MANIFEST].into_iter().chain(FILES) {
            step().await;
            if !self.has(object) {
                return Err(missing());
            }
        }
        Ok(())
    }

    async fn remove(&self, _: &Digest) -> Result<u64> {
        for object in [MANIFEST].into_iter().chain(FILES) {
            step().await;
            self.there.lock().unwrap().remove(object);
        }
        Ok(2)
    }

    async fn end_uploads(&self, _: Duration, _: bool) -> Result<UnfinishedUploads> {
        Ok(UnfinishedUploads::default())
    }

    async fn open(&self, _: &Digest, _: &str) -> Result<ArtifactReader> {
        Err(missing())
    }

    async fn materialise(&self, _: &Digest, _: &Path) -> Result<()> {
        Err(missing())
    }

    fn path_of(&self, _: &FileEntry) -> Option<PathBuf> {
        None
    }

    fn uri(&self, digest: &Digest) -> String {
        digest.to_string()
    }
}

/// A removal's limit is never reached by waiting; other sleeps pass at once.
struct Steady(ManualClock);

#[async_trait]
impl Clock for Steady {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        if duration > Duration::from_secs(60) {
            std::future::pending::<()>().await;
        }
        self.0.advance(duration);
        step().await;
    }
}

struct Race {
    records: Arc<MemoryRecords>,
    objects: Arc<Objects>,
    clock: Arc<Steady>,
    sessions: MemorySessions,
}

impl Race {
    /// A store that holds an artifact that no version names.
    fn new() -> Self {
        let race = Self {
            records: Arc::default(),
            objects: Arc::new(Objects::new()),
            clock: Arc::new(Steady(ManualClock::default())),
            sessions: MemorySessions::default(),
        };
        to_the_end(async {
            race.registry()
                .create_model(&fraud(), accuracy())
                .await
                .unwrap();
            race.objects.put().await;
        });
        race
    }

    fn registry(&self) -> Registry {
        Registry::new(
            Arc::new(Stepping(self.records.clone())),
            self.objects.clone(),
            self.clock.clone(),
            Arc::new(RandomIds),
        )
        .with_sessions(
            Arc::new(self.sessions.another()),
            Arc::new(HeldInMemory::default()),
        )
    }

    /// Stores the artifact and registers a version of it, twice if a sweep passed between.
    async fn register(&self) -> Result<Version> {
        let registry = self.registry();
        let new = NewVersion {
            spec: VersionSpec {
                artifact: self.objects.artifact.clone(),
                ..World::new().version(0.5).spec
            },
            ..World::new().version(0.5)
        };
        self.objects.put().await;
        match registry.register_version(new.clone()).await {
            Err(_) => {
                self.objects.put().await;
                registry.register_version(new).await
            }
            done => done,
        }
    }

    async fn sweep(&self) -> Result<SweepReport> {
        let now = Sweep {
            grace: Duration::ZERO,
            delete: true,
            by: "a test".into(),
        };
        self.registry().sweep(&now).await
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn to_the_end<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = poll(future.as_mut()) {
            return done;
        }
    }
}

/// Which task goes next, a different sequence for each seed (xorshift).
struct Turns(u64);

impl Turns {
    fn next(&mut self, of: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % of
    }
}

const SEEDS: std::ops::Range<u64> = 1..1_000;

#[test]
fn no_order_of_calls_leaves_a_version_without_its_artifact() {
    let (mut removed, mut spared) = (0, 0);
    for seed in SEEDS {
        let race = Race::new();
        let mut turns = Turns(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (mut sweep, mut register) = (pin!(race.sweep()), pin!(race.register()));
        let (mut report, mut version) = (None, None);
        // One of them begins late.
        let (first, late) = (turns.next(2) == 0, turns.next(40));
        for turn in 0.. {
            let sweeps = if turn < late {
                first
            } else {
                turns.next(2) == 0
            };
            if report.is_none() && (sweeps || version.is_some()) {
                if let Poll::Ready(done) = poll(sweep.as_mut()) {
                    report = Some(done.unwrap());
                }
            } else if version.is_none()
                && let Poll::Ready(done) = poll(register.as_mut())
            {
                version =
                    Some(done.unwrap_or_else(|error| panic!("seed {seed}: {}", error.chain())));
            }
            if report.is_some() && version.is_some() {
                break;
            }
        }
        assert!(race.objects.is_whole(), "seed {seed}");
        match report.map(|report| report.artifacts.len()) {
            Some(1) => removed += 1,
            _ => spared += 1,
        }
    }
    assert!(removed > 50 && spared > 50, "{removed} and {spared}");
}

#[test]
fn a_sweep_that_was_killed_keeps_nobody_from_registering_for_long() {
    let mut waited = 0;
    for seed in SEEDS.step_by(4) {
        let race = Race::new();
        let mut turns = Turns(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        {
            let mut sweep = pin!(race.sweep());
            for _ in 0..turns.next(40) {
                if poll(sweep.as_mut()).is_ready() {
                    break;
                }
            }
        }
        let registered = to_the_end(race.register());
        if let Err(error) = registered {
            waited += 1;
            let text = error.to_string();
            assert!(text.contains("after 15 minutes"), "seed {seed}: {text}");
            race.clock.0.advance(Duration::from_secs(15 * 60));
            to_the_end(race.register()).unwrap();
        }
        assert!(race.objects.is_whole(), "seed {seed}");
        // The next sweep finds nothing to do.
        race.clock.0.advance(Duration::from_secs(60 * 60));
        let report = to_the_end(race.sweep()).unwrap();
        assert_eq!(report, SweepReport::default(), "seed {seed}");
    }
    assert!(waited > 10, "{waited}");
}
