//! The command `mlops` against an endpoint that lives, and the exit codes it ends with.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mlops_acceptance::digits::{self, Digits};
use mlops_acceptance::http::Client;
use mlops_acceptance::stack::{ENDPOINT, SLOW_CANARY};
use mlops_acceptance::{Builds, Running, Stack, Workspace, process, wait};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(60);

/// A canary that waits for a person at a fifth of the traffic.
const PAUSING: &str = "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 20, pause = true }, { traffic = 100 }]\n  }";

/// Runs a verb on the endpoint; its exit code and what it printed.
fn verb(work: &Workspace, verb: &str, more: &[&str]) -> (i32, String) {
    let arguments = ["endpoint", verb, "digits"]
        .into_iter()
        .chain(more.iter().copied());
    let ended = work.mlops(arguments);
    let code = ended.status.code().expect("it was not killed");
    (code, ended.output)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

/// Starts an update to `model` and waits until its candidate answers requests.
fn mid_rollout(stack: &Stack, work: &Workspace, model: &str) -> Running {
    work.copy_model(model, "model.onnx");
    let running = work.start_apply();
    wait::until("the candidate answers", SOON, || {
        stack.who_answers(20).len() == 2
    });
    running
}

#[test]
fn status_says_what_serves_to_people_and_to_programs() {
    let stack = Stack::default();
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let (code, text) = verb(&work, "status", &[]);
    assert_eq!(code, 0, "{text}");
    for part in [
        "local/digits",
        "serving",
        &stack.url(),
        "main: digits/1 serves, 100 % of the traffic",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let (code, text) = verb(&work, "status", &["--json"]);
    let status = json(&text);
    assert_eq!(code, 0, "{text}");
    assert_eq!(status["endpoint"], "local/digits");
    assert_eq!(status["status"], "serving");
    assert_eq!(status["invoke_url"], stack.url());
    assert_eq!(status["variants"]["main"]["traffic_percent"], 100.0);
    assert_eq!(status["deployment"], Value::Null);

    let server = process::servers(work.dir()).pop().expect("a server runs");
    process::kill(server.pid);
    wait::until("the server is gone", SOON, || !process::runs(server.pid));
    let (code, text) = verb(&work, "status", &["--json"]);
    assert_eq!(code, 1, "{text}");
    assert_eq!(json(&text)["status"], "not_serving");
    assert!(json(&text)["reason"].is_string(), "{text}");
    work.destroy();
}

#[test]
fn watch_prints_the_events_of_a_canary_and_ends_with_it() {
    let canary = "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 10, bake = \"3s\" }, { traffic = 100 }]\n  }";
    let stack = Stack::rolling_out(canary);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let apply = mid_rollout(&stack, &work, "digits-v2");
    let mut watch = work.start_mlops(["endpoint", "watch", "digits", "--json"]);
    watch.expect("deployment.begun", SOON);
    assert!(watch.runs(), "it ended before the deployment did");
    let watched = watch.wait(SOON);
    apply.wait(SOON).succeeded();
    assert_eq!(watched.status.code(), Some(0), "{}", watched.output);
    let kinds: Vec<String> = watched
        .output
        .lines()
        .map(|line| json(line)["kind"].as_str().expect("a kind").to_owned())
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("deployment.begun"));
    assert_eq!(
        kinds.last().map(String::as_str),
        Some("deployment.succeeded"),
        "{kinds:?}"
    );
    // Afterwards it tells how the last one went.
    let (code, text) = verb(&work, "watch", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("deployment.succeeded"), "{text}");
    work.destroy();
}

#[test]
fn a_pause_stops_a_rollout_at_its_step_and_a_resume_ends_it() {
    let canary = "rollout {\n    strategy = \"CANARY\"\n    steps = [{ traffic = 20, bake = \"20s\" }, { traffic = 100 }]\n  }";
    let stack = Stack::rolling_out(canary);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let (code, text) = verb(&work, "pause", &[]);
    assert_eq!(code, 3, "there is nothing to pause: {text}");

    let apply = mid_rollout(&stack, &work, "digits-v2");
    let (code, text) = verb(&work, "pause", &["--json"]);
    assert_eq!(code, 0, "{text}");
    assert!(json(&text)["deployment"].is_string(), "{text}");
    apply.wait(SOON).failed_with(&["paused"]);
    let (code, text) = verb(&work, "status", &["--json"]);
    assert_eq!(code, 4, "{text}");
    assert_eq!(json(&text)["status"], "paused");
    let (code, text) = verb(&work, "watch", &[]);
    assert_eq!(code, 4, "a paused deployment ends a watch: {text}");
    assert_eq!(stack.who_answers(20), BTreeMap::from([(1, 16), (2, 4)]));

    let (code, text) = verb(&work, "resume", &["--json"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(json(&text)["outcome"], "succeeded");
    assert_eq!(stack.who_answers(20), BTreeMap::from([(2, 20)]));
    let (code, text) = verb(&work, "resume", &[]);
    assert_eq!(code, 3, "there is nothing left to resume: {text}");
    work.apply();
    work.destroy();
}

#[test]
fn a_repair_takes_a_stopped_deployment_back_and_is_refused_where_there_is_none() {
    let stack = Stack::rolling_out(PAUSING);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let (code, text) = verb(&work, "repair", &[]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("no deployment under way"), "{text}");
    // A wrong name has none, either, but that is not what is wrong.
    for verb in ["status", "watch", "pause", "resume", "repair"] {
        let ended = work.mlops(["endpoint", verb, "digit"]);
        assert_eq!(ended.status.code(), Some(3), "{verb}: {}", ended.output);
        for said in ["no endpoint local/digit in", "ecs/CLUSTER/digit"] {
            assert!(ended.output.contains(said), "{verb}: {}", ended.output);
        }
    }

    work.copy_model("digits-v2", "model.onnx");
    work.apply_fails(&["paused"]);
    let (code, text) = verb(&work, "repair", &["--json"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(json(&text)["outcome"], "rolled_back");
    assert_eq!(stack.who_answers(20), BTreeMap::from([(1, 20)]));
    let (code, text) = verb(&work, "status", &["--json"]);
    assert_eq!((code, &json(&text)["status"]), (0, &"serving".into()));
    work.destroy();
}

#[test]
fn a_verb_while_somebody_else_deploys_ends_with_5_and_names_them() {
    let stack = Stack::rolling_out(SLOW_CANARY);
    let mut work = stack.workspace("digits-v1");
    work.apply();
    let apply = mid_rollout(&stack, &work, "digits-v2");
    for refused in ["resume", "repair"] {
        let (code, text) = verb(&work, refused, &[]);
        assert_eq!(code, 5, "{refused}: {text}");
        assert!(text.contains("digits"), "{refused}: {text}");
    }
    assert_eq!(stack.who_answers(20).len(), 2, "the rollout goes on");
    let (code, text) = verb(&work, "status", &["--json"]);
    assert_eq!((code, &json(&text)["status"]), (0, &"deploying".into()));
    assert!(json(&text)["deployment"]["holder"].is_string(), "{text}");
    apply.interrupt();
    apply.wait(SOON).failed_with(&["interrupted"]);
    assert_eq!(
        work.state()
            .object(ENDPOINT)
            .get("/target_versions/main")
            .as_u64(),
        Some(1)
    );
    work.try_destroy().succeeded();
}

/// A server that is killed with its test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended in most tests.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_model_served_in_the_foreground_answers_and_ends_in_order_on_sigterm() {
    let work = Workspace::new();
    let model = work.copy_model("digits-v2", "digits.onnx");
    let mut child = Command::new(&Builds::get().cli)
        .args(["serve", "--foreground", "--port", "0", "--model"])
        .arg(&model)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mlops runs");
    let mut log = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    let mut served = Served(child);
    let address = log
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            let event: Value = serde_json::from_str(&line).ok()?;
            event["address"].as_str().map(str::to_owned)
        })
        .expect("the log names the address");
    let rest = std::thread::spawn(move || log.map_while(Result::ok).collect::<Vec<_>>());

    let mut client = Client::new(&format!("http://{address}"));
    let answer = client
        .post(
            &digits::infer_path("digits"),
            &Digits::committed().request(0).body,
        )
        .expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(digits::label(&answer).is_some(), "{}", answer.text());

    let pid = served.0.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.expect("kill runs").success());
    let status = wait::for_some("it ends", SOON, || {
        served.0.try_wait().expect("it can be waited for")
    });
    assert_eq!(status.code(), Some(0), "drained, not killed");
    assert!(std::net::TcpStream::connect(&address).is_err());
    let rest = rest.join().expect("the log is read to its end");
    assert!(
        rest.iter()
            .any(|line| line.contains("shutdown") || line.contains("stop")),
        "the log tells of the end: {rest:#?}"
    );
}

/// A model `digits` whose version 1 is a directory of two files, with the alias `champion` on it.
fn registered() -> Workspace {
    let mut work = Workspace::new();
    work.copy_model("digits-v1", "source/model.onnx");
    work.write("source/extra/labels.json", b"[0, 1]");
    work.config(
        "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n\n\
         resource \"mlops_model_version\" \"one\" {\n  model = mlops_model.digits.name\n  source = \"source\"\n}\n\n\
         resource \"mlops_model_alias\" \"champion\" {\n  model = mlops_model.digits.name\n  name = \"champion\"\n  \
         version = mlops_model_version.one.version\n}\n",
    );
    work.apply();
    work
}

/// Runs `mlops artifact pull`; its exit code and what it said.
fn pull(work: &Workspace, what: &str, to: &str) -> (i32, String) {
    let ended = work.mlops(["artifact", "pull", what, "--to", to, "--json"]);
    (
        ended.status.code().expect("it was not killed"),
        ended.story(),
    )
}

/// The file below `directory` that holds these bytes.
fn kept(directory: &Path, bytes: &[u8]) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return kept(&path, bytes);
        }
        std::fs::read(&path)
            .is_ok_and(|found| found == bytes)
            .then_some(path)
    })
}

