use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::records::{CommitError, Identity, Item, Key, Movable, Page, Range, Write};
use crate::registry::migrate::{Migrated, Movers, Place, migrate, stays, take_back};

struct Move {
    world: World,
    from: Place,
    to: Place,
    target: MemoryRecords,
    scratch: tempfile::TempDir,
}

impl Move {
    async fn new() -> Self {
        let world = World::new();
        let target = MemoryRecords::named("there");
        let place = |records: MemoryRecords, artifacts: Arc<MemoryArtifacts>| Place {
            records: Arc::new(records),
            artifacts,
        };
        let registry = world.registry();
        registry.create_model(&fraud(), accuracy()).await.unwrap();
        registry.register_version(world.version(0.9)).await.unwrap();
        registry.register_version(world.version(0.8)).await.unwrap();
        registry.create_alias(champion(Some(2))).await.unwrap();
        let gone: ModelName = "gone".parse().unwrap();
        registry.create_model(&gone, accuracy()).await.unwrap();
        let deleted = NewVersion {
            model: gone.clone(),
            ..world.version(0.7)
        };
        registry.register_version(deleted).await.unwrap();
        registry.delete_model(&gone, true).await.unwrap();
        Self {
            from: place((*world.records).clone(), world.artifacts.clone()),
            to: place(target.clone(), Arc::default()),
            target,
            world,
            scratch: tempfile::tempdir().unwrap(),
        }
    }

    async fn run(&self) -> Result<Migrated> {
        self.run_to(&self.to).await
    }

    async fn run_to(&self, to: &Place) -> Result<Migrated> {
        let movers = Movers {
            scratch: self.scratch.path(),
            clock: &*self.world.clock,
            ids: &RandomIds,
            by: Some("ann".into()),
        };
        migrate(&self.from, to, &movers).await
    }

    fn there(&self) -> Registry {
        Registry::new(
            Arc::new(self.target.clone()),
            self.to.artifacts.clone(),
            self.world.clock.clone(),
            Arc::new(RandomIds),
        )
    }
}

#[tokio::test]
async fn a_registry_moves_with_its_uuid_numbers_aliases_tombstones_events_and_bytes() {
    let world = Move::new().await;
    let before = world.world.registry();
    let uuid = before.identity().await.unwrap().unwrap().uuid;
    let moved = world.run().await.unwrap();
    assert_eq!(moved.uuid, uuid);
    assert!(!moved.already);
    assert_eq!(moved.records, moved.written);
    assert_eq!((moved.artifacts, moved.copied), (1, 1));

    let there = world.there();
    there.expect_identity(uuid).await.unwrap();
    assert_eq!(
        there.model(&fraud()).await.unwrap().unwrap().spec,
        accuracy()
    );
    let version = there.version(&id("fraud/2")).await.unwrap().unwrap();
    assert_eq!(version.metrics["accuracy"], 0.8);
    let alias = there.alias(&"fraud@champion".parse().unwrap()).await;
    assert_eq!(alias.unwrap().unwrap().version, Some(2));
    there.artifacts().check(version.digest()).await.unwrap();
    let subject = crate::registry::events::Subject::Model("fraud".into());
    let events = there.events(&subject, None, None, 100).await.unwrap();
    assert_eq!(
        events,
        before.events(&subject, None, None, 100).await.unwrap()
    );
    let subject = crate::registry::events::Subject::Registry;
    let told = there.events(&subject, None, None, 100).await.unwrap();
    assert_eq!(told[0].event.kind, "registry.moved");

    assert_eq!(
        there
            .register_version(world.world.version(0.7))
            .await
            .unwrap()
            .id,
        id("fraud/3")
    );
    let gone: ModelName = "gone".parse().unwrap();
    there.create_model(&gone, accuracy()).await.unwrap();
    let again = NewVersion {
        model: gone,
        ..world.world.version(0.7)
    };
    let again = there.register_version(again).await.unwrap();
    assert_eq!(again.id, id("gone/2"), "a tombstone counts on");
}

#[tokio::test]
async fn what_moved_is_read_only_where_it_was_and_names_the_new_place() {
    let world = Move::new().await;
    world.run().await.unwrap();
    let old = world.world.registry();
    assert!(old.model(&fraud()).await.unwrap().is_some());
    let refused = old.register_version(world.world.version(0.9)).await;
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("moved to there"), "{refused}");
    assert!(world.run().await.unwrap().already, "moved is moved");
}

#[tokio::test]
async fn of_processes_and_machines_nothing_moves() {
    let world = Move::new().await;
    let registry = world.world.registry();
    let holder = crate::registry::leases::Holder::new("somebody");
    let lease = registry.acquire_lease("x", holder, std::time::Duration::from_secs(60));
    lease.await.unwrap();
    world.run().await.unwrap();
    let moved = world.target.dump();
    let strays: Vec<_> = moved
        .iter()
        .filter(|item| stays(&item.key.partition))
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
    assert!(!moved.is_empty());
}

