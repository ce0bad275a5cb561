//! What travels, where it lies, and what is in the way.

use std::sync::Arc;

use mlops_aws::s3::S3Settings;
use mlops_core::Class;
use mlops_core::artifacts::{ArtifactStore as _, NoDigestCache, RunDigests, hash_source};

use crate::bucket::{self, noise, tree};
use crate::proxy::Proxy;
use crate::support::part::{self, Part};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_goes_in_parts_and_lies_there_as_a_plain_object() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let bytes = noise(1, 12 * MIB + 345);
    let source = tree(
        scratch.path(),
        &[("weights/big model.bin", &bytes), ("config.json", b"{}")],
    );
    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    assert_eq!(proxy.count("UploadPart"), 3);
    let root = format!("ml/sha256/{}", artifact.digest.hex());
    let mut expected = vec![
        format!("{root}/files/config.json"),
        format!("{root}/files/weights/big model.bin"),
        format!("{root}/manifest"),
    ];
    let large = artifact.file("weights/big model.bin").expect("it");
    expected.insert(0, format!("ml/known/{}", large.digest.hex()));
    assert_eq!(bucket::keys(&part.url, &name).await, expected);
    let stored = bucket::read(&part.url, &name, &expected[2]).await;
    assert!(stored == bytes, "the object is the file, byte for byte");
    let manifest = bucket::read(&part.url, &name, &expected[3]).await;
    assert_eq!(manifest, artifact.manifest().into_bytes());
    assert_eq!(bucket::uploads(&part.url, &name).await, []);
    // The manifest came last of what makes the artifact.
    let made: Vec<_> = proxy.calls().iter().map(|call| call.operation).collect();
    let completed = made
        .iter()
        .position(|made| *made == "CompleteMultipartUpload");
    let last = made.iter().rposition(|made| *made == "PutObject");
    assert!(completed < last, "{made:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_not_the_planned_one_is_not_sent() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("model.onnx", b"graph"), ("a.bin", b"1")]);
    let planned = hash_source(&source, &NoDigestCache).expect("hash").digest;
    std::fs::write(source.join("a.bin"), b"2").expect("file");
    let store = bucket::store(&part.url, &name);
    let digests = RunDigests::new(Arc::new(NoDigestCache));
    let refused = store.put_planned(&source, &planned, &digests).await;
    assert_eq!(refused.expect_err("another").class(), Class::Conflict);
    assert_eq!(bucket::keys(&part.url, &name).await, [""; 0]);

    // The same where the other one lies there already, and nothing is read.
    store.put_tree(&source, &digests).await.expect("put");
    let refused = store.put_planned(&source, &planned, &digests).await;
    assert_eq!(refused.expect_err("another").class(), Class::Conflict);
    let there = hash_source(&source, &digests).expect("hash").digest;
    let stored = store.put_planned(&source, &there, &digests).await;
    assert_eq!(stored.expect("put").digest, there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_version_sends_only_what_changed_and_copies_the_rest() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let (same, large, old, new) = (
        noise(1, MIB),
        noise(2, 11 * MIB),
        noise(3, 50_000),
        noise(4, 50_000),
    );
    let first = tree(
        scratch.path(),
        &[
            ("a/same.bin", &same),
            ("large.bin", &large),
            ("head.bin", &old),
        ],
    );
    let second = tree(
        scratch.path(),
        &[
            ("b/same.bin", &same),
            ("large.bin", &large),
            ("head.bin", &new),
        ],
    );
    let before = bucket::store(&part.url, &name);
    before.put_tree(&first, &NoDigestCache).await.expect("put");
    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&second, &NoDigestCache).await.expect("put");
    let sent = proxy.bytes();
    assert!(
        (50_000..60_000).contains(&sent),
        "{sent} bytes for 50,000 new ones"
    );
    assert_eq!(proxy.count("CopyObject"), 2);
    // Its prefix is whole by itself.
    let root = format!("ml/sha256/{}/files", artifact.digest.hex());
    for (path, bytes) in [
        ("b/same.bin", &same),
        ("large.bin", &large),
        ("head.bin", &new),
    ] {
        let stored = bucket::read(&part.url, &name, &format!("{root}/{path}")).await;
        assert!(stored == *bytes, "{path}");
    }
}

