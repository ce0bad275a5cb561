//! The leases of one process are renewed together, and each is lost by itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::records::{CommitError, Identity, Item, Key, Page, Range, Write};
use crate::registry::leases::{Holder, Lease};

const TTL: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// Counts commits, and is away when it is told to be.
struct Counting {
    records: Arc<MemoryRecords>,
    commits: AtomicUsize,
    reads: AtomicUsize,
    away: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Records for Counting {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.records.identity().await
    }

    fn location(&self) -> String {
        self.records.location()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.records.get(keys).await
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        self.records.query(partition, range).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(CommitError::Store(Error::unavailable("it is away")));
        }
        self.records.commit(writes).await
    }
}

/// A process that holds leases.
struct Process {
    counted: Arc<Counting>,
    registry: Registry,
    sessions: MemorySessions,
    leases: Vec<Lease>,
}

impl World {
    /// A process that has just taken these leases.
    async fn holding(&self, names: impl IntoIterator<Item = String>) -> Process {
        let counted = Arc::new(Counting {
            records: self.records.clone(),
            commits: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            away: false.into(),
        });
        let sessions = self.sessions.another();
        let registry = Registry::new(
            counted.clone(),
            self.artifacts.clone(),
            self.clock.clone(),
            Arc::new(RandomIds),
        );
        let registry = registry.with_sessions(Arc::new(sessions.clone()), self.held.clone());
        let mut leases = Vec::new();
        for name in names {
            let holder = Holder::new(format!("apply of {name}"));
            leases.push(registry.acquire_lease(&name, holder, TTL).await.unwrap());
        }
        counted.commits.store(0, Ordering::SeqCst);
        counted.reads.store(0, Ordering::SeqCst);
        Process {
            counted,
            registry,
            sessions,
            leases,
        }
    }
}

impl Process {
    /// All that hold something ask, each second of so many.
    async fn keep(&self, seconds: u32, world: &World) {
        for _ in 0..seconds {
            world.clock.advance(SECOND);
            for lease in &self.leases {
                self.registry.keep_lease(lease).await.unwrap();
            }
        }
    }

    async fn is_free(&self, name: &str) -> bool {
        let status = self.registry.lease_status(name).await.unwrap();
        status.unwrap().is_free
    }
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("endpoint {number}"))
}

#[tokio::test]
async fn fifty_leases_are_renewed_by_one_commit_every_ten_seconds() {
    let world = World::new();
    let process = world.holding(names(50)).await;
    process.keep(300, &world).await;
    let commits = process.counted.commits.load(Ordering::SeqCst);
    assert!(commits <= 300 / 10, "{commits}");
    assert_eq!(process.counted.reads.load(Ordering::SeqCst), 0);
    for lease in &process.leases {
        let status = process.registry.lease_status(&lease.name).await.unwrap();
        let until = status.unwrap().expires_at.unwrap();
        // A sixth of its time has passed at most, and one look.
        assert!(until >= world.clock.now() + TTL - SECOND * 11, "{until}");
    }
}

#[tokio::test]
async fn more_leases_than_one_commit_takes_are_all_renewed() {
    let world = World::new();
    let process = world.holding(names(130)).await;
    process.keep(120, &world).await;
    for lease in &process.leases {
        assert!(!process.is_free(&lease.name).await, "{}", lease.name);
    }
}

#[tokio::test]
async fn who_lost_his_lease_is_told_and_the_others_keep_theirs() {
    let world = World::new();
    let process = world.holding(names(3)).await;
    let other = world.holding([]).await;
    process.keep(5, &world).await;
    process.sessions.kill();
    let stolen = other
        .registry
        .acquire_lease("endpoint 1", Holder::new("bob"), TTL);
    let stolen = stolen.await.expect("the others take it for dead");
    world.clock.advance(SECOND * 10);
    process
        .registry
        .keep_lease(&process.leases[0])
        .await
        .unwrap();
    let lost = process
        .registry
        .keep_lease(&process.leases[1])
        .await
        .unwrap_err();
    assert!(
        lost.is_conflict() && lost.to_string().contains("endpoint 1 was lost"),
        "{lost}"
    );
    process
        .registry
        .keep_lease(&process.leases[2])
        .await
        .unwrap();
    let commits = process.counted.commits.load(Ordering::SeqCst);
    assert_eq!(commits, 2, "one in vain, and one without what was lost");
    // His own is as it was.
    other.registry.keep_lease(&stolen).await.unwrap();
    assert!(!other.is_free("endpoint 1").await);
}

