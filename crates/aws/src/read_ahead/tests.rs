use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::{StreamExt as _, TryStreamExt as _};
use mlops_core::clock::RandomIds;
use mlops_core::memory::{ManualClock, MemoryArtifacts, MemoryRecords};
use mlops_core::names::{ModelName, VersionId};
use mlops_core::records::{Change, Expect};
use mlops_core::registry::{
    ModelSpec, NewVersion, Registry, VersionDeletionPolicy, VersionSpec, VersionUpdate,
};
use serde_json::{Map, json};
use tokio::sync::Semaphore;

use super::known::FRESH;
use super::*;

/// So many calls are answered at once.
const PERMITS: u32 = 100;

/// Counts what reaches the store, and can hold it.
struct Counted {
    records: MemoryRecords,
    gets: AtomicUsize,
    queries: AtomicUsize,
    /// Records that queries told.
    told: AtomicUsize,
    gate: Semaphore,
}

impl Counted {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            records: MemoryRecords::default(),
            gets: AtomicUsize::new(0),
            queries: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
            gate: Semaphore::new(PERMITS as usize),
        })
    }

    fn calls(&self) -> (usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (take(&self.gets), take(&self.queries))
    }
}

#[async_trait]
impl Records for Counted {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.records.identity().await
    }
    fn location(&self) -> String {
        self.records.location()
    }
    async fn get(&self, keys: &[Key]) -> Answer {
        self.gets.fetch_add(1, Ordering::SeqCst);
        // What it tells is what lies there when it is asked; the answer takes its time.
        let found = self.records.get(keys).await;
        let _turn = self.gate.acquire().await;
        found
    }
    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        self.queries.fetch_add(1, Ordering::SeqCst);
        let found = self.records.query(partition, range).await;
        if let Ok(page) = &found {
            self.told.fetch_add(page.items.len(), Ordering::SeqCst);
        }
        let _turn = self.gate.acquire().await;
        found
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        self.records.commit(writes).await
    }
}

fn version(model: &str, number: usize) -> Key {
    Key::new(format!("model#{model}"), format!("version#{number:020}"))
}

fn put(key: Key, expect: Expect, value: usize) -> Write {
    Write {
        key,
        expect,
        change: Change::Put(Map::from_iter([("value".to_owned(), json!(value))])),
    }
}

async fn fill(store: &Counted, keys: impl IntoIterator<Item = Key>) {
    let writes: Vec<Write> = keys
        .into_iter()
        .enumerate()
        .map(|(number, key)| put(key, Expect::Absent, number))
        .collect();
    for batch in writes.chunks(100) {
        store.commit(batch.to_vec()).await.expect("filled");
    }
    store.calls();
}

async fn one(records: &ReadAhead, key: &Key) -> Option<Item> {
    let mut found = records.get(std::slice::from_ref(key)).await.expect("get");
    found.remove(0)
}

fn ahead(store: &Arc<Counted>) -> (ReadAhead, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (ReadAhead::with_clock(store.clone(), clock.clone()), clock)
}

/// All of `keys`, ten at a time, as Terraform refreshes them.
async fn refresh(records: &ReadAhead, keys: &[Key]) -> Vec<Option<Item>> {
    futures::stream::iter(keys)
        .map(|key| async move { Ok::<_, ()>(one(records, key).await) })
        .buffered(10)
        .try_collect()
        .await
        .expect("all were read")
}

/// In an order that has nothing to do with their names, the same each time.
fn shuffled(mut keys: Vec<Key>) -> Vec<Key> {
    use sha2::{Digest as _, Sha256};
    keys.sort_by_cached_key(|key| Sha256::digest(format!("{key:?}").as_bytes()).to_vec());
    keys
}

#[tokio::test]
async fn a_thousand_versions_of_one_model_are_read_in_a_few_queries() {
    let store = Counted::new();
    let keys: Vec<Key> = (1..=1000).map(|number| version("fraud", number)).collect();
    fill(&store, keys.clone()).await;
    for keys in [keys.clone(), shuffled(keys)] {
        let (records, _) = ahead(&store);
        let found = refresh(&records, &keys).await;
        for (key, item) in keys.iter().zip(&found) {
            assert_eq!(item.as_ref().map(|item| &item.key), Some(key));
        }
        let (gets, queries) = store.calls();
        assert!(gets <= 4 && queries <= 5, "{gets} gets, {queries} queries");
    }
}

