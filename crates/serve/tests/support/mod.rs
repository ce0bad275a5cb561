//! A server on a free port, and clients of both its sides.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HeaderMap;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use mlops_core::serving::{
    LogTarget, ModelFile, RevisionLimits, RevisionSpec, RevisionState, RevisionStatus,
    RoutingTable, ServerConfig, ServerLimits, Status, VariantRoute, VariantTable, Weights, path,
};
use mlops_serve::Server;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};

pub(crate) fn model_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/models")
        .join(format!("{name}.onnx"))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A revision of variant `main` that serves a model of `tests/models`.
pub(crate) fn spec(model: &str, version: u64) -> RevisionSpec {
    let file = model_file(model);
    let digest = sha256(&std::fs::read(&file).unwrap());
    RevisionSpec {
        variant: "main".into(),
        model: "registered".into(),
        version,
        digest: format!("sha256:{digest}"),
        file: ModelFile {
            path: file,
            sha256: digest,
        },
        reference: None,
        limits: RevisionLimits::default(),
    }
}

/// A variant's name, traffic and shadow share, and the weights of its revisions.
pub(crate) type Routed<'a> = (&'a str, u32, u32, &'a [(&'a str, u32)]);

/// A whole routing: each variant with its traffic, its shadow share, and the weights of its revisions.
pub(crate) fn routing(of: &[Routed<'_>]) -> RoutingTable {
    let mut table = RoutingTable::default();
    for (name, traffic, shadow, shares) in of {
        let route = VariantRoute {
            traffic: *traffic,
            shadow: *shadow,
        };
        table.variants.insert((*name).to_owned(), route);
        table.weights.insert((*name).to_owned(), weights(shares));
    }
    table
}

fn weights(of: &[(&str, u32)]) -> Weights {
    Weights(
        of.iter()
            .map(|(name, share)| (name.to_string(), *share))
            .collect(),
    )
}

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub(crate) fn error(&self) -> String {
        self.json()["error"]
            .as_str()
            .unwrap_or_else(|| panic!("no error: {:?}", self.body))
            .to_string()
    }
}

/// One connection, kept alive.
pub(crate) struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> hyper::Result<Response> {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path);
        request = request.header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.0.ready().await?;
        let response = self
            .0
            .send_request(request.body(Full::new(body.into())).unwrap())
            .await?;
        let (parts, body) = response.into_parts();
        Ok(Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

async fn connection(
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
) -> Connection {
    let (sender, connection) = handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    Connection(sender)
}

pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) dir: TempDir,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(ServerLimits::default()).await
    }

    pub(crate) async fn start_with(limits: ServerLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(config(dir.path(), limits)).await.unwrap();
        Self { server, dir }
    }

    /// A server whose variant `main` serves one revision `r1`.
    pub(crate) async fn serving(model: &str) -> Self {
        Self::serving_spec(spec(model, 1), ServerLimits::default()).await
    }

    pub(crate) async fn serving_spec(spec: RevisionSpec, limits: ServerLimits) -> Self {
        let test = Self::start_with(limits).await;
        test.load("r1", &spec).await;
        test.put_ok(
            path::ROUTING,
            &routing(&[("main", 10_000, 0, &[("r1", 10_000)])]),
        )
        .await;
        test
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("admin")
    }

    pub(crate) async fn connect(&self) -> Connection {
        connection(TcpStream::connect(self.server.address()).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.connect()
            .await
            .request("GET", path, &[], "")
            .await
            .unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.post_with(
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response {
        self.connect()
            .await
            .request("POST", path, headers, body)
            .await
            .unwrap()
    }

    pub(crate) async fn admin(&self, method: &str, path: &str, body: &Value) -> Response {
        let mut admin = connection(UnixStream::connect(self.socket()).await.unwrap()).await;
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        admin.request(method, path, &[], body).await.unwrap()
    }

    pub(crate) async fn admin_as<T: DeserializeOwned>(&self, method: &str, path: &str) -> T {
        let response = self.admin(method, path, &Value::Null).await;
        assert_eq!(response.status, 200, "{method} {path}: {:?}", response.body);
        serde_json::from_slice(&response.body).unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: &impl serde::Serialize) -> Response {
        self.admin("PUT", path, &serde_json::to_value(body).unwrap())
            .await
    }

    pub(crate) async fn put_ok(&self, path: &str, body: &impl serde::Serialize) {
        let response = self.put(path, body).await;
        assert!(
            matches!(response.status, 200 | 202),
            "PUT {path}: {} {:?}",
            response.status,
            response.body
        );
    }

    pub(crate) async fn status(&self) -> Status {
        self.admin_as("GET", path::STATUS).await
    }

    /// Puts a revision and waits until it is ready or failed.
    pub(crate) async fn load(&self, name: &str, spec: &RevisionSpec) -> RevisionStatus {
        self.put_ok(&path::revision(name), spec).await;
        self.loaded(name).await
    }

    pub(crate) async fn loaded(&self, name: &str) -> RevisionStatus {
        let mut last = None;
        eventually(async || {
            let status: RevisionStatus = self.admin_as("GET", &path::revision(name)).await;
            let done = status.state != RevisionState::Loading;
            last = Some(status);
            done
        })
        .await;
        last.unwrap()
    }
}

pub(crate) fn config(dir: &Path, limits: ServerLimits) -> ServerConfig {
    ServerConfig {
        endpoint: "shop".into(),
        listen: "127.0.0.1:0".parse().unwrap(),
        admin_socket: Some(dir.join("admin")),
        nonce: "nonce".into(),
        log: LogTarget::File {
            path: dir.join("log"),
            max_bytes: 64 << 20,
        },
        limits,
        variants: VariantTable::default(),
        preload: vec![],
        weights: BTreeMap::new(),
    }
}

/// Waits until a condition holds; fails after half a minute.
pub(crate) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .expect("the condition never held");
}

/// A request that the `add` model understands, and its sum is the given number.
pub(crate) fn add(sum: f32) -> Value {
    let input = |name: &str, data: [f32; 2]| json!({"name": name, "shape": [1, 2], "datatype": "FP32", "data": data});
    json!({"inputs": [input("a", [sum, 0.0]), input("b", [0.0, 0.0])]})
}

/// A request for the `slow` model, whose work grows with the cube of `n`: at 300 a tenth of a second or some, at 600 eight
/// times as long.
pub(crate) fn slow(n: usize) -> Value {
    json!({"inputs": [{"name": "x", "shape": [n, 1], "datatype": "FP32", "data": vec![0.0; n]}]})
}
