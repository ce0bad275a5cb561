//! What the embedded registry does to the disk, and what it says when the disk is not as it was.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mlops_core::artifacts::{ArtifactStore as _, Digest, NoDigestCache};
use mlops_core::records::{Change, CommitError, Expect, Key, Range, Records, Write};
use mlops_core::{Class, Error};
use mlops_local::artifacts::LocalArtifacts;
use mlops_local::location::Namespace;
use mlops_local::records::{FILE, LocalRecords};
use tokio::io::AsyncReadExt as _;

fn store(directory: &Path, namespace: &str) -> LocalRecords {
    LocalRecords::new(directory, Namespace::new(namespace).expect("legal"))
}

fn put(sort: &str, bytes: usize) -> Write {
    Write {
        key: Key::new("p", sort),
        expect: Expect::Absent,
        change: Change::Put(serde_json::Map::from_iter([(
            "text".to_owned(),
            "x".repeat(bytes).into(),
        )])),
    }
}

fn store_error(result: Result<Vec<u64>, CommitError>) -> Error {
    match result {
        Err(CommitError::Store(error)) => error,
        other => panic!("expected the store to fail, got {other:?}"),
    }
}

fn everything_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("directory") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(everything_below(&path));
        }
        found.push(path);
    }
    found
}

/// SQLite's own way to change the file behind the store's back.
fn tamper(directory: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(directory.join(FILE)).expect("open");
    connection.execute_batch(sql).expect("sql");
}

#[tokio::test]
async fn reading_makes_neither_file_nor_directory() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(".mlops");
    let records = store(&directory, "default");
    assert!(records.identity().await.unwrap().is_none());
    assert!(
        records
            .query("p", Range::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let artifacts = LocalArtifacts::new(&directory);
    assert!(
        artifacts
            .get(&Digest::of(b"x"))
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(!directory.exists());
}

#[tokio::test]
async fn files_are_for_this_user_alone() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(".mlops");
    let records = store(&directory, "default");
    records.commit(vec![put("a", 10)]).await.unwrap();
    let source = parent.path().join("model.onnx");
    std::fs::write(&source, b"graph").unwrap();
    LocalArtifacts::new(&directory)
        .put_tree(&source, &NoDigestCache)
        .await
        .unwrap();
    let mut paths = everything_below(&directory);
    paths.push(directory);
    assert!(paths.len() > 8, "{paths:?}");
    for path in paths {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{} has mode {mode:o}", path.display());
    }
}

#[tokio::test]
async fn namespaces_of_one_file_do_not_see_each_other() {
    let parent = tempfile::tempdir().unwrap();
    let (dev, prod) = (store(parent.path(), "dev"), store(parent.path(), "prod"));
    dev.commit(vec![put("a", 1)]).await.unwrap();
    prod.commit(vec![put("a", 1), put("b", 1)]).await.unwrap();
    let names = async |records: &LocalRecords| -> Vec<String> {
        let page = records.query("p", Range::default()).await.unwrap();
        page.items.into_iter().map(|item| item.key.sort).collect()
    };
    assert_eq!(names(&dev).await, ["a"]);
    assert_eq!(names(&prod).await, ["a", "b"]);
    let (dev, prod) = (
        dev.identity().await.unwrap(),
        prod.identity().await.unwrap(),
    );
    assert_eq!(dev, prod, "it is one registry");
}

#[tokio::test]
async fn what_guards_the_bytes_that_namespaces_share_is_one_set_of_records() {
    let parent = tempfile::tempdir().unwrap();
    let (dev, prod) = (store(parent.path(), "dev"), store(parent.path(), "prod"));
    assert!(dev.neighbours().await.unwrap().is_empty(), "nothing yet");
    dev.commit(vec![put("a", 1)]).await.unwrap();
    let mut mark = put("digest", 1);
    mark.key.partition = "swept".into();
    prod.commit(vec![mark.clone()]).await.unwrap();

    assert!(dev.get(&[mark.key.clone()]).await.unwrap()[0].is_some());
    let page = dev.query("swept", Range::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    let again = dev.commit(vec![mark.clone()]).await.unwrap_err();
    assert!(
        matches!(again, CommitError::Condition { index: 0 }),
        "{again:?}"
    );
    mark.expect = Expect::Revision(page.items[0].revision);
    mark.change = Change::Delete;
    dev.commit(vec![mark.clone()]).await.unwrap();
    assert!(prod.get(&[mark.key]).await.unwrap()[0].is_none());

    // What all share makes no namespace.
    assert!(dev.neighbours().await.unwrap().is_empty());
    let seen = prod.neighbours().await.unwrap();
    assert_eq!(seen.len(), 1);
    let page = seen[0].query("p", Range::default()).await.unwrap();
    assert_eq!(page.items.len(), 1, "it is dev");
}

#[tokio::test]
async fn a_registry_that_was_replaced_under_a_running_process_is_seen() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(".mlops");
    let records = store(&directory, "default");
    records.commit(vec![put("a", 1)]).await.unwrap();
    let before = records.identity().await.unwrap().unwrap().uuid;
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(records.identity().await.unwrap().is_none());
    records.commit(vec![put("b", 1)]).await.unwrap();
    let after = records.identity().await.unwrap().unwrap().uuid;
    assert_ne!(before, after);
    let page = records.query("p", Range::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn a_newer_format_is_refused_by_name_and_one_that_allows_us_is_read() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path();
    store(directory, "default")
        .commit(vec![put("a", 1)])
        .await
        .unwrap();
    let set = |version: u32, reader: u32, writer: u32| {
        tamper(
            directory,
            &format!(
                "UPDATE meta SET value = '{{\"version\":{version},\"min_reader\":{reader},\"min_writer\":{writer}}}' WHERE name = 'format'"
            ),
        );
    };
    let path = directory.join(FILE).display().to_string();

    set(9, 1, 1);
    let records = store(directory, "default");
    records.commit(vec![put("b", 1)]).await.unwrap();

    set(9, 1, 9);
    let records = store(directory, "default");
    assert_eq!(
        records
            .query("p", Range::default())
            .await
            .unwrap()
            .items
            .len(),
        2
    );
    let error = store_error(records.commit(vec![put("c", 1)]).await);
    assert_eq!(error.class(), Class::Corrupt);
    assert_eq!(
        error.to_string(),
        format!(
            "registry {path} has format 9, and only programs that know format 9 may write it; this one knows format 1: upgrade the provider"
        )
    );

    set(9, 9, 9);
    let error = store(directory, "default").identity().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "registry {path} has format 9, and only programs that know format 9 may read it; this one knows format 1: upgrade the provider"
        )
    );
}

