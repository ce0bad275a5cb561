use mlops_core::artifacts::Digest;
use tokio::io::AsyncReadExt as _;

use super::*;

fn entry(bytes: &[u8]) -> FileEntry {
    FileEntry {
        path: "model.onnx".to_owned(),
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
    }
}

async fn read(cache: &Cache, file: &FileEntry) -> io::Result<Option<Vec<u8>>> {
    let Some(mut reader) = cache.open(file).await? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await?;
    Ok(Some(bytes))
}

#[tokio::test]
async fn what_one_task_keeps_another_finds_and_what_was_changed_is_not_handed_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = directory.path().join("source");
    std::fs::write(&source, b"weights").expect("written");
    let (file, cache) = (entry(b"weights"), Cache::new(directory.path(), None));
    assert_eq!(read(&cache, &file).await.expect("read"), None);
    cache.keep(&file, &source).await.expect("kept");
    let other = Cache::new(directory.path(), None);
    let found = read(&other, &file).await.expect("read");
    assert_eq!(found.as_deref(), Some(&b"weights"[..]));
    // Again is no harm.
    other.keep(&file, &source).await.expect("kept");

    std::fs::write(cache.path(&file), b"Weights").expect("changed");
    let error = read(&cache, &file).await.expect_err("damaged");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    cache.forget(&file).await;
    assert_eq!(read(&cache, &file).await.expect("read"), None);
}

#[tokio::test]
async fn what_cannot_be_kept_leaves_nothing_and_what_was_abandoned_goes() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, cache) = (entry(b"weights"), Cache::new(directory.path(), None));
    let missing = directory.path().join("missing");
    cache.keep(&file, &missing).await.expect_err("no such file");
    let names = || {
        let there = std::fs::read_dir(&cache.place).expect("there");
        there.count()
    };
    assert_eq!(names(), 0);

    let left = cache.place.join(format!("{UNFINISHED}1"));
    let recent = cache.place.join(format!("{UNFINISHED}2"));
    for path in [&left, &recent] {
        std::fs::write(path, b"wei").expect("written");
    }
    let old = std::time::SystemTime::now() - 2 * ABANDONED;
    let abandoned = std::fs::File::options().write(true).open(&left);
    abandoned.expect("there").set_modified(old).expect("set");
    std::fs::write(directory.path().join("source"), b"weights").expect("written");
    let source = directory.path().join("source");
    cache.keep(&file, &source).await.expect("kept");
    assert!(!left.exists() && recent.exists());
}

/// Of one machine's disk; so much of it is to be free.
fn on_a_disk(directory: &Path, free_percent: u8) -> Cache {
    Cache::new(directory, Some(free_percent))
}

#[tokio::test]
async fn on_a_disk_what_is_used_is_marked_and_what_never_fits_costs_the_others_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = directory.path().join("source");
    std::fs::write(&source, b"weights").expect("written");
    let (file, cache) = (entry(b"weights"), on_a_disk(directory.path(), 0));
    cache.make_room(&file).await.expect("nothing was kept");
    cache.keep(&file, &source).await.expect("kept");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let kept = std::fs::File::options().write(true).open(cache.path(&file));
    kept.expect("there").set_modified(long_ago).expect("set");
    let changed = || {
        let about = std::fs::metadata(cache.path(&file)).expect("there");
        about.modified().expect("told")
    };
    let elsewhere = Cache::new(directory.path(), None);
    assert!(elsewhere.open(&file).await.expect("read").is_some());
    assert_eq!(changed(), long_ago, "a shared file system is left alone");
    assert!(cache.open(&file).await.expect("read").is_some());
    assert!(changed() > long_ago);

    // No disk is ever free as a whole.
    let (other, full) = (entry(b"Weights"), on_a_disk(directory.path(), 100));
    let error = full.keep(&other, &source).await.expect_err("no room");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("100 %"), "{error}");
    assert!(cache.path(&file).exists(), "it would not have been enough");
    full.make_room(&file).await.expect("made");
    assert!(cache.path(&file).exists(), "it is what is needed");
    full.make_room(&other).await.expect("made");
    assert!(!cache.path(&file).exists(), "a start comes first");
}

#[tokio::test]
async fn on_a_disk_what_is_not_finished_goes_as_soon_as_nobody_writes_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = directory.path().join("source");
    std::fs::write(&source, b"weights").expect("written");
    let (file, cache) = (entry(b"weights"), on_a_disk(directory.path(), 0));
    cache.keep(&file, &source).await.expect("kept");
    let [left, writes] = ["1", "2"].map(|name| cache.place.join(format!("{UNFINISHED}{name}")));
    std::fs::write(&left, b"wei").expect("written");
    let writer = write(&source, &writes).await.expect("written");
    cache.make_room(&file).await.expect("made");
    assert!(!left.exists() && writes.exists());
    drop(writer);
    cache.keep(&file, &source).await.expect("kept");
    assert!(!writes.exists() && cache.path(&file).exists());
}

#[tokio::test]
async fn nothing_but_a_file_is_read_and_nothing_is_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = directory.path().join("source");
    std::fs::write(&source, b"weights").expect("written");
    let (file, cache) = (entry(b"weights"), on_a_disk(directory.path(), 0));
    std::fs::create_dir_all(&cache.place).expect("made");
    let pipe = cache.path(&file);
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    let error = read(&cache, &file).await.expect_err("a pipe");
    assert!(error.to_string().contains("is no file"), "{error}");
    cache.keep(&file, &source).await.expect("kept");
    let found = read(&cache, &file).await.expect("read");
    assert_eq!(found.as_deref(), Some(&b"weights"[..]));

    std::fs::remove_file(&pipe).expect("gone");
    std::os::unix::fs::symlink(&source, &pipe).expect("a link");
    read(&cache, &file).await.expect_err("a link");
}