#[test]
fn an_artifact_is_pulled_by_number_and_by_alias_and_mended_where_it_was_damaged() {
    let mut work = registered();
    let model = std::fs::read(work.path("source/model.onnx")).expect("the model is read");
    for (what, to) in [("digits/1", "by/number"), ("digits@champion", "by/alias")] {
        let ended = work.mlops(["artifact", "pull", what, "--to", to, "--json"]);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.story());
        let pulled = json(&ended.output);
        assert_eq!(pulled["version"], "digits/1");
        assert_eq!(pulled["files"], 2);
        assert_eq!(pulled["bytes"], model.len() + 6);
        let version = work.state().object("mlops_model_version.one");
        assert_eq!(pulled["digest"], version.text("/artifact_digest"));
        let read = |file: &str| std::fs::read(work.path(to).join(file)).expect("it was pulled");
        assert_eq!(read("model.onnx"), model);
        assert_eq!(read("extra/labels.json"), b"[0, 1]");
    }

    let labels = work.path("by/number/extra/labels.json");
    std::fs::write(&labels, b"[0, 9]").expect("a file is damaged");
    std::fs::remove_file(work.path("by/number/model.onnx")).expect("a file is removed");
    assert_eq!(pull(&work, "digits/1", "by/number").0, 0);
    assert_eq!(std::fs::read(&labels).expect("it is there"), b"[0, 1]");
    assert_eq!(
        std::fs::read(work.path("by/number/model.onnx")).expect("it is back"),
        model
    );
    work.destroy();
}