#[tokio::test]
async fn no_version_is_read_ahead_twice() {
    let store = Counted::new();
    let keys: Vec<Key> = (1..=1000).map(|number| version("fraud", number)).collect();
    fill(&store, keys.clone()).await;
    for keys in [
        keys.clone(),
        keys.iter().rev().cloned().collect(),
        shuffled(keys),
    ] {
        let (records, _) = ahead(&store);
        let found = refresh(&records, &keys).await;
        assert!(found.iter().all(Option::is_some));
        let told = store.told.swap(0, Ordering::SeqCst);
        assert!(told <= 1000, "{told}");
    }
}

#[tokio::test]
async fn a_thousand_models_are_read_in_a_few_batches() {
    let store = Counted::new();
    let names = (0..1000).map(|number| format!("model-{number}"));
    let index = names.clone().map(|name| Key::new(INDEX, name));
    let models = names.map(|name| Key::new(format!("{MODEL}{name}"), "model"));
    let models: Vec<Key> = models.collect();
    fill(&store, index.chain(models.clone())).await;
    let (records, _) = ahead(&store);
    let found = refresh(&records, &shuffled(models)).await;
    assert!(found.iter().all(Option::is_some));
    let (gets, queries) = store.calls();
    assert!(gets <= 8 && queries == 1, "{gets} gets, {queries} queries");
}

#[tokio::test]
async fn those_who_ask_while_a_call_is_under_way_share_the_next() {
    let store = Counted::new();
    let keys: Vec<Key> = (0..9)
        .map(|n| Key::new(format!("lease#{n}"), "lease"))
        .collect();
    fill(&store, keys.clone()).await;
    let (records, _) = ahead(&store);
    let all = futures::future::join_all(keys.iter().map(|key| one(&records, key))).await;
    assert!(all.iter().all(Option::is_some));
    assert_eq!(store.calls(), (1, 0));
}

#[tokio::test]
async fn what_is_not_there_is_none_and_is_not_looked_for_twice_in_a_query() {
    let store = Counted::new();
    fill(&store, (1..=20).map(|number| version("fraud", number * 2))).await;
    let (records, _) = ahead(&store);
    let keys: Vec<Key> = (1..=50).map(|number| version("fraud", number)).collect();
    let found = refresh(&records, &keys).await;
    for (number, item) in (1..=50).zip(&found) {
        assert_eq!(item.is_some(), number % 2 == 0 && number <= 40, "{number}");
    }
    let (_, queries) = store.calls();
    assert!(queries <= 2, "{queries}");
}

#[tokio::test]
async fn a_write_of_this_process_is_seen_by_the_next_read() {
    let store = Counted::new();
    let keys: Vec<Key> = (1..=50).map(|number| version("fraud", number)).collect();
    fill(&store, keys.clone()).await;
    let (records, _) = ahead(&store);
    let found = refresh(&records, &keys).await;
    let revision = found[7].as_ref().expect("there").revision;
    let next = put(keys[7].clone(), Expect::Revision(revision), 700);
    let written = records.commit(vec![next]).await.expect("commit")[0];
    assert_eq!(
        one(&records, &keys[7]).await.expect("there").revision,
        written
    );
    let delete = Write {
        key: keys[8].clone(),
        expect: Expect::Revision(found[8].as_ref().expect("there").revision),
        change: Change::Delete,
    };
    records.commit(vec![delete]).await.expect("commit");
    assert!(one(&records, &keys[8]).await.is_none());
}

#[tokio::test]
async fn what_was_fetched_while_this_process_wrote_is_not_told_to_who_asks_later() {
    let store = Counted::new();
    let keys: Vec<Key> = (1..=50).map(|number| version("fraud", number)).collect();
    fill(&store, keys.clone()).await;
    let (records, _) = ahead(&store);
    refresh(&records, &keys[..6]).await;
    records.inner.state().known = Known::default();
    store.calls();
    // A fetch has read the store, and its answer is on the way.
    let held = store.gate.acquire_many(PERMITS).await.expect("open");
    let asking = tokio::spawn({
        let (records, key) = (records.clone(), keys[0].clone());
        async move { one(&records, &key).await }
    });
    while store.queries.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let old = store
        .records
        .get(&keys[1..2])
        .await
        .expect("get")
        .remove(0)
        .expect("there");
    let next = put(keys[1].clone(), Expect::Revision(old.revision), 900);
    let written = records.commit(vec![next]).await.expect("commit")[0];
    drop(held);
    assert!(asking.await.expect("no panic").is_some());
    assert_eq!(
        one(&records, &keys[1]).await.expect("there").revision,
        written
    );
}

