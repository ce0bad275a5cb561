//! Many processes on one embedded registry, and processes that are killed.
//!
//! The children are this test's own executable, told by a variable to run [`child`] only.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use mlops_core::artifacts::NoDigestCache;
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::names::ModelName;
use mlops_core::registry::{ModelSpec, NewVersion, Registry, VersionDeletionPolicy, VersionSpec};
use mlops_local::artifacts::LocalArtifacts;
use mlops_local::cache::LocalHeldHints;
use mlops_local::location::Namespace;
use mlops_local::records::LocalRecords;
use mlops_local::sessions::LocalSessions;

const DIRECTORY: &str = "MLOPS_TEST_DIRECTORY";
const ROLE: &str = "MLOPS_TEST_ROLE";

fn registry(directory: &Path) -> Registry {
    Registry::new(
        Arc::new(LocalRecords::new(directory, Namespace::default())),
        Arc::new(LocalArtifacts::new(directory)),
        Arc::new(SystemClock::default()),
        Arc::new(RandomIds),
    )
    .with_sessions(
        Arc::new(LocalSessions::new()),
        Arc::new(LocalHeldHints::new(directory, Namespace::default())),
    )
}

fn digits() -> ModelName {
    ModelName::new("digits").unwrap()
}

async fn new_version(registry: &Registry, directory: &Path, note: &str) -> NewVersion {
    let source = directory.with_extension("onnx");
    let artifact = registry
        .artifacts()
        .put_tree(&source, &NoDigestCache)
        .await
        .unwrap();
    NewVersion {
        model: digits(),
        spec: VersionSpec {
            artifact,
            framework: "onnx".into(),
            image: None,
            signature: None,
            params: BTreeMap::from([("note".to_owned(), note.to_owned())]),
            lineage: None,
            smoke: None,
        },
        metrics: BTreeMap::new(),
        tags: BTreeMap::new(),
        approval: None,
        deletion_policy: VersionDeletionPolicy::default(),
        nonce: None,
    }
}

fn spawn(directory: &Path, role: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(ROLE, role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child process does. Without the variables, as one test among the others: nothing.
#[test]
fn child() {
    let (Ok(directory), Ok(role)) = (std::env::var(DIRECTORY), std::env::var(ROLE)) else {
        return;
    };
    let directory = Path::new(&directory);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "child: {line}").unwrap();
        out.flush().unwrap();
    };
    runtime.block_on(async {
        let registry = registry(directory);
        match role.as_str() {
            "first-commit" => {
                let model = ModelName::new(format!("m-{}", std::process::id())).unwrap();
                registry
                    .create_model(&model, ModelSpec::default())
                    .await
                    .unwrap();
                say(registry.identity().await.unwrap().unwrap().uuid.to_string());
            }
            "register-once" => {
                let note = std::process::id().to_string();
                let new = new_version(&registry, directory, &note).await;
                say(registry
                    .register_version(new)
                    .await
                    .unwrap()
                    .id
                    .version
                    .to_string());
            }
            // Until it is killed: a line for each version that is registered.
            "register-forever" => loop {
                let new = new_version(&registry, directory, "forever").await;
                say(registry
                    .register_version(new)
                    .await
                    .unwrap()
                    .id
                    .version
                    .to_string());
            },
            other => panic!("unknown role {other}"),
        }
    });
}

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let out = child.stdout.take().unwrap();
    BufReader::new(out)
        .lines()
        .map_while(Result::ok)
        // The harness writes `test child ... ` before the first line of ours.
        .filter_map(|line| line.split_once("child: ").map(|(_, said)| said.to_owned()))
}

fn all_of_64(directory: &Path, role: &str) -> Vec<String> {
    let mut children: Vec<Child> = (0..64).map(|_| spawn(directory, role)).collect();
    let said = children.iter_mut().flat_map(lines).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    said
}

fn world() -> (tempfile::TempDir, std::path::PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join(".mlops");
    std::fs::write(directory.with_extension("onnx"), b"graph").unwrap();
    (parent, directory)
}

#[test]
fn of_64_processes_that_make_the_registry_at_once_all_find_the_same() {
    let (_parent, directory) = world();
    let mut uuids = all_of_64(&directory, "first-commit");
    assert_eq!(uuids.len(), 64);
    uuids.dedup();
    assert_eq!(uuids.len(), 1, "{uuids:?}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (models, _) = runtime
        .block_on(registry(&directory).list_models(None, 1000))
        .unwrap();
    assert_eq!(models.len(), 64);
}

#[test]
fn sixty_four_processes_registering_versions_of_one_model_get_1_to_64() {
    let (_parent, directory) = world();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let registry = registry(&directory);
        registry
            .create_model(&digits(), ModelSpec::default())
            .await
            .unwrap();
        registry.close_session().await.unwrap();
    });
    let started = std::time::Instant::now();
    let said = all_of_64(&directory, "register-once");
    let mut numbers: Vec<u64> = said.iter().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
    println!(
        "64 processes registered versions of one model: 1..=64, in {:?}",
        started.elapsed()
    );
}

#[test]
fn what_a_killed_process_said_it_registered_is_there() {
    const ROUNDS: usize = 10;
    let (_parent, directory) = world();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let registry = registry(&directory);
        registry
            .create_model(&digits(), ModelSpec::default())
            .await
            .unwrap();
        registry.close_session().await.unwrap();
    });
    let (mut acknowledged, mut adopted) = (0, 0);
    for round in 0..ROUNDS {
        let mut process = spawn(&directory, "register-forever");
        let mut said = lines(&mut process);
        let mut heard: Vec<u64> = Vec::new();
        // A different length of life each time.
        for _ in 0..=round * 3 {
            heard.push(said.next().unwrap().parse().unwrap());
        }
        process.kill().unwrap();
        heard.extend(said.map(|line| line.parse::<u64>().unwrap()));
        process.wait().unwrap();
        acknowledged += heard.len();

        runtime.block_on(async {
            let registry = registry(&directory);
            let (versions, _) = registry
                .list_versions(&digits(), None, 100_000)
                .await
                .unwrap();
            let found: Vec<u64> = versions
                .iter()
                .rev()
                .map(|version| version.id.version)
                .collect();
            let last = found.len() as u64;
            assert_eq!(
                found,
                (1..=last).collect::<Vec<_>>(),
                "no number is missing or twice"
            );
            for number in &heard {
                assert!(
                    found.contains(number),
                    "version {number} was acknowledged and is gone"
                );
            }
            // Everything the killed one left is adopted by equal creates, one by one; only then
            // does a new number follow.
            loop {
                let new = new_version(&registry, &directory, "forever").await;
                let version = registry.register_version(new).await.unwrap().id.version;
                if version > last {
                    break;
                }
                adopted += 1;
            }
            registry.close_session().await.unwrap();
        });
    }
    assert!(
        adopted >= acknowledged,
        "adopted {adopted} of {acknowledged}"
    );
    println!("kill -9 x {ROUNDS}: {acknowledged} acknowledged versions, 0 lost, {adopted} adopted");
}
