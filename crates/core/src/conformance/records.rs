//! What a store of records must do. Each check gets a fresh, empty store.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::Class;
use crate::records::{COMMIT_LIMIT, Change, CommitError, Expect, Item, Key, Range, Records, Write};

/// Makes one test per check of this suite; `$make` is an expression that evaluates to something
/// with a `store()` of type `Arc<dyn Records>` and keeps it alive.
#[macro_export]
macro_rules! records_conformance {
    ($make:expr) => {
        $crate::records_conformance!(@each $make,
            an_empty_store_reads_as_empty_and_has_no_identity
            the_first_commit_makes_the_store_and_its_identity_stays
            a_put_reads_back_every_kind_of_json
            absent_refuses_what_exists_and_names_the_write
            a_revision_is_needed_to_overwrite_and_is_never_used_again
            a_failed_condition_leaves_nothing_of_the_commit
            a_check_writes_nothing
            a_batch_get_answers_in_the_order_asked
            a_query_pages_in_both_directions_and_stops_at_its_prefix
            sort_keys_are_ordered_bytewise
            partitions_do_not_see_each_other
            a_commit_takes_its_limit_and_refuses_more
            a_key_stands_once_in_a_commit
            of_many_racing_writers_exactly_one_wins_each_round
        );
    };
    (@each $make:expr, $($check:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let world = $make;
            $crate::conformance::records::$check(world.store()).await;
        }
    )*};
}

type Store = Arc<dyn Records>;

fn body(value: i64) -> Map<String, Value> {
    Map::from_iter([("value".to_owned(), json!(value))])
}

fn put(key: &Key, expect: Expect, value: i64) -> Write {
    Write {
        key: key.clone(),
        expect,
        change: Change::Put(body(value)),
    }
}

fn write(key: &Key, expect: Expect, change: Change) -> Write {
    Write {
        key: key.clone(),
        expect,
        change,
    }
}

async fn one(store: &Store, key: &Key) -> Option<Item> {
    store
        .get(std::slice::from_ref(key))
        .await
        .expect("get")
        .remove(0)
}

async fn fill(store: &Store, partition: &str, sorts: &[&str]) {
    let writes = sorts
        .iter()
        .map(|sort| put(&Key::new(partition, *sort), Expect::Absent, 1));
    store.commit(writes.collect()).await.expect("fill");
}

fn sorts(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.key.sort.as_str()).collect()
}

fn condition(result: Result<Vec<u64>, CommitError>) -> usize {
    match result {
        Err(CommitError::Condition { index }) => index,
        other => panic!("expected a failed condition, got {other:?}"),
    }
}

/// Reading makes nothing.
pub async fn an_empty_store_reads_as_empty_and_has_no_identity(store: Store) {
    let key = Key::new("p", "s");
    assert!(one(&store, &key).await.is_none());
    assert!(
        store
            .query("p", Range::default())
            .await
            .expect("query")
            .items
            .is_empty()
    );
    assert!(store.get(&[]).await.expect("no keys").is_empty());
    assert!(store.identity().await.expect("identity").is_none());
}

/// The identity is minted once.
pub async fn the_first_commit_makes_the_store_and_its_identity_stays(store: Store) {
    store
        .commit(vec![put(&Key::new("p", "a"), Expect::Absent, 1)])
        .await
        .expect("commit");
    let first = store.identity().await.expect("identity").expect("made");
    store
        .commit(vec![put(&Key::new("p", "b"), Expect::Absent, 1)])
        .await
        .expect("commit");
    let second = store.identity().await.expect("identity").expect("made");
    assert_eq!(first, second);
    assert_eq!(first.location, store.location());
}

/// Numbers, text, nesting.
pub async fn a_put_reads_back_every_kind_of_json(store: Store) {
    let key = Key::new("kinds", "é #'\"\\");
    let value = json!({
        "null": null, "yes": true, "integer": 9_007_199_254_740_993_i64, "float": 0.1,
        "tiny": 5e-324, "text": "é\n\u{0}\u{1F600}", "list": [1, [2]], "map": {"": {"x": "y"}},
    });
    let Value::Object(document) = value else {
        unreachable!("an object literal")
    };
    let put = write(&key, Expect::Absent, Change::Put(document.clone()));
    let revisions = store.commit(vec![put]).await.expect("commit");
    let item = one(&store, &key).await.expect("stored");
    assert_eq!(item.body, document);
    assert_eq!(item.key, key);
    assert_eq!(vec![item.revision], revisions);
}

