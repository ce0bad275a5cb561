//! One request, one answer, over one connection.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use mlops_core::serving::{AdminError, AdminErrorCode};
use mlops_core::{Class, Error, Result};
use tokio::net::UnixStream;

/// The longest answer that is read. A status of thousands of revisions, or a smoke answer, stays far below.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Sends one request and returns the body of a 2xx answer.
pub(super) async fn exchange(
    socket: &Path,
    method: &Method,
    path: &str,
    body: Vec<u8>,
    limit: Duration,
) -> Result<Bytes> {
    match tokio::time::timeout(limit, converse(socket, method, path, body)).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::unavailable(format!(
            "the model server behind {} did not answer {method} {path} within {limit:?}",
            socket.display()
        ))),
    }
}

async fn converse(socket: &Path, method: &Method, path: &str, body: Vec<u8>) -> Result<Bytes> {
    let lost = |what: &str| {
        Error::unavailable(format!(
            "the model server behind {} {what} {method} {path}",
            socket.display()
        ))
    };
    let stream = UnixStream::connect(socket).await.map_err(|cause| {
        Error::unavailable(format!("no model server answers on {}", socket.display()))
            .because(cause)
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|cause| lost("closed the connection before").because(cause))?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "mlops")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|cause| Error::bug(format!("{method} {path} is not a request")).because(cause))?;
    // The connection is driven beside the exchange and dropped with it: nothing runs on after a time-out.
    let exchange = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|cause| lost("broke off during").because(cause))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT)
            .collect()
            .await
            .map_err(|cause| lost("broke off its answer to").because(cause))?
            .to_bytes();
        Ok((status, body))
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    let (status, body) = tokio::select! {
        biased;
        answer = &mut exchange => answer?,
        // The connection ends first when the server closes it; what it read by then is still handed over.
        _ = &mut connection => exchange.await?,
    };
    if status.is_success() {
        Ok(body)
    } else {
        Err(refusal(method, path, status, &body))
    }
}

fn refusal(method: &Method, path: &str, status: StatusCode, body: &[u8]) -> Error {
    let Ok(error) = serde_json::from_slice::<AdminError>(body) else {
        return Error::bug(format!(
            "the model server answered {method} {path} with status {status} and no reason"
        ));
    };
    let class = match error.code {
        AdminErrorCode::Invalid => Class::Invalid,
        AdminErrorCode::NotFound => Class::NotFound,
        AdminErrorCode::Conflict => Class::Conflict,
        AdminErrorCode::Unavailable => Class::Unavailable,
        AdminErrorCode::Bug => Class::Bug,
    };
    Error::new(class, format!("the model server refused {method} {path}")).because(error)
}
