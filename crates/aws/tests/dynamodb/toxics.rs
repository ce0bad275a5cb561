//! A bad network between the adapter and DynamoDB, by Toxiproxy.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use mlops_core::artifacts::ArtifactStore;
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::memory::MemoryArtifacts;
use mlops_core::names::ModelName;
use mlops_core::registry::{ModelSpec, NewVersion, Registry, VersionDeletionPolicy, VersionSpec};
use serde_json::{Value, json};

use crate::support::{part, table};

/// Asks Toxiproxy's API.
async fn ask(api: &str, path: &str, body: &Value) -> Value {
    let request = Request::post(format!("{api}{path}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a request");
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let answer = client.request(request).await.expect("an answer");
    let status = answer.status();
    let text = answer
        .into_body()
        .collect()
        .await
        .expect("its end")
        .to_bytes();
    assert!(
        status.is_success(),
        "{path}: {}",
        String::from_utf8_lossy(&text)
    );
    serde_json::from_slice(&text).expect("JSON")
}

/// A way to `url` with these toxics; its URL.
async fn way(api: &str, url: &str, toxics: &[Value]) -> String {
    let name = uuid::Uuid::new_v4().simple().to_string();
    let upstream = url.strip_prefix("http://").expect("a plain URL");
    let proxy = json!({"name": name, "listen": "127.0.0.1:0", "upstream": upstream});
    let made = ask(api, "/proxies", &proxy).await;
    for toxic in toxics {
        ask(api, &format!("/proxies/{name}/toxics"), toxic).await;
    }
    format!("http://{}", made["listen"].as_str().expect("an address"))
}

/// Four programs that register versions of one model at the same time, over this way.
async fn register(url: &str, table: &str, each: usize) -> Vec<u64> {
    let artifacts = Arc::new(MemoryArtifacts::default());
    let artifact = artifacts
        .put_bytes("model.onnx", b"a model")
        .expect("stored");
    let model = ModelName::new("fraud").expect("legal");
    let registry = || {
        let artifacts: Arc<dyn ArtifactStore> = artifacts.clone();
        let records = Arc::new(table::records(url, table));
        let clock = Arc::new(SystemClock::default());
        Registry::new(records, artifacts, clock, Arc::new(RandomIds))
    };
    let made = registry().create_model(&model, ModelSpec::default()).await;
    made.unwrap_or_else(|error| panic!("{}", error.chain()));
    let new = NewVersion {
        model,
        spec: VersionSpec {
            artifact,
            framework: "onnx".into(),
            image: None,
            signature: None,
            params: Default::default(),
            lineage: None,
            smoke: None,
        },
        metrics: Default::default(),
        tags: Default::default(),
        approval: None,
        deletion_policy: VersionDeletionPolicy::default(),
        nonce: None,
    };
    let programs = (0..4).map(|_| {
        let (registry, new) = (registry(), new.clone());
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for _ in 0..each {
                let made = registry.register_version(new.clone()).await;
                let made = made.unwrap_or_else(|error| panic!("{}", error.chain()));
                numbers.push(made.id.version);
            }
            numbers
        })
    });
    let mut numbers = Vec::new();
    for program in programs.collect::<Vec<_>>() {
        numbers.extend(program.await.expect("no panic"));
    }
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn on_a_slow_line_every_version_gets_its_number() {
    let (Some(part), Some(toxiproxy)) = (part::dynamodb_local(), part::toxiproxy()) else {
        return;
    };
    let table = table::create(&part.url).await;
    let latency = json!({"type": "latency", "attributes": {"latency": 60, "jitter": 40}});
    let url = way(&toxiproxy.url, &part.url, &[latency]).await;
    let began = Instant::now();
    assert_eq!(
        register(&url, &table, 5).await,
        (1..=20).collect::<Vec<_>>()
    );
    // The toxics are there: a version needs two calls at least, one after the other.
    assert!(began.elapsed() > Duration::from_millis(20 * 2 * 20));
}

#[tokio::test]
async fn where_connections_break_every_version_gets_its_number_once() {
    let (Some(part), Some(toxiproxy)) = (part::dynamodb_local(), part::toxiproxy()) else {
        return;
    };
    let table = table::create(&part.url).await;
    // Of four connections one is reset when its first answer comes; the others end in the middle of an answer.
    let resets = json!({"type": "reset_peer", "toxicity": 0.25, "attributes": {"timeout": 20}});
    let ends = json!({"type": "limit_data", "attributes": {"bytes": 6000}});
    let latency = json!({"type": "latency", "attributes": {"latency": 20, "jitter": 15}});
    let url = way(&toxiproxy.url, &part.url, &[resets, ends, latency]).await;
    assert_eq!(
        register(&url, &table, 5).await,
        (1..=20).collect::<Vec<_>>()
    );
}
