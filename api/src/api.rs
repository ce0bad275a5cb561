//! What answers requests, and how it is set up.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request as HttpRequest, State};
use axum::middleware;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http_body_util::BodyExt as _;
use mlops_core::names::VersionId;
use mlops_core::registry::Registry;
use mlops_core::registry::sessions::{HeldInMemory, Unadoptable};
use mlops_core::{Error, Result};
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::answer::Refusal;
use crate::{Request, Response, Sources, Token};
use crate::{access, artifacts, mlflow, pipeline};

/// The longest request body that is read, in bytes; a description of 64 KiB and a hundred tags fit.
const BODY_LIMIT: usize = 1024 * 1024;

/// How an [`Api`] is set up.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whoever does not present it is refused; `None`: everybody who can connect may ask.
    pub token: Option<Token>,
    /// Which files a caller may have registered.
    pub sources: Sources,
    /// What clients put before a path to reach this server, without a slash at the end
    /// (`https://models.example.com`); `None`: `http://` and the host that the client asked for.
    pub public_url: Option<String>,
}

/// Answers requests about one registry. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Api {
    pub(crate) inner: Arc<Inner>,
    router: Router,
}

pub(crate) struct Inner {
    pub(crate) registry: Registry,
    pub(crate) settings: Settings,
    /// Registrations that nobody has taken up yet.
    pub(crate) asked: mpsc::UnboundedSender<VersionId>,
    pub(crate) to_ingest: Mutex<Option<mpsc::UnboundedReceiver<VersionId>>>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("registry", &self.inner.registry)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Answers requests about `registry`. Starts nothing: see [`Api::ingest`] and [`Api::serve`].
    ///
    /// What is created over REST has been answered to its caller, so no later create adopts it.
    pub fn new(registry: Registry, settings: Settings) -> Self {
        let session = Arc::new(Unadoptable(registry.ids().uuid()));
        let registry = registry.with_sessions(session, Arc::new(HeldInMemory::default()));
        let (asked, to_ingest) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            registry,
            settings,
            asked,
            to_ingest: Mutex::new(Some(to_ingest)),
        });
        Self {
            router: router(&inner),
            inner,
        }
    }

    /// The response to one request.
    ///
    /// # Errors
    /// `Invalid` for a method, target or header that is none; `Unavailable` if the body of the
    /// response, which is read whole, could not be.
    pub async fn answer(&self, request: Request) -> Result<Response> {
        let mut builder = HttpRequest::builder()
            .method(request.method.as_str())
            .uri(request.target.as_str());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let request = builder
            .body(Body::from(request.body))
            .map_err(|cause| Error::invalid("this is not an HTTP request").because(cause))?;
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|cause| Error::unavailable("the response ended early").because(cause))?;
        Ok(Response {
            status: head.status.as_u16(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.to_string(), value)
                })
                .collect(),
            body: body.to_bytes(),
        })
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn take_queue(&self) -> Option<mpsc::UnboundedReceiver<VersionId>> {
        let mut queue = self.inner.to_ingest.lock();
        queue
            .as_mut()
            .unwrap_or_else(|poisoned| PoisonError::get_mut(poisoned))
            .take()
    }
}

fn router(inner: &Arc<Inner>) -> Router {
    let known = Router::new()
        .nest("/api/2.0/mlflow", mlflow::routes())
        .nest("/api/2.0/mlflow-artifacts", artifacts::routes())
        .merge(pipeline::routes())
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(inner.clone(), access::check));
    Router::new()
        .route("/health", get(|| async { "OK" }))
        .merge(known)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(inner.clone())
}

async fn nowhere(State(_): State<Arc<Inner>>, request: HttpRequest) -> axum::response::Response {
    Refusal::no_such_path(request.method().as_str(), request.uri().path()).into_response()
}

async fn wrong_method(request: HttpRequest) -> axum::response::Response {
    Refusal::wrong_method(request.method().as_str(), request.uri().path()).into_response()
}
