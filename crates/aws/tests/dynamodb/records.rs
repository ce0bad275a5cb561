//! What the store in DynamoDB does beyond the conformance suite: its limits and its calls.

use std::sync::Arc;
use std::time::Duration;

use crate::support::proxy::{Fault, Proxy};
use crate::support::{part, table};
use mlops_aws::dynamodb::DynamoRecords;
use mlops_aws::{AwsClients, AwsSettings, Patience, RetryMode};
use mlops_core::artifacts::ArtifactStore;
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::memory::MemoryArtifacts;
use mlops_core::names::ModelName;
use mlops_core::records::{Change, CommitError, Expect, Item, Key, Range, Records, Write};
use mlops_core::registry::{ModelSpec, NewVersion, Registry, VersionDeletionPolicy, VersionSpec};
use mlops_core::{Class, Error};
use serde_json::{Map, Value, json};

fn body(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

pub(super) fn put(key: &Key, expect: Expect, value: Value) -> Write {
    Write {
        key: key.clone(),
        expect,
        change: Change::Put(body(value)),
    }
}

pub(super) async fn one(store: &DynamoRecords, key: &Key) -> Option<Item> {
    let mut found = store.get(std::slice::from_ref(key)).await.expect("get");
    found.remove(0)
}

pub(super) fn failed<T: std::fmt::Debug>(outcome: Result<T, CommitError>) -> Error {
    match outcome {
        Err(CommitError::Store(error)) => error,
        other => panic!("expected the store to fail, got {other:?}"),
    }
}

pub(super) fn says(error: &Error, class: Class, attribute: Option<&str>, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.class(), class, "{text}");
    assert_eq!(error.attribute(), attribute, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[tokio::test]
async fn a_record_of_400_kb_is_written_and_a_larger_one_is_refused_before_it_is_sent() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let proxy = Proxy::before(url).await;
    let store = table::records(&proxy.url, &name);
    let key = Key::new("p", "large");
    let of = |size: usize| vec![put(&key, Expect::Absent, json!({"text": "x".repeat(size)}))];
    let overhead = 100;
    let error = failed(store.commit(of(400 * 1024)).await);
    says(
        &error,
        Class::Invalid,
        None,
        &["record p large takes 401 KB", "400 KB"],
    );
    assert_eq!(proxy.calls(), Vec::<String>::new());
    store
        .commit(of(400 * 1024 - overhead))
        .await
        .expect("it fits");
    let item = one(&store, &key).await.expect("stored");
    assert_eq!(
        item.body,
        body(json!({"text": "x".repeat(400 * 1024 - overhead)}))
    );

    let many: Vec<Write> = (0..11)
        .map(|n| {
            let key = Key::new("p", n.to_string());
            put(
                &key,
                Expect::Absent,
                json!({"text": "x".repeat(399 * 1024)}),
            )
        })
        .collect();
    let error = failed(store.commit(many).await);
    says(
        &error,
        Class::Invalid,
        None,
        &["a commit of 11 records", "4096 KB"],
    );
}

#[tokio::test]
async fn a_key_that_dynamodb_does_not_take_is_refused() {
    let store = table::records("http://127.0.0.1:1", "registry");
    for key in [
        Key::new("p", ""),
        Key::new("", "s"),
        Key::new("p", "s".repeat(1025)),
    ] {
        let error = failed(
            store
                .commit(vec![put(&key, Expect::Absent, json!({}))])
                .await,
        );
        says(&error, Class::Invalid, None, &["empty or too long"]);
    }
}

#[tokio::test]
async fn a_partition_of_several_pages_is_read_to_its_end() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let proxy = Proxy::before(url).await;
    let store = table::records(&proxy.url, &name);
    let sorts: Vec<String> = (0..1500).map(|n| format!("{n:05}")).collect();
    for batch in sorts.chunks(100) {
        let text = "x".repeat(2000);
        let writes = batch
            .iter()
            .map(|sort| put(&Key::new("p", sort), Expect::Absent, json!({"text": text})));
        store.commit(writes.collect()).await.expect("commit");
    }
    proxy.reset();
    let page = store.query("p", Range::default()).await.expect("query");
    let found: Vec<&str> = page
        .items
        .iter()
        .map(|item| item.key.sort.as_str())
        .collect();
    assert_eq!(found, sorts);
    assert!(!page.more);
    // 3 MB in pages of 1 MB.
    assert!(
        (3..=5).contains(&proxy.calls().len()),
        "{:?}",
        proxy.calls()
    );
    assert!(proxy.calls().iter().all(|call| call == "Query"));
}

