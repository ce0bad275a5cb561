//! What the admin side does to requests that are under way: nothing, other than sending them elsewhere.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use mlops_core::serving::{
    MetricsSnapshot, Removal, RemovalState, RevisionState, RevisionStatus, SmokeReport, Window,
    path,
};
use serde_json::{Value, json};
use support::{TestServer, add, eventually, routing, slow, spec};

#[tokio::test]
async fn a_revision_is_put_once_and_again_without_harm_but_never_changed() {
    let test = TestServer::start().await;
    let first = spec("add", 1);
    assert_eq!(test.load("r1", &first).await.state, RevisionState::Ready);
    let again = test.put(&path::revision("r1"), &first).await;
    assert_eq!(
        (again.status, &again.json()["state"]),
        (200, &json!("ready"))
    );
    let other = test.put(&path::revision("r1"), &spec("add", 2)).await;
    assert_eq!(other.status, 409);
    assert_eq!(
        other.json(),
        json!({
            "code": "conflict",
            "message": "revision \"r1\" exists with another specification; a revision never changes, use a new name",
        })
    );
    let unknown = test.admin("GET", &path::revision("r9"), &Value::Null).await;
    assert_eq!(
        (unknown.status, &unknown.json()["code"]),
        (404, &json!("not_found"))
    );
    let bad = test
        .put(&path::revision("r 2").replace(' ', "+"), &first)
        .await;
    assert_eq!((bad.status, &bad.json()["code"]), (400, &json!("invalid")));
}

#[tokio::test]
async fn a_file_with_another_digest_is_never_run() {
    let test = TestServer::start().await;
    let file = test.dir.path().join("model.onnx");
    std::fs::copy(support::model_file("gather"), &file).unwrap();
    let mut spec = spec("add", 1);
    spec.file.path = file.clone();
    let status = test.load("r1", &spec).await;
    assert_eq!(status.state, RevisionState::Failed);
    let is = support::sha256(&std::fs::read(&file).unwrap());
    assert_eq!(
        status.failure.unwrap(),
        format!(
            "model file {file:?} has SHA-256 {is}, not {} as the registry recorded; it is not loaded",
            spec.file.sha256
        )
    );
    // The right bytes in place, the same PUT tries again.
    std::fs::copy(support::model_file("add"), &file).unwrap();
    assert_eq!(test.load("r1", &spec).await.state, RevisionState::Ready);
}

#[tokio::test]
async fn files_that_are_no_models_fail_to_load_with_the_reason() {
    let test = TestServer::start().await;
    let whole = std::fs::read(support::model_file("iris_forest")).unwrap();
    let cases: [(&str, Vec<u8>, &str); 3] = [
        (
            "text",
            b"not a model".to_vec(),
            "the file is not an ONNX model",
        ),
        ("empty", vec![], "the file is empty"),
        (
            "cut",
            whole[..whole.len() / 2].to_vec(),
            "the ONNX model is truncated: the file ends before the graph does",
        ),
    ];
    for (name, bytes, reason) in cases {
        let mut spec = spec("add", 1);
        spec.file.path = test.dir.path().join(name);
        std::fs::write(&spec.file.path, &bytes).unwrap();
        spec.file.sha256 = support::sha256(&bytes);
        let status = test.load(name, &spec).await;
        assert_eq!(
            status.failure.unwrap(),
            format!("model file {:?}: {reason}", spec.file.path)
        );
    }
    let mut missing = spec("add", 1);
    missing.file.path = test.dir.path().join("missing");
    let failure = test.load("missing", &missing).await.failure.unwrap();
    assert!(
        failure.contains("cannot be read: No such file"),
        "{failure}"
    );
}

