//! What every store that a registry can move out of, or into, has to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::records::{Change, CommitError, Expect, Key, Movable, Write};

fn put(key: &Key, value: u64) -> Write {
    Write {
        key: key.clone(),
        expect: Expect::Absent,
        change: Change::Put(body(value)),
    }
}

fn body(value: u64) -> Map<String, Value> {
    Map::from_iter([("value".to_owned(), json!(value))])
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, CommitError>) -> Error {
    match outcome {
        Err(CommitError::Store(error)) => error,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Runs the suite. `open` opens a place by its name, empty the first time, as another process each time.
///
/// # Panics
/// Where the store does something else.
pub async fn suite(open: &(dyn Fn(&str) -> Arc<dyn Movable> + Sync)) {
    let here = open("here");
    // More than a page of any store, and what lies in other partitions than it is asked for.
    let mut wanted: BTreeMap<Key, Map<String, Value>> = BTreeMap::new();
    for number in 0..300_u64 {
        let partition = ["models", "model#a", "events#model#a"][number as usize % 3];
        wanted.insert(
            Key::new(partition, format!("key-{number:03}")),
            body(number),
        );
    }
    for chunk in wanted.iter().collect::<Vec<_>>().chunks(100) {
        let writes = chunk.iter().map(|(key, body)| Write {
            key: (*key).clone(),
            expect: Expect::Absent,
            change: Change::Put((*body).clone()),
        });
        here.commit(writes.collect()).await.expect("written");
    }
    let identity = here.identity().await.expect("read").expect("made");

    let mut found = BTreeMap::new();
    let mut after: Option<Key> = None;
    loop {
        let page = here.export(after.as_ref()).await.expect("a page");
        after = page.items.last().map(|item| item.key.clone());
        for item in page.items {
            assert!(found.insert(item.key, item.body).is_none(), "seen twice");
        }
        if !page.more {
            break;
        }
    }
    assert_eq!(found, wanted, "every record once");

    into_a_place(&here, open, identity.uuid).await;
    out_of_a_place(&here, open).await;
}

/// Until it has settled nobody but who fills it reads or writes it.
async fn into_a_place(
    here: &Arc<dyn Movable>,
    open: &(dyn Fn(&str) -> Arc<dyn Movable> + Sync),
    uuid: uuid::Uuid,
) {
    let key = Key::new("model#a", "x");
    let there = open("there");
    let filler = there.arrive(uuid).await.expect("empty").expect("new");
    filler.commit(vec![put(&key, 1)]).await.expect("filled");
    let stranger = open("there");
    assert!(stranger.identity().await.is_err(), "it is not there yet");
    assert!(stranger.get(std::slice::from_ref(&key)).await.is_err());
    assert!(stranger.query("model#a", Default::default()).await.is_err());
    let error = refused(stranger.commit(vec![put(&Key::new("p", "s"), 1)]).await);
    assert!(error.to_string().contains("migrate"), "{error}");

    let other = open("there").arrive(uuid::Uuid::new_v4()).await;
    assert!(other.err().is_some_and(|error| error.is_conflict()));
    let again = open("there").arrive(uuid).await.expect("the same");
    let again = again.expect("it goes on");
    let item = again.get(std::slice::from_ref(&key)).await.expect("read");
    assert_eq!(item[0].as_ref().map(|item| &item.body), Some(&body(1)));

    there.settle().await.expect("settled");
    there.settle().await.expect("again");
    let settled = open("there");
    let found = settled.identity().await.expect("read").expect("there");
    assert_eq!(found.uuid, uuid);
    let more = settled.commit(vec![put(&Key::new("p", "s"), 1)]).await;
    more.expect("in use");
    assert!(
        settled.arrive(uuid).await.expect("ours").is_none(),
        "it lives there"
    );
    let stranger = settled.arrive(uuid::Uuid::new_v4()).await;
    assert!(stranger.err().is_some_and(|error| error.is_conflict()));
    assert_eq!(here.left_for().await.expect("read"), None);
}

/// What left is read, and not written; what belongs to processes goes on.
async fn out_of_a_place(here: &Arc<dyn Movable>, open: &(dyn Fn(&str) -> Arc<dyn Movable> + Sync)) {
    let early = open("here");
    early
        .commit(vec![put(&Key::new("p", "early"), 1)])
        .await
        .expect("it is in use");
    here.leave("a better place").await.expect("left");
    open("here").leave("a better place").await.expect("again");
    let other = open("here").leave("elsewhere").await.expect_err("it left");
    assert!(other.is_conflict(), "{other}");
    assert!(other.to_string().contains("a better place"), "{other}");
    let left = open("here").left_for().await.expect("read");
    assert_eq!(left.as_deref(), Some("a better place"));

    for writer in [early, open("here")] {
        let error = refused(writer.commit(vec![put(&Key::new("p", "late"), 1)]).await);
        assert!(error.to_string().contains("a better place"), "{error}");
    }
    let read = open("here").identity().await.expect("read");
    assert!(read.is_some(), "it may be read");
    let session = put(&Key::new("session#x", "row"), 1);
    here.commit(vec![session]).await.expect("processes go on");
    let uuid = read.map(|identity| identity.uuid).unwrap_or_default();
    let back = open("here").arrive(uuid).await.err();
    assert!(back.is_some_and(|error| error.is_conflict()), "it was here");

    here.stay("elsewhere").await.expect("nothing to do");
    assert!(here.left_for().await.expect("read").is_some());
    here.stay("a better place").await.expect("stays");
    let late = open("here");
    let late = late.commit(vec![put(&Key::new("p", "late"), 1)]).await;
    late.expect("in use again");
}
