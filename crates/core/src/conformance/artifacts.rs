//! What a store of artifacts must do. Each check gets a fresh, empty store.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use crate::Class;
use crate::artifacts::{
    Artifact, ArtifactStore, Digest, DigestCache, FileStamp, NoDigestCache, hash_source,
};

/// Makes one test per check of this suite; `$make` is an expression that evaluates to something
/// with a `store()` of type `Arc<dyn ArtifactStore>` and a `scratch()` of type `&Path`, an empty
/// directory.
#[macro_export]
macro_rules! artifacts_conformance {
    ($make:expr) => {
        $crate::artifacts_conformance!(@each $make,
            a_stored_tree_reads_back_and_has_the_digest_that_a_plan_computes
            a_single_file_is_the_same_artifact_under_any_name
            an_artifact_materialises_and_keeps_what_is_right
            what_is_not_stored_is_not_found
            storing_twice_is_storing_once
            a_source_that_is_not_the_planned_one_is_refused
            a_source_that_cannot_be_a_model_is_refused_naming_it
            digests_are_remembered_by_an_apply
            an_empty_store_lists_nothing_and_has_nothing_to_remove
            what_is_stored_is_listed_with_its_size_and_time
            a_removed_artifact_is_gone_and_its_bytes_are_counted_once
            an_artifact_that_was_removed_can_be_stored_again
            files_that_another_artifact_shares_survive_a_removal
            removals_harm_no_upload_of_another_artifact_at_the_same_time
            an_upload_after_removals_and_uploads_at_once_stores_the_artifact_whole
        );
    };
    (@each $make:expr, $($check:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let world = $make;
            $crate::conformance::artifacts::$check(world.store(), world.scratch()).await;
        }
    )*};
}

type Store = Arc<dyn ArtifactStore>;

fn tree(at: &Path) -> PathBuf {
    let root = at.join("model");
    std::fs::create_dir_all(root.join("weights/deep")).expect("directories");
    std::fs::write(root.join("config.json"), b"{}").expect("file");
    std::fs::write(root.join("weights/a.bin"), vec![7; 700_000]).expect("file");
    std::fs::write(root.join("weights/deep/empty"), b"").expect("file");
    std::os::unix::fs::symlink("a.bin", root.join("weights/b.bin")).expect("link");
    root
}

async fn read(store: &Store, digest: &Digest, path: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = store.open(digest, path).await.expect("open");
    reader.read_to_end(&mut bytes).await.expect("read");
    bytes
}

/// Subdirectories, links and empty files among them.
pub async fn a_stored_tree_reads_back_and_has_the_digest_that_a_plan_computes(
    store: Store,
    scratch: &Path,
) {
    let source = tree(scratch);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    let planned = hash_source(&source, &NoDigestCache).expect("hash");
    assert_eq!(artifact, planned);
    let paths: Vec<&str> = artifact
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "config.json",
            "weights/a.bin",
            "weights/b.bin",
            "weights/deep/empty"
        ]
    );
    assert_eq!(artifact.size, 2 + 700_000 * 2);
    assert_eq!(store.get(&artifact.digest).await.expect("get"), artifact);
    assert_eq!(read(&store, &artifact.digest, "config.json").await, b"{}");
    assert_eq!(
        read(&store, &artifact.digest, "weights/b.bin").await,
        vec![7; 700_000]
    );
    assert_eq!(
        read(&store, &artifact.digest, "weights/deep/empty").await,
        b""
    );
    assert!(store.uri(&artifact.digest).contains(&artifact.digest.hex()));
}

/// The extension counts, in lower case.
pub async fn a_single_file_is_the_same_artifact_under_any_name(store: Store, scratch: &Path) {
    let (a, b) = (scratch.join("digits-v1.onnx"), scratch.join("other.ONNX"));
    std::fs::write(&a, b"graph").expect("file");
    std::fs::write(&b, b"graph").expect("file");
    let first = store.put_tree(&a, &NoDigestCache).await.expect("put");
    let second = store.put_tree(&b, &NoDigestCache).await.expect("put");
    assert_eq!(first, second);
    assert_eq!(first.files[0].path, "model.onnx");
}

/// A damaged copy is replaced.
pub async fn an_artifact_materialises_and_keeps_what_is_right(store: Store, scratch: &Path) {
    let source = tree(scratch);
    let artifact = store.put_tree(&source, &NoDigestCache).await.expect("put");
    let target = scratch.join("out");
    for _ in 0..2 {
        store
            .materialise(&artifact.digest, &target)
            .await
            .expect("materialise");
        let copy = hash_source(&target, &NoDigestCache).expect("hash");
        assert_eq!(copy.digest, artifact.digest);
        std::fs::write(target.join("config.json"), b"damaged").expect("file");
    }
}

