//! What a thousand resources of one run ask for at once: which other sessions there are, and a model's newest signature.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::records::{CommitError, Identity, Item, Key, Page, Range, Records, Write};
use crate::signature::Signature;

/// A store that counts who asks for a partition, and lets all the others run before it answers.
struct Asked {
    records: Arc<MemoryRecords>,
    partition: &'static str,
    times: AtomicUsize,
}

impl Asked {
    /// A registry over the store of this world, as a process of its own has it.
    fn over(world: &World, partition: &'static str) -> (Arc<Self>, Registry) {
        let asked = Arc::new(Self {
            records: world.records.clone(),
            partition,
            times: AtomicUsize::new(0),
        });
        let held: Arc<dyn HeldHints> = world.held.clone();
        let registry = Registry::new(
            asked.clone(),
            world.artifacts.clone(),
            world.clock.clone(),
            Arc::new(RandomIds),
        )
        .with_sessions(Arc::new(world.sessions.another()), held);
        (asked, registry)
    }
}

#[async_trait]
impl Records for Asked {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.records.identity().await
    }
    fn location(&self) -> String {
        self.records.location()
    }
    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.records.get(keys).await
    }
    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        if partition == self.partition {
            self.times.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
        self.records.query(partition, range).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        self.records.commit(writes).await
    }
}

#[tokio::test]
async fn a_refresh_of_many_resources_asks_for_the_sessions_once_in_a_few_seconds() {
    let world = World::new();
    let (killed, process) = world.process();
    killed.create_model(&fraud(), accuracy()).await.unwrap();
    process.kill();
    let (asked, registry) = Asked::over(&world, "sessions");
    for round in 1..=2 {
        for _ in 0..3 {
            let ten = (0..10).map(|_| registry.note_held("fraud"));
            futures::future::try_join_all(ten).await.unwrap();
        }
        assert_eq!(asked.times.load(Ordering::SeqCst), round);
        world.clock.advance(Duration::from_secs(5));
    }
    let hint = format!("{} fraud", killed.session().id);
    assert!(world.held.contains(&hint));
}

#[tokio::test]
async fn plans_of_many_versions_ask_for_the_newest_signature_once_a_second() {
    let world = World::new();
    let owner = world.registry();
    let model = owner.create_model(&fraud(), accuracy()).await.unwrap();
    owner.register_version(world.version(0.9)).await.unwrap();
    let (asked, registry) = Asked::over(&world, "model#fraud");
    let signature = Signature {
        inputs: Vec::new(),
        outputs: Vec::new(),
    };
    for round in 1..=2 {
        for _ in 0..3 {
            let check = || registry.check_signature(&model.spec, &model.name, Some(&signature));
            let ten = (0..10).map(|_| check());
            futures::future::try_join_all(ten).await.unwrap();
        }
        assert_eq!(asked.times.load(Ordering::SeqCst), round);
        world.clock.advance(Duration::from_secs(1));
    }
}