#[tokio::test]
async fn a_commit_that_failed_makes_the_next_read_look_again() {
    let store = Counted::new();
    let keys: Vec<Key> = (1..=50).map(|number| version("fraud", number)).collect();
    fill(&store, keys.clone()).await;
    let (records, _) = ahead(&store);
    let known = refresh(&records, &keys).await[3].clone().expect("there");
    // Another process writes.
    let theirs = put(keys[3].clone(), Expect::Revision(known.revision), 300);
    let theirs = store.commit(vec![theirs]).await.expect("commit")[0];
    let ours = put(keys[3].clone(), Expect::Revision(known.revision), 301);
    let refused = records.commit(vec![ours]).await;
    assert!(matches!(refused, Err(CommitError::Condition { index: 0 })));
    assert_eq!(
        one(&records, &keys[3]).await.expect("there").revision,
        theirs
    );
}

#[tokio::test]
async fn what_was_fetched_ahead_is_told_for_a_few_seconds() {
    let store = Counted::new();
    let keys: Vec<Key> = (1..=50).map(|number| version("fraud", number)).collect();
    fill(&store, keys.clone()).await;
    let (records, clock) = ahead(&store);
    let old = refresh(&records, &keys).await[3].clone().expect("there");
    let theirs = put(keys[3].clone(), Expect::Revision(old.revision), 300);
    let theirs = store.commit(vec![theirs]).await.expect("commit")[0];
    store.calls();
    clock.advance(FRESH - Duration::from_millis(1));
    assert_eq!(one(&records, &keys[3]).await, Some(old));
    assert_eq!(store.calls(), (0, 0));
    clock.advance(Duration::from_millis(1));
    assert_eq!(
        one(&records, &keys[3]).await.expect("there").revision,
        theirs
    );
}

mod conformance {
    use super::*;

    struct World;
    impl World {
        fn store(&self) -> Arc<dyn Records> {
            Arc::new(ReadAhead::new(Arc::new(MemoryRecords::default())))
        }
    }
    mlops_core::records_conformance!(World);
}

#[tokio::test]
async fn whoever_asks_for_a_version_by_now_is_told_what_another_process_wrote() {
    let store = Counted::new();
    let (records, clock) = ahead(&store);
    let artifacts = Arc::new(MemoryArtifacts::default());
    let registry = |records: Arc<dyn Records>| {
        Registry::new(
            records,
            artifacts.clone(),
            clock.clone(),
            Arc::new(RandomIds),
        )
    };
    let (ours, others) = (registry(Arc::new(records)), registry(store.clone()));
    let model = ModelName::new("fraud").unwrap();
    others
        .create_model(&model, ModelSpec::default())
        .await
        .unwrap();
    let id = |version| VersionId {
        model: model.clone(),
        version,
    };
    let spec = VersionSpec {
        artifact: artifacts.put_bytes("model.onnx", b"model").unwrap(),
        framework: "onnx".to_owned(),
        image: None,
        signature: None,
        params: Default::default(),
        lineage: None,
        smoke: None,
    };
    for _ in 1..=8 {
        let new = NewVersion {
            model: model.clone(),
            spec: spec.clone(),
            metrics: Default::default(),
            tags: Default::default(),
            approval: None,
            deletion_policy: VersionDeletionPolicy::default(),
            nonce: None,
        };
        others.register_version(new).await.unwrap();
    }
    for number in 1..=7 {
        assert!(ours.version(&id(number)).await.unwrap().is_some());
    }
    let update = VersionUpdate {
        metrics: [("accuracy".to_owned(), Some(0.95))].into(),
        ..VersionUpdate::default()
    };
    others.update_version(&id(8), update).await.unwrap();
    let ahead = ours.version(&id(8)).await.unwrap().unwrap();
    assert!(ahead.metrics.is_empty(), "it was not read ahead");
    let by_now = ours.version_by_now(&id(8)).await.unwrap().unwrap();
    assert_eq!(by_now.metrics["accuracy"], 0.95);
    assert_eq!(by_now.id, id(8));
    assert!(ours.version_by_now(&id(9)).await.unwrap().is_none());
}
