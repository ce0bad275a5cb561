//! `mlops serve --task`: what the container of an endpoint runs, as a process of this machine, with its artifact in S3.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mlops_acceptance::digits::{self, Digits};
use mlops_acceptance::http::Client;
use mlops_acceptance::iam::{Gate, Policy};
use mlops_acceptance::{Part, Running, Workspace, http, part, skip, wait, workspace};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

const TABLE: &str = "acme-mlops";
const BUCKET: &str = "acme-models";

/// What the role of a task may do, and no more.
const READS: &str = r#"{"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::acme-models/ml/sha256/*"}]}"#;

/// A version in a registry on AWS, and the environment of a task that may read it.
struct World {
    part: Part,
    gate: Gate,
    work: Workspace,
    digest: String,
}

impl World {
    fn new(test: &str) -> Option<Self> {
        let part = match Part::start("ministack") {
            Ok(part) => part,
            Err(reason) => {
                skip(test, &reason);
                return None;
            }
        };
        part.make_table(TABLE);
        part.make_bucket(BUCKET);
        let gate = Gate::before(http::address(&part.url));
        gate.admit(&[&Policy::read(READS)]);
        let mut work = Workspace::new();
        let place = format!("table = {TABLE:?}\n    bucket = {BUCKET:?}\n    prefix = \"ml\"");
        work.provider(&part::provider(&part.url, &place));
        let cache = work.path("cache").display().to_string();
        work.env("XDG_CACHE_HOME", &cache);
        work.copy_model("digits-v1", "source/model.onnx");
        work.write("source/labels.json", b"[0, 1]");
        work.write("source/mlops-reference.json", reference().to_string());
        work.config(
            "resource \"mlops_model\" \"digits\" {\n  name = \"digits\"\n}\n\nresource \"mlops_model_version\" \"one\" {\n  \
             model = mlops_model.digits.name\n  source = \"source\"\n}\n",
        );
        work.apply();
        let digest = work
            .state()
            .object("mlops_model_version.one")
            .text("/artifact_digest")
            .to_owned();
        for (variable, value) in part::environment(&gate.url) {
            work.env(variable, &value);
        }
        let models = work.path("models").display().to_string();
        work.env("MLOPS_TASK_MODELS", &models);
        Some(Self {
            part,
            gate,
            work,
            digest,
        })
    }

    /// The version's task, on a free port.
    fn task(&self) -> Value {
        task(&self.digest)
    }

    /// Starts a task.
    fn start(&mut self, task: &Value) -> Running {
        self.work.env("MLOPS_TASK", &task.to_string());
        self.work.start_mlops(["serve", "--task"])
    }

    /// Starts a task, asks it for a prediction, and ends it; what it said.
    fn serves(&mut self, task: &Value) -> String {
        let _ = std::fs::remove_dir_all(self.work.path("models"));
        let running = self.start(task);
        let port = listens(&running);
        let mut client = Client::new(&format!("http://127.0.0.1:{port}"));
        let answer = client.post(
            &digits::infer_path("shop"),
            &Digits::committed().request(0).body,
        );
        assert!(digits::label(&answer.expect("an answer")).is_some());
        terminate(&running);
        running.wait(SOON).output
    }

    /// Runs a task that is to fail; its exit status, and the line that says why.
    fn fails(&mut self, task: &Value) -> (i32, String) {
        let ended = self.start(task).wait(SOON);
        let status = ended.status.code().expect("it was not killed");
        assert!(!ended.output.contains("listening"), "{}", ended.output);
        assert!(!ended.output.contains("hush-hush-hush"), "{}", ended.output);
        let mut lines = ended
            .output
            .lines()
            .filter(|line| !line.contains("mlops: fetches "));
        let said = lines.next().unwrap_or_default().to_owned();
        assert!(said.starts_with("mlops: "), "{}", ended.output);
        assert_eq!(lines.next(), None, "one line: {}", ended.output);
        (status, said)
    }