#[tokio::test]
async fn weights_that_cannot_hold_are_refused_whole() {
    let test = TestServer::serving("add").await;
    let whole = [("r1", 10_000)];
    let cases = [
        (
            routing(&[("main", 10_000, 0, &[("r1", 9_999)])]),
            400,
            "weights of the revisions sum to 9999, not to 10000 (one share is a hundredth of a percent)",
        ),
        (
            routing(&[("main", 10_000, 0, &[("r1", 5_000), ("r2", 5_000)])]),
            404,
            "variant \"main\" has no revision \"r2\"",
        ),
        (
            routing(&[("main", 10_000, 0, &whole), ("else", 0, 0, &whole)]),
            404,
            "variant \"else\" has no revision \"r1\"",
        ),
        (
            routing(&[("main", 1, 0, &whole)]),
            400,
            "traffic shares of the variants sum to 1, not to 10000 (one share is a hundredth of a percent)",
        ),
    ];
    for (table, status, message) in cases {
        let answer = test.put(path::ROUTING, &table).await;
        assert_eq!(
            (answer.status, answer.json()["message"].as_str().unwrap()),
            (status, message)
        );
    }
    let nobody = serde_json::json!({"variants": {}, "weights": {"main": {"r1": 10_000}}});
    let answer = test.put(path::ROUTING, &nobody).await;
    assert_eq!(
        (answer.status, answer.json()["message"].as_str().unwrap()),
        (
            400,
            "there are weights of variant \"main\", which the table does not have"
        )
    );
    let mut bad = spec("add", 2);
    bad.file.sha256 = "0".repeat(64);
    test.load("bad", &bad).await;
    let answer = test
        .put(
            path::ROUTING,
            &routing(&[("main", 10_000, 0, &[("r1", 9_000), ("bad", 1_000)])]),
        )
        .await;
    assert_eq!(
        (answer.status, answer.json()["message"].as_str().unwrap()),
        (409, "revision \"bad\" is failed, not ready")
    );
    assert_eq!(
        test.status().await.revision("r1").unwrap().weight,
        10_000,
        "nothing changed"
    );
}

#[tokio::test]
async fn a_split_is_exact_within_one_request() {
    let test = TestServer::serving("add").await;
    test.load("r2", &spec("add", 2)).await;
    test.put_ok(
        path::ROUTING,
        &routing(&[("main", 10_000, 0, &[("r1", 9_000), ("r2", 1_000)])]),
    )
    .await;
    let mut connection = test.connect().await;
    let body = add(1.0).to_string();
    let mut second = 0;
    for n in 1..=100 {
        let answer = connection
            .request("POST", "/v2/models/shop/infer", &[], body.clone())
            .await
            .unwrap();
        second += usize::from(answer.header("mlops-version") == "2");
        assert!((second * 10).abs_diff(n) <= 10, "{second} of {n}");
    }
    assert_eq!(second, 10);
    // Variants split the same way, and each can be asked by name.
    let mut other = spec("add", 5);
    other.variant = "other".into();
    test.load("r3", &other).await;
    test.put_ok(
        path::ROUTING,
        &routing(&[
            ("main", 7_500, 0, &[("r1", 9_000), ("r2", 1_000)]),
            ("other", 2_500, 0, &[("r3", 10_000)]),
        ]),
    )
    .await;
    let mut by_variant: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..100 {
        let answer = connection.request(
            "POST",
            "/invocations",
            &[],
            json!({"inputs": {"a": [[1, 2]], "b": [[1, 2]]}}).to_string(),
        );
        *by_variant
            .entry(answer.await.unwrap().header("mlops-variant").to_string())
            .or_default() += 1;
    }
    assert_eq!(
        by_variant,
        [("main".to_string(), 75), ("other".to_string(), 25)].into()
    );
    let answer = connection
        .request("POST", "/v2/models/other/infer", &[], body.clone())
        .await
        .unwrap();
    assert_eq!(answer.header("mlops-revision"), "r3");
    let answer = connection
        .request("POST", "/v2/models/registered/versions/5/infer", &[], body)
        .await
        .unwrap();
    assert_eq!(answer.header("mlops-revision"), "r3");
}

