//! Uploads that ended before they were done.

use std::process::{Command, Stdio};
use std::time::Duration;

use mlops_core::artifacts::{ArtifactStore as _, NoDigestCache};

use crate::bucket::{self, noise, tree};
use crate::proxy::Proxy;
use crate::support::part;

const MIB: usize = 1 << 20;
/// The calls of one process that carry bytes at the same time.
const WORKERS: u64 = 10;
/// Manifest, hints and the index of a file of 150 MiB have fewer bytes.
const HINTS: u64 = 32 << 10;
/// In the environment of the process that is to be killed: URL, bucket, source.
const CHILD: &str = "MLOPS_TEST_UPLOAD";

fn largest_part(proxy: &Proxy) -> u64 {
    let calls = proxy.calls().into_iter();
    let parts = calls.filter(|call| call.operation == "UploadPart");
    parts.map(|call| call.bytes).max().expect("a part")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_killed_is_gone_on_with_from_the_parts_that_arrived() {
    if let Ok(child) = std::env::var(CHILD) {
        let [url, name, source] = child.split('|').collect::<Vec<_>>()[..] else {
            panic!("{child}");
        };
        let store = bucket::store(url, name);
        let done = store.put_tree(source.as_ref(), &NoDigestCache).await;
        panic!("it was to be killed, and ended with {done:?}");
    }
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let bytes = noise(1, 150 * MIB);
    let source = tree(scratch.path(), &[("large.bin", &bytes)]);
    // Up to ten parts arrive, as many are under way, and the process dies.
    proxy.hold("UploadPart", 10);
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture"])
        .arg("interrupted::an_upload_that_is_killed_is_gone_on_with_from_the_parts_that_arrived")
        .env(CHILD, format!("{}|{name}|{}", proxy.url, source.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program again");
    proxy.called("UploadPart", 12).await;
    child.kill().expect("killed");
    child.wait().expect("dead");
    proxy.release();
    let begun = bucket::uploads(&part.url, &name).await;
    let [(key, id)] = &begun[..] else {
        panic!("{begun:?}");
    };
    let client = bucket::client(&part.url);
    let parts = client.list_parts().bucket(&name).key(key).upload_id(id);
    let parts = parts.send().await.expect("a list");
    let sizes = parts.parts().iter().filter_map(|part| part.size());
    let arrived = u64::try_from(sizes.sum::<i64>()).expect("sizes");
    // Twelve were called, ten at a time.
    assert!(parts.parts().len() >= 2, "{parts:?}");
    let first = proxy.bytes();

    let store = bucket::store(&proxy.url, &name);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    let twice = proxy.bytes() - 150 * MIB as u64;
    let largest = largest_part(&proxy);
    println!("sent before the kill: {first}, arrived: {arrived}, sent twice: {twice}");
    assert!(
        twice <= first - arrived + HINTS,
        "{twice} bytes were sent twice"
    );
    assert!(twice <= WORKERS * largest + HINTS, "a part for each worker");
    let key = format!("ml/sha256/{}/files/large.bin", artifact.digest.hex());
    assert!(bucket::read(&part.url, &name, &key).await == bytes);
    assert_eq!(bucket::uploads(&part.url, &name).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_somebody_elses_bytes_is_sent_again() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let scratch = tempfile::tempdir().expect("directory");
    let bytes = noise(1, 12 * MIB);
    let source = tree(scratch.path(), &[("large.bin", &bytes)]);
    let planned = mlops_core::artifacts::hash_source(&source, &NoDigestCache).expect("hash");
    let key = format!("ml/sha256/{}/files/large.bin", planned.digest.hex());
    let client = bucket::client(&part.url);
    let begun = client
        .create_multipart_upload()
        .bucket(&name)
        .key(&key)
        .checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Crc64Nvme)
        .checksum_type(aws_sdk_s3::types::ChecksumType::FullObject)
        .send()
        .await
        .expect("begun");
    let id = begun.upload_id().expect("an id");
    for (number, content) in [
        (1, noise(5, 5 * MIB)),
        (2, bytes[5 * MIB..10 * MIB].to_vec()),
    ] {
        let request = client.upload_part().bucket(&name).key(&key).upload_id(id);
        let request = request
            .part_number(number)
            .checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Crc64Nvme)
            .body(content.into());
        request.send().await.expect("a part");
    }
    let proxy = Proxy::before(&part.url).await;
    let store = bucket::store(&proxy.url, &name);
    store.put_tree(&source, &NoDigestCache).await.expect("put");
    assert!(bucket::read(&part.url, &name, &key).await == bytes);
    assert_eq!(proxy.count("UploadPart"), 2, "the second part was right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_gives_up_old_uploads_of_the_registry_and_no_others() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let client = bucket::client(&part.url);
    for key in [
        "ml/sha256/abc/files/a",
        "ml/sha256/abc/files/b",
        "other/sha256/abc",
    ] {
        let begun = client.create_multipart_upload().bucket(&name).key(key);
        begun.send().await.expect("begun");
    }
    let store = bucket::store(&part.url, &name);
    let ended = async |grace: u64, delete| {
        let found = store.end_uploads(Duration::from_secs(grace), delete).await;
        found.expect("swept")
    };
    let young = ended(3600, true).await;
    assert_eq!((young.old.len(), young.young), (0, 2));
    let found = ended(0, false).await;
    assert_eq!(
        found.old,
        ["a", "b"].map(|file| format!("s3://{name}/ml/sha256/abc/files/{file}"))
    );
    assert_eq!(bucket::uploads(&part.url, &name).await.len(), 3);
    assert_eq!(ended(0, true).await, found);
    let left = bucket::uploads(&part.url, &name).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, "other/sha256/abc");
}