#[tokio::test]
async fn a_move_that_was_killed_anywhere_is_finished_by_the_same_command() {
    let clean = Move::new().await;
    clean.run().await.unwrap();
    let content = |world: &Move| -> Vec<_> {
        let all = world.target.dump();
        let mut keys: Vec<_> = all
            .into_iter()
            .map(|item| item.key)
            .filter(|key| !key.partition.starts_with("events#"))
            .collect();
        keys.sort();
        keys
    };
    let wanted = content(&clean);
    let mut killed = 0;
    for (call, after) in (0..).flat_map(|call| [(call, false), (call, true)]) {
        let world = Move::new().await;
        let left = Arc::new(AtomicUsize::new(call));
        let dying = |place: &Place| Place {
            records: Arc::new(Dying {
                store: place.records.clone(),
                left: left.clone(),
                after,
            }),
            ..place.clone()
        };
        let mortal = Move {
            from: dying(&world.from),
            to: dying(&world.to),
            ..world
        };
        let first = mortal.run().await;
        left.store(usize::MAX, Ordering::Relaxed);
        mortal.run().await.unwrap();
        assert_eq!(content(&mortal), wanted, "killed at call {call}");
        let late = mortal.world.version(0.1);
        let late = mortal.world.registry().register_version(late).await;
        assert!(late.is_err(), "the old place is closed");
        if first.is_ok() {
            break;
        }
        killed += 1;
    }
    assert!(killed > 20, "{killed}");
}

/// A store whose process is killed at a call, before or after what it does.
struct Dying {
    store: Arc<dyn Movable>,
    left: Arc<AtomicUsize>,
    after: bool,
}

impl Dying {
    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let step = |left: usize| match left {
            usize::MAX => None,
            left => Some(left.saturating_sub(1)),
        };
        let dead = (self.left)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .is_ok_and(|left| left == 0);
        if dead && !self.after {
            return Err(Error::unavailable("killed"));
        }
        let done = call.await?;
        match dead {
            true => Err(Error::unavailable("killed")),
            false => Ok(done),
        }
    }
}

#[async_trait]
impl Records for Dying {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.call(self.store.identity()).await
    }
    fn location(&self) -> String {
        self.store.location()
    }
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.call(self.store.get(keys)).await
    }
    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        self.call(self.store.query(partition, range)).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        let written = async {
            self.store
                .commit(writes)
                .await
                .map_err(|error| error.into_error("it"))
        };
        self.call(written).await.map_err(CommitError::Store)
    }
}

#[async_trait]
impl Movable for Dying {
    async fn export(&self, after: Option<&Key>) -> Result<Page> {
        self.call(self.store.export(after)).await
    }
    async fn left_for(&self) -> Result<Option<String>> {
        self.call(self.store.left_for()).await
    }
    async fn leave(&self, to: &str) -> Result<()> {
        self.call(self.store.leave(to)).await
    }
    async fn stay(&self, to: &str) -> Result<()> {
        self.call(self.store.stay(to)).await
    }
    async fn arrive(&self, uuid: uuid::Uuid) -> Result<Option<Arc<dyn Movable>>> {
        let filler = self.call(self.store.arrive(uuid)).await?;
        Ok(filler.map(|store| -> Arc<dyn Movable> {
            Arc::new(Self {
                store,
                left: self.left.clone(),
                after: self.after,
            })
        }))
    }
    async fn settle(&self) -> Result<()> {
        self.call(self.store.settle()).await
    }
}

#[tokio::test]
async fn what_an_earlier_attempt_left_and_the_registry_has_no_more_is_removed() {
    let world = Move::new().await;
    let uuid = world.from.records.identity().await.unwrap().unwrap().uuid;
    let filler = world.to.records.arrive(uuid).await.unwrap().unwrap();
    let key = Key::new("model#fraud", "alias#old");
    let stray = crate::registry::documents::create(key.clone(), &BTreeMap::from([("a", 1)]));
    filler.commit(vec![stray.unwrap()]).await.unwrap();
    world.run().await.unwrap();
    let left = world.target.dump();
    assert!(left.iter().all(|item| item.key != key));
}

#[tokio::test]
async fn a_place_that_holds_another_registry_is_refused_and_nothing_is_changed() {
    let world = Move::new().await;
    world
        .there()
        .create_model(&fraud(), accuracy())
        .await
        .unwrap();
    let refused = world.run().await.unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    world
        .world
        .registry()
        .register_version(world.world.version(0.9))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_move_that_does_not_end_is_taken_back_and_the_place_stays_closed() {
    let world = Move::new().await;
    // Somebody removed the bytes: they cannot be copied.
    let artifacts: Arc<MemoryArtifacts> = Arc::default();
    let broken = Move {
        from: Place {
            artifacts,
            ..world.from.clone()
        },
        ..world
    };
    broken.run().await.unwrap_err();
    let closed = broken.there().model(&fraud()).await.unwrap_err();
    assert!(
        closed.to_string().contains("is moving to there"),
        "{closed}"
    );
    broken.from.records.leave("there").await.unwrap();
    let new: ModelName = "x".parse().unwrap();
    let registry = broken.world.registry();
    assert!(registry.create_model(&new, accuracy()).await.is_err());
    let elsewhere = Place {
        records: Arc::new(MemoryRecords::named("elsewhere")),
        artifacts: Arc::<MemoryArtifacts>::default(),
    };
    let refused = broken.run_to(&elsewhere).await.unwrap_err();
    assert!(refused.to_string().contains("moving there"), "{refused}");

    take_back(&broken.from, &broken.to).await.unwrap();
    registry.create_model(&new, accuracy()).await.unwrap();
    let whole = Move {
        from: Place {
            artifacts: broken.world.artifacts.clone(),
            ..broken.from.clone()
        },
        ..broken
    };
    whole.run().await.unwrap();
    let there = whole.there();
    assert!(there.model(&new).await.unwrap().is_some());
    let late = take_back(&whole.from, &whole.to).await.unwrap_err();
    assert!(late.is_conflict(), "{late}");
}
