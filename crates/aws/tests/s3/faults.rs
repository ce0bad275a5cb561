//! Every call of uploads, a download, a list and a removal fails in turn, in every way. Prints a
//! table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use futures::{StreamExt as _, stream};
use mlops_aws::s3::S3Settings;
use mlops_core::artifacts::{
    ArtifactStore as _, Digest, NoDigestCache, StoredArtifact, hash_source,
};

use crate::bucket::{self, noise, tree};
use crate::proxy::{FAULTS, Fault, Proxy};
use crate::support::part;

const MIB: usize = 1 << 20;

/// Two versions: files that travel in one call and in parts, and files that are copied in one
/// call and in parts.
struct Sources {
    first: PathBuf,
    second: PathBuf,
}

impl Sources {
    fn new(at: &Path) -> Self {
        let (small, large, new) = (noise(1, 20_000), noise(2, 6 * MIB), noise(3, 5 * MIB + 7));
        Self {
            first: tree(at, &[("small.bin", &small), ("large.bin", &large)]),
            second: tree(
                at,
                &[
                    ("small.bin", &small),
                    ("large.bin", &large),
                    ("new.bin", &new),
                ],
            ),
        }
    }
}

async fn scenario(
    proxy: &Proxy,
    name: &str,
    sources: &Sources,
    out: &Path,
) -> mlops_core::Result<Digest> {
    let settings = S3Settings {
        copy_limit: 5 << 20,
        ..bucket::small_parts(name)
    };
    let store = bucket::store_with(&proxy.url, settings);
    let first = store.put_tree(&sources.first, &NoDigestCache).await?;
    let artifact = store.put_tree(&sources.second, &NoDigestCache).await?;
    store.materialise(&artifact.digest, out).await?;
    let listed = store.list().await?;
    let freed = store.remove(&first.digest).await?;
    let size = |stored: &&StoredArtifact| stored.digest == first.digest;
    assert_eq!(
        listed.iter().find(size).map(|stored| stored.size_bytes),
        Some(freed)
    );
    store.check(&artifact.digest).await?;
    Ok(artifact.digest)
}

/// Two uploads of the large file that were begun and left: one is gone on with, the other given
/// up.
async fn abandon(url: &str, name: &str, source: &Path) {
    let artifact = hash_source(source, &NoDigestCache).expect("hash");
    let key = format!("ml/sha256/{}/files/large.bin", artifact.digest.hex());
    let client = bucket::client(url);
    for _ in 0..2 {
        let request = client.create_multipart_upload().bucket(name).key(&key);
        let request = request
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_type(ChecksumType::FullObject);
        request.send().await.expect("begun");
    }
}

/// What came of one run, or what is wrong.
async fn run(
    url: &str,
    sources: &Sources,
    planned: Option<Case>,
) -> Result<Vec<&'static str>, String> {
    let (name, proxy) = (bucket::create(url).await, Proxy::before(url).await);
    if let Some((operation, number, fault)) = planned {
        proxy.fail(operation, number, fault);
    }
    abandon(url, &name, &sources.first).await;
    let scratch = tempfile::tempdir().expect("directory");
    let out = scratch.path().join("out");
    let digest = Box::pin(scenario(&proxy, &name, sources, &out)).await;
    let digest = digest.map_err(|error| format!("failed: {}", error.chain()))?;
    let copy = hash_source(&out, &NoDigestCache).map_err(|error| error.to_string())?;
    if copy.digest != digest {
        return Err("another artifact came back".to_owned());
    }
    // Looked at without the store: every object of the artifact is right.
    for file in &copy.files {
        let key = format!("ml/sha256/{}/files/{}", digest.hex(), file.path);
        if Digest::of(&bucket::read(url, &name, &key).await) != file.digest {
            return Err(format!("{key} is wrong"));
        }
    }
    // Of the one that was removed, nothing is left, nor anything that points to it.
    let root = format!("ml/sha256/{}/", digest.hex());
    for key in bucket::keys(url, &name).await {
        let known = key.starts_with("ml/known/");
        let text = match known {
            true => String::from_utf8_lossy(&bucket::read(url, &name, &key).await).into_owned(),
            false => key.clone(),
        };
        if !text.contains(&root) {
            return Err(format!("{key} is left"));
        }
    }
    let left = bucket::uploads(url, &name).await;
    if !left.is_empty() {
        return Err(format!("left under way: {left:?}"));
    }
    Ok(proxy.calls().iter().map(|call| call.operation).collect())
}

/// A call of this operation, with this number, fails so.
type Case = (&'static str, usize, Fault);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_may_fail_once_in_every_way() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let scratch = tempfile::tempdir().expect("directory");
    let sources = &Sources::new(scratch.path());
    let run = |case| run(&part.url, sources, case);
    assert_eq!(table(run).await, 13, "every operation of the store");
}

