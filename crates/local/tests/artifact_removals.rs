//! What a removal leaves, what it refuses, and removals beside the uploads of other processes.
//!
//! The children are this test's own executable, told by a variable to run [`child`] only.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mlops_core::Class;
use mlops_core::artifacts::{Artifact, ArtifactStore as _, Digest, NoDigestCache, hash_source};
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

/// A tree of a file that all have and one of its own.
fn tree(at: &Path, number: usize) -> PathBuf {
    let root = at.join(format!("model-{number}"));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("weights.bin"), vec![7; 100_000]).unwrap();
    std::fs::write(root.join("config.json"), format!("{{\"n\":{number}}}")).unwrap();
    root
}

struct World {
    parent: tempfile::TempDir,
    artifacts: LocalArtifacts,
}

impl World {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let artifacts = LocalArtifacts::new(&parent.path().join(".mlops"));
        Self { parent, artifacts }
    }

    fn root(&self) -> PathBuf {
        self.parent.path().join(".mlops/artifacts")
    }

    fn manifest(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root().join("manifests").join(&hex[..2]).join(hex)
    }

    async fn put(&self, number: usize) -> Artifact {
        let source = tree(self.parent.path(), number);
        let stored = self.artifacts.put_tree(&source, &NoDigestCache).await;
        stored.unwrap()
    }
}

#[tokio::test]
async fn a_file_that_is_missing_or_of_another_size_is_named_by_a_check() {
    let world = World::new();
    let stored = world.put(1).await;
    let file = stored.file("weights.bin").unwrap();
    let place = world.artifacts.path_of(file).unwrap();
    let refused = async || {
        let error = world.artifacts.check(&stored.digest).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.class(), Class::NotFound, "{text}");
        for named in ["\"weights.bin\"", "100000", place.to_str().unwrap()] {
            assert!(text.contains(named), "{named} is not in: {text}");
        }
        assert_eq!(
            world.artifacts.get(&stored.digest).await.unwrap(),
            stored,
            "only a check looks at the files"
        );
    };
    std::fs::write(&place, b"short").unwrap();
    refused().await;
    std::fs::remove_file(&place).unwrap();
    refused().await;
    // An upload mends it.
    world.put(1).await;
    world.artifacts.check(&stored.digest).await.unwrap();
}

#[tokio::test]
async fn a_removal_clears_what_killed_uploads_and_removals_left_and_no_file_of_others() {
    let world = World::new();
    assert_eq!(world.artifacts.list().await.unwrap(), []);
    let unknown = Digest::of(b"unknown");
    assert_eq!(world.artifacts.remove(&unknown).await.unwrap(), 0);
    assert!(!world.root().exists(), "looking makes no directories");

    let stored = world.put(1).await;
    let kept = world.put(2).await;
    let listed = world.artifacts.list().await.unwrap();
    let size = listed[0].size_bytes;
    let left = |folder: &str, bytes: &[u8]| {
        let hex = Digest::of(bytes).hex();
        let place = world.root().join(folder).join(&hex[..2]).join(hex);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, bytes).unwrap();
        place
    };
    let lost = left("sha256", &[3; 3_000_000]);
    let staged = world.root().join("tmp/half");
    std::fs::write(&staged, [4; 400_000]).unwrap();
    let foreign = world.root().join("sha256/README");
    std::fs::write(&foreign, b"somebody else's").unwrap();

    let freed = world.artifacts.remove(&stored.digest).await.unwrap();
    assert!(
        (3_400_000..3_400_000 + size).contains(&freed),
        "{freed} bytes"
    );
    assert!(!lost.exists() && !staged.exists());
    assert!(foreign.exists());
    world.artifacts.check(&kept.digest).await.unwrap();

    // As a removal that was killed after its first step.
    std::fs::remove_file(world.manifest(&kept.digest)).unwrap();
    let freed = world.artifacts.remove(&kept.digest).await.unwrap();
    assert!(freed > 100_000, "{freed} bytes");
    let mut files = files_below(&world.root());
    files.sort();
    assert_eq!(files, [world.root().join("lock"), foreign]);
}

