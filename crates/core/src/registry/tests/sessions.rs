//! Which other sessions there are, asked by a thousand resources at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::records::{CommitError, Identity, Item, Key, Page, Range, Records, Write};

/// A store that counts who asks for the sessions, and lets all the others run before it answers.
struct Asked {
    records: Arc<MemoryRecords>,
    times: AtomicUsize,
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
        if partition == "sessions" {
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
    let asked = Arc::new(Asked {
        records: world.records.clone(),
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
