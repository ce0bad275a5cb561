//! What an upload reads of its source, and what a refused one leaves in the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mlops_core::Class;
use mlops_core::artifacts::{ArtifactStore as _, NoDigestCache, RunDigests, hash_source};
use mlops_local::artifacts::LocalArtifacts;

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn a_source_that_is_not_the_planned_one_leaves_no_byte_behind() {
    let parent = tempfile::tempdir().unwrap();
    let source = parent.path().join("model");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("model.onnx"), b"graph").unwrap();
    std::fs::write(source.join("weights.bin"), vec![1; 600_000]).unwrap();
    let planned = hash_source(&source, &NoDigestCache).unwrap();
    std::fs::write(source.join("weights.bin"), vec![2; 600_000]).unwrap();

    let directory = parent.path().join(".mlops");
    let artifacts = LocalArtifacts::new(&directory);
    let error = artifacts
        .put_planned(&source, &planned.digest, &NoDigestCache)
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Conflict, "{error}");
    let there = hash_source(&source, &NoDigestCache).unwrap();
    let found = artifacts.get(&there.digest).await;
    assert_eq!(found.unwrap_err().class(), Class::NotFound);
    assert_eq!(
        files_below(&directory),
        [directory.join("artifacts/lock")],
        "the lock and nothing else"
    );

    artifacts
        .put_planned(&source, &there.digest, &NoDigestCache)
        .await
        .unwrap();
    let mut placed: Vec<String> = files_below(&directory)
        .iter()
        .filter_map(|path| path.strip_prefix(&directory).ok()?.iter().nth(1))
        .map(|kind| kind.to_string_lossy().into_owned())
        .collect();
    placed.sort();
    assert_eq!(placed, ["lock", "manifests", "sha256", "sha256"]);
}

/// Bytes that this process has read from files so far.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find(|line| line.starts_with("rchar:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_upload_reads_its_source_once_and_what_is_stored_not_at_all() {
    const SIZE: u64 = 64 << 20;
    // Of everything else that this process reads meanwhile.
    const SLACK: u64 = 4 << 20;
    let parent = tempfile::tempdir().unwrap();
    let source = parent.path().join("model.bin");
    let file = std::fs::File::create(&source).unwrap();
    // Sparse: it takes no room here, and as many reads as if it did.
    file.set_len(SIZE).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60))
        .unwrap();
    let digests = RunDigests::new(Arc::new(NoDigestCache));
    let artifacts = LocalArtifacts::new(&parent.path().join(".mlops"));
    let reads = |before: u64| {
        let read = bytes_read() - before;
        assert!(read % SIZE < SLACK, "{read} bytes were read");
        read / SIZE
    };

    let before = bytes_read();
    let planned = hash_source(&source, &digests).unwrap();
    assert_eq!(reads(before), 1, "a plan reads it once");
    assert_eq!(hash_source(&source, &digests).unwrap(), planned);
    assert_eq!(reads(before), 1, "the same process plans it again");

    let before = bytes_read();
    for _ in 0..2 {
        artifacts
            .put_planned(&source, &planned.digest, &digests)
            .await
            .unwrap();
        assert_eq!(reads(before), 1, "it is hashed while it is copied");
    }
}