#[test]
fn a_pull_that_cannot_be_done_says_why_and_writes_nothing() {
    let mut work = registered();
    work.write("mine/notes.txt", b"mine");
    work.write("file", b"no directory");
    for (what, to, code, parts) in [
        ("digits/1", "mine", 2, ["notes.txt", "--to"]),
        ("digits/1", "file", 2, ["file", "--to"]),
        ("digits/7", "new", 3, ["digits/7", "--registry"]),
        ("digits@nobody", "new", 3, ["digits@nobody", "--registry"]),
        ("wine/1", "new", 3, ["wine/1", "--registry"]),
        ("digits", "new", 2, ["\"digits\"", "MODEL/VERSION"]),
        ("digits@", "new", 2, ["alias name", "legal"]),
    ] {
        let (ended, said) = pull(&work, what, to);
        assert_eq!(ended, code, "{what} to {to}: {said}");
        for part in parts {
            assert!(said.contains(part), "{what} to {to}: no {part:?} in {said}");
        }
    }
    assert!(!work.path("new").exists());
    assert_eq!(
        std::fs::read(work.path("mine/notes.txt")).expect("it is there"),
        b"mine"
    );
    assert!(!work.path("mine/model.onnx").exists());

    // A blob that rotted in the registry is not handed out.
    let model = std::fs::read(work.path("source/model.onnx")).expect("the model is read");
    let place = kept(&work.registry(), &model).expect("the registry keeps the model");
    std::fs::remove_file(&place).expect("the blob is removed");
    std::fs::write(&place, b"rot").expect("another one is written");
    let (code, said) = pull(&work, "digits/1", "new");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("model.onnx"), "{said}");
    assert!(!work.path("new/model.onnx").exists());
    work.try_destroy().succeeded();
}
