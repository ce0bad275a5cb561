//! The registry as MLflow's real client sees it, and the server that it talks to.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use mlops_acceptance::http::Client;
use mlops_acceptance::{Builds, Part, builds, part, process, skip, wait};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const TOKEN: &str = "5f3a9c1b7d2e4f60a8b9c0d1e2f3a4b5";

/// The interpreter that has the client; `None` where there is no Python.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let made = Command::new(builds::root().join("scripts/mlflow-client"))
            .stderr(Stdio::piped())
            .output()
            .expect("bash runs the script");
        let said = String::from_utf8_lossy(&made.stderr);
        match made.status.code() {
            Some(0) => Some(String::from_utf8_lossy(&made.stdout).trim().into()),
            Some(3) => None,
            _ => panic!("scripts/mlflow-client failed: {said}"),
        }
    });
    made.as_deref()
}

/// `mlops registry serve` in a directory of its own.
struct Server {
    process: Child,
    url: String,
    dir: tempfile::TempDir,
}

impl Server {
    fn start(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        Self::start_in(dir, more)
    }

    fn start_in(dir: tempfile::TempDir, more: &[&str]) -> Self {
        let process = command(&dir, more);
        Self::of(dir, process)
    }

    /// The server that `command` runs in `dir`.
    fn of(dir: tempfile::TempDir, mut command: Command) -> Self {
        let log = fs::File::create(dir.path().join("server.log")).expect("the log is made");
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("mlops runs");
        let mut line = String::new();
        let out = process.stdout.take().expect("it is piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it prints a line");
        let url = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        assert!(url.starts_with("http://"), "not served: {line:?}");
        Self { process, url, dir }
    }

    fn model(&self, name: &str) -> PathBuf {
        let to = self.dir.path().join(name);
        let from = builds::root().join("examples/quickstart/models/digits-v1.onnx");
        fs::copy(from, &to).expect("the model is copied");
        to
    }

    /// Runs one of `clients/` to its end.
    fn run(&self, python: &Path, client: &str, arguments: &[&Path]) {
        let client = builds::root().join("tests/acceptance/clients").join(client);
        let ran = Command::new(python)
            .arg(&client)
            .arg(&self.url)
            .args(arguments)
            .current_dir(self.dir.path())
            .env("MLFLOW_TRACKING_TOKEN", TOKEN)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
            .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
            .output()
            .expect("python runs");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
        assert!(
            ran.status.success() && said.contains("done"),
            "{}: {said}",
            client.display()
        );
    }

    fn stop(mut self) -> tempfile::TempDir {
        self.end();
        std::mem::replace(
            &mut self.dir,
            tempfile::tempdir().expect("a directory can be made"),
        )
    }

