//! Many processes on one table, and processes that are killed, each on a machine of its own as far as the others can tell.
//!
//! The children are this test's own executable, told by a variable to run [`child`] only.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mlops_aws::AwsClients;
use mlops_aws::dynamodb::DynamoRecords;
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::memory::MemoryArtifacts;
use mlops_core::names::ModelName;
use mlops_core::registry::sessions::{HeldInMemory, Liveness, SessionInfo, Sessions};
use mlops_core::registry::{
    Heartbeat, ModelSpec, NewVersion, Registry, VersionDeletionPolicy, VersionSpec,
};

use crate::support::proxy::Proxy;
use crate::support::{part, table};

const URL: &str = "MLOPS_TEST_URL";
const TABLE: &str = "MLOPS_TEST_TABLE";
const ROLE: &str = "MLOPS_TEST_ROLE";

/// What each process of a race registers.
const EACH: usize = 20;

/// Of processes that are killed: shorter than the real one, and longer than a machine under load keeps a process waiting.
const HEARTBEAT: Heartbeat = Heartbeat {
    every: Duration::from_millis(300),
    silence: Duration::from_secs(4),
};

/// A process of which the others see nothing.
struct Elsewhere(SessionInfo);

impl Sessions for Elsewhere {
    fn current(&self) -> SessionInfo {
        self.0.clone()
    }
    fn liveness(&self, _: &SessionInfo) -> Liveness {
        Liveness::Unknown
    }
}

fn registry(url: &str, table: &str, heartbeat: Heartbeat) -> (Registry, Arc<MemoryArtifacts>) {
    // The times of the provider: a store that is slow under load is waited for.
    let clients = AwsClients::new(table::settings(url)).expect("settings");
    let records = DynamoRecords::new(clients, table).expect("a name");
    let artifacts = Arc::new(MemoryArtifacts::default());
    let id = uuid::Uuid::new_v4();
    let session = SessionInfo {
        id,
        pid: 1,
        start_time: 1,
        boot_id: "a boot".to_owned(),
        host: id.to_string(),
    };
    let registry = Registry::new(
        Arc::new(records),
        artifacts.clone(),
        Arc::new(SystemClock::default()),
        Arc::new(RandomIds),
    )
    .with_sessions(
        Arc::new(Elsewhere(session)),
        Arc::new(HeldInMemory::default()),
    )
    .with_heartbeat(heartbeat);
    (registry, artifacts)
}

fn digits() -> ModelName {
    ModelName::new("digits").expect("legal")
}

fn new_version(artifacts: &MemoryArtifacts, note: &str) -> NewVersion {
    NewVersion {
        model: digits(),
        spec: VersionSpec {
            artifact: artifacts
                .put_bytes("model.onnx", b"a model")
                .expect("stored"),
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

/// What a child process does. Without the variables, as one test among the others: nothing.
#[test]
fn child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(url), Some(table), Some(role)) = (variable(URL), variable(TABLE), variable(ROLE))
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let say = |version: u64| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "child: {version}").expect("somebody listens");
        out.flush().expect("somebody listens");
    };
    runtime.block_on(async {
        let (note, count, heartbeat) = match role.as_str() {
            "race" => (std::process::id().to_string(), EACH, Heartbeat::default()),
            "one" => ("the same".to_owned(), 1, HEARTBEAT),
            other => panic!("unknown role {other}"),
        };
        let (registry, artifacts) = registry(&url, &table, heartbeat);
        for _ in 0..count {
            let made = registry
                .register_version(new_version(&artifacts, &note))
                .await;
            let made = made.unwrap_or_else(|error| panic!("{}", error.chain()));
            say(made.id.version);
        }
        if role == "race" {
            registry.close_session().await.expect("closed");
        } else {
            // Until it is killed.
            std::future::pending::<()>().await;
        }
    });
}

fn spawn(url: &str, table: &str, role: &str) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "processes::child",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(URL, url)
        .env(TABLE, table)
        .env(ROLE, role)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process")
}

fn numbers(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let out = child.stdout.take().expect("piped");
    BufReader::new(out)
        .lines()
        .map_while(Result::ok)
        // The harness writes `test child ... ` before the first line of ours.
        .filter_map(|line| line.split_once("child: ")?.1.trim().parse().ok())
}

