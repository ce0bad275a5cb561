//! A registry in memory, and requests to it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mlops_api::{Api, Request, Response, Settings, Sources};
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::memory::{ManualClock, MemoryArtifacts, MemoryRecords};
use mlops_core::registry::Registry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that takes milliseconds.
const SOON: Duration = Duration::from_secs(30);

/// A registry, what answers for it, and a directory with models.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) api: Api,
    pub(crate) files: tempfile::TempDir,
    ingesting: CancellationToken,
}

impl World {
    /// One in which time stands still and nothing is ingested yet.
    pub(crate) fn still() -> Self {
        let registry = Registry::new(
            Arc::new(MemoryRecords::default()),
            Arc::new(MemoryArtifacts::default()),
            Arc::new(ManualClock::default()),
            Arc::new(RandomIds),
        );
        Self::over(registry, everywhere())
    }

    /// One that ingests.
    pub(crate) fn new() -> Self {
        Self::with(everywhere())
    }

    /// One that ingests, set up like this.
    pub(crate) fn with(settings: Settings) -> Self {
        let registry = Registry::new(
            Arc::new(MemoryRecords::default()),
            Arc::new(MemoryArtifacts::default()),
            Arc::new(SystemClock::default()),
            Arc::new(RandomIds),
        );
        let world = Self::over(registry, settings);
        world.ingest();
        world
    }

    /// What answers for a registry, anew: as after a restart.
    pub(crate) fn over(registry: Registry, settings: Settings) -> Self {
        Self {
            api: Api::new(registry.clone(), settings),
            registry,
            files: tempfile::tempdir().unwrap(),
            ingesting: CancellationToken::new(),
        }
    }

    /// Starts to ingest; ends with this value.
    pub(crate) fn ingest(&self) {
        let (api, stop) = (self.api.clone(), self.ingesting.clone());
        tokio::spawn(async move { api.ingest(stop).await.unwrap() });
    }

    /// A directory as MLflow saves an ONNX model.
    pub(crate) fn model(&self, name: &str) -> PathBuf {
        let at = self.files.path().join(name);
        std::fs::create_dir_all(at.join("data")).unwrap();
        std::fs::copy(onnx(), at.join("model.onnx")).unwrap();
        std::fs::write(at.join("MLmodel"), format!("model_uuid: {name}\n")).unwrap();
        std::fs::write(at.join("data/labels.txt"), "0\n1\n").unwrap();
        at
    }

    pub(crate) async fn send(&self, request: Request) -> Response {
        self.api.answer(request).await.unwrap()
    }

    /// A request to MLflow's API: status and JSON.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let response = self
            .send(request(method, &format!("/api/2.0/mlflow/{path}"), body))
            .await;
        let body = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        (response.status, body)
    }

    /// A request that is done, or the test fails.
    pub(crate) async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// A request that is refused: its code, and a message that holds all parts.
    pub(crate) async fn refused(
        &self,
        (method, path, body): (&str, &str, Value),
        (status, code): (u16, &str),
        parts: &[&str],
    ) {
        let (found, answer) = self.ask(method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {answer}");
        assert_eq!(answer["error_code"], code, "{method} {path}: {answer}");
        let message = answer["message"].as_str().unwrap();
        for part in parts {
            assert!(
                message.contains(part),
                "{method} {path}: no {part:?} in {message:?}"
            );
        }
    }

    pub(crate) async fn create_model(&self, name: &str) {
        self.done("POST", "registered-models/create", json!({ "name": name }))
            .await;
    }

    /// Registers `source` and waits until that is done, well or not.
    pub(crate) async fn register(&self, name: &str, source: &str, tags: Value) -> Value {
        let body = json!({ "name": name, "source": source, "tags": tags });
        let made = self.done("POST", "model-versions/create", body).await;
        let version = made["model_version"]["version"]
            .as_str()
            .unwrap()
            .to_owned();
        self.settled(name, &version).await
    }

    /// A version once it is no longer pending.
    pub(crate) async fn settled(&self, name: &str, version: &str) -> Value {
        let path = format!("model-versions/get?name={name}&version={version}");
        let started = Instant::now();
        loop {
            let found = self.done("GET", &path, Value::Null).await["model_version"].clone();
            if found["status"] != "PENDING_REGISTRATION" {
                return found;
            }
            assert!(started.elapsed() < SOON, "still pending: {found}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A model with a version that can be used.
    pub(crate) async fn ready(&self, name: &str) -> PathBuf {
        self.create_model(name).await;
        let at = self.model(name);
        let version = self.register(name, at.to_str().unwrap(), json!([])).await;
        assert_eq!(version["status"], "READY", "{version}");
        at
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.ingesting.cancel();
    }
}

pub(crate) fn everywhere() -> Settings {
    Settings {
        sources: Sources::everywhere(),
        ..Settings::default()
    }
}

pub(crate) fn onnx() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart/models/digits-v1.onnx")
}

pub(crate) fn request(method: &str, target: &str, body: Value) -> Request {
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![("host".to_owned(), "127.0.0.1:5000".to_owned())],
        body: match body {
            Value::Null => bytes::Bytes::new(),
            body => body.to_string().into(),
        },
    }
}
