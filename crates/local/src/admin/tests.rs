//! The client against a socket that plays one scripted answer, byte by byte.

use std::path::Path;
use std::time::Duration;

use mlops_core::Class;
use mlops_core::serving::{RevisionSpec, RoutingTable};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use hyper::Method;

use super::{AdminClient, transport, whole_seconds};

/// Accepts one connection, reads until the request is whole, answers, and hands the request back.
fn play(socket: &Path, answer: impl Into<String>) -> JoinHandle<String> {
    let answer = answer.into();
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let n = stream.read(&mut piece).await.unwrap();
            request.extend_from_slice(&piece[..n]);
            let text = String::from_utf8_lossy(&request).to_lowercase();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |n| n.parse::<usize>().unwrap());
            if body.len() >= length {
                break;
            }
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    })
}

fn whole(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_call_sends_the_documented_request_and_reads_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let server = play(
        &socket,
        whole("200 OK", "{\"state\":\"draining\",\"in_flight\":3}"),
    );
    let removal = AdminClient::new(&socket)
        .delete_revision("r1", Duration::from_millis(1500))
        .await
        .unwrap();
    assert_eq!(removal.in_flight, 3);
    let request = server.await.unwrap();
    assert!(
        request.starts_with("DELETE /revisions/r1?drain_seconds=2 HTTP/1.1\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_refusal_keeps_its_class_and_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let server = play(
        &socket,
        whole(
            "409 Conflict",
            "{\"code\":\"conflict\",\"message\":\"revision r1 is loading\"}",
        ),
    );
    let error = AdminClient::new(&socket)
        .put_routing(&RoutingTable::default())
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Conflict);
    assert_eq!(
        error.chain().to_string(),
        "the model server refused PUT /routing: revision r1 is loading"
    );
    let request = server.await.unwrap();
    assert!(
        request.ends_with("{\"variants\":{},\"weights\":{}}"),
        "{request}"
    );
}

#[tokio::test]
async fn an_unknown_revision_is_none_and_not_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let server = play(
        &socket,
        whole(
            "404 Not Found",
            "{\"code\":\"not_found\",\"message\":\"no such revision\"}",
        ),
    );
    assert_eq!(
        AdminClient::new(&socket).revision("r9").await.unwrap(),
        None
    );
    server.await.unwrap();
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let error = AdminClient::new(dir.path().join("none"))
        .identity()
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Unavailable);
    assert!(error.to_string().contains("no model server answers on"));
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up_on() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _listener = UnixListener::bind(&socket).unwrap();
    let limit = Duration::from_millis(20);
    let error = transport::exchange(&socket, &Method::GET, "/status", Vec::new(), limit)
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Unavailable);
    assert!(error.to_string().contains("within 20ms"), "{error}");
}

#[tokio::test]
async fn an_answer_cut_short_is_unavailable_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let server = play(
        &socket,
        "HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n{\"nonce\":",
    );
    let error = AdminClient::new(&socket).identity().await.unwrap_err();
    assert_eq!(error.class(), Class::Unavailable);
    server.await.unwrap();
}

#[tokio::test]
async fn an_answer_of_another_shape_is_a_bug() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let server = play(&socket, whole("200 OK", "{}"));
    let spec: RevisionSpec = serde_json::from_value(serde_json::json!({
        "variant": "main", "model": "m", "version": 1, "digest": "d",
        "file": {"path": "/x", "sha256": "0"}
    }))
    .unwrap();
    let error = AdminClient::new(&socket)
        .put_revision("r1", &spec)
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Bug);
    server.await.unwrap();
}

#[test]
fn a_drain_limit_below_a_second_is_not_none() {
    assert_eq!(whole_seconds(Duration::ZERO), 0);
    assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
    assert_eq!(whole_seconds(Duration::from_secs(5)), 5);
}