/// Neither artifact nor file.
pub async fn what_is_not_stored_is_not_found(store: Store, scratch: &Path) {
    let unknown = Digest::of(b"unknown");
    let error = store.get(&unknown).await.expect_err("unknown artifact");
    assert_eq!(error.class(), Class::NotFound, "{error}");
    assert!(error.to_string().contains(&unknown.to_string()), "{error}");
    let artifact = store
        .put_tree(&tree(scratch), &NoDigestCache)
        .await
        .expect("put");
    let error = store
        .open(&artifact.digest, "nope")
        .await
        .err()
        .expect("unknown file");
    assert_eq!(error.class(), Class::NotFound, "{error}");
    assert!(error.to_string().contains("weights/a.bin"), "{error}");
}

/// Also from two at once.
pub async fn storing_twice_is_storing_once(store: Store, scratch: &Path) {
    let source = tree(scratch);
    let (a, b) = tokio::join!(
        store.put_tree(&source, &NoDigestCache),
        store.put_tree(&source, &NoDigestCache)
    );
    let (a, b) = (a.expect("put"), b.expect("put"));
    assert_eq!(a, b);
    assert_eq!(
        read(&store, &a.digest, "weights/a.bin").await.len(),
        700_000
    );
}

/// Naming what was planned and what is there; the planned one is stored.
pub async fn a_source_that_is_not_the_planned_one_is_refused(store: Store, scratch: &Path) {
    let source = tree(scratch);
    let planned = hash_source(&source, &NoDigestCache).expect("hash");
    let stored = store
        .put_planned(&source, &planned.digest, &NoDigestCache)
        .await
        .expect("put");
    assert_eq!(stored, planned);
    assert_eq!(store.get(&planned.digest).await.expect("get"), planned);

    std::fs::write(source.join("config.json"), b"changed").expect("file");
    let there = hash_source(&source, &NoDigestCache).expect("hash");
    let error = store
        .put_planned(&source, &planned.digest, &NoDigestCache)
        .await
        .expect_err("another artifact");
    let text = error.to_string();
    assert_eq!(error.class(), Class::Conflict, "{text}");
    assert_eq!(error.attribute(), Some("source"), "{text}");
    assert!(text.contains("changed between plan and apply"), "{text}");
    for named in [planned.digest, there.digest] {
        assert!(text.contains(&named.to_string()), "{text}");
    }
}

/// Each message names the path, and the attribute is `source`.
pub async fn a_source_that_cannot_be_a_model_is_refused_naming_it(store: Store, scratch: &Path) {
    let refused = async |source: &Path, class: Class, says: &str| {
        for error in [
            store
                .put_tree(source, &NoDigestCache)
                .await
                .expect_err(says),
            hash_source(source, &NoDigestCache).expect_err(says),
        ] {
            let text = error.to_string();
            assert_eq!(error.class(), class, "{text}");
            assert_eq!(error.attribute(), Some("source"), "{text}");
            assert!(text.contains(says), "{text}");
            assert!(text.contains(&source.display().to_string()), "{text}");
        }
    };
    let missing = scratch.join("missing.onnx");
    refused(
        &missing,
        Class::NotFound,
        "does not exist; train or download the model first",
    )
    .await;

    let empty = scratch.join("empty.onnx");
    std::fs::write(&empty, b"").expect("file");
    refused(&empty, Class::Invalid, "is an empty file").await;

    let hollow = scratch.join("hollow");
    std::fs::create_dir_all(hollow.join("deeper")).expect("directory");
    refused(&hollow, Class::Invalid, "is a directory without files").await;

    let looped = scratch.join("looped");
    std::fs::create_dir(&looped).expect("directory");
    std::fs::write(looped.join("a"), b"x").expect("file");
    std::os::unix::fs::symlink("..", looped.join("up")).expect("link");
    refused(&looped, Class::Invalid, "holds a loop of symbolic links").await;

    let itself = scratch.join("itself");
    std::os::unix::fs::symlink("itself", &itself).expect("link");
    refused(&itself, Class::Invalid, "holds a loop of symbolic links").await;

    let dangling = scratch.join("dangling");
    std::fs::create_dir(&dangling).expect("directory");
    std::os::unix::fs::symlink("nowhere", dangling.join("link")).expect("link");
    refused(&dangling, Class::Invalid, "a symbolic link to nothing").await;

    let special = scratch.join("special");
    std::fs::create_dir(&special).expect("directory");
    // The socket's file stays when the listener is dropped.
    drop(std::os::unix::net::UnixListener::bind(special.join("s")).expect("socket"));
    refused(&special, Class::Invalid, "neither a file nor a directory").await;
}

