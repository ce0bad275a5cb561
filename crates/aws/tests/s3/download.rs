//! What comes back, and what does not.

use mlops_core::Class;
use mlops_core::artifacts::{ArtifactStore as _, NoDigestCache};
use tokio::io::AsyncReadExt as _;

use crate::bucket::{self, noise, tree};
use crate::proxy::{Fault, Proxy};
use crate::support::part;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_is_corrupt_is_refused_and_leaves_nothing() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("a.bin", &noise(1, 700_000))]);
    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    let out = scratch.path().join("out");
    proxy.reset();
    // The manifest, then the file.
    proxy.fail("GetObject", 1, Fault::Corrupted);
    let error = store
        .materialise(&artifact.digest, &out)
        .await
        .expect_err("corrupt");
    assert_eq!(error.class(), Class::Corrupt, "{error}");
    assert!(
        error.to_string().contains("a.bin does not have the digest"),
        "{error}"
    );
    let left: Vec<_> = std::fs::read_dir(&out).expect("directory").collect();
    assert!(left.is_empty(), "{left:?}");

    proxy.reset();
    proxy.fail("GetObject", 1, Fault::Corrupted);
    let mut reader = store.open(&artifact.digest, "a.bin").await.expect("open");
    let mut bytes = Vec::new();
    let error = reader.read_to_end(&mut bytes).await.expect_err("corrupt");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    assert!(bytes.len() < 700_000);

    proxy.reset();
    proxy.fail("GetObject", 0, Fault::Corrupted);
    let error = store.get(&artifact.digest).await.expect_err("corrupt");
    assert_eq!(error.class(), Class::Corrupt, "{error}");
    assert!(
        error.to_string().contains("the manifest of artifact"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_goes_on_where_the_connection_broke() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let bytes = noise(1, 3 << 20);
    let source = tree(scratch.path(), &[("a.bin", &bytes)]);
    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    proxy.reset();
    for number in [1, 2, 3] {
        proxy.fail("GetObject", number, Fault::Truncated);
    }
    let out = scratch.path().join("out");
    store
        .materialise(&artifact.digest, &out)
        .await
        .expect("materialise");
    assert!(std::fs::read(out.join("a.bin")).expect("file") == bytes);
    let ranges: Vec<_> = proxy
        .calls()
        .iter()
        .filter(|call| call.operation == "GetObject")
        .map(|call| call.headers.contains_key("range") && call.headers.contains_key("if-match"))
        .collect();
    assert_eq!(ranges, [false, false, true, true, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_that_lost_a_file_says_which() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("a.bin", b"abc"), ("b.bin", b"xyz")]);
    let store = bucket::store(&part.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    let key = format!("ml/sha256/{}/files/b.bin", artifact.digest.hex());
    let gone = bucket::client(&part.url)
        .delete_object()
        .bucket(&name)
        .key(&key);
    gone.send().await.expect("deleted");
    let out = scratch.path().join("out");
    let error = store
        .materialise(&artifact.digest, &out)
        .await
        .expect_err("lost");
    assert_eq!(error.class(), Class::Corrupt, "{error}");
    let text = error.to_string();
    assert!(text.contains("has lost its file \"b.bin\""), "{text}");
    assert!(text.contains(&format!("s3://{name}/{key}")), "{text}");
}
