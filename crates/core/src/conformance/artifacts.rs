//! What a store of artifacts must do. Each check gets a fresh, empty store.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt as _;

use crate::Class;
use crate::artifacts::{ArtifactStore, Digest, DigestCache, FileStamp, NoDigestCache, hash_source};

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