#[tokio::test]
async fn ten_thousand_versions_of_one_model_are_listed() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let store = Arc::new(table::records(url, &name));
    let artifacts = Arc::new(MemoryArtifacts::default());
    let artifact = artifacts
        .put_bytes("model.onnx", b"a model")
        .expect("stored");
    let registry = |url: &str| {
        Registry::new(
            Arc::new(table::records(url, &name)),
            artifacts.clone(),
            Arc::new(SystemClock::default()),
            Arc::new(RandomIds),
        )
    };
    let model = ModelName::new("fraud").expect("legal");
    let first = registry(url);
    let made = first.create_model(&model, ModelSpec::default()).await;
    made.expect("a model");
    let new = NewVersion {
        model: model.clone(),
        spec: VersionSpec {
            artifact,
            framework: "onnx".into(),
            image: None,
            signature: None,
            params: Default::default(),
            lineage: None,
            smoke: None,
        },
        metrics: Default::default(),
        tags: Default::default(),
        approval: None,
        deletion_policy: VersionDeletionPolicy::default(),
        nonce: None,
    };
    first.register_version(new).await.expect("the first");
    let sort = |number: u64| format!("version#{number:020}");
    let key = Key::new("model#fraud", sort(1));
    let first = one(&store, &key).await.expect("it is there");
    let numbers: Vec<u64> = (2..=10_000).collect();
    for batch in numbers.chunks(100) {
        let writes = batch.iter().map(|number| {
            let mut version = Value::Object(first.body.clone());
            version["version"] = json!(number);
            put(
                &Key::new("model#fraud", sort(*number)),
                Expect::Absent,
                version,
            )
        });
        store.commit(writes.collect()).await.expect("written");
    }

    let proxy = Proxy::before(url).await;
    let reader = registry(&proxy.url);
    let all = reader.all_versions(&model).await.expect("listed");
    let found: Vec<u64> = all.iter().map(|version| version.id.version).collect();
    assert!(
        found.iter().copied().eq((1..=10_000).rev()),
        "{} of them",
        found.len()
    );
    let calls = proxy.calls().len();
    assert!(calls <= 20, "{calls} calls for 10 MB at most");
    proxy.reset();
    let (page, more) = reader
        .list_versions(&model, Some(5_001), 100)
        .await
        .expect("a page");
    assert!(more);
    assert_eq!(page[0].id.version, 5_000);
    assert_eq!(page.len(), 100);
    assert_eq!(proxy.calls(), ["Query"]);
}

#[tokio::test]
async fn a_query_may_begin_anywhere_beside_its_prefix() {
    let url = dynamodb_local!();
    let store = table::records(url, &table::create(url).await);
    let writes =
        ["a", "b1", "b2", "c"].map(|sort| put(&Key::new("p", sort), Expect::Absent, json!({})));
    store.commit(writes.to_vec()).await.expect("commit");
    let found = async |after: &str, descending| {
        let range = Range {
            prefix: "b".into(),
            after: Some(after.into()),
            descending,
            limit: None,
        };
        let page = store.query("p", range).await.expect("query");
        let sorts = page.items.into_iter().map(|item| item.key.sort);
        sorts.collect::<Vec<_>>()
    };
    assert_eq!(found("a", false).await, ["b1", "b2"]);
    assert_eq!(found("c", false).await, [""; 0]);
    assert_eq!(found("a", true).await, [""; 0]);
    assert_eq!(found("c", true).await, ["b2", "b1"]);
    assert_eq!(found("b1", false).await, ["b2"]);
    assert_eq!(found("b", false).await, ["b1", "b2"]);
}

#[tokio::test]
async fn the_index_of_models_lies_in_eight_partitions_and_reads_as_one() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let store = table::records(url, &name);
    let mut sorts: Vec<String> = (0..60).map(|n| format!("model-{n}")).collect();
    let writes = sorts
        .iter()
        .map(|sort| put(&Key::new("models", sort), Expect::Absent, json!({})));
    store.commit(writes.collect()).await.expect("commit");
    sorts.sort();
    let mut seen = std::collections::BTreeSet::new();
    let scan = table::client(url)
        .scan()
        .table_name(&name)
        .send()
        .await
        .expect("scan");
    for item in scan.items() {
        let place = item["PK"].as_s().expect("text");
        assert!(
            place.starts_with("models#") || place == "registry",
            "{place}"
        );
        seen.insert(place.clone());
    }
    assert_eq!(seen.len(), 9);

    for descending in [false, true] {
        let mut found: Vec<String> = Vec::new();
        loop {
            let range = Range {
                after: found.last().cloned(),
                descending,
                limit: Some(7),
                ..Range::default()
            };
            let page = store.query("models", range).await.expect("query");
            assert!(page.items.iter().all(|item| item.key.partition == "models"));
            found.extend(page.items.into_iter().map(|item| item.key.sort));
            if !page.more {
                break;
            }
        }
        let mut expected = sorts.clone();
        if descending {
            expected.reverse();
        }
        assert_eq!(found, expected);
    }
    let keys = [Key::new("models", "model-3"), Key::new("models", "nope")];
    let found = store.get(&keys).await.expect("get");
    assert_eq!(found[0].as_ref().map(|item| &item.key), Some(&keys[0]));
    assert!(found[1].is_none());
}

