//! What a removal deletes and in which order, what it leaves, and what a list and a check tell.

use futures::{StreamExt as _, stream};
use mlops_core::Class;
use mlops_core::artifacts::{Artifact, ArtifactStore as _, Digest, NoDigestCache};

use crate::bucket::{self, noise, tree};
use crate::proxy::{Fault, Proxy};
use crate::support::part;

const MIB: usize = 1 << 20;
const DENIED: Fault = Fault::Refused(403, "AccessDenied", "Access Denied");

fn root(artifact: &Artifact) -> String {
    format!("ml/sha256/{}", artifact.digest.hex())
}

fn hint(artifact: &Artifact, path: &str) -> String {
    let file = artifact.file(path).expect("a file");
    format!("ml/known/{}", file.digest.hex())
}

async fn delete(url: &str, name: &str, key: &str) {
    let request = bucket::client(url).delete_object().bucket(name).key(key);
    request.send().await.expect("deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_deletes_the_manifest_first_then_all_of_the_artifact_and_nothing_else() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let (large, medium) = (noise(1, 6 * MIB), noise(2, 20_000));
    let source = tree(
        scratch.path(),
        &[
            ("weights/large model.bin", &large),
            ("medium.bin", &medium),
            ("a.json", b"{}"),
        ],
    );
    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    let foreign = [
        "ml/sha256/README".to_owned(),
        format!("{}0/files/a.json", root(&artifact)),
        "ml/sha256/notes/a.json".to_owned(),
    ];
    for key in &foreign {
        bucket::write(&part.url, &name, key, b"somebody else's").await;
    }
    let client = bucket::client(&part.url);
    for key in [
        format!("{}/files/b.bin", root(&artifact)),
        foreign[2].clone(),
    ] {
        let begun = client.create_multipart_upload().bucket(&name).key(key);
        begun.send().await.expect("begun");
    }
    let listed = store.list().await.expect("list");
    let digests: Vec<Digest> = listed.iter().map(|stored| stored.digest).collect();
    assert_eq!(digests, [artifact.digest], "others' keys are nobody's");
    let size = artifact.size + artifact.manifest().len() as u64;
    assert_eq!(listed[0].size_bytes, size);

    assert_eq!(store.remove(&artifact.digest).await.expect("remove"), size);
    let deleted = proxy.calls().into_iter();
    let deleted: Vec<String> = deleted
        .filter(|call| call.operation == "DeleteObject")
        .map(|call| call.path)
        .collect();
    assert!(deleted[0].ends_with("/manifest"), "{deleted:?}");
    assert_eq!(deleted.len(), 4 + 2, "objects and hints: {deleted:?}");
    let mut left = foreign.to_vec();
    left.sort();
    assert_eq!(bucket::keys(&part.url, &name).await, left);
    let uploads = bucket::uploads(&part.url, &name).await;
    let keys: Vec<&str> = uploads.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, [&foreign[2]]);
    assert_eq!(store.remove(&artifact.digest).await.expect("again"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_goes_with_the_object_that_it_points_to() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let scratch = tempfile::tempdir().expect("directory");
    let shared = noise(1, 50_000);
    let store = bucket::store(&part.url, &name);
    let put = async |own: &[u8]| {
        let source = tree(scratch.path(), &[("shared.bin", &shared), ("own.txt", own)]);
        store.put_tree(&source, &NoDigestCache).await.expect("put")
    };
    let (first, second) = (put(b"1").await, put(b"2").await);
    let hint = hint(&first, "shared.bin");
    let points_to = async || {
        let text = bucket::read(&part.url, &name, &hint).await;
        String::from_utf8(text).expect("text")
    };
    assert!(points_to().await.contains(&root(&first)));
    // The second's copy is not what it points to.
    store.remove(&second.digest).await.expect("remove");
    assert!(points_to().await.contains(&root(&first)));
    let third = put(b"3").await;
    store.remove(&first.digest).await.expect("remove");
    assert!(!bucket::keys(&part.url, &name).await.contains(&hint));
    store.check(&third.digest).await.expect("whole by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_upload_left_is_listed_as_incomplete_and_can_be_removed() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let digest = Digest::of(b"never finished");
    let key = format!("ml/sha256/{}/files/a/b.bin", digest.hex());
    bucket::write(&part.url, &name, &key, &noise(1, 12_345)).await;
    let store = bucket::store(&part.url, &name);
    let listed = store.list().await.expect("list");
    assert_eq!(listed.len(), 1, "{listed:?}");
    let stored = &listed[0];
    assert_eq!(
        (stored.digest, stored.size_bytes, stored.complete),
        (digest, 12_345, false)
    );
    let error = store.check(&digest).await.expect_err("incomplete");
    assert_eq!(error.class(), Class::NotFound, "{error}");
    assert_eq!(store.remove(&digest).await.expect("remove"), 12_345);
    assert_eq!(bucket::keys(&part.url, &name).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_ended_halfway_leaves_nothing_that_looks_whole_and_is_gone_on_with() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("a.bin", b"abcdefg")]);
    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    proxy.fail("DeleteObject", 1, DENIED);
    store.remove(&artifact.digest).await.expect_err("halfway");
    let error = store.get(&artifact.digest).await.expect_err("no manifest");
    assert_eq!(error.class(), Class::NotFound, "{error}");
    let listed = store.list().await.expect("list");
    assert_eq!((listed[0].size_bytes, listed[0].complete), (7, false));
    assert_eq!(store.remove(&artifact.digest).await.expect("again"), 7);
    assert_eq!(store.list().await.expect("list"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_missing_or_of_another_size_is_named_by_a_check() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let large = noise(1, 50_000);
    let source = tree(scratch.path(), &[("a.bin", &large), ("b.bin", b"defg")]);
    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    proxy.reset();
    store.check(&artifact.digest).await.expect("whole");
    let calls: Vec<_> = proxy.calls().iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["GetObject", "ListObjectsV2"], "no content is read");

    let key = format!("{}/files/a.bin", root(&artifact));
    let refused = async || {
        let error = store.check(&artifact.digest).await.expect_err("not whole");
        let text = error.to_string();
        assert_eq!(error.class(), Class::NotFound, "{text}");
        for named in [key.as_str(), "50000", "\"a.bin\""] {
            assert!(text.contains(named), "{named} is not in: {text}");
        }
    };
    bucket::write(&part.url, &name, &key, b"short").await;
    refused().await;
    delete(&part.url, &name, &key).await;
    refused().await;
    // An upload mends it.
    store.put_tree(&source, &NoDigestCache).await.expect("put");
    store.check(&artifact.digest).await.expect("whole again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_artifacts_than_one_answer_holds_are_listed_and_removed() {
    // S3 answers 1,000 keys at most.
    const FILES: usize = 700;
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let digests = [Digest::of(b"one"), Digest::of(b"two")];
    let all = digests
        .iter()
        .flat_map(|digest| (0..FILES).map(move |number| (digest.hex(), number)));
    let writes = stream::iter(all).map(|(hex, number)| {
        let (url, name) = (&part.url, &name);
        async move {
            let key = format!("ml/sha256/{hex}/files/{number}");
            bucket::write(url, name, &key, b"0123456789").await;
        }
    });
    writes.buffer_unordered(16).collect::<Vec<()>>().await;
    let store = bucket::store(&part.url, &name);
    let size = 10 * FILES as u64;
    let listed = store.list().await.expect("list");
    let sizes: Vec<u64> = listed.iter().map(|stored| stored.size_bytes).collect();
    assert_eq!(sizes, [size, size]);
    assert_eq!(store.remove(&digests[0]).await.expect("remove"), size);
    let listed = store.list().await.expect("list");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].digest, digests[1]);
    assert_eq!(listed[0].size_bytes, size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_delete_is_told_which_action_to_permit() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("a.bin", b"abc")]);
    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    proxy.fail_always("DeleteObject", DENIED);
    let error = store.remove(&artifact.digest).await.expect_err("denied");
    let text = error.to_string();
    assert_eq!(error.class(), Class::Denied, "{text}");
    assert_eq!(error.attribute(), Some("registry.bucket"), "{text}");
    for named in [
        "S3 DeleteObject on s3://",
        "/manifest",
        "do s3:DeleteObject there",
    ] {
        assert!(text.contains(named), "{named} is not in: {text}");
    }
    assert_eq!(proxy.count("DeleteObject"), 1, "no second try");
    store
        .check(&artifact.digest)
        .await
        .expect("it is as it was");
}
