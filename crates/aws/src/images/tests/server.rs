//! A registry, and what it was asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A request, as far as tests look at it.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) method: String,
    /// With what is asked for.
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Made {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Said {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// None: whoever asks waits.
    pub(super) fn hang() -> Self {
        Self::default()
    }

    /// The error of a registry.
    pub(super) fn error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"errors": [{{"code": "{code}", "message": "so it says"}}]}}"#);
        Self::new(status, body)
    }
}

type Says = dyn Fn(&Made, usize) -> Said + Send + Sync;

/// The registry. It ends with the test's runtime.
pub(super) struct Server {
    /// `127.0.0.1:PORT`.
    pub(super) host: String,
    made: Arc<Mutex<Vec<Made>>>,
}

impl Server {
    /// One that answers with what `says` makes of a request and of how many there were of the same method and path before.
    pub(super) async fn start(says: impl Fn(&Made, usize) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await;
        let listener = listener.expect("a port");
        let host = listener.local_addr().expect("its address").to_string();
        let made: Arc<Mutex<Vec<Made>>> = Arc::default();
        let (noted, says): (_, Arc<Says>) = (made.clone(), Arc::new(says));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, says) = (noted.clone(), says.clone());
                let service = hyper::service::service_fn(move |request| {
                    answer(request, noted.clone(), says.clone())
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { host, made }
    }

    /// All that was asked.
    pub(super) fn made(&self) -> Vec<Made> {
        self.made.lock().expect("whole").clone()
    }

    /// The same in short: `GET /v2/own/manifests/1`.
    pub(super) fn lines(&self) -> Vec<String> {
        let made = self.made();
        let lines = made.iter();
        lines
            .map(|made| format!("{} {}", made.method, made.path))
            .collect()
    }
}

async fn answer(
    request: Request<Incoming>,
    noted: Arc<Mutex<Vec<Made>>>,
    says: Arc<Says>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("its end").to_bytes();
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    });
    let made = Made {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let before = {
        let mut all = noted.lock().expect("whole");
        let same = |other: &&Made| other.method == made.method && other.path == made.path;
        let before = all.iter().filter(same).count();
        all.push(made.clone());
        before
    };
    let Said {
        status,
        headers,
        body,
    } = says(&made, before);
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(name, value);
    }
    Ok(answer
        .body(Full::new(Bytes::from(body)))
        .expect("an answer"))
}