#[tokio::test]
async fn a_damaged_file_says_restore_it() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join(FILE);
    std::fs::write(
        &path,
        "this is no database, but long enough to have been one".repeat(100),
    )
    .unwrap();
    let records = store(parent.path(), "default");
    let expected = format!(
        "registry {} is damaged; restore it from a copy, or move it away and import what still runs",
        path.display()
    );
    let error = records.get(&[Key::new("p", "a")]).await.unwrap_err();
    assert_eq!(
        (error.class(), error.to_string()),
        (Class::Corrupt, expected.clone())
    );
    let error = store_error(records.commit(vec![put("a", 1)]).await);
    assert_eq!(
        (error.class(), error.to_string()),
        (Class::Corrupt, expected)
    );
}

#[tokio::test]
async fn a_record_that_is_no_json_is_corrupt() {
    let parent = tempfile::tempdir().unwrap();
    store(parent.path(), "default")
        .commit(vec![put("a", 1)])
        .await
        .unwrap();
    tamper(parent.path(), "UPDATE records SET body = '{'");
    let error = store(parent.path(), "default")
        .get(&[Key::new("p", "a")])
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Corrupt);
    assert!(
        error
            .to_string()
            .contains("holds a record that is not readable"),
        "{error}"
    );
}

#[tokio::test]
async fn an_empty_file_left_by_a_killed_creation_is_no_registry_and_is_finished() {
    let parent = tempfile::tempdir().unwrap();
    std::fs::write(parent.path().join(FILE), b"").unwrap();
    let records = store(parent.path(), "default");
    assert!(records.identity().await.unwrap().is_none());
    records.commit(vec![put("a", 1)]).await.unwrap();
    assert!(records.identity().await.unwrap().is_some());
}