#[tokio::test]
async fn a_removal_that_cannot_know_what_others_need_removes_nothing() {
    let world = World::new();
    let (stored, damaged) = (world.put(1).await, world.put(2).await);
    let place = world.manifest(&damaged.digest);
    std::fs::write(&place, b"mlops-manifest-v1\nnonsense\n").unwrap();
    let error = world.artifacts.remove(&stored.digest).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.class(), Class::Corrupt, "{text}");
    assert!(text.contains("nothing was removed"), "{text}");
    assert!(text.contains(place.to_str().unwrap()), "{text}");
    world.artifacts.check(&stored.digest).await.unwrap();

    // It is listed, and can be removed itself; the others stay whole.
    assert_eq!(world.artifacts.list().await.unwrap().len(), 2);
    world.artifacts.remove(&damaged.digest).await.unwrap();
    world.artifacts.check(&stored.digest).await.unwrap();
    world.artifacts.remove(&stored.digest).await.unwrap();
    assert_eq!(files_below(&world.root()), [world.root().join("lock")]);
}

const DIRECTORY: &str = "MLOPS_TEST_DIRECTORY";
const TREES: usize = 6;

/// What a child process does: it uploads one tree after the other until it is killed, and says
/// so. Without the variable, as one test among the others: nothing.
#[test]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let parent = Path::new(&directory);
    let artifacts = LocalArtifacts::new(&parent.join(".mlops"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for number in (0..TREES).cycle() {
            let source = parent.join(format!("model-{number}"));
            let stored = artifacts.put_tree(&source, &NoDigestCache).await.unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "child: {}", stored.digest).unwrap();
            out.flush().unwrap();
        }
    });
}

fn spawn(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn uploads_of_other_processes_stay_whole_beside_removals_and_their_kill_leaves_no_lock() {
    const CHILDREN: usize = 3;
    const ROUNDS: usize = 40;
    let world = World::new();
    let artifacts = &world.artifacts;
    let digests: Vec<Digest> = (0..TREES)
        .map(|number| tree(world.parent.path(), number))
        .map(|source| hash_source(&source, &NoDigestCache).unwrap().digest)
        .collect();
    let mut children: Vec<Child> = (0..CHILDREN).map(|_| spawn(world.parent.path())).collect();
    let mut said: Vec<_> = children
        .iter_mut()
        .map(|child| BufReader::new(child.stdout.take().unwrap()).lines())
        .collect();
    let (mut uploads, mut whole) = (0, 0);
    for round in 0..ROUNDS {
        for said in &mut said {
            // The harness writes `test child ... ` before the first line of ours.
            let heard = said.by_ref().map(Result::unwrap);
            uploads += heard
                .filter(|line| line.contains("child: "))
                .take(1)
                .count();
        }
        artifacts.remove(&digests[round % TREES]).await.unwrap();
        // Nobody else removes: what is found from here on stays.
        for stored in artifacts.list().await.unwrap() {
            artifacts.check(&stored.digest).await.unwrap();
            whole += 1;
        }
    }
    assert_eq!(uploads, CHILDREN * ROUNDS);
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    for (number, digest) in digests.iter().enumerate() {
        if artifacts.get(digest).await.is_ok() {
            let out = world.parent.path().join(format!("out-{number}"));
            artifacts.materialise(digest, &out).await.unwrap();
            assert_eq!(
                hash_source(&out, &NoDigestCache).unwrap().digest,
                *digest,
                "what is found is whole"
            );
        }
        artifacts.remove(digest).await.unwrap();
    }
    assert_eq!(files_below(&world.root()), [world.root().join("lock")]);
    println!(
        "{CHILDREN} processes: {uploads} uploads heard, {ROUNDS} removals, {whole} times an artifact was whole"
    );
}