    fn end(&mut self) {
        let pid = i32::try_from(self.process.id()).expect("a process id fits");
        process::interrupt(pid);
        wait::until("the server ends", SOON, || {
            self.process.try_wait().is_ok_and(|ended| ended.is_some())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.end();
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(dir: &tempfile::TempDir, more: &[&str]) -> Command {
    let mut command = Command::new(&Builds::get().cli);
    command
        .args(["registry", "serve"])
        .args(more)
        .current_dir(dir.path())
        .env_remove("TF_WORKSPACE")
        .stdin(Stdio::null());
    if !more.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    if !more.contains(&"--table") {
        command.args(["--registry", "registry"]);
    }
    command
}

/// A server on a registry that this makes.
fn on_aws(part: &Part, more: &[&str]) -> Server {
    part.make_table("acme-mlops");
    part.make_bucket("acme-models");
    let dir = tempfile::tempdir().expect("a directory can be made");
    let mut place = vec!["--table", "acme-mlops", "--bucket", "acme-models"];
    place.extend(["--prefix", "ml", "--s3-use-path-style"]);
    place.extend(more);
    let mut command = command(&dir, &place);
    command.envs(part::environment(&part.url));
    Server::of(dir, command)
}

/// What a start that is refused says, and how it ends.
fn refused(dir: &tempfile::TempDir, more: &[&str]) -> (Option<i32>, String) {
    let ended = command(dir, more).output().expect("mlops runs");
    (
        ended.status.code(),
        String::from_utf8_lossy(&ended.stderr).into_owned(),
    )
}

fn token_file(dir: &Path, mode: u32) -> String {
    let path = dir.join("token");
    fs::write(&path, TOKEN).expect("the token is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode is set");
    path.to_str().expect("the path is UTF-8").to_owned()
}

#[test]
fn the_real_mlflow_client_registers_aliases_searches_loads_and_deletes() {
    let Some(python) = python() else {
        return skip(
            "the_real_mlflow_client_registers_aliases_searches_loads_and_deletes",
            "Python 3.10 or newer is missing",
        );
    };
    let server = Server::start(&[]);
    let model = server.model("model.onnx");
    server.run(
        python,
        "mlflow_session.py",
        &[&server.dir.path().join("saved"), &model],
    );
}

#[test]
fn the_real_mlflow_client_does_the_same_on_a_registry_on_aws() {
    let name = "the_real_mlflow_client_does_the_same_on_a_registry_on_aws";
    let Some(python) = python() else {
        return skip(name, "Python 3.10 or newer is missing");
    };
    let part = match Part::start("ministack") {
        Ok(part) => part,
        Err(reason) => return skip(name, &reason),
    };
    let server = on_aws(&part, &[]);
    let model = server.model("model.onnx");
    server.run(
        python,
        "mlflow_session.py",
        &[&server.dir.path().join("saved"), &model],
    );
    let listed = part
        .s3("GET", "/acme-models?list-type=2&prefix=ml/", "")
        .text();
    assert!(listed.contains("<Key>ml/"), "{listed}");
}

#[test]
fn a_pipeline_registers_the_model_that_its_training_left_in_s3() {
    let name = "a_pipeline_registers_the_model_that_its_training_left_in_s3";
    let part = match Part::start("ministack") {
        Ok(part) => part,
        Err(reason) => return skip(name, &reason),
    };
    let server = on_aws(&part, &["--source-root", "s3://training/runs"]);
    let trained = fs::read(server.model("model.onnx")).expect("a model");
    part.make_bucket("training");
    for key in ["runs/7/model.onnx", "private/model.onnx"] {
        let put = part.s3("PUT", &format!("/training/{key}"), &trained);
        assert_eq!(put.status, 200, "{}", put.text());
    }
    let register = |source: &str| {
        let version = json!({"s3_location": source, "Accurecy": {"auc": 0.97}});
        let body = json!({"registry-name": "fraud", "versions": [version]});
        let mut client = Client::new(&server.url);
        let answer = client.post("/model-registry", body.to_string().as_bytes());
        answer.expect("the server answers")
    };
    let refused = register("s3://training/private/model.onnx");
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(
        refused.text().contains("--source-root"),
        "{}",
        refused.text()
    );
    for source in ["s3://training/runs/7/", "s3://training/runs/8/"] {
        let taken = register(source);
        assert_eq!(taken.status, 200, "{}", taken.text());
    }
    let versions = || {
        let listed = Client::new(&server.url).get("/list-registry");
        let listed = listed.expect("the server answers").json();
        listed["models"][0]["versions"].clone()
    };
    wait::until("both versions are decided", SOON, || {
        let versions = versions();
        versions[0]["status"] == "READY" && versions[1]["status"] == "FAILED_REGISTRATION"
    });
    let versions = versions();
    assert_eq!(versions[0]["s3_location"], "s3://training/runs/7/");
    let why = versions[1]["status_message"].as_str().unwrap_or_default();
    assert!(why.contains("does not exist"), "{why}");
}

#[test]
fn sixteen_mlflow_clients_at_once_register_the_versions_one_to_sixteen() {
    let Some(python) = python() else {
        return skip(
            "sixteen_mlflow_clients_at_once_register_the_versions_one_to_sixteen",
            "Python 3.10 or newer is missing",
        );
    };
    let dir = tempfile::tempdir().expect("a directory can be made");
    // The client sends the token of its environment.
    let token = token_file(dir.path(), 0o600);
    let server = Server::start_in(dir, &["--token-file", &token]);
    let model = server.model("model.onnx");
    server.run(python, "mlflow_crowd.py", &[&model]);
}

#[test]
fn what_was_registered_over_rest_is_there_after_a_restart() {
    let server = Server::start(&[]);
    let model = server.model("model.onnx");
    let ask = |server: &Server, method: &str, path: &str, body: Value| {
        let path = format!("/api/2.0/mlflow/{path}");
        let body = body.to_string();
        let mut client = Client::new(&server.url);
        let answer = match method {
            "GET" => client.get(&path),
            _ => client.post(&path, body.as_bytes()),
        };
        let answer = answer.expect("the server answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    ask(
        &server,
        "POST",
        "registered-models/create",
        json!({"name": "digits"}),
    );
    let body = json!({"name": "digits", "source": model});
    ask(&server, "POST", "model-versions/create", body);
    // Whether it was ingested before the stop or is taken up after it: it gets there.
    let server = Server::start_in(server.stop(), &[]);
    wait::until("the version is ready", SOON, || {
        let path = "model-versions/get?name=digits&version=1";
        let version = ask(&server, "GET", path, Value::Null);
        version["model_version"]["status"] == "READY"
    });
}

#[test]
fn a_server_that_others_could_reach_or_whose_token_others_could_read_does_not_start() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let (code, said) = refused(&dir, &["--listen", "0.0.0.0:0"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--token-file"), "{said}");
    let open = token_file(dir.path(), 0o644);
    let (code, said) = refused(&dir, &["--token-file", &open]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("chmod 600") && !said.contains(TOKEN),
        "{said}"
    );
    let (code, said) = refused(&dir, &["--source-root", "absent"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("source root") && said.contains("absent"),
        "{said}"
    );
    let (code, said) = refused(&dir, &["--public-url", "models.example.com"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("https://HOST"), "{said}");
}

#[test]
fn a_server_that_others_can_reach_asks_for_its_token_and_reads_no_file_of_its_machine() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let token = token_file(dir.path(), 0o600);
    let server = Server::start_in(dir, &["--listen", "0.0.0.0:0", "--token-file", &token]);
    let model = server.model("model.onnx");
    let port = server.url.rsplit(':').next().unwrap_or_default();
    let url = format!("http://127.0.0.1:{port}");
    let post = |path: &str, body: Value, token: &str| {
        let authorization = format!("Bearer {token}");
        let body = body.to_string();
        Client::new(&url)
            .request(
                "POST",
                &format!("/api/2.0/mlflow/{path}"),
                &[("authorization", authorization.as_str())],
                body.as_bytes(),
            )
            .expect("the server answers")
    };
    let create = json!({"name": "digits"});
    let refused = post("registered-models/create", create.clone(), "wrong");
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert_eq!(post("registered-models/create", create, TOKEN).status, 200);
    let body = json!({"name": "digits", "source": model});
    let refused = post("model-versions/create", body, TOKEN);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(
        refused.text().contains("--source-root"),
        "{}",
        refused.text()
    );
    // Not a word of the token where the server lives, its log included, but in the file that it was given.
    let dir = server.stop();
    let mut looked_at = 0;
    each_file(dir.path(), &mut |path, bytes| {
        looked_at += 1;
        let shown = bytes
            .windows(TOKEN.len())
            .any(|part| part == TOKEN.as_bytes());
        assert_eq!(shown, path.ends_with("token"), "{}", path.display());
    });
    assert!(
        looked_at >= 3,
        "log, token and registry are there: {looked_at}"
    );
}

fn each_file(dir: &Path, visit: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(dir).expect("the directory is read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            each_file(&path, visit);
        } else {
            visit(&path, &fs::read(&path).expect("the file is read"));
        }
    }
}