#[tokio::test]
async fn something_else_in_the_way_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(".mlops");
    std::fs::write(&directory, b"a file").unwrap();
    let error = store_error(store(&directory, "default").commit(vec![put("a", 1)]).await);
    assert_eq!(
        error.to_string(),
        format!(
            "{} could not be made: something that is no directory is in the way; move it, or say where else with local {{ path }}",
            directory.display()
        )
    );
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_is_read_and_its_refusal_says_where_else() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(".mlops");
    {
        let records = store(&directory, "default");
        records.commit(vec![put("a", 1)]).await.unwrap();
    }
    let mode =
        |mode| std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    if std::fs::write(directory.join("probe"), b"").is_ok() {
        println!(
            "SKIP a_directory_that_may_not_be_written_is_read_and_its_refusal_says_where_else: this user may write everything"
        );
        return;
    }
    let records = store(&directory, "default");
    assert_eq!(
        records
            .query("p", Range::default())
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    let error = store_error(records.commit(vec![put("b", 1)]).await);
    assert_eq!(error.class(), Class::Denied, "{}", error.chain());
    assert!(
        error
            .to_string()
            .contains("say where else with local { path }"),
        "{error}"
    );
    mode(0o700);
}

/// A disk of a megabyte, if this user may mount one.
struct TinyDisk(PathBuf);

impl TinyDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(at)
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_fails_by_name_and_what_was_committed_stays() {
    let parent = tempfile::tempdir().unwrap();
    let Some(disk) = TinyDisk::mount(parent.path()) else {
        println!(
            "SKIP a_full_disk_fails_by_name_and_what_was_committed_stays: this user may not mount a small disk"
        );
        return;
    };
    let records = store(&disk.0, "default");
    let mut kept = 0;
    let error = loop {
        match records
            .commit(vec![put(&format!("{kept:04}"), 20_000)])
            .await
        {
            Ok(_) => kept += 1,
            Err(CommitError::Store(error)) => break error,
            Err(other) => panic!("{other:?}"),
        }
        assert!(kept < 1000, "a megabyte never filled up");
    };
    assert_eq!(error.class(), Class::Unavailable);
    assert!(
        error
            .to_string()
            .contains("the disk is full; free some space"),
        "{}",
        error.chain()
    );
    let page = store(&disk.0, "default")
        .query("p", Range::default())
        .await
        .unwrap();
    assert_eq!(page.items.len(), kept, "exactly what was acknowledged");

    let source = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(source.path(), vec![1; 2_000_000]).unwrap();
    let error = LocalArtifacts::new(&disk.0)
        .put_tree(source.path(), &NoDigestCache)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    drop(records);
}