/// What an apply hashed, a plan need not hash again.
pub async fn digests_are_remembered_by_an_apply(store: Store, scratch: &Path) {
    #[derive(Default)]
    struct Spy(Mutex<Vec<(FileStamp, Digest)>>);
    impl DigestCache for Spy {
        fn get(&self, stamp: &FileStamp) -> Option<Digest> {
            let known = self.0.lock().expect("lock");
            known
                .iter()
                .find(|(known, _)| known == stamp)
                .map(|(_, digest)| *digest)
        }
        fn put(&self, stamp: &FileStamp, digest: &Digest) {
            self.0.lock().expect("lock").push((stamp.clone(), *digest));
        }
    }
    let spy = Spy::default();
    let source = tree(scratch);
    let artifact = store.put_tree(&source, &spy).await.expect("put");
    assert_eq!(spy.0.lock().expect("lock").len(), 4);
    // A cache that lies shows that it was believed.
    for (_, digest) in spy.0.lock().expect("lock").iter_mut() {
        *digest = Digest::of(b"lie");
    }
    let lied = hash_source(&source, &spy).expect("hash");
    assert_ne!(lied.digest, artifact.digest);
    assert!(
        lied.files
            .iter()
            .all(|file| file.digest == Digest::of(b"lie"))
    );
}

/// Asked before anything was written.
pub async fn an_empty_store_lists_nothing_and_has_nothing_to_remove(store: Store, _: &Path) {
    assert_eq!(store.list().await.expect("list"), []);
    let unknown = Digest::of(b"unknown");
    assert_eq!(store.remove(&unknown).await.expect("remove"), 0);
    absent(&store, &unknown).await;
}

/// One entry for each artifact, however many files it has.
pub async fn what_is_stored_is_listed_with_its_size_and_time(store: Store, scratch: &Path) {
    // Stores tell times by the second.
    let slack = SignedDuration::from_secs(2);
    let begun = Timestamp::now() - slack;
    let large = put(&store, &tree(scratch)).await;
    let small = put(&store, &versions(scratch, "small", 1)[0]).await;
    let ended = Timestamp::now() + slack;
    let mut listed = store.list().await.expect("list");
    listed.sort_by_key(|stored| stored.size_bytes);
    let digests: Vec<Digest> = listed.iter().map(|stored| stored.digest).collect();
    assert_eq!(digests, [small.digest, large.digest]);
    for (stored, artifact) in listed.iter().zip([small, large]) {
        assert!(stored.complete, "{stored:?}");
        assert!(
            (begun..=ended).contains(&stored.modified),
            "{stored:?} was written between {begun} and {ended}"
        );
        // Files of one content lie there once, or each by itself.
        let least = artifact.contents().values().sum::<u64>();
        let manifest = artifact.manifest().len() as u64;
        assert!(
            (least + manifest..=artifact.size + manifest).contains(&stored.size_bytes),
            "{stored:?}"
        );
    }
}

/// By every way to ask for it; a second removal finds nothing.
pub async fn a_removed_artifact_is_gone_and_its_bytes_are_counted_once(
    store: Store,
    scratch: &Path,
) {
    let artifact = put(&store, &tree(scratch)).await;
    store.check(&artifact.digest).await.expect("whole");
    let listed = store.list().await.expect("list");
    let freed = store.remove(&artifact.digest).await.expect("remove");
    assert_eq!(freed, listed[0].size_bytes);
    assert_eq!(store.list().await.expect("list"), []);
    absent(&store, &artifact.digest).await;
    let error = store.open(&artifact.digest, "config.json").await;
    assert_eq!(error.err().expect("gone").class(), Class::NotFound);
    let out = scratch.join("out");
    let error = store.materialise(&artifact.digest, &out).await;
    assert_eq!(error.expect_err("gone").class(), Class::NotFound);
    assert_eq!(store.remove(&artifact.digest).await.expect("again"), 0);
}

/// As if it had never been there.
pub async fn an_artifact_that_was_removed_can_be_stored_again(store: Store, scratch: &Path) {
    let source = tree(scratch);
    let first = put(&store, &source).await;
    store.remove(&first.digest).await.expect("remove");
    let again = put(&store, &source).await;
    assert_eq!(again, first);
    whole(&store, &again, scratch).await;
    assert_eq!(store.list().await.expect("list").len(), 1);
}