/// Clients that ask without pause until told to stop; returns answers by status, and those that broke off.
async fn load(
    test: &TestServer,
    clients: usize,
    stop: &Arc<AtomicBool>,
) -> tokio::task::JoinHandle<BTreeMap<u16, u64>> {
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let mut connection = test.connect().await;
        let stop = Arc::clone(stop);
        let body = add(3.0).to_string();
        tasks.push(tokio::spawn(async move {
            let mut seen: BTreeMap<u16, u64> = BTreeMap::new();
            while !stop.load(SeqCst) {
                let answer = connection
                    .request("POST", "/v2/models/shop/infer", &[], body.clone())
                    .await;
                *seen.entry(answer.map_or(0, |a| a.status)).or_default() += 1;
            }
            seen
        }));
    }
    tokio::spawn(async move {
        let mut sum: BTreeMap<u16, u64> = BTreeMap::new();
        for task in tasks {
            for (status, count) in task.await.unwrap() {
                *sum.entry(status).or_default() += count;
            }
        }
        sum
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_revisions_are_added_shifted_and_removed() {
    let test = TestServer::serving("add").await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(&test, 8, &stop).await;
    for round in 2..8u64 {
        let (old, new) = (format!("r{}", round - 1), format!("r{round}"));
        assert_eq!(
            test.load(&new, &spec("add", round)).await.state,
            RevisionState::Ready
        );
        for share in [1_000, 5_000, 10_000] {
            test.put_ok(
                path::ROUTING,
                &routing(&[("main", 10_000, 0, &[(&old, 10_000 - share), (&new, share)])]),
            )
            .await;
            let before: MetricsSnapshot = test.admin_as("GET", path::METRICS_SNAPSHOT).await;
            eventually(async || {
                let now: MetricsSnapshot = test.admin_as("GET", path::METRICS_SNAPSHOT).await;
                Window::between(&before, &now, &new).unwrap().answered() >= 20
            })
            .await;
        }
        eventually(async || {
            let removal: Removal = test
                .admin_as("DELETE", &path::revision_removal(&old, 10))
                .await;
            removal.state == RemovalState::Gone
        })
        .await;
    }
    stop.store(true, SeqCst);
    let seen = clients.await.unwrap();
    assert_eq!(seen.keys().collect::<Vec<_>>(), [&200], "{seen:?}");
    assert!(seen[&200] > 300, "{seen:?}");
    assert_eq!(test.status().await.variants["main"].revisions.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_revision_takes_nothing_new_and_answers_what_it_has() {
    let test = TestServer::serving("slow").await;
    let mut connection = test.connect().await;
    let under_way = tokio::spawn(async move {
        connection
            .request("POST", "/v2/models/shop/infer", &[], slow(600).to_string())
            .await
    });
    eventually(async || {
        test.status()
            .await
            .revision("r1")
            .is_some_and(|r| r.in_flight == 1)
    })
    .await;
    let removal: Removal = test
        .admin_as("DELETE", &path::revision_removal("r1", 30))
        .await;
    assert_eq!(
        (removal.state, removal.in_flight),
        (RemovalState::Draining, 1)
    );
    let status: RevisionStatus = test.admin_as("GET", &path::revision("r1")).await;
    assert_eq!((status.state, status.weight), (RevisionState::Draining, 0));
    let refused = test.post("/v2/models/shop/infer", &slow(2)).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.error(), "model \"shop\" is not ready; try again");
    let again = test.put(&path::revision("r1"), &spec("slow", 1)).await;
    assert_eq!(
        (again.status, again.json()["message"].as_str().unwrap()),
        (409, "revision \"r1\" is being removed; use a new name")
    );
    assert_eq!(under_way.await.unwrap().unwrap().status, 200);
    eventually(async || {
        let removal: Removal = test
            .admin_as("DELETE", &path::revision_removal("r1", 30))
            .await;
        removal
            == Removal {
                state: RemovalState::Gone,
                in_flight: 0,
            }
    })
    .await;
}

#[tokio::test]
async fn shadow_requests_are_counted_apart_and_never_answered() {
    let test = TestServer::serving("add").await;
    let mut shadow = spec("gather", 2);
    shadow.variant = "candidate".into();
    test.load("s1", &shadow).await;
    test.put_ok(
        path::ROUTING,
        &routing(&[
            ("main", 10_000, 0, &[("r1", 10_000)]),
            ("candidate", 0, 2_500, &[("s1", 10_000)]),
        ]),
    )
    .await;
    for n in 0..40u8 {
        let answer = test.post("/v2/models/shop/infer", &add(f32::from(n))).await;
        assert_eq!(
            (answer.status, answer.header("mlops-revision")),
            (200, "r1")
        );
    }
    let mut seen = None;
    eventually(async || {
        let now: MetricsSnapshot = test.admin_as("GET", path::METRICS_SNAPSHOT).await;
        let all = now.revisions["s1"].shadow.requests == 10;
        seen = Some(now);
        all
    })
    .await;
    let seen = seen.unwrap();
    // The candidate takes other inputs, so it refuses every copy: no client ever learns of it.
    assert_eq!(
        (
            seen.revisions["s1"].shadow.refused,
            seen.revisions["s1"].live.requests
        ),
        (10, 0)
    );
    assert_eq!(
        (
            seen.revisions["r1"].live.requests,
            seen.revisions["r1"].live.refused
        ),
        (40, 0)
    );
    let metrics = String::from_utf8(test.get("/metrics").await.body.to_vec()).unwrap();
    let line = "mlops_requests_total{endpoint=\"shop\",variant=\"candidate\",version=\"2\",revision=\"s1\",traffic=\"shadow\"} 10";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn smoke_asks_one_revision_and_leaves_no_trace_in_its_metrics() {
    let test = TestServer::start().await;
    test.load("r1", &spec("iris_logistic", 1)).await;
    let case: Value = serde_json::from_str(
        &std::fs::read_to_string(support::model_file("iris_logistic").with_extension("json"))
            .unwrap(),
    )
    .unwrap();
    let rows = &case["inputs"]["X"];
    let labels = &case["outputs"]["label"];
    let smoke = async |body: Value| -> SmokeReport {
        let answer = test.admin("POST", &path::smoke("r1"), &body).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        serde_json::from_slice(&answer.body).unwrap()
    };
    let passed = smoke(json!({"inputs": rows, "expect": labels})).await;
    assert!(passed.passed, "{passed:?}");
    assert!(
        smoke(json!({"inputs": {"instances": rows}, "expect": {"predictions": {"label": labels}}}))
            .await
            .passed
    );
    let tensors =
        json!({"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": rows[0]}]});
    assert!(
        smoke(json!({"inputs": tensors, "expect": [labels[0]]}))
            .await
            .passed
    );
    let wrong = smoke(json!({"inputs": [rows[0]], "expect": [9]})).await;
    assert_eq!(
        (wrong.passed, wrong.mismatch.as_deref()),
        (false, Some("answer[0] is 0, expected 9"))
    );
    let failed = smoke(json!({"inputs": [[1, 2]]})).await;
    assert_eq!((failed.passed, failed.status), (false, 400));
    assert!(
        failed
            .mismatch
            .unwrap()
            .starts_with("answered 400: input \"X\": shape [1, 2]")
    );
    let snapshot: MetricsSnapshot = test.admin_as("GET", path::METRICS_SNAPSHOT).await;
    assert_eq!(snapshot.revisions["r1"].live.requests, 0);
    let unknown = test
        .admin("POST", &path::smoke("r9"), &json!({"inputs": []}))
        .await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_answers_what_is_under_way_and_takes_nothing_new() {
    let test = TestServer::serving("slow").await;
    let (address, socket) = (test.server.address(), test.socket());
    let mut idle = test.connect().await;
    assert_eq!(
        idle.request("GET", "/ping", &[], "").await.unwrap().status,
        200
    );
    let mut connection = test.connect().await;
    let under_way = tokio::spawn(async move {
        connection
            .request("POST", "/v2/models/shop/infer", &[], slow(600).to_string())
            .await
    });
    eventually(async || {
        test.status()
            .await
            .revision("r1")
            .is_some_and(|r| r.in_flight == 1)
    })
    .await;
    let answer = test.admin("POST", &path::shutdown(30), &Value::Null).await;
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"in_flight": 1}))
    );
    eventually(async || tokio::net::TcpStream::connect(address).await.is_err()).await;
    assert!(
        !test.status().await.accepting,
        "the admin side stays until the end"
    );
    assert!(
        idle.request("GET", "/ping", &[], "").await.is_err(),
        "idle connections are closed"
    );
    assert_eq!(under_way.await.unwrap().unwrap().status, 200);
    let dir = test.dir;
    tokio::time::timeout(Duration::from_secs(20), test.server.stopped())
        .await
        .unwrap();
    assert!(!socket.exists());
    drop(dir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_does_not_wait_beyond_its_limit() {
    let test = TestServer::serving("add").await;
    // A client that begins a request and never ends it.
    use tokio::io::AsyncWriteExt;
    let mut stuck = tokio::net::TcpStream::connect(test.server.address())
        .await
        .unwrap();
    stuck
        .write_all(b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\n{")
        .await
        .unwrap();
    eventually(async || {
        let answer = test.admin("POST", &path::shutdown(600), &Value::Null).await;
        answer.json()["in_flight"] == 1 || answer.status != 202
    })
    .await;
    test.admin("POST", &path::shutdown(0), &Value::Null).await;
    tokio::time::timeout(Duration::from_secs(5), test.server.stopped())
        .await
        .expect("the limit was shortened to nothing");
}