/// Runs once for each way in which each call may fail; prints what came of it. Answers how many
/// operations were called.
async fn table<F>(run: impl Fn(Option<Case>) -> F) -> usize
where
    F: Future<Output = Result<Vec<&'static str>, String>>,
{
    let calls = Box::pin(run(None)).await.expect("a clean run");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls {
        *counts.entry(call).or_default() += 1;
    }
    let cases = counts.iter().flat_map(|(operation, count)| {
        (0..*count).flat_map(move |number| FAULTS.map(|fault| (*operation, number, fault)))
    });
    let outcomes: Vec<_> = stream::iter(cases.collect::<Vec<_>>())
        .map(|case| {
            let outcome = Box::pin(run(Some(case)));
            async move { (case, outcome.await) }
        })
        .buffer_unordered(8)
        .collect()
        .await;
    let mut table: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for ((operation, number, fault), outcome) in outcomes {
        let cell = table.entry(operation).or_default();
        match outcome {
            Ok(_) => *cell.entry(format!("{fault:?}")).or_default() += 1,
            Err(error) => wrong.push(format!("{operation} {number} {fault:?}: {error}")),
        }
    }
    print!("{:<26}", "right in the end");
    FAULTS
        .iter()
        .for_each(|fault| print!("{:>15}", format!("{fault:?}")));
    println!();
    for (operation, cells) in &table {
        print!("{operation:<26}");
        for fault in FAULTS {
            let right = cells.get(&format!("{fault:?}")).copied().unwrap_or(0);
            print!("{:>15}", format!("{right} of {}", counts[operation]));
        }
        println!();
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    counts.len()
}

/// A version that was stored before, and one that changed in the middle.
struct Versions {
    /// The chunks of the first are found through these hints.
    hints: Vec<(String, Vec<u8>)>,
    second: PathBuf,
    bytes: Vec<u8>,
}

impl Versions {
    async fn new(url: &str, name: &str, at: &Path) -> Self {
        let mut bytes = noise(1, 20 * MIB);
        let store = bucket::store(url, name);
        let first = tree(at, &[("large.bin", &bytes)]);
        store.put_tree(&first, &NoDigestCache).await.expect("put");
        let mut hints = Vec::new();
        for key in bucket::keys(url, name).await {
            if let Some(chunk) = key.strip_prefix("ml/known/chunks/") {
                hints.push((chunk.to_owned(), bucket::read(url, name, &key).await));
            }
        }
        bytes[10 * MIB..][..1000].copy_from_slice(&noise(2, 1000));
        Self {
            hints,
            second: tree(at, &[("large.bin", &bytes)]),
            bytes,
        }
    }

    /// Stores, checks and removes the second version below a prefix of its own.
    async fn run(
        &self,
        url: &str,
        name: &str,
        planned: Option<Case>,
    ) -> Result<Vec<&'static str>, String> {
        let prefix = uuid::Uuid::new_v4().simple().to_string();
        for (chunk, hint) in &self.hints {
            bucket::write(url, name, &format!("{prefix}/known/chunks/{chunk}"), hint).await;
        }
        let proxy = Proxy::before(url).await;
        if let Some((operation, number, fault)) = planned {
            proxy.fail(operation, number, fault);
        }
        let settings = S3Settings {
            prefix: prefix.clone(),
            ..bucket::small_parts(name)
        };
        let store = bucket::store_with(&proxy.url, settings);
        let failed = |error: mlops_core::Error| format!("failed: {}", error.chain());
        let stored = store.put_tree(&self.second, &NoDigestCache).await;
        let digest = stored.map_err(failed)?.digest;
        let root = format!("{prefix}/sha256/{}/", digest.hex());
        if bucket::read(url, name, &format!("{root}files/large.bin")).await != self.bytes {
            return Err("the object is wrong".to_owned());
        }
        if proxy.bytes() >= 20 * MIB as u64 {
            return Err(format!("{} bytes were sent", proxy.bytes()));
        }
        store.check(&digest).await.map_err(failed)?;
        store.remove(&digest).await.map_err(failed)?;
        let client = bucket::client(url);
        let left = client.list_objects_v2().bucket(name).prefix(&prefix);
        for object in left.send().await.expect("a list").contents() {
            let key = object.key().expect("a key");
            let text = bucket::read(url, name, key).await;
            if String::from_utf8_lossy(&text).contains(&root) || key.starts_with(&root) {
                return Err(format!("{key} is left"));
            }
        }
        let uploads = bucket::uploads(url, name).await;
        if uploads.iter().any(|(key, _)| key.starts_with(&prefix)) {
            return Err("an upload is left under way".to_owned());
        }
        Ok(proxy.calls().iter().map(|call| call.operation).collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_for_a_version_made_of_an_earlier_one_may_fail_once_in_every_way() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = &bucket::create(&part.url).await;
    let scratch = tempfile::tempdir().expect("directory");
    let versions = &Versions::new(&part.url, name, scratch.path()).await;
    let run = |case| versions.run(&part.url, name, case);
    assert_eq!(table(run).await, 10, "copies of parts among them");
}