/// And go with the last artifact that has them.
pub async fn files_that_another_artifact_shares_survive_a_removal(store: Store, scratch: &Path) {
    let sources = versions(scratch, "shared", 3);
    let first = put(&store, &sources[0]).await;
    let second = put(&store, &sources[1]).await;
    let listed = store.list().await.expect("list");
    let size = |artifact: &Artifact| {
        let stored = listed.iter().find(|one| one.digest == artifact.digest);
        stored.expect("listed").size_bytes
    };
    let freed = store.remove(&first.digest).await.expect("remove");
    assert!(0 < freed && freed <= size(&first), "{freed} bytes");
    absent(&store, &first.digest).await;
    whole(&store, &second, scratch).await;
    // What it was known by may be gone, and the next one is stored all the same.
    let third = put(&store, &sources[2]).await;
    whole(&store, &third, scratch).await;
    store.remove(&second.digest).await.expect("remove");
    whole(&store, &third, scratch).await;
    store.remove(&third.digest).await.expect("remove");
    assert_eq!(store.list().await.expect("list"), []);
}

/// Every artifact that was uploaded and not removed is whole, though others that share its files
/// came and went meanwhile.
pub async fn removals_harm_no_upload_of_another_artifact_at_the_same_time(
    store: Store,
    scratch: &Path,
) {
    const TASKS: usize = 4;
    const ROUNDS: usize = 5;
    let mut sources = versions(scratch, "versions", TASKS * (ROUNDS + 1));
    let doomed = sources.split_off(TASKS * ROUNDS);
    let mut removing = JoinSet::new();
    for source in doomed {
        let store = store.clone();
        removing.spawn(async move {
            for _ in 0..ROUNDS {
                let artifact = put(&store, &source).await;
                store.remove(&artifact.digest).await.expect("remove");
                absent(&store, &artifact.digest).await;
            }
        });
    }
    let mut uploading = JoinSet::new();
    for sources in sources.chunks(ROUNDS) {
        let (store, sources) = (store.clone(), sources.to_owned());
        uploading.spawn(async move {
            let mut stored = Vec::new();
            for source in &sources {
                stored.push(put(&store, source).await);
            }
            stored
        });
    }
    let kept = uploading.join_all().await.concat();
    removing.join_all().await;
    for artifact in &kept {
        whole(&store, artifact, scratch).await;
    }
    let listed = store.list().await.expect("list");
    assert_eq!(listed.len(), kept.len(), "{listed:?}");
}

/// While they are at it an upload may meet a conflict, or its artifact be gone when it returns.
pub async fn an_upload_after_removals_and_uploads_at_once_stores_the_artifact_whole(
    store: Store,
    scratch: &Path,
) {
    const TASKS: usize = 3;
    const ROUNDS: usize = 8;
    let source = tree(scratch);
    let artifact = hash_source(&source, &NoDigestCache).expect("hash");
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (uploads, source) = (store.clone(), source.clone());
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                match uploads.put_tree(&source, &NoDigestCache).await {
                    Ok(stored) => assert_eq!(stored.digest, artifact.digest),
                    Err(error) => assert_eq!(error.class(), Class::Conflict, "{}", error.chain()),
                }
            }
        });
        let removals = store.clone();
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                removals.remove(&artifact.digest).await.expect("remove");
            }
        });
    }
    tasks.join_all().await;
    let stored = put(&store, &source).await;
    whole(&store, &stored, scratch).await;
    store.remove(&stored.digest).await.expect("remove");
    absent(&store, &stored.digest).await;
    assert_eq!(store.list().await.expect("list"), []);
}

async fn put(store: &Store, source: &Path) -> Artifact {
    store.put_tree(source, &NoDigestCache).await.expect("put")
}

/// Trees of one file that all have, under another name in each, and one of their own.
fn versions(at: &Path, name: &str, count: usize) -> Vec<PathBuf> {
    // Large enough for what a store remembers about larger files.
    let shared = vec![9; 40_000];
    let one = |number: usize| {
        let root = at.join(format!("{name}-{number}"));
        std::fs::create_dir_all(root.join("weights")).expect("directories");
        std::fs::write(root.join(format!("weights/{number}.bin")), &shared).expect("file");
        std::fs::write(root.join("config.json"), format!("{{\"n\":{number}}}")).expect("file");
        root
    };
    (0..count).map(one).collect()
}

/// There, by every look that reads no content, and right in every byte.
async fn whole(store: &Store, artifact: &Artifact, scratch: &Path) {
    let digest = &artifact.digest;
    assert_eq!(&store.get(digest).await.expect("get"), artifact);
    store.check(digest).await.expect("whole");
    let out = scratch.join(format!("out-{}", uuid::Uuid::new_v4()));
    store.materialise(digest, &out).await.expect("materialise");
    let copy = hash_source(&out, &NoDigestCache).expect("hash");
    assert_eq!(copy.digest, *digest);
}

async fn absent(store: &Store, digest: &Digest) {
    let got = store.get(digest).await.expect_err("not there");
    let checked = store.check(digest).await.expect_err("not there");
    for error in [got, checked] {
        assert_eq!(error.class(), Class::NotFound, "{error}");
        assert!(error.to_string().contains(&digest.to_string()), "{error}");
    }
}