#[tokio::test]
async fn keys_that_a_batch_left_unprocessed_are_asked_for_again() {
    let url = dynamodb_local!();
    let proxy = Proxy::before(url).await;
    let store = table::records(&proxy.url, &table::create(url).await);
    let keys: Vec<Key> = (0..5).map(|n| Key::new("p", n.to_string())).collect();
    let writes = keys
        .iter()
        .map(|key| put(key, Expect::Absent, json!({"at": key.sort})));
    store.commit(writes.collect()).await.expect("commit");
    proxy.reset();
    for call in 0..3 {
        proxy.fail(call, Fault::Unprocessed);
    }
    let found = store.get(&keys).await.expect("get");
    let told: Vec<_> = found.into_iter().flatten().map(|item| item.key).collect();
    assert_eq!(told, keys);
    assert_eq!(proxy.calls(), ["BatchGetItem"; 4]);
}

#[tokio::test]
async fn a_read_costs_one_call_and_a_batch_one_for_each_hundred_keys() {
    let url = dynamodb_local!();
    let proxy = Proxy::before(url).await;
    let store = table::records(&proxy.url, &table::create(url).await);
    let key = |n: usize| Key::new("p", n.to_string());
    store
        .commit(vec![put(&key(0), Expect::Absent, json!({}))])
        .await
        .expect("commit");
    assert_eq!(proxy.calls(), ["GetItem", "UpdateItem", "UpdateItem"]);
    proxy.reset();
    one(&store, &key(0)).await.expect("there");
    store.identity().await.expect("identity").expect("made");
    assert_eq!(proxy.calls(), ["GetItem"]);
    proxy.reset();
    store
        .get(&(0..250).map(key).collect::<Vec<_>>())
        .await
        .expect("get");
    assert_eq!(proxy.calls(), ["BatchGetItem"; 3]);
    proxy.reset();
    let write = put(&key(1), Expect::Absent, json!({}));
    store.commit(vec![write]).await.expect("one");
    let writes = [2, 3].map(|n| put(&key(n), Expect::Absent, json!({})));
    store.commit(writes.to_vec()).await.expect("two");
    assert_eq!(proxy.calls(), ["UpdateItem", "TransactWriteItems"]);
}

#[tokio::test]
async fn a_lost_answer_of_a_write_that_another_followed_is_told_from_one_that_did_not_happen() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let proxy = Proxy::before(url).await;
    // Answers are lost when the test says so, and not before.
    let patience = Patience {
        attempt: Duration::from_secs(60),
        ..Patience::default()
    };
    let clients = AwsClients::with_patience(table::settings(&proxy.url), patience);
    let ours = DynamoRecords::new(clients.expect("settings"), &name).expect("a name");
    let theirs = table::records(url, &name);
    let key = Key::new("p", "counter");
    ours.commit(vec![put(&key, Expect::Absent, json!({}))])
        .await
        .expect("commit");

    // What the other process does while our answer is under way: so many writes, one on the other.
    let meanwhile = async |fault, count| {
        let now = one(&ours, &key).await.expect("there").revision;
        proxy.reset();
        proxy.fail(0, fault);
        let write = put(&key, Expect::Revision(now), json!({"by": "us"}));
        let others = async {
            proxy.called().await;
            let mut last = match fault {
                Fault::Held => now,
                _ => loop {
                    let found = one(&theirs, &key).await.expect("there").revision;
                    if found != now {
                        break found;
                    }
                },
            };
            for _ in 0..count {
                let next = put(&key, Expect::Revision(last), json!({"by": "them"}));
                last = theirs.commit(vec![next]).await.expect("theirs")[0];
            }
            proxy.release();
        };
        let (outcome, ()) = tokio::join!(ours.commit(vec![write]), others);
        outcome
    };
    for (fault, count) in [
        (Fault::Held, 0),
        (Fault::HeldAfter, 0),
        (Fault::HeldAfter, 1),
    ] {
        let outcome = meanwhile(fault, count).await;
        outcome.unwrap_or_else(|error| panic!("{fault:?} {count}: {error:?}"));
    }
    // Another one replaced what we wanted to replace.
    let outcome = meanwhile(Fault::Held, 1).await;
    assert!(
        matches!(outcome, Err(CommitError::Condition { index: 0 })),
        "{outcome:?}"
    );
    // Nobody can tell, and that is what the error says.
    for fault in [Fault::Held, Fault::HeldAfter] {
        let error = failed(meanwhile(fault, 2).await);
        let words = ["p counter", "is unknown"];
        says(&error, Class::Unavailable, None, &words);
    }
}

