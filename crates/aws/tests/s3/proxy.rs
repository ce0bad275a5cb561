//! A proxy between the store and a part: it names and counts calls and bytes, and fails those
//! that it is told to, as networks and services do.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No answer comes, and nothing is done.
    Timeout,
    /// The connection breaks before anything is done.
    ResetBefore,
    /// The connection breaks when it is done.
    ResetAfter,
    /// The service answers 500, and nothing is done.
    Internal,
    /// The service answers 500, and it is done.
    InternalAfter,
    /// The service answers 503 SlowDown, and nothing is done.
    SlowDown,
    /// The connection breaks amid the answer.
    Truncated,
    /// The service answers with this status, code and message, and nothing is done.
    Refused(u16, &'static str, &'static str),
    /// As a service in eu-central-1 answers who calls it in another region, and nothing is done.
    Elsewhere,
    /// The body is changed on its way back.
    Corrupted,
}

/// What the faults table has.
pub(crate) const FAULTS: [Fault; 7] = [
    Fault::Timeout,
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Internal,
    Fault::InternalAfter,
    Fault::SlowDown,
    Fault::Truncated,
];

/// A call that came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Bytes of the body that arrived.
    pub(crate) bytes: u64,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    /// The call of an operation with this number, counted from zero, fails so.
    planned: BTreeMap<(&'static str, usize), Fault>,
    /// Every call of an operation fails so.
    always: BTreeMap<&'static str, Fault>,
    /// From the call of an operation with this number on, nothing is done before the release.
    held: Option<(&'static str, usize)>,
}

/// The proxy; it ends with the runtime that it was started on.
pub(crate) struct Proxy {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    released: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it was held")
    }
}

/// The connection is closed.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the proxy breaks the connection")
    }
}

impl std::error::Error for Reset {}

type Answer = Response<BoxBody<Bytes, Reset>>;

struct Route {
    to: String,
    client: Client<HttpConnector, Full<Bytes>>,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy before the part at `url`.
    pub(crate) async fn before(url: &str) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::<Shared>::default();
        let route = Arc::new(Route {
            to: url.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            shared: Arc::clone(&shared),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let route = Arc::clone(&route);
                let service = hyper::service::service_fn(move |request| {
                    let route = Arc::clone(&route);
                    async move { route.answer(request).await }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self {
            url: format!("http://{address}"),
            shared,
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.clone()
    }

    /// How often an operation was called.
    pub(crate) fn count(&self, operation: &str) -> usize {
        let state = self.shared.lock();
        let calls = state.calls.iter();
        calls.filter(|call| call.operation == operation).count()
    }

    /// Bytes of all bodies that arrived.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.lock().calls.iter().map(|call| call.bytes).sum()
    }

    /// Forgets what was called and what fails.
    pub(crate) fn reset(&self) {
        *self.shared.lock() = State::default();
    }

    /// The call of this operation with this number, counted from zero, fails so.
    pub(crate) fn fail(&self, operation: &'static str, number: usize, fault: Fault) {
        let mut state = self.shared.lock();
        state.planned.insert((operation, number), fault);
    }

    /// Every call of this operation fails so.
    pub(crate) fn fail_always(&self, operation: &'static str, fault: Fault) {
        self.shared.lock().always.insert(operation, fault);
    }

    /// From the call of this operation with this number on, nothing is done before the release.
    pub(crate) fn hold(&self, operation: &'static str, number: usize) {
        self.shared.lock().held = Some((operation, number));
    }

    /// Lets go what is held.
    pub(crate) fn release(&self) {
        self.shared.lock().held = None;
        self.shared.released.notify_waiters();
    }

    /// Waits until an operation was called so often.
    pub(crate) async fn called(&self, operation: &str, times: usize) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.count(operation) >= times {
                return;
            }
            arrived.await;
        }
    }
}

/// Which operation a request is.
fn operation(request: &Request<Incoming>) -> &'static str {
    let query = request.uri().query().unwrap_or_default();
    let asks = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    let copies = request.headers().contains_key("x-amz-copy-source");
    match *request.method() {
        Method::PUT if asks("partNumber") && copies => "UploadPartCopy",
        Method::PUT if asks("partNumber") => "UploadPart",
        Method::PUT if copies => "CopyObject",
        Method::PUT => "PutObject",
        Method::POST if asks("uploads") => "CreateMultipartUpload",
        Method::POST => "CompleteMultipartUpload",
        Method::DELETE if asks("uploadId") => "AbortMultipartUpload",
        Method::DELETE => "DeleteObject",
        Method::HEAD => "HeadObject",
        _ if asks("uploads") => "ListMultipartUploads",
        _ if asks("uploadId") => "ListParts",
        _ if asks("list-type") => "ListObjectsV2",
        _ => "GetObject",
    }
}

