//! Versions of one large file: what of the next one travels, and what the service copies.

use std::time::Duration;

use mlops_aws::s3::{S3Artifacts, S3Settings};
use mlops_core::artifacts::{Artifact, ArtifactStore as _, NoDigestCache};

use crate::bucket::{self, noise, tree};
use crate::proxy::{Fault, Proxy};
use crate::support::part::{self, Part};

const MIB: usize = 1 << 20;
/// Parts are of whole chunks: of 5 MiB at least, and one chunk of 4 MiB more at most.
const PART: u64 = 9 << 20;
/// What a part of its own cannot be made of is sent with the part beside it.
const REST: u64 = 5 << 20;
/// Manifest, index and hints.
const WORDS: u64 = 32 << 10;

/// A bucket with versions of `weights.bin`.
struct World {
    url: &'static str,
    name: String,
    proxy: Proxy,
    store: S3Artifacts,
    scratch: tempfile::TempDir,
}

impl World {
    async fn on(part: &'static Part) -> Self {
        let (name, proxy) = (
            bucket::create(&part.url).await,
            Proxy::before(&part.url).await,
        );
        // ministack computes its checksums byte by byte.
        let patience = Duration::from_secs(120);
        Self {
            url: &part.url,
            store: bucket::store_of(&proxy.url, bucket::small_parts(&name), patience),
            name,
            proxy,
            scratch: tempfile::tempdir().expect("directory"),
        }
    }

    async fn put_as(&self, path: &str, weights: &[u8]) -> Artifact {
        let source = tree(self.scratch.path(), &[(path, weights)]);
        self.proxy.reset();
        let put = self.store.put_tree(&source, &NoDigestCache).await;
        put.expect("put")
    }

    /// Stores a version whose file has these bytes, and sees that they lie there and come back.
    async fn put(&self, weights: &[u8]) -> Artifact {
        let artifact = self.put_as("weights.bin", weights).await;
        assert!(self.stored(&artifact, "weights.bin").await == weights);
        assert_eq!(bucket::uploads(self.url, &self.name).await, []);
        artifact
    }

    async fn stored(&self, artifact: &Artifact, path: &str) -> Vec<u8> {
        let key = format!("ml/sha256/{}/files/{path}", artifact.digest.hex());
        bucket::read(self.url, &self.name, &key).await
    }

    fn index(artifact: &Artifact) -> String {
        format!("ml/sha256/{}/chunks/weights.bin", artifact.digest.hex())
    }

    fn copies(&self) -> usize {
        self.proxy.count("UploadPartCopy")
    }
}

macro_rules! world {
    ($part:expr) => {
        match $part {
            Some(part) => World::on(part).await,
            None => return,
        }
    };
}

fn changed_at(bytes: &[u8], at: usize, size: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at..at + size].copy_from_slice(&noise(99, size));
    changed
}

fn with_more_at(bytes: &[u8], at: usize, more: &[u8]) -> Vec<u8> {
    [&bytes[..at], more, &bytes[at..]].concat()
}