#[tokio::test]
async fn a_call_that_never_succeeds_ends_in_time_and_says_what_was_tried() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    let proxy = Proxy::before(url).await;
    let settings = AwsSettings {
        max_retries: Some(3),
        retry_mode: Some(RetryMode::Adaptive),
        ..table::settings(&proxy.url)
    };
    let clients = AwsClients::with_patience(settings, table::patience()).expect("settings");
    let store = DynamoRecords::new(clients, &name).expect("a name");
    store.identity().await.expect("the table is there");
    for (code, class, calls, word) in [
        (
            "ThrottlingException",
            Class::Throttled,
            4,
            "raise the limit",
        ),
        (
            "TransactionInProgressException",
            Class::Conflict,
            4,
            "run the operation again",
        ),
        (
            "ExpiredTokenException",
            Class::Denied,
            1,
            "renew or correct the credentials",
        ),
        (
            "UnrecognizedClientException",
            Class::Denied,
            1,
            "renew or correct the credentials",
        ),
        (
            "AccessDeniedException",
            Class::Denied,
            1,
            "let the identity that runs this do so",
        ),
    ] {
        proxy.reset();
        proxy.fail_always(Fault::Refused(code));
        let error = store.identity().await.expect_err(code);
        let table = format!("on table {name} failed with {code}");
        let words = ["DynamoDB GetItem", &table, "(request PROXY4REQUEST)", word];
        says(&error, class, None, &words);
        assert_eq!(proxy.calls().len(), calls, "{code}");
    }
}

#[tokio::test]
async fn of_64_writers_of_one_model_each_gets_its_number() {
    let url = dynamodb_local!();
    let name = table::create(url).await;
    each_gets_its_number(url, &name).await;
}

#[tokio::test]
async fn of_64_writers_of_one_model_each_gets_its_number_on_ministack() {
    let Some(part) = part::ministack() else {
        return;
    };
    let name = table::create(&part.url).await;
    each_gets_its_number(&part.url, &name).await;
}

async fn each_gets_its_number(url: &str, table: &str) {
    const WRITERS: usize = 64;
    const EACH: usize = 2;
    let artifacts = Arc::new(MemoryArtifacts::default());
    let artifact = artifacts
        .put_bytes("model.onnx", b"a model")
        .expect("stored");
    let model = ModelName::new("fraud").expect("legal");
    // Each has its own clients, as another process would.
    let registry = || {
        let artifacts: Arc<dyn ArtifactStore> = artifacts.clone();
        Registry::new(
            Arc::new(table::records(url, table)),
            artifacts,
            Arc::new(SystemClock::default()),
            Arc::new(RandomIds),
        )
    };
    registry()
        .create_model(&model, ModelSpec::default())
        .await
        .expect("create");
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let registry = registry();
            let new = NewVersion {
                model: model.clone(),
                spec: VersionSpec {
                    artifact: artifact.clone(),
                    framework: "onnx".into(),
                    image: None,
                    signature: None,
                    params: Default::default(),
                    lineage: None,
                    smoke: None,
                },
                metrics: Default::default(),
                tags: Default::default(),
                approval: None,
                deletion_policy: VersionDeletionPolicy::default(),
                nonce: None,
            };
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for _ in 0..EACH {
                    let made = registry.register_version(new.clone()).await;
                    let made = made.unwrap_or_else(|error| panic!("{}", error.chain()));
                    numbers.push(made.id.version);
                }
                numbers
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for writer in writers {
        numbers.extend(writer.await.expect("no panic"));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=(WRITERS * EACH) as u64).collect::<Vec<_>>());
    let all = registry().all_versions(&model).await.expect("list");
    assert_eq!(all.len(), WRITERS * EACH);
}