    /// Puts an artifact of one file into the bucket, as a store would; its digest.
    fn put(&self, file: &str, bytes: &[u8]) -> String {
        let manifest = format!(
            "mlops-manifest-v1\n{} {} {file}\n",
            sha256(&self.work, bytes),
            bytes.len()
        );
        let digest = sha256(&self.work, manifest.as_bytes());
        let at = format!("/{BUCKET}/ml/sha256/{digest}");
        for (key, body) in [
            (format!("files/{file}"), bytes),
            ("manifest".to_owned(), manifest.as_bytes()),
        ] {
            let put = self.part.s3("PUT", &format!("{at}/{key}"), body);
            assert_eq!(put.status, 200, "{key}: {}", put.text());
        }
        format!("sha256:{digest}")
    }
}

/// Of one of the pixels.
fn reference() -> Value {
    let halves = json!({"numeric": {"edges": [8], "shares": [0.5, 0.5]}});
    json!({
        "format": "mlops-reference-v1", "rows": 2,
        "features": [{"name": "middle", "tensor": "pixels", "column": 27, "distribution": halves}],
    })
}

fn task(digest: &str) -> Value {
    json!({
        "endpoint": "shop", "variant": "main", "revision": "main-1", "model": "digits", "version": 1,
        "artifact_digest": digest,
        "artifacts": {"bucket": BUCKET, "prefix": "ml", "region": "eu-west-1", "path_style": true},
        "port": 0, "drain_seconds": 60,
    })
}

/// The SHA-256 of these bytes, by a program that is not ours.
fn sha256(work: &Workspace, bytes: &[u8]) -> String {
    let file = work.write("hashed", bytes);
    let hashed = Command::new("sha256sum")
        .arg(&file)
        .output()
        .expect("sha256sum runs");
    let text = String::from_utf8(hashed.stdout).expect("text");
    text.split(' ').next().expect("a digest").to_owned()
}

/// The port that a task says it listens on.
fn listens(running: &Running) -> u16 {
    wait::for_some("the task listens", SOON, || {
        let said = running.so_far();
        let event = said.lines().find(|line| line.contains("\"listening\""))?;
        let event: Value = serde_json::from_str(event).ok()?;
        let (_, port) = event["address"].as_str()?.rsplit_once(':')?;
        port.parse().ok()
    })
}