/// A table with the model.
async fn world(url: &str) -> String {
    let table = table::create(url).await;
    let (registry, _) = registry(url, &table, HEARTBEAT);
    let made = registry.create_model(&digits(), ModelSpec::default()).await;
    made.expect("a model");
    registry.close_session().await.expect("closed");
    table
}

/// So many processes register [`EACH`] versions of one model: no number twice, and none left out.
async fn race(url: &str, processes: usize) {
    let table = world(url).await;
    let proxy = Proxy::before(url).await;
    let began = Instant::now();
    let mut children: Vec<Child> = (0..processes)
        .map(|_| spawn(&proxy.url, &table, "race"))
        .collect();
    let said: Vec<_> = children.iter_mut().map(numbers).collect();
    let said = tokio::task::spawn_blocking(move || said.into_iter().flatten().collect());
    let mut said: Vec<u64> = said.await.expect("read");
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }
    let took = began.elapsed();
    let wanted: Vec<u64> = (1..=(processes * EACH) as u64).collect();
    said.sort_unstable();
    assert_eq!(said, wanted);
    let (registry, _) = registry(url, &table, HEARTBEAT);
    let listed = registry.all_versions(&digits()).await.expect("listed");
    let mut listed: Vec<u64> = listed.iter().map(|version| version.id.version).collect();
    listed.reverse();
    assert_eq!(listed, wanted);
    let calls = proxy.calls();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &calls {
        *kinds.entry(call.as_str()).or_default() += 1;
    }
    println!(
        "{processes} processes x {EACH} registrations: {took:.1?}, {:.1} calls for each: {kinds:?}",
        calls.len() as f64 / wanted.len() as f64
    );
}

#[tokio::test]
async fn a_registration_costs_at_most_three_calls_with_the_heartbeat_and_the_looks_at_the_home() {
    let Some(part) = part::dynamodb_local() else {
        return;
    };
    let table = world(&part.url).await;
    // Somebody else lives beside it, and somebody died.
    let beside = registry(&part.url, &table, Heartbeat::default());
    let died = registry(&part.url, &table, HEARTBEAT);
    for (other, artifacts) in [&beside, &died] {
        let made = other
            .register_version(new_version(artifacts, "another"))
            .await;
        made.expect("registered");
    }
    drop(died);
    let proxy = Proxy::before(&part.url).await;
    let (registry, artifacts) = registry(&proxy.url, &table, Heartbeat::default());
    for number in 0..500 {
        let new = new_version(&artifacts, &number.to_string());
        registry.register_version(new).await.expect("registered");
    }
    registry.close_session().await.expect("closed");
    let calls = proxy.calls();
    assert!(calls.len() <= 3 * 500, "{} calls", calls.len());
    println!("{:.2} calls for each", calls.len() as f64 / 500.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_16_processes_that_register_20_versions_each_gets_its_numbers() {
    if let Some(part) = part::dynamodb_local() {
        race(&part.url, 16).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: minutes on a machine with two cores; `make test-full` runs it"]
async fn of_64_processes_that_register_20_versions_each_gets_its_numbers() {
    if let Some(part) = part::dynamodb_local() {
        race(&part.url, 64).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: minutes on a machine with two cores; `make test-full` runs it"]
async fn of_64_processes_that_register_20_versions_each_gets_its_numbers_on_ministack() {
    if let Some(part) = part::ministack() {
        race(&part.url, 64).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_killed_elsewhere_registered_is_adopted_and_that_of_one_that_lives_is_not() {
    let Some(part) = part::dynamodb_local() else {
        return;
    };
    let url = part.url.as_str();
    let table = world(url).await;
    let mut lives = spawn(url, &table, "one");
    let mut said = numbers(&mut lives);
    let first = tokio::task::spawn_blocking(move || said.next().map(|first| (first, said)));
    let Some((1, _open)) = first.await.expect("read") else {
        panic!("it registers the first version");
    };
    let register = async || {
        let (registry, artifacts) = registry(url, &table, HEARTBEAT);
        let made = registry
            .register_version(new_version(&artifacts, "the same"))
            .await;
        let made = made.unwrap_or_else(|error| panic!("{}", error.chain()));
        registry.close_session().await.expect("closed");
        made.id.version
    };
    assert_eq!(register().await, 2, "its process lives");
    lives.kill().expect("killed");
    lives.wait().expect("gone");
    let began = Instant::now();
    assert_eq!(register().await, 1, "its process is gone");
    assert!(
        began.elapsed() >= HEARTBEAT.silence,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(register().await, 3, "it was adopted once");
}