#[tokio::test]
async fn a_damaged_artifact_is_not_handed_out() {
    let parent = tempfile::tempdir().unwrap();
    let source = parent.path().join("model.onnx");
    std::fs::write(&source, vec![5; 600_000]).unwrap();
    let artifacts = LocalArtifacts::new(&parent.path().join(".mlops"));
    let artifact = artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
    let stored = artifacts.path_of(&artifact.files[0]).unwrap();
    let read = async || {
        let mut bytes = Vec::new();
        let mut reader = artifacts
            .open(&artifact.digest, "model.onnx")
            .await
            .unwrap();
        reader.read_to_end(&mut bytes).await.map(|_| bytes.len())
    };
    assert_eq!(read().await.unwrap(), 600_000);

    let mut bytes = std::fs::read(&stored).unwrap();
    bytes[300_000] ^= 1;
    std::fs::write(&stored, &bytes).unwrap();
    let error = read().await.unwrap_err().to_string();
    assert!(
        error.contains("is damaged: its bytes have another digest"),
        "{error}"
    );
    let target = parent.path().join("out");
    let error = artifacts
        .materialise(&artifact.digest, &target)
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Corrupt);
    assert!(
        std::fs::read_dir(&target).unwrap().next().is_none(),
        "nothing is left of it"
    );

    std::fs::write(&stored, b"short").unwrap();
    assert!(
        read()
            .await
            .unwrap_err()
            .to_string()
            .contains("is shorter than it was")
    );
    // Another upload of the same bytes heals it.
    artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
    assert_eq!(read().await.unwrap(), 600_000);
    std::fs::remove_file(&stored).unwrap();
    let error = artifacts
        .open(&artifact.digest, "model.onnx")
        .await
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("has lost its file \"model.onnx\""),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_killed_upload_left_is_swept_but_not_under_another_upload() {
    let parent = tempfile::tempdir().unwrap();
    let source = parent.path().join("model.onnx");
    std::fs::write(&source, b"graph").unwrap();
    let directory = parent.path().join(".mlops");
    let artifacts = LocalArtifacts::new(&directory);
    artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
    let leftover = directory.join("artifacts/tmp/leftover");
    std::fs::write(&leftover, b"half a model").unwrap();
    let other = std::fs::File::open(directory.join("artifacts/lock")).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockShared).unwrap();
    artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
    assert!(leftover.exists(), "another upload may be writing it");
    drop(other);
    artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
    assert!(!leftover.exists());
}

#[tokio::test]
async fn a_file_of_two_artifacts_lies_there_once() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(".mlops");
    let artifacts = LocalArtifacts::new(&directory);
    for (name, readme) in [("one", "first"), ("two", "second")] {
        let root = parent.path().join(name);
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("weights.bin"), vec![9; 100_000]).unwrap();
        std::fs::write(root.join("README"), readme).unwrap();
        artifacts.put_tree(&root, &NoDigestCache).await.unwrap();
    }
    let blobs = everything_below(&directory.join("artifacts/sha256"));
    let big = blobs
        .iter()
        .filter(|path| path.is_file() && path.metadata().unwrap().len() == 100_000);
    assert_eq!(big.count(), 1);
}

#[tokio::test]
async fn a_source_that_changes_while_it_is_read_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let source = parent.path().join("model.onnx");
    std::fs::write(&source, vec![1; 1_000_000]).unwrap();
    let tree = mlops_core::artifacts::describe_source(&source).unwrap();
    let expected = format!(
        "source file {} changed while it was read; wait until it is written and apply again",
        source.display()
    );
    let mut pieces = 0;
    let error = tree.files[0]
        .read(|_| {
            pieces += 1;
            if pieces == 2 {
                std::fs::write(&source, vec![2; 1_000_000]).unwrap();
            }
            Ok(())
        })
        .unwrap_err();
    assert_eq!(
        (error.class(), error.to_string()),
        (Class::Conflict, expected.clone())
    );
    assert_eq!(error.attribute(), Some("source"));
    std::fs::write(&source, b"shorter").unwrap();
    assert_eq!(
        tree.files[0].read(|_| Ok(())).unwrap_err().to_string(),
        expected
    );
}

/// Peak memory of this process in bytes.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_artifact_passes_through_a_fixed_amount_of_memory() {
    const SIZE: u64 = 256 << 20;
    const BUDGET: u64 = 32 << 20;
    let parent = tempfile::tempdir().unwrap();
    let source = parent.path().join("model.bin");
    // Sparse: it takes no room here, and as many reads as if it did.
    std::fs::File::create(&source)
        .unwrap()
        .set_len(SIZE)
        .unwrap();
    let artifacts: Arc<LocalArtifacts> =
        Arc::new(LocalArtifacts::new(&parent.path().join(".mlops")));
    let before = peak_memory();
    let artifact = artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
    assert_eq!(artifact.size, SIZE);
    let mut reader = artifacts.open(&artifact.digest, "model.bin").await.unwrap();
    let copied = tokio::io::copy(&mut reader, &mut tokio::io::sink())
        .await
        .unwrap();
    assert_eq!(copied, SIZE);
    let grown = peak_memory() - before;
    println!("256 MiB artifact: peak memory grew by {} KiB", grown >> 10);
    assert!(grown < BUDGET, "peak memory grew by {grown} bytes");
}