/// `Expect::Absent`.
pub async fn absent_refuses_what_exists_and_names_the_write(store: Store) {
    let (a, b) = (Key::new("p", "a"), Key::new("p", "b"));
    store
        .commit(vec![put(&a, Expect::Absent, 1)])
        .await
        .expect("commit");
    let result = store
        .commit(vec![put(&b, Expect::Absent, 2), put(&a, Expect::Absent, 2)])
        .await;
    assert_eq!(condition(result), 1);
}

/// `Expect::Revision`.
pub async fn a_revision_is_needed_to_overwrite_and_is_never_used_again(store: Store) {
    let key = Key::new("p", "a");
    let mut seen = Vec::new();
    let mut expect = Expect::Absent;
    for round in 0..3 {
        for value in 0..3 {
            let revision = store
                .commit(vec![put(&key, expect, value)])
                .await
                .expect("put")[0];
            assert!(
                !seen.contains(&revision),
                "revision {revision} was used before, round {round}"
            );
            if let Expect::Revision(old) = expect {
                let stale = store
                    .commit(vec![put(&key, Expect::Revision(old), 9)])
                    .await;
                assert_eq!(condition(stale), 0);
            }
            seen.push(revision);
            expect = Expect::Revision(revision);
        }
        let deleted = store
            .commit(vec![write(&key, expect, Change::Delete)])
            .await
            .expect("delete");
        assert_eq!(deleted, [0]);
        assert!(one(&store, &key).await.is_none());
        let stale = store.commit(vec![put(&key, expect, 9)]).await;
        assert_eq!(condition(stale), 0, "a deleted record has no revision");
        expect = Expect::Absent;
    }
}

/// All or none.
pub async fn a_failed_condition_leaves_nothing_of_the_commit(store: Store) {
    let (a, b, c) = (Key::new("p", "a"), Key::new("p", "b"), Key::new("q", "c"));
    let revision = store
        .commit(vec![put(&a, Expect::Absent, 1)])
        .await
        .expect("commit")[0];
    let result = store
        .commit(vec![
            put(&b, Expect::Absent, 2),
            write(&a, Expect::Revision(revision), Change::Delete),
            write(&c, Expect::Revision(revision), Change::Check),
        ])
        .await;
    assert_eq!(condition(result), 2);
    assert_eq!(
        one(&store, &a).await.map(|item| item.revision),
        Some(revision)
    );
    assert!(one(&store, &b).await.is_none());
}

/// `Change::Check`.
pub async fn a_check_writes_nothing(store: Store) {
    let (a, b) = (Key::new("p", "a"), Key::new("p", "b"));
    let revision = store
        .commit(vec![put(&a, Expect::Absent, 1)])
        .await
        .expect("commit")[0];
    let revisions = store
        .commit(vec![
            write(&a, Expect::Revision(revision), Change::Check),
            write(&b, Expect::Absent, Change::Check),
        ])
        .await
        .expect("both hold");
    assert_eq!(revisions, [0, 0]);
    assert_eq!(
        one(&store, &a).await.map(|item| item.revision),
        Some(revision)
    );
    assert!(one(&store, &b).await.is_none());
}

/// More keys than a cloud's batch, missing ones and doubles among them.
pub async fn a_batch_get_answers_in_the_order_asked(store: Store) {
    let keys: Vec<Key> = (0..250).map(|n| Key::new("p", format!("{n:04}"))).collect();
    let present = |n: usize| !n.is_multiple_of(7);
    let writes: Vec<Write> = keys
        .iter()
        .enumerate()
        .filter(|(n, _)| present(*n))
        .map(|(n, key)| put(key, Expect::Absent, n as i64))
        .collect();
    for batch in writes.chunks(COMMIT_LIMIT) {
        store.commit(batch.to_vec()).await.expect("commit");
    }
    let mut asked: Vec<Key> = keys.iter().rev().cloned().collect();
    asked.push(keys[1].clone());
    let found = store.get(&asked).await.expect("get");
    assert_eq!(found.len(), asked.len());
    for (index, (key, item)) in asked.iter().zip(&found).enumerate() {
        let n = if index < 250 { 249 - index } else { 1 };
        let expected = present(n).then(|| body(n as i64));
        assert_eq!(
            item.as_ref().map(|item| item.body.clone()),
            expected,
            "{key:?}"
        );
    }
}