#[tokio::test]
async fn nobody_renews_the_lease_of_a_run_that_hangs_or_has_ended() {
    let world = World::new();
    let mut process = world.holding(names(3)).await;
    let _hanging = process.leases.remove(2);
    drop(process.leases.remove(1));
    process.keep(95, &world).await;
    assert!(!process.is_free("endpoint 0").await);
    assert!(process.is_free("endpoint 1").await);
    assert!(process.is_free("endpoint 2").await);
}

#[tokio::test]
async fn a_lease_that_is_given_back_is_not_renewed() {
    let world = World::new();
    let process = world.holding(names(2)).await;
    process
        .registry
        .release_lease(&process.leases[1])
        .await
        .unwrap();
    assert!(process.is_free("endpoint 1").await);
    let kept = process.registry.keep_lease(&process.leases[1]).await;
    assert!(kept.unwrap_err().is_conflict());
    let next = world.holding(["endpoint 1".to_owned()]).await;
    for _ in 0..30 {
        world.clock.advance(SECOND);
        process
            .registry
            .keep_lease(&process.leases[0])
            .await
            .unwrap();
        next.keep(1, &world).await;
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_loses_no_lease() {
    let world = World::new();
    let process = world.holding(names(2)).await;
    // Written, and this process does not know how.
    process
        .registry
        .heartbeat(&process.leases[1])
        .await
        .unwrap();
    process.keep(60, &world).await;
    assert!(!process.is_free("endpoint 0").await);
    assert!(!process.is_free("endpoint 1").await);
}

/// Requests to pause, say.
#[tokio::test]
async fn what_many_look_at_again_and_again_is_read_once_for_all_and_never_older_than_five_seconds()
{
    let world = World::new();
    let process = world.holding([]).await;
    let keys: Vec<Key> = (0..50)
        .map(|number| Key::new(format!("endpoint#{number}"), "control"))
        .collect();
    let look = async || {
        let mut seen = Vec::new();
        for key in &keys {
            let found = process
                .registry
                .glance::<BTreeMap<String, u64>>(key)
                .await
                .unwrap();
            seen.extend(found.map(|found| found.body));
        }
        seen
    };
    // Each is known once it was looked at.
    look().await;
    world.clock.advance(SECOND * 5);
    process.counted.reads.store(0, Ordering::SeqCst);
    assert!(look().await.is_empty());
    assert_eq!(process.counted.reads.load(Ordering::SeqCst), 1);
    let write = crate::registry::documents::create(keys[7].clone(), &BTreeMap::from([("a", 1)]));
    process.registry.commit(vec![write.unwrap()]).await.unwrap();
    world.clock.advance(SECOND * 5);
    let found = process.registry.glance::<BTreeMap<String, u64>>(&keys[7]);
    assert_eq!(found.await.unwrap().unwrap().body["a"], 1);
}

#[tokio::test]
async fn who_looks_again_sees_what_is_new_however_short_the_time() {
    let world = World::new();
    let process = world.holding([]).await;
    let key = Key::new("endpoint#1", "control");
    let glance = || process.registry.glance::<BTreeMap<String, u64>>(&key);
    assert!(glance().await.unwrap().is_none());
    let write = crate::registry::documents::create(key.clone(), &BTreeMap::from([("a", 1)]));
    process.registry.commit(vec![write.unwrap()]).await.unwrap();
    assert_eq!(glance().await.unwrap().unwrap().body["a"], 1);
}

#[tokio::test]
async fn while_the_store_is_away_only_one_waits_for_it() {
    let world = World::new();
    let process = world.holding(names(50)).await;
    world.clock.advance(SECOND * 10);
    process.counted.away.store(true, Ordering::SeqCst);
    let first = process.registry.keep_lease(&process.leases[0]).await;
    assert_eq!(first.unwrap_err().class(), crate::error::Class::Unavailable);
    for lease in &process.leases {
        process.registry.keep_lease(lease).await.unwrap();
    }
    assert_eq!(process.counted.commits.load(Ordering::SeqCst), 1);
    process.counted.away.store(false, Ordering::SeqCst);
    process.keep(5, &world).await;
    for lease in &process.leases {
        let status = process.registry.lease_status(&lease.name).await.unwrap();
        let until = status.unwrap().expires_at.unwrap();
        assert!(until >= world.clock.now() + TTL - SECOND * 5, "{until}");
    }
}
