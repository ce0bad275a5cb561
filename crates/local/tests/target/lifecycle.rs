//! A server's life: how it is started, what it keeps of its starter, how it ends, what is left.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mlops_core::Class;
use mlops_core::saga::{Moved, StepError};
use mlops_core::target::{Routing, Target};
use serde_json::{Value, json};

use crate::world::{World, children, eventually, next, ports, request};

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path)
        .unwrap()
        .permissions()
        .mode()
        & 0o777
}

fn read(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_server_keeps_nothing_of_its_starter() {
    let world = World::new();
    // What terraform might hand on: a file of ours without close-on-exec.
    let inherited = tempfile::NamedTempFile::new().unwrap();
    rustix::io::fcntl_setfd(inherited.as_file(), rustix::io::FdFlags::empty()).unwrap();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();

    let [pid] = world.processes()[..] else {
        panic!("one server runs")
    };
    let proc = Path::new("/proc").join(pid.to_string());
    let open: BTreeSet<String> = children(&proc.join("fd"))
        .iter()
        .filter_map(|fd| Some(std::fs::read_link(fd).ok()?.display().to_string()))
        .map(|to| to.split(':').next().unwrap().to_owned())
        .collect();
    let dir = world.server_dir();
    let expected: BTreeSet<String> = [
        "/dev/null".to_owned(),
        // The runtime's own: epoll and eventfd.
        "anon_inode".to_owned(),
        "socket".to_owned(),
        dir.join("server.log").display().to_string(),
        dir.join("stderr.log").display().to_string(),
        dir.join("lock").display().to_string(),
    ]
    .into();
    assert_eq!(open, expected);

    let environment = std::fs::read_to_string(proc.join("environ")).unwrap();
    for variable in environment
        .split('\0')
        .filter(|variable| !variable.is_empty())
    {
        let name = variable.split('=').next().unwrap();
        assert!(
            ["PATH", "HOME", "LANG"].contains(&name),
            "{name} was handed on"
        );
    }
    assert_eq!(std::fs::read_link(proc.join("cwd")).unwrap(), dir);
    let stat = std::fs::read_to_string(proc.join("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let (parent, session) = (fields[1], fields[3]);
    assert_ne!(parent, std::process::id().to_string());
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    assert_ne!(
        session,
        own.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap()
    );
    world.down(&server).await;
}

#[tokio::test]
async fn everything_of_a_server_is_private() {
    let world = World::new();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    let dir = world.server_dir();
    for directory in [
        &dir,
        dir.parent().unwrap(),
        &world.dir.join("run"),
        &world.dir.join("bin"),
    ] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    for file in children(&dir) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let socket = read(dir.join("config.json"))["admin_socket"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(mode(Path::new(&socket)), 0o600);
    world.down(&server).await;
}

#[tokio::test]
async fn a_teardown_leaves_no_process_no_lease_and_no_file_and_can_be_repeated() {
    let world = World::new();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    world.down(&server).await;
    assert!(world.processes().is_empty());
    assert!(world.leases().await.is_empty());
    assert!(!world.dir.join("run").exists());
    world.down(&server).await;
    let seen = world.target().observe(&server).await.unwrap();
    assert_eq!(
        (seen.alive, seen.reason.as_deref()),
        (false, Some("it was taken away"))
    );
}

#[tokio::test]
async fn a_step_that_is_repeated_finds_the_server_that_runs() {
    let world = World::new();
    let request = request("digits", ports(2).1);
    let first = world.up(&request).await.unwrap();
    let again = world.up(&request).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(world.processes().len(), 1);
    world.down(&first).await;
}

#[tokio::test]
async fn appliers_of_one_deployment_at_once_start_one_server() {
    let world = World::new();
    let request = request("digits", ports(2).1);
    let (a, b, c, d) = tokio::join!(
        world.up(&request),
        world.up(&request),
        world.up(&request),
        world.up(&request)
    );
    let servers = [a, b, c, d].map(|server| server.unwrap());
    assert!(
        servers.iter().all(|server| *server == servers[0]),
        "{servers:#?}"
    );
    assert_eq!(world.processes().len(), 1);
    world.down(&servers[0]).await;
}

#[tokio::test]
async fn a_start_whose_caller_was_cut_off_is_adopted() {
    let world = World::new();
    let request = request("digits", ports(1).1);
    let steps = world.target().steps(&request).unwrap();
    let mut state = steps.initial();
    let nodes = steps.into_nodes();
    nodes[0].begin(&mut state, jiff::Timestamp::now()).unwrap();
    nodes[0].forward(&mut state).await.unwrap();
    nodes[1].begin(&mut state, jiff::Timestamp::now()).unwrap();
    // Cut off inside the call, so that no checkpoint is kept: the start goes on without its caller.
    let journaled = state.clone();
    let cut = tokio::time::timeout(Duration::from_millis(1), nodes[1].forward(&mut state)).await;
    assert!(cut.is_err(), "the start took no time at all");
    let mut state = journaled;
    world.drive(&request, 1, &mut state).await.unwrap();
    eventually("a single server", || world.processes().len() == 1).await;
    let server = world
        .target()
        .steps(&request)
        .unwrap()
        .server(&state)
        .unwrap()
        .unwrap();
    assert!(world.target().observe(&server).await.unwrap().alive);
    world.down(&server).await;
}

#[test]
fn a_start_whose_caller_was_cut_off_is_undone() {
    let world = World::new();
    let request = request("digits", ports(1).1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let steps = world.target().steps(&request).unwrap();
        let mut state = steps.initial();
        let nodes = steps.into_nodes();
        nodes[0].begin(&mut state, jiff::Timestamp::now()).unwrap();
        nodes[0].forward(&mut state).await.unwrap();
        nodes[1].begin(&mut state, jiff::Timestamp::now()).unwrap();
        // As an interrupt cuts it off: the start goes on without its caller, beside the undo.
        let journaled = state.clone();
        let cut =
            tokio::time::timeout(Duration::from_millis(1), nodes[1].forward(&mut state)).await;
        assert!(cut.is_err(), "the start took no time at all");
        let mut state = journaled;
        for node in nodes.iter().rev() {
            while let Moved::Pending { poll_after, .. } = node.undo(&mut state).await.unwrap() {
                tokio::time::sleep(poll_after).await;
            }
        }
        assert!(world.leases().await.is_empty());
    });
    // The runtime waits for whatever still goes on.
    drop(runtime);
    assert!(world.processes().is_empty());
    assert!(!world.dir.join("run").exists());
}

#[tokio::test]
async fn a_killed_server_is_reported_dead_and_a_new_deployment_starts_it_again() {
    let world = World::new();
    let one = request("digits", ports(2).1);
    let server = world.up(&one).await.unwrap();
    assert!(world.target().observe(&server).await.unwrap().alive);
    world.kill_server();
    let seen = world.target().observe(&server).await.unwrap();
    assert_eq!(
        (seen.alive, seen.reason.as_deref()),
        (false, Some("its process was killed"))
    );
    let error = world
        .target()
        .set_weights(&server, &Routing::default())
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::NotFound);
    assert!(world.processes().is_empty(), "a report started something");

    let successor = world.up(&next(&one, Some(&server))).await.unwrap();
    assert!(world.target().observe(&successor).await.unwrap().alive);
    assert!(!world.target().observe(&server).await.unwrap().alive);
    world.down(&server).await;
    assert!(world.target().observe(&successor).await.unwrap().alive);
    world.down(&successor).await;
}

#[tokio::test]
async fn a_process_that_took_over_the_id_of_a_dead_server_is_left_alone() {
    let world = World::new();
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    world.kill_server();
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    let record = world.server_dir().join("process.json");
    let mut forged = read(&record);
    forged["identity"]["pid"] = json!(stranger.id());
    std::fs::write(&record, forged.to_string()).unwrap();

    assert!(!world.target().observe(&server).await.unwrap().alive);
    world.down(&server).await;
    assert!(
        stranger.try_wait().unwrap().is_none(),
        "a stranger was killed"
    );
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_server_that_claims_another_nonce_is_not_ours() {
    let world = World::new();
    let request = request("stray", ports(1).1);
    let steps = world.target().steps(&request).unwrap();
    let mut state = steps.initial();
    let nodes = steps.into_nodes();
    for node in &nodes {
        node.begin(&mut state, jiff::Timestamp::now()).unwrap();
        node.forward(&mut state).await.unwrap();
    }
    // It listens and answers, and still the step does not take it for the one that it started.
    let socket = read(world.server_dir().join("config.json"))["admin_socket"]
        .as_str()
        .unwrap()
        .to_owned();
    eventually("the socket", || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    })
    .await;
    let moved = nodes[1].forward(&mut state).await.unwrap();
    assert!(matches!(moved, mlops_core::saga::Moved::Pending { .. }));
    world.undo(&request, &mut state).await;
    assert!(world.processes().is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_end_by_itself_is_made_to() {
    let world = World::new();
    let server = world.up(&request("stuck", ports(1).1)).await.unwrap();
    world.down(&server).await;
    assert!(world.processes().is_empty());
    assert!(world.server_dirs().is_empty());
}

#[tokio::test]
async fn a_server_that_never_answers_is_undone() {
    let world = World::new();
    let request = request("mute", ports(1).1);
    let steps = world.target().steps(&request).unwrap();
    let mut state = steps.initial();
    for node in &steps.into_nodes() {
        node.begin(&mut state, jiff::Timestamp::now()).unwrap();
        node.forward(&mut state).await.unwrap();
    }
    assert_eq!(world.processes().len(), 1);
    world.undo(&request, &mut state).await;
    assert!(world.processes().is_empty());
    assert!(world.leases().await.is_empty());
    assert!(!world.dir.join("run").exists());
}

#[tokio::test]
async fn a_server_that_ends_at_once_fails_the_step_with_its_redacted_log() {
    let world = World::new();
    let request = request("broken", ports(1).1);
    let mut state = world.target().steps(&request).unwrap().initial();
    let StepError::Failed { error, evidence } =
        world.forward(&request, &mut state).await.unwrap_err()
    else {
        panic!("it is a failure")
    };
    assert!(
        error.to_string().contains("ended with exit status 3"),
        "{error}"
    );
    assert_eq!(
        evidence.unwrap(),
        json!({"log": ["the model caught fire, password=***"]})
    );
    world.undo(&request, &mut state).await;
    assert!(!world.dir.join("run").exists());
}

#[tokio::test]
async fn a_registry_too_deep_for_a_socket_has_it_below_the_temporary_directory() {
    let world = World::below(&"d".repeat(100));
    let server = world.up(&request("digits", ports(1).1)).await.unwrap();
    let socket = read(world.server_dir().join("config.json"))["admin_socket"]
        .as_str()
        .unwrap()
        .to_owned();
    let socket = Path::new(&socket);
    assert!(!socket.starts_with(&world.dir));
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    world.down(&server).await;
    assert!(!socket.parent().unwrap().exists());
}

/// The variable that makes this test program a starter instead of a test.
const STARTER: &str = "MLOPS_LOCAL_TEST_STARTER";

#[tokio::test]
async fn a_server_outlives_the_process_that_started_it() {
    if let Ok(plan) = std::env::var(STARTER) {
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let dir = plan["dir"].as_str().unwrap().into();
        let world = World::borrowed(dir);
        let request = serde_json::from_value(plan["request"].clone()).unwrap();
        let server = world.up(&request).await.unwrap();
        println!("SERVER {}", serde_json::to_string(&server).unwrap());
        return;
    }
    let world = World::new();
    let request = request("digits", ports(1).1);
    let name = "lifecycle::a_server_outlives_the_process_that_started_it";
    // `output` returns when the pipe is closed: a server that held it would keep us waiting for ever.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(
            STARTER,
            json!({"dir": world.dir, "request": request}).to_string(),
        )
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.split_once("SERVER "))
        .expect(&text);
    let server = serde_json::from_str(line.1).unwrap();
    assert!(world.target().observe(&server).await.unwrap().alive);
    let again = world.up(&request).await.unwrap();
    assert_eq!(again, server, "the next process did not find it");
    world.down(&server).await;
}
