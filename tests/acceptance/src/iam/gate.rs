//! The gate: a proxy on a thread of its own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use super::call::{self, Call};
use super::policy::Policy;

#[derive(Debug, Default)]
struct State {
    policies: Vec<Policy>,
    allowed: BTreeSet<String>,
    denied: Vec<String>,
}

/// Lets through what the caller's policies allow, and answers the rest as AWS does.
#[derive(Debug)]
pub struct Gate {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    state: Arc<Mutex<State>>,
    // Ends the proxy when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Gate {
    /// A gate before the part at `part`, through which nobody may.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub fn before(part: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)));
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let service = hyper::service::service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { answer(request, part, &state).await }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            url,
            state,
            _runtime: runtime,
        }
    }

    /// From now on the caller has these policies; what was denied before is forgotten.
    pub fn admit(&self, policies: &[&Policy]) {
        *lock(&self.state) = State {
            policies: policies.iter().map(|policy| (*policy).clone()).collect(),
            ..State::default()
        };
    }

    /// The actions that were allowed since.
    pub fn allowed(&self) -> BTreeSet<String> {
        lock(&self.state).allowed.clone()
    }

    /// What was denied since, as action and resource.
    pub fn denied(&self) -> Vec<String> {
        lock(&self.state).denied.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    request: Request<Incoming>,
    part: SocketAddr,
    state: &Mutex<State>,
) -> Result<Response<Full<Bytes>>, Failure> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let operation = header(&head, "x-amz-target").and_then(|target| target.split('.').nth(1));
    let calls = calls(&head, operation, &body);
    let denied = {
        let mut state = lock(state);
        let denied = calls
            .iter()
            .find(|call| !state.policies.iter().any(|policy| policy.allows(call)));
        match denied {
            Some(call) => {
                let keys: Vec<_> = call
                    .context
                    .iter()
                    .map(|(_, value)| value.as_str())
                    .collect();
                let what = format!("{} on {} {}", call.action, call.resource, keys.join(" "));
                state.denied.push(what);
            }
            None => state
                .allowed
                .extend(calls.iter().map(|call| call.action.clone())),
        }
        denied
    };
    match denied {
        Some(call) => Ok(refusal(call, operation.is_some())),
        None => forward(head, body, part).await,
    }
}

fn header<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

fn calls(head: &Parts, operation: Option<&str>, body: &[u8]) -> Vec<Call> {
    match operation {
        Some(operation) => {
            let body: Value = serde_json::from_slice(body).expect("JSON");
            call::dynamodb(operation, &body)
        }
        // Who one is may be asked by everybody.
        None if body.starts_with(b"Action=GetCallerIdentity") => Vec::new(),
        None => call::s3(
            head.method.as_str(),
            head.uri.path(),
            head.uri.query().unwrap_or_default(),
            header(head, "x-amz-copy-source"),
            &String::from_utf8_lossy(body),
        ),
    }
}

async fn forward(
    head: Parts,
    body: Bytes,
    part: SocketAddr,
) -> Result<Response<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(part).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender
        .send_request(Request::from_parts(head, Full::new(body)))
        .await?;
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(
        head,
        Full::new(body.collect().await?.to_bytes()),
    ))
}

/// As the service words it.
fn refusal(call: &Call, is_json: bool) -> Response<Full<Bytes>> {
    let said = format!(
        "User: arn:aws:iam::000000000000:user/test is not authorized to perform: {} on resource: {} because no identity-based policy allows the {} action",
        call.action, call.resource, call.action
    );
    let (status, kind, body) = if is_json {
        let body = serde_json::json!({
            "__type": "com.amazon.coral.service#AccessDeniedException",
            "Message": said,
        });
        (
            StatusCode::BAD_REQUEST,
            "application/x-amz-json-1.0",
            body.to_string(),
        )
    } else {
        let body = format!("<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>");
        (StatusCode::FORBIDDEN, "application/xml", body)
    };
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(kind));
    headers.insert("x-amzn-requestid", HeaderValue::from_static("GATE4REQUEST"));
    headers.insert("x-amz-request-id", HeaderValue::from_static("GATE4REQUEST"));
    answer
}