/// On S3 the limit is 5 GiB.
async fn copied_in_parts(part: &Part) {
    let (sent, copied) = second_version(part, 10 << 20).await;
    assert_eq!(copied, 2);
    assert!(sent < 10_000, "{sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_file_beyond_the_limit_is_copied_in_parts() {
    if let Some(part) = part::versitygw() {
        copied_in_parts(part).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_file_beyond_the_limit_is_copied_in_parts_where_copies_have_no_checksum() {
    if let Some(part) = part::ministack() {
        copied_in_parts(part).await;
    }
}

/// How many bytes were sent and how many parts copied for a tree whose one large file is known.
async fn second_version(part: &Part, copy_limit: u64) -> (u64, usize) {
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let large = noise(2, 11 * MIB);
    let first = tree(scratch.path(), &[("large.bin", &large), ("v", b"1")]);
    let second = tree(scratch.path(), &[("large.bin", &large), ("v", b"2")]);
    // ministack computes its checksums byte by byte.
    let patience = std::time::Duration::from_secs(60);
    let before = bucket::store_of(&part.url, bucket::small_parts(&name), patience);
    before.put_tree(&first, &NoDigestCache).await.expect("put");
    let settings = S3Settings {
        copy_limit,
        ..bucket::small_parts(&name)
    };
    let store = bucket::store_of(&proxy.url, settings, patience);
    let artifact = store.put_tree(&second, &NoDigestCache).await.expect("put");
    let key = format!("ml/sha256/{}/files/large.bin", artifact.digest.hex());
    assert!(bucket::read(&part.url, &name, &key).await == large);
    assert_eq!(bucket::uploads(&part.url, &name).await, []);
    (proxy.bytes(), proxy.count("UploadPartCopy"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_that_is_there_is_not_sent_again() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(
        scratch.path(),
        &[("a.bin", &noise(1, 6 * MIB)), ("b.bin", &noise(2, MIB))],
    );
    let store = bucket::store(&proxy.url, &name);
    store.put_tree(&source, &NoDigestCache).await.expect("put");
    proxy.reset();
    store.put_tree(&source, &NoDigestCache).await.expect("put");
    assert!(proxy.bytes() < 1000, "{}", proxy.bytes());
    let parts = proxy.count("UploadPart") + proxy.count("UploadPartCopy");
    assert_eq!((parts, proxy.count("CreateMultipartUpload")), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_that_no_longer_holds_is_not_believed() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let scratch = tempfile::tempdir().expect("directory");
    let same = noise(1, MIB);
    let first = tree(scratch.path(), &[("same.bin", &same), ("v", b"1")]);
    let store = bucket::store(&part.url, &name);
    let old = store.put_tree(&first, &NoDigestCache).await.expect("put");
    let key = format!("ml/sha256/{}/files/same.bin", old.digest.hex());
    // Somebody else's bytes of the same length, then none at all.
    bucket::write(&part.url, &name, &key, &noise(9, MIB)).await;
    let second = tree(scratch.path(), &[("same.bin", &same), ("v", b"2")]);
    let artifact = store.put_tree(&second, &NoDigestCache).await.expect("put");
    let own = format!("ml/sha256/{}/files/same.bin", artifact.digest.hex());
    assert!(bucket::read(&part.url, &name, &own).await == same);
    for key in [&key, &own] {
        let gone = bucket::client(&part.url)
            .delete_object()
            .bucket(&name)
            .key(key);
        gone.send().await.expect("deleted");
    }
    let third = tree(scratch.path(), &[("same.bin", &same), ("v", b"3")]);
    let artifact = store.put_tree(&third, &NoDigestCache).await.expect("put");
    let own = format!("ml/sha256/{}/files/same.bin", artifact.digest.hex());
    assert!(bucket::read(&part.url, &name, &own).await == same);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_damaged_or_removed_behind_us_is_mended_by_the_next_upload() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let scratch = tempfile::tempdir().expect("directory");
    let (small, large) = (noise(1, 1000), noise(2, 6 * MIB));
    let source = tree(
        scratch.path(),
        &[("large.bin", &large), ("small.bin", &small)],
    );
    let store = bucket::store(&part.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    let root = format!("ml/sha256/{}", artifact.digest.hex());
    let (manifest, at_small, at_large) = (
        format!("{root}/manifest"),
        format!("{root}/files/small.bin"),
        format!("{root}/files/large.bin"),
    );
    bucket::write(&part.url, &name, &at_small, &noise(7, 1000)).await;
    bucket::write(&part.url, &name, &at_large, &noise(8, 6 * MIB)).await;
    bucket::write(&part.url, &name, &manifest, b"nonsense").await;
    let again = store.put_tree(&source, &NoDigestCache).await.expect("put");
    assert_eq!(again, artifact);
    assert!(bucket::read(&part.url, &name, &at_small).await == small);
    assert!(bucket::read(&part.url, &name, &at_large).await == large);
    assert_eq!(store.get(&artifact.digest).await.expect("get"), artifact);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_with_versions_and_locked_objects_is_written_and_read() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create_with(&part.url, true).await;
    let scratch = tempfile::tempdir().expect("directory");
    let bytes = noise(1, 6 * MIB);
    let source = tree(scratch.path(), &[("large.bin", &bytes), ("v", b"1")]);
    let store = bucket::store(&part.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    store
        .put_tree(&source, &NoDigestCache)
        .await
        .expect("again");
    let out = scratch.path().join("out");
    let done = store.materialise(&artifact.digest, &out).await;
    done.expect("materialise");
    assert!(std::fs::read(out.join("large.bin")).expect("file") == bytes);
    let versions = bucket::client(&part.url)
        .list_object_versions()
        .bucket(&name);
    let versions = versions.send().await.expect("a list");
    let manifests = versions.versions().iter();
    let manifests =
        manifests.filter(|found| found.key().is_some_and(|key| key.ends_with("/manifest")));
    assert_eq!(manifests.count(), 1, "storing twice is storing once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_while_it_is_uploaded_is_refused_and_nothing_is_left() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("large.bin", &noise(1, 80 * MIB))]);
    let store = bucket::store(&proxy.url, &name);
    // The first parts have arrived and wait for their answers; later ones are not read yet.
    proxy.hold("UploadPart", 0);
    let upload = tokio::spawn({
        let (store, source) = (store.clone(), source.clone());
        async move { store.put_tree(&source, &NoDigestCache).await }
    });
    proxy.called("UploadPart", 10).await;
    std::fs::write(source.join("large.bin"), noise(2, 80 * MIB)).expect("file");
    proxy.release();
    let error = upload.await.expect("no panic").expect_err("changed");
    let text = error.to_string();
    assert!(
        text.contains("large.bin changed while it was uploaded; wait"),
        "{text}"
    );
    assert_eq!(error.attribute(), Some("source"));
    assert_eq!(error.class(), mlops_core::Class::Conflict);
    assert_eq!(bucket::keys(&part.url, &name).await, Vec::<String>::new());
    assert_eq!(bucket::uploads(&part.url, &name).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_condition_and_checksums_go_with_every_call_that_takes_them() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let key = "arn:aws:kms:eu-west-1:111122223333:key/abc";
    let settings = S3Settings {
        kms_key_arn: Some(key.to_owned()),
        ..bucket::small_parts(&name)
    };
    let store = bucket::store_with(&proxy.url, settings);
    // Whether the part knows of keys is its own affair.
    let source = tree(
        scratch.path(),
        &[("large.bin", &noise(1, 6 * MIB)), ("v", b"1")],
    );
    let _ = store.put_tree(&source, &NoDigestCache).await;
    let calls = proxy.calls();
    for call in &calls {
        let header = |name: &str| {
            call.headers
                .get(name)
                .map(|value| value.to_str().expect("text"))
        };
        if matches!(
            call.operation,
            "PutObject" | "CreateMultipartUpload" | "CopyObject"
        ) {
            assert_eq!(header("x-amz-server-side-encryption"), Some("aws:kms"));
            assert_eq!(
                header("x-amz-server-side-encryption-aws-kms-key-id"),
                Some(key)
            );
        }
        // A hint may be overwritten; nothing else is.
        if call.operation == "PutObject" && !call.path.contains("/known/") {
            assert_eq!(header("if-none-match"), Some("*"));
        }
        if call.operation == "UploadPart" {
            assert!(header("x-amz-checksum-crc64nvme").is_some());
        }
    }
    assert!(
        calls
            .iter()
            .any(|call| call.operation == "CreateMultipartUpload")
    );
    assert!(calls.iter().any(|call| call.operation == "PutObject"));
}