async fn only_the_parts_around_a_change_travel(world: World, size: usize) {
    let first = noise(1, size);
    world.put(&first).await;
    assert_eq!(world.copies(), 0);

    let second = changed_at(&first, size / 2, size / 100);
    world.put(&second).await;
    let sent = world.proxy.bytes();
    assert!(sent < size as u64 / 100 + PART + REST + WORDS, "{sent}");
    assert_eq!(
        world.copies(),
        2,
        "what stands before the change, and what behind it"
    );

    let third = with_more_at(&second, MIB / 3, &noise(98, MIB));
    world.put(&third).await;
    let sent = world.proxy.bytes();
    assert!(sent < MIB as u64 + PART + REST + WORDS, "{sent}");
    assert_eq!(world.copies(), 1, "what stands behind it");

    let artifact = world.put(&third).await;
    assert!(world.proxy.bytes() < WORDS, "it is there");
    let out = world.scratch.path().join("out");
    let done = world.store.materialise(&artifact.digest, &out).await;
    done.expect("materialise");
    assert!(std::fs::read(out.join("weights.bin")).expect("file") == third);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_version_that_changed_in_one_place_only_the_parts_around_it_travel() {
    only_the_parts_around_a_change_travel(world!(part::versitygw()), 60 * MIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_parts_around_a_change_travel_where_copies_have_no_checksum() {
    only_the_parts_around_a_change_travel(world!(part::ministack()), 30 * MIB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_changed_everywhere_costs_a_few_small_reads() {
    let world = world!(part::versitygw());
    world.put(&noise(1, 30 * MIB)).await;
    let before = world.proxy.calls().len();
    world.put(&noise(2, 30 * MIB)).await;
    assert_eq!(world.copies(), 0);
    assert_eq!(
        world.proxy.calls().len(),
        before,
        "the same calls as without a version before"
    );
    let sent = world.proxy.bytes();
    assert!(sent < 30 * MIB as u64 + WORDS, "{sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_version_is_found_whatever_the_file_was_called() {
    let world = world!(part::versitygw());
    let first = noise(1, 40 * MIB);
    world.put_as("a/model.safetensors", &first).await;
    let second = changed_at(&first, 20 * MIB, 1000);
    let artifact = world.put_as("b.bin", &second).await;
    assert!(world.proxy.bytes() < PART + REST + WORDS);
    assert!(world.stored(&artifact, "b.bin").await == second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_lies_costs_calls_and_nothing_else() {
    let world = world!(part::versitygw());
    let first = noise(1, 30 * MIB);
    let artifact = world.put(&first).await;
    let key = World::index(&artifact);
    let index = bucket::read(world.url, &world.name, &key).await;
    let index = String::from_utf8(index).expect("text");
    let lines: Vec<&str> = index.lines().collect();
    let (head, chunks) = lines.split_at(3);
    // Every chunk is said to lie where another one does; one behind the end; and then no text.
    let shifted = [head, &chunks[1..], &chunks[..1]].concat().join("\n");
    let far = format!("99999999999 {}", "0".repeat(64));
    let beyond = [head, &[far.as_str()], chunks].concat().join("\n");
    for (number, lie) in [shifted, beyond, "nonsense".to_owned()]
        .into_iter()
        .enumerate()
    {
        bucket::write(world.url, &world.name, &key, lie.as_bytes()).await;
        let second = changed_at(&first, 20 * MIB, 1000 + number);
        let stored = world.put(&second).await;
        let sent = world.proxy.bytes();
        assert!(sent > 30 * MIB as u64, "{number}: {sent}");
        // The next shall find the first one's hints again.
        world.store.remove(&stored.digest).await.expect("removed");
        bucket::write(world.url, &world.name, &key, index.as_bytes()).await;
        let again = world.store.remove(&artifact.digest).await;
        again.expect("removed");
        world.put(&first).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_no_longer_holds_is_sent() {
    let world = world!(part::versitygw());
    let first = noise(1, 30 * MIB);
    let artifact = world.put(&first).await;
    let key = format!("ml/sha256/{}/files/weights.bin", artifact.digest.hex());
    // Somebody else's bytes, of the same size.
    bucket::write(world.url, &world.name, &key, &noise(5, 30 * MIB)).await;
    world.put(&changed_at(&first, 15 * MIB, 1000)).await;
    assert_eq!(world.copies(), 0, "its entity tag is another");
    assert!(world.proxy.bytes() > 30 * MIB as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_the_service_refuses_is_sent_instead() {
    let first = noise(1, 30 * MIB);
    let second = changed_at(&first, 15 * MIB, 1000);
    for fault in [
        Fault::Refused(412, "PreconditionFailed", "it is another by now"),
        Fault::Refused(403, "AccessDenied", "Access Denied"),
        Fault::Refused(404, "NoSuchKey", "it is gone by now"),
    ] {
        let world = world!(part::versitygw());
        world.put(&first).await;
        let source = tree(world.scratch.path(), &[("weights.bin", &second)]);
        world.proxy.reset();
        world.proxy.fail("UploadPartCopy", 0, fault);
        let put = world.store.put_tree(&source, &NoDigestCache).await;
        let artifact = put.expect("put");
        assert_eq!(world.copies(), 2);
        assert!(world.proxy.bytes() > PART + REST, "{fault:?}");
        assert!(world.stored(&artifact, "weights.bin").await == second);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_interrupted_copies_nothing_twice() {
    let world = world!(part::versitygw());
    let first = noise(1, 60 * MIB);
    world.put(&first).await;
    let mut second = changed_at(&first, 20 * MIB, 1000);
    second = changed_at(&second, 40 * MIB, 1000);
    let source = tree(world.scratch.path(), &[("weights.bin", &second)]);
    world.proxy.reset();
    // The second of the two parts that travel.
    let denied = Fault::Refused(403, "AccessDenied", "Access Denied");
    world.proxy.fail("UploadPart", 1, denied);
    world.proxy.hold("UploadPart", 1);
    let upload = tokio::spawn({
        let (store, source) = (world.store.clone(), source.clone());
        async move { store.put_tree(&source, &NoDigestCache).await }
    });
    world.proxy.called("UploadPart", 2).await;
    world.proxy.called("UploadPartCopy", 3).await;
    let begun = bucket::uploads(world.url, &world.name).await;
    let parts = async || {
        let (key, id) = &begun[0];
        let client = bucket::client(world.url);
        let list = client
            .list_parts()
            .bucket(&world.name)
            .key(key)
            .upload_id(id);
        list.send().await.expect("a list").parts().len()
    };
    // Until all others have arrived.
    while parts().await < 4 {
        tokio::task::yield_now().await;
    }
    world.proxy.release();
    upload.await.expect("no panic").expect_err("denied");
    world.proxy.reset();
    let put = world.store.put_tree(&source, &NoDigestCache).await;
    let artifact = put.expect("put");
    assert_eq!((world.copies(), world.proxy.count("UploadPart")), (0, 1));
    assert!(world.stored(&artifact, "weights.bin").await == second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_takes_the_index_and_the_hints_that_name_it() {
    let world = world!(part::versitygw());
    let first = noise(1, 30 * MIB);
    let old = world.put(&first).await;
    let new = world.put(&changed_at(&first, 15 * MIB, 1000)).await;
    let hints = async |artifact: &Artifact| {
        let index = World::index(artifact);
        let mut found = 0;
        for key in bucket::keys(world.url, &world.name).await {
            if key.starts_with("ml/known/chunks/") {
                let text = bucket::read(world.url, &world.name, &key).await;
                found += usize::from(String::from_utf8_lossy(&text).contains(&index));
            }
        }
        found
    };
    assert_eq!(hints(&new).await, 8, "the latest is the best");
    world.store.remove(&old.digest).await.expect("removed");
    assert_eq!((hints(&old).await, hints(&new).await), (0, 8));
    world
        .store
        .check(&new.digest)
        .await
        .expect("whole by itself");
    world.store.remove(&new.digest).await.expect("removed");
    assert_eq!(bucket::keys(world.url, &world.name).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_few_parts_has_no_index() {
    let world = world!(part::versitygw());
    world.put(&noise(1, 20 * MIB - 1)).await;
    let keys = bucket::keys(world.url, &world.name).await;
    assert!(!keys.iter().any(|key| key.contains("/chunks/")), "{keys:?}");
    let settings = S3Settings {
        part_size: 6 << 20,
        ..bucket::small_parts(&world.name)
    };
    let larger = bucket::store_with(world.url, settings);
    let source = tree(
        world.scratch.path(),
        &[("weights.bin", &noise(2, 24 * MIB))],
    );
    let put = larger.put_tree(&source, &NoDigestCache).await.expect("put");
    let keys = bucket::keys(world.url, &world.name).await;
    assert!(keys.contains(&World::index(&put)), "{keys:?}");
}