fn terminate(running: &Running) {
    let told = Command::new("kill")
        .args(["-TERM", &running.pid().to_string()])
        .status();
    assert!(told.expect("kill runs").success());
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_registered_version_is_served_with_no_more_access_than_to_its_bytes() {
    let name = "a_registered_version_is_served_with_no_more_access_than_to_its_bytes";
    let Some(mut world) = World::new(name) else {
        return;
    };
    let digits = Digits::committed();
    let mut task = world.task();
    let body: Value = serde_json::from_slice(&digits.request(0).body).expect("JSON");
    task["smoke"] = json!({"inputs": body, "expect": {"outputs": [{"name": "label"}]}});
    task["smoke"]["inputs"]["outputs"] = json!([{"name": "label"}]);
    let running = world.start(&task);
    let port = listens(&running);
    assert_eq!(world.gate.denied(), Vec::<String>::new());
    assert_eq!(
        world.gate.allowed().into_iter().collect::<Vec<_>>(),
        ["s3:GetObject"]
    );
    assert_eq!(
        files(&world.work.path("models")),
        ["mlops-reference.json", "model.onnx"],
        "labels are not for the server"
    );

    let mut client = Client::new(&format!("http://127.0.0.1:{port}"));
    assert_eq!(
        client.get("/v2/health/ready").expect("an answer").status,
        200
    );
    let mut answers = BTreeMap::new();
    for n in 0..5 {
        let request = digits.request(n);
        let answer = client
            .post(&digits::infer_path("shop"), &request.body)
            .expect("an answer");
        assert!(digits::label(&answer).is_some(), "{}", answer.text());
        for header in ["mlops-revision", "mlops-variant", "mlops-version"] {
            answers.insert(header, answer.header(header).expect(header).to_owned());
        }
    }
    let expected = [
        ("mlops-revision", "main-1"),
        ("mlops-variant", "main"),
        ("mlops-version", "1"),
    ];
    assert_eq!(
        answers,
        expected
            .map(|(name, value)| (name, value.to_owned()))
            .into()
    );

    let told = client.get("/metrics").expect("metrics").text();
    let counted = told.lines().filter(|line| {
        line.starts_with("mlops_feature_values_total{") && line.contains("feature=\"middle\"")
    });
    let counted: f64 = counted
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(counted, 5.0, "the golden request is not counted: {told}");

    terminate(&running);
    let ended = running.wait(SOON);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    assert!(!ended.output.contains("hush-hush-hush"), "{}", ended.output);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

/// PAINS: kserve/kserve#4918, kserve/kserve#2529, kserve/kserve#3869.
#[test]
fn a_model_that_one_task_fetched_is_found_by_the_next_and_verified() {
    let name = "a_model_that_one_task_fetched_is_found_by_the_next_and_verified";
    let Some(mut world) = World::new(name) else {
        return;
    };
    let shared = world.work.path("shared");
    let mut task = world.task();
    task["cache"] = shared.display().to_string().into();
    let fetched = "fetches model.onnx";
    let found = "finds model.onnx";

    let said = world.serves(&task);
    assert!(said.contains(fetched) && !said.contains(found), "{said}");
    let place = shared.join("mlops-models/sha256");
    let kept = files(&place);
    assert_eq!(kept.len(), 2, "the model and its reference: {kept:?}");

    // Of the artifact the next one may read no more than what it consists of.
    let manifests = READS.replace("sha256/*", "sha256/*/manifest");
    world.gate.admit(&[&Policy::read(&manifests)]);
    let said = world.serves(&task);
    assert!(said.contains(found) && !said.contains(fetched), "{said}");
    assert_eq!(files(&place), kept);

    // Somebody changed what is kept: that is never served.
    let bytes = std::fs::read(world.work.path("source/model.onnx")).expect("the model is read");
    let model = place.join(sha256(&world.work, &bytes));
    let mut other = bytes.clone();
    other[0] ^= 1;
    std::fs::write(&model, &other).expect("written");
    let ended = world.start(&task).wait(SOON);
    assert_eq!(ended.status.code(), Some(77), "{}", ended.output);
    assert!(!ended.output.contains("listening"), "{}", ended.output);
    world.gate.admit(&[&Policy::read(READS)]);
    std::fs::write(&model, &other).expect("written");
    let said = world.serves(&task);
    assert!(
        said.contains("model.onnx is fetched anew") && said.contains(fetched),
        "{said}"
    );
    assert_eq!(std::fs::read(&model).expect("kept"), bytes);

    // Where nothing can be kept, the bucket has everything.
    let file = world.work.write("a-file", b"").display().to_string();
    task["cache"] = file.into();
    let said = world.serves(&task);
    for part in [
        "cannot look for model.onnx",
        fetched,
        "cannot keep model.onnx",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
}

/// PAINS: kserve/kserve#2529.
#[test]
fn a_disk_keeps_models_as_long_as_enough_of_it_is_free() {
    let name = "a_disk_keeps_models_as_long_as_enough_of_it_is_free";
    let Some(mut world) = World::new(name) else {
        return;
    };
    let disk = world.work.path("disk");
    let mut task = world.task();
    task["cache"] = disk.display().to_string().into();
    task["cache_free_percent"] = 0.into();
    let said = world.serves(&task);
    assert!(said.contains("fetches model.onnx"), "{said}");
    let place = disk.join("mlops-models/sha256");
    let kept = files(&place);
    assert_eq!(kept.len(), 2, "the model and its reference: {kept:?}");

    // What a task left that was killed while it kept something goes with the next start.
    std::fs::write(place.join(".unfinished-1"), b"half").expect("written");
    let said = world.serves(&task);
    assert!(said.contains("finds model.onnx"), "{said}");
    assert!(!said.contains("fetches "), "{said}");
    assert_eq!(files(&place), kept);

    // As long as a file is on it, no disk is free as a whole: models serve, and none is kept.
    task["cache_free_percent"] = 100.into();
    let said = world.serves(&task);
    for part in [
        "takes away 1 files",
        "finds model.onnx",
        "fetches mlops-reference.json",
        "cannot keep mlops-reference.json for other tasks: less than 100 % of the disk would be free",
    ] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    assert_eq!(files(&place), Vec::<String>::new());
    let said = world.serves(&task);
    assert!(said.contains("cannot keep model.onnx"), "{said}");
}

#[test]
fn each_failure_ends_a_task_before_it_listens_with_an_exit_status_of_its_own() {
    let name = "each_failure_ends_a_task_before_it_listens_with_an_exit_status_of_its_own";
    let Some(mut world) = World::new(name) else {
        return;
    };
    let good = world.task();
    let with = |digest: &str| {
        let mut task = good.clone();
        task["artifact_digest"] = digest.into();
        task
    };

    let lost = format!("sha256:{}", "ab".repeat(32));
    let (status, said) = world.fails(&with(&lost));
    assert_eq!(status, 66, "{said}");
    for part in [&lost, "s3://acme-models/ml/"] {
        assert!(said.contains(part), "no {part} in {said}");
    }

    let mut elsewhere = good.clone();
    elsewhere["artifacts"]["bucket"] = "acme-nowhere".into();
    let all = r#"{"Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}]}"#;
    world.gate.admit(&[&Policy::read(all)]);
    let (status, said) = world.fails(&elsewhere);
    assert_eq!(status, 66, "{said}");
    assert!(
        said.contains("bucket acme-nowhere does not exist"),
        "{said}"
    );

    world.gate.admit(&[]);
    let (status, said) = world.fails(&good);
    assert_eq!(status, 77, "{said}");
    for part in ["s3:GetObject", "acme-models"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    world.gate.admit(&[&Policy::read(READS)]);

    let digest = world.put("model.onnx", b"not a model");
    let (status, said) = world.fails(&with(&digest));
    assert_eq!(status, 79, "{said}");
    assert!(
        said.contains("revision \"main-1\" cannot be loaded"),
        "{said}"
    );

    let digest = world.put("notes.txt", b"no model at all");
    let (status, said) = world.fails(&with(&digest));
    assert_eq!(status, 79, "{said}");
    assert!(
        said.contains("digits/1") && said.contains("ends in .onnx"),
        "{said}"
    );

    let mut asked = good.clone();
    asked["smoke"] =
        json!({"inputs": {"inputs": [vec![0.0; 64]]}, "expect": {"predictions": {"label": [99]}}});
    let (status, said) = world.fails(&asked);
    assert_eq!(status, 80, "{said}");
    assert!(
        said.contains("golden request") && said.contains("expected 99"),
        "{said}"
    );

    let held = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = held.local_addr().expect("an address").port();
    let mut taken = good.clone();
    taken["port"] = port.into();
    let (status, said) = world.fails(&taken);
    assert_eq!(status, 98, "{said}");
    assert!(said.contains(&format!(":{port} is in use")), "{said}");

    let models = world.work.path("models").display().to_string();
    let file = world.work.write("a-file", b"").display().to_string();
    world.work.env("MLOPS_TASK_MODELS", &file);
    let (status, said) = world.fails(&good);
    assert_eq!(status, 73, "{said}");
    assert!(said.contains(&file), "{said}");
    world.work.env("MLOPS_TASK_MODELS", &models);

    // Somebody wrote over the model in the bucket: as many bytes, but others.
    let model = std::fs::read(world.work.path("source/model.onnx")).expect("the model is read");
    let hex = world.digest.trim_start_matches("sha256:");
    let key = format!("/{BUCKET}/ml/sha256/{hex}/files/model.onnx");
    let put = world.part.s3("PUT", &key, vec![7; model.len()]);
    assert_eq!(put.status, 200, "{}", put.text());
    let (status, said) = world.fails(&good);
    assert_eq!(status, 65, "{said}");
    assert!(
        said.contains("model.onnx") && said.contains("damaged"),
        "{said}"
    );
    let left = files(&world.work.path("models"));
    assert!(
        !left.contains(&"model.onnx".to_owned()),
        "nothing of it stays: {left:?}"
    );

    let nobody = format!("http://127.0.0.1:{}", workspace::free_port());
    world
        .work
        .env("AWS_ENDPOINT_URL", &nobody)
        .env("AWS_MAX_ATTEMPTS", "1");
    let (status, said) = world.fails(&good);
    assert_eq!(status, 69, "{said}");
    assert!(said.contains("no connection could be made"), "{said}");
}

/// A request of which the server has the head and waits for the body.
struct Begun {
    stream: TcpStream,
    body: Vec<u8>,
}

impl Begun {
    fn on(port: u16) -> Self {
        let body = Digits::committed().request(0).body.clone();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_read_timeout(Some(SOON)).expect("a limit");
        write!(
            stream,
            "POST {} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            digits::infer_path("shop"),
            body.len()
        )
        .expect("the head is sent");
        let mut line = String::new();
        let mut answer = BufReader::new(stream.try_clone().expect("the same stream"));
        answer.read_line(&mut line).expect("it goes on");
        assert!(line.starts_with("HTTP/1.1 100"), "{line}");
        answer.read_line(&mut line).expect("an empty line");
        Self { stream, body }
    }

    fn answer(mut self) -> String {
        self.stream.write_all(&self.body).expect("the body is sent");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

#[test]
fn a_task_that_is_stopped_answers_what_it_has_begun_within_its_time() {
    let name = "a_task_that_is_stopped_answers_what_it_has_begun_within_its_time";
    let Some(mut world) = World::new(name) else {
        return;
    };
    let running = world.start(&world.task());
    let port = listens(&running);
    let begun = Begun::on(port);
    terminate(&running);
    wait::until("it takes no new connection", SOON, || {
        TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    let answer = begun.answer();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let ended = running.wait(SOON);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    assert!(
        ended.took < Duration::from_secs(50),
        "it waited for nothing"
    );

    let mut impatient = world.task();
    impatient["drain_seconds"] = 1.into();
    let running = world.start(&impatient);
    let begun = Begun::on(listens(&running));
    terminate(&running);
    let ended = running.wait(SOON);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    assert!(ended.output.contains("\"abandoned\":1"), "{}", ended.output);
    drop(begun);
}

#[test]
fn a_task_that_is_stopped_while_it_fetches_ends_at_once() {
    let held = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let mut work = Workspace::new();
    let url = format!("http://{}", held.local_addr().expect("an address"));
    for (variable, value) in part::environment(&url) {
        work.env(variable, &value);
    }
    let models = work.path("models").display().to_string();
    let digest = format!("sha256:{}", "ab".repeat(32));
    work.env("MLOPS_TASK_MODELS", &models)
        .env("MLOPS_TASK", &task(&digest).to_string());
    let running = work.start_mlops(["serve", "--task"]);
    // It has asked, and gets no answer.
    let (mut asked, _) = held.accept().expect("a connection");
    asked.read_exact(&mut [0; 4]).expect("a request");
    let told = Instant::now();
    terminate(&running);
    let ended = running.wait(SOON);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    assert!(told.elapsed() < Duration::from_secs(10), "it waited");
}
