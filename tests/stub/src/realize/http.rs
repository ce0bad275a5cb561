//! One request over HTTP to an emulator on this machine.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::response::Response;
use super::wire::Request;

/// A Lambda function may have to be unpacked; everything else answers at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a request to `http://HOST:PORT`.
///
/// # Errors
/// In words, if there is no answer.
pub(super) async fn send(endpoint: &str, request: Request) -> Result<Response, String> {
    let sent = timeout(PATIENCE, answered(endpoint, request)).await;
    sent.unwrap_or_else(|_| {
        Err(format!(
            "{endpoint} did not answer within {} seconds",
            PATIENCE.as_secs()
        ))
    })
}

async fn answered(endpoint: &str, request: Request) -> Result<Response, String> {
    let told = |what: &str, error: &dyn std::fmt::Display| format!("{endpoint} {what}: {error}");
    let Some(host) = endpoint
        .strip_prefix("http://")
        .map(|host| host.trim_end_matches('/'))
    else {
        return Err(format!("{endpoint:?} is no http://HOST:PORT"));
    };
    let stream = TcpStream::connect(host)
        .await
        .map_err(|error| told("cannot be reached", &error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| told("does not speak HTTP", &error))?;
    // It ends with the answer; what goes wrong in it the sender is told.
    let connection = tokio::spawn(connection);
    let mut made = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(request.path)
        .header("host", host);
    for (name, value) in request.headers {
        made = made.header(name, value);
    }
    let made = made
        .body(Full::new(request.body.into_bytes().into()))
        .map_err(|error: hyper::http::Error| told("cannot be asked that", &error))?;
    let made: hyper::Request<Full<bytes::Bytes>> = made;
    let answer = sender
        .send_request(made)
        .await
        .map_err(|error| told("did not answer", &error))?;
    let status = answer.status().as_u16();
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(|error| told("broke off", &error))?;
    connection.abort();
    Ok(Response {
        status,
        body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    })
}
