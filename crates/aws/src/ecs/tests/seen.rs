//! What clients saw of each version, for an analysis to ask about: a source of the kind that teams have of their own.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Of one version.
#[derive(Debug, Default)]
struct Counts {
    answers: f64,
    errors: f64,
    seconds: f64,
}

/// By version, as the fixture tells it.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<BTreeMap<String, Counts>>);

impl Seen {
    /// Counts an answer of the fixture: its body is its version. What a load balancer says by itself is of nobody.
    pub(super) async fn add(&self, answer: Response<Incoming>, is_good: bool, begun: Instant) {
        let Ok(body) = answer.into_body().collect().await else {
            return;
        };
        let version = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = all.entry(version).or_default();
        counts.answers += 1.0;
        counts.errors += f64::from(u8::from(!is_good));
        counts.seconds += begun.elapsed().as_secs_f64();
    }

    /// Answers at `/REVISION`; the URL before that.
    pub(super) async fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                let answer = service_fn(move |request: Request<Incoming>| {
                    let body = seen.of(request.uri().path());
                    async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body)))) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), answer));
            }
        });
        url
    }

    /// Of the version in a revision's name, `/main-v2-1a2b3c4d.1`; nothing before its first answer.
    fn of(&self, path: &str) -> String {
        let version = path.split('-').nth(1).unwrap_or_default();
        let version = version.trim_start_matches('v');
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = all.get(version).map(|counts| {
            serde_json::json!({
                "errors": counts.errors / counts.answers,
                "latency": counts.seconds / counts.answers,
            })
        });
        told.unwrap_or_default().to_string()
    }
}