/// Pages join without gap or overlap.
pub async fn a_query_pages_in_both_directions_and_stops_at_its_prefix(store: Store) {
    fill(&store, "p", &["a", "b#1", "b#2", "b#3", "b#4", "b#5", "c"]).await;
    for descending in [false, true] {
        let mut expected = vec!["b#1", "b#2", "b#3", "b#4", "b#5"];
        if descending {
            expected.reverse();
        }
        let mut found: Vec<Item> = Vec::new();
        loop {
            let range = Range {
                prefix: "b#".into(),
                after: found.last().map(|item| item.key.sort.clone()),
                descending,
                limit: Some(2),
            };
            let page = store.query("p", range).await.expect("query");
            assert!(page.items.len() <= 2);
            found.extend(page.items);
            if !page.more {
                break;
            }
        }
        assert_eq!(sorts(&found), expected);
    }
    let all = store.query("p", Range::default()).await.expect("query");
    assert_eq!(
        sorts(&all.items),
        ["a", "b#1", "b#2", "b#3", "b#4", "b#5", "c"]
    );
}

/// Not by locale, and a prefix is no pattern.
pub async fn sort_keys_are_ordered_bytewise(store: Store) {
    fill(
        &store,
        "p",
        &["b", "B", "a%", "a_", "ab", "é", "z", "\u{10FFFF}", "a"],
    )
    .await;
    let all = store.query("p", Range::default()).await.expect("query");
    assert_eq!(
        sorts(&all.items),
        ["B", "a", "a%", "a_", "ab", "b", "z", "é", "\u{10FFFF}"]
    );
    let prefix = |prefix: &str| Range {
        prefix: prefix.into(),
        ..Range::default()
    };
    let found = store.query("p", prefix("a_")).await.expect("query");
    assert_eq!(sorts(&found.items), ["a_"]);
    let found = store.query("p", prefix("\u{10FFFF}")).await.expect("query");
    assert_eq!(sorts(&found.items), ["\u{10FFFF}"]);
}

/// Not even when one's name begins with the other's.
pub async fn partitions_do_not_see_each_other(store: Store) {
    fill(&store, "p", &["a"]).await;
    fill(&store, "p#1", &["a", "b"]).await;
    assert_eq!(
        sorts(
            &store
                .query("p", Range::default())
                .await
                .expect("query")
                .items
        ),
        ["a"]
    );
    let page = store.query("p#1", Range::default()).await.expect("query");
    assert_eq!(sorts(&page.items), ["a", "b"]);
}

/// [`COMMIT_LIMIT`].
pub async fn a_commit_takes_its_limit_and_refuses_more(store: Store) {
    let writes = |partition: &str, count: usize| -> Vec<Write> {
        (0..count)
            .map(|n| put(&Key::new(partition, format!("{n:04}")), Expect::Absent, 1))
            .collect()
    };
    store
        .commit(writes("p", COMMIT_LIMIT))
        .await
        .expect("the limit");
    for refused in [writes("q", COMMIT_LIMIT + 1), Vec::new()] {
        match store.commit(refused).await {
            Err(CommitError::Store(error)) => assert_eq!(error.class(), Class::Bug),
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
    assert!(
        store
            .query("q", Range::default())
            .await
            .expect("query")
            .items
            .is_empty()
    );
}

/// Which of the two would count?
pub async fn a_key_stands_once_in_a_commit(store: Store) {
    let key = Key::new("p", "a");
    let writes = vec![put(&key, Expect::Absent, 1), put(&key, Expect::Absent, 2)];
    match store.commit(writes).await {
        Err(CommitError::Store(error)) => assert_eq!(error.class(), Class::Bug),
        other => panic!("expected a refusal, got {other:?}"),
    }
    assert!(one(&store, &key).await.is_none());
}

/// Compare-and-swap under contention loses no increment.
pub async fn of_many_racing_writers_exactly_one_wins_each_round(store: Store) {
    const WRITERS: usize = 8;
    const ROUNDS: i64 = 5;
    let key = Key::new("p", "counter");
    store
        .commit(vec![put(&key, Expect::Absent, 0)])
        .await
        .expect("commit");
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move {
                for _ in 0..ROUNDS {
                    loop {
                        let item = one(&store, &key).await.expect("counter");
                        let value = item.body["value"].as_i64().expect("number");
                        let next = put(&key, Expect::Revision(item.revision), value + 1);
                        match store.commit(vec![next]).await {
                            Ok(_) => break,
                            Err(CommitError::Condition { .. }) => {}
                            Err(CommitError::Store(error)) => panic!("{}", error.chain()),
                        }
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("writer");
    }
    let total = one(&store, &key).await.expect("counter");
    assert_eq!(total.body, body(WRITERS as i64 * ROUNDS));
}
