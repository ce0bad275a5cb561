//! How a server starts: it says who it is and where it listens, and serves what it was started with, or nothing.

mod support;

use std::os::unix::fs::PermissionsExt;

use mlops_core::serving::{
    Identity, MetricsSnapshot, Preload, ServerLimits, SmokeRequest, VariantTable, path,
};
use mlops_serve::{ServeError, Server};
use serde_json::{Value, json};
use support::{TestServer, add, routing, slow, spec};

#[tokio::test]
async fn the_server_says_who_it_is_on_a_private_socket() {
    let test = TestServer::start().await;
    let identity: Identity = test.admin_as("GET", path::IDENTITY).await;
    assert_eq!(
        (
            identity.nonce.as_str(),
            identity.pid,
            identity.endpoint.as_str()
        ),
        ("nonce", std::process::id(), "shop")
    );
    let mode = std::fs::metadata(test.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let status = test.status().await;
    assert!(status.accepting && !status.ready && status.listen == test.server.address());
}

#[tokio::test]
async fn a_taken_port_and_an_answered_socket_are_told_by_name() {
    let test = TestServer::start().await;
    let other = tempfile::tempdir().unwrap();
    let mut config = support::config(other.path(), ServerLimits::default());
    config.listen = test.server.address();
    let error = Server::start(config).await.err().unwrap();
    assert_eq!(error.exit_code(), 98);
    assert_eq!(
        error.to_string(),
        format!(
            "address {} is in use; choose another port, or stop what listens there",
            test.server.address()
        )
    );
    let config = support::config(test.dir.path(), ServerLimits::default());
    assert!(matches!(
        Server::start(config).await,
        Err(ServeError::AdminInUse { .. })
    ));
}

#[tokio::test]
async fn a_start_configuration_serves_at_once_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = support::config(dir.path(), ServerLimits::default());
    let table = routing(&[("main", 10_000, 0, &[("r1", 10_000)])]);
    (config.variants, config.weights) = (
        VariantTable {
            variants: table.variants,
        },
        table.weights,
    );
    config.preload = vec![Preload {
        revision: "r1".into(),
        spec: spec("add", 1),
        smoke: None,
    }];
    let mut bad = config.clone();
    bad.preload[0].spec.file.sha256 = "0".repeat(64);
    let error = Server::start(bad).await.err().unwrap();
    assert_eq!(error.exit_code(), 79);
    assert!(
        error
            .to_string()
            .starts_with("revision \"r1\" cannot be loaded: model file "),
        "{error}"
    );
    let golden = |expect: Value| {
        let mut asked = config.clone();
        asked.preload[0].smoke = Some(SmokeRequest {
            inputs: add(2.0),
            expect: Some(expect),
        });
        asked
    };
    let error = Server::start(golden(json!([2.0, 1.0])))
        .await
        .err()
        .unwrap();
    assert_eq!(error.exit_code(), 80);
    assert_eq!(
        error.to_string(),
        "revision \"r1\" failed its golden request and is not served: answer[1] is 0.0, expected 1.0"
    );
    let test = TestServer {
        server: Server::start(golden(json!([2.0, 0.0]))).await.unwrap(),
        dir,
    };
    assert_eq!(
        test.post("/v2/models/shop/infer", &add(2.0)).await.json()["outputs"][0]["data"],
        json!([2.0, 0.0])
    );
    let counted: MetricsSnapshot = test.admin_as("GET", path::METRICS_SNAPSHOT).await;
    let requests = counted.revisions["r1"].live.requests;
    assert_eq!(requests, 1, "the golden request is not counted");
}

#[tokio::test]
async fn nobody_can_connect_before_the_golden_request_is_answered() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let dir = tempfile::tempdir().unwrap();
    let mut config = support::config(dir.path(), ServerLimits::default());
    config.listen = address;
    config.preload = vec![Preload {
        revision: "r1".into(),
        spec: spec("slow", 1),
        smoke: Some(SmokeRequest {
            inputs: slow(300),
            expect: Some(json!({"outputs": []})),
        }),
    }];
    let starting = tokio::spawn(Server::start(config));
    let mut refused = 0;
    while !starting.is_finished() {
        let connected = tokio::net::TcpStream::connect(address).await;
        assert!(connected.is_err(), "after {refused} refusals");
        refused += 1;
        tokio::task::yield_now().await;
    }
    let error = starting.await.unwrap().err().unwrap();
    assert!(matches!(error, ServeError::Smoke { .. }), "{error}");
    assert!(refused > 0, "it ended before anybody asked");
}

#[tokio::test]
async fn a_server_on_every_address_answers_on_those_of_both_families() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = support::config(dir.path(), ServerLimits::default());
    config.listen = "[::]:0".parse().unwrap();
    let server = Server::start(config).await.unwrap();
    let port = server.address().port();
    for address in ["127.0.0.1", "[::1]"] {
        tokio::net::TcpStream::connect(format!("{address}:{port}"))
            .await
            .unwrap_or_else(|error| panic!("{address}: {error}"));
    }
}