impl Route {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Reset> {
        let operation = operation(&request);
        let (index, fault, held) = {
            let mut state = self.shared.lock();
            let same = state.calls.iter();
            let number = same.filter(|call| call.operation == operation).count();
            state.calls.push(Call {
                operation,
                path: request.uri().path().to_owned(),
                headers: request.headers().clone(),
                bytes: 0,
            });
            let planned = state.planned.get(&(operation, number)).copied();
            let fault = planned.or(state.always.get(operation).copied());
            let held = state
                .held
                .is_some_and(|(held, from)| held == operation && number >= from);
            (state.calls.len() - 1, fault, held)
        };
        let (parts, mut body) = request.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Reset)?;
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
                if let Some(call) = self.shared.lock().calls.get_mut(index) {
                    call.bytes += data.len() as u64;
                }
            }
        }
        if held {
            let released = self.shared.released.notified();
            self.shared.arrived.notify_waiters();
            released.await;
        }
        self.shared.arrived.notify_waiters();
        let forward = async {
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            let mut onward = Request::new(Full::new(Bytes::from(bytes)));
            *onward.method_mut() = parts.method.clone();
            *onward.uri_mut() = format!("{}{path}", self.to).parse().expect("a URL");
            *onward.headers_mut() = parts.headers.clone();
            let answer = self.client.request(onward).await.map_err(|_| Reset)?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
            Ok::<_, Reset>(Response::from_parts(parts, body))
        };
        match fault {
            None => forward.await.map(whole),
            Some(Fault::Timeout) => {
                std::future::pending::<Infallible>().await;
                unreachable!("it never ends")
            }
            Some(Fault::ResetBefore) => Err(Reset),
            Some(Fault::ResetAfter) => {
                forward.await?;
                Err(Reset)
            }
            Some(Fault::Internal) => Ok(refusal(500, "InternalError", "by the proxy")),
            Some(Fault::InternalAfter) => {
                forward.await?;
                Ok(refusal(500, "InternalError", "by the proxy"))
            }
            Some(Fault::SlowDown) => {
                Ok(refusal(503, "SlowDown", "Please reduce your request rate."))
            }
            Some(Fault::Truncated) => {
                let (parts, body) = forward.await?.into_parts();
                if body.is_empty() {
                    return Err(Reset);
                }
                let half = Ok(Frame::data(body.slice(..body.len() / 2)));
                let broken = StreamBody::new(stream::iter([half, Err(Reset)]));
                Ok(Response::from_parts(parts, BoxBody::new(broken)))
            }
            Some(Fault::Refused(status, code, message)) => Ok(refusal(status, code, message)),
            Some(Fault::Elsewhere) => {
                let mut answer = refusal(301, "PermanentRedirect", "by the proxy");
                let region = "eu-central-1".parse().expect("a header");
                answer.headers_mut().insert("x-amz-bucket-region", region);
                Ok(answer)
            }
            Some(Fault::Corrupted) => {
                let (parts, body) = forward.await?.into_parts();
                let mut body = body.to_vec();
                let middle = body.len() / 2;
                body[middle] ^= 1;
                Ok(whole(Response::from_parts(parts, body.into())))
            }
        }
    }
}

fn whole(answer: Response<Bytes>) -> Answer {
    answer.map(|body| BoxBody::new(Full::new(body).map_err(|never| match never {})))
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut answer = Response::new(Bytes::from(text));
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in [
        ("content-type", "application/xml"),
        ("x-amz-request-id", "PROXY4REQUEST"),
    ] {
        let value = value.parse().expect("a header");
        answer.headers_mut().insert(name, value);
    }
    whole(answer)
}
