//! One request, one answer, to whoever it is: without AWS's signature, by its connections.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use bytes::Bytes;
use futures::future::BoxFuture;
use mlops_core::images::Reference;
use mlops_core::{Class, Error, Result};

use super::PATIENCE;
use crate::clients::AwsClients;
use crate::fault::{Call, Failure, Kind};
use crate::query::USER_AGENT;
use crate::retry::Retries;

/// So often a blob may be said to lie elsewhere.
const REDIRECTS: usize = 5;

/// What is asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// How long the answer may take.
    pub(super) limit: Duration,
    /// Whether it may be asked twice.
    pub(super) again: bool,
}

/// Not what it says: a header may be a secret, and a URL too.
impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Asked {
    pub(super) fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            limit: PATIENCE.attempt,
            again: true,
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Reply {
    /// All headers of a name, which is in lower case.
    pub(super) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let headers = self.headers.iter();
        headers.filter_map(move |(found, value)| {
            found.eq_ignore_ascii_case(name).then_some(value.as_str())
        })
    }

    /// The first of them.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

/// Asks.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: SharedHttpClient,
    retries: Shared,
}

#[derive(Clone)]
struct Shared(Retries);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retries")
    }
}

impl Http {
    pub(super) fn new(clients: &AwsClients) -> Result<Self> {
        Ok(Self {
            client: clients.http()?,
            retries: Shared(clients.retries().with(PATIENCE)),
        })
    }

    /// Asks until there is an answer, whatever it says, that will not be another one a moment later. `about` is the image, for messages.
    pub(super) async fn ask(&self, asked: &Asked, about: &Reference) -> Result<Reply> {
        let call = &Call {
            service: "container registry:",
            operation: asked.method,
            resource: about.to_string(),
        };
        let ask = || -> BoxFuture<'_, std::result::Result<Reply, Failure>> {
            Box::pin(async move {
                let reply = self.once(asked, call).await?;
                let kind = match reply.status {
                    429 => Kind::Throttled,
                    500.. => Kind::Lost,
                    _ => return Ok(reply),
                };
                let told = refused(&reply, about, &origin(&asked.url).0);
                Err(Failure::told(call, kind, told))
            })
        };
        let reply = match asked.again {
            true => self.retries.0.run(ask).await,
            false => ask().await,
        };
        reply.map_err(Failure::into_error)
    }

    /// The bytes that a URL names, however often it leads elsewhere. No secret goes along.
    pub(super) async fn fetch(&self, url: &str, about: &Reference) -> Result<Bytes> {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let reply = self.ask(&Asked::new("GET", &url), about).await?;
            if reply.is_redirect()
                && let Some(location) = reply.header("location")
            {
                url = absolute(&url, location);
                continue;
            }
            if reply.is_success() {
                return Ok(reply.body);
            }
            return Err(refused(&reply, about, &origin(&url).0));
        }
        Err(Error::unavailable(format!(
            "the registry of {about} sends who asks in a circle; report it to who runs it"
        )))
    }

    async fn once(&self, asked: &Asked, call: &Call) -> std::result::Result<Reply, Failure> {
        let (origin, _) = origin(&asked.url);
        let sent = Operation::builder()
            .service_name("registry")
            .operation_name(asked.method)
            .behavior_version(aws_config::BehaviorVersion::latest())
            .http_client(self.client.clone())
            .endpoint_url(&origin)
            .no_auth()
            .no_retry()
            .with_connection_poisoning()
            .serializer(request)
            .deserializer(read)
            .build();
        match tokio::time::timeout(asked.limit, sent.invoke(asked.clone())).await {
            Ok(reply) => reply.map_err(|error| Failure::of(call, error)),
            Err(_) => Err(Failure::told(
                call,
                Kind::Lost,
                Error::unavailable(format!(
                    "{origin} did not answer within {:?}, asked for {}; check the network, then run the operation again",
                    asked.limit, call.resource
                )),
            )),
        }
    }
}

/// What an answer says that is no success.
pub(super) fn refused(reply: &Reply, about: &Reference, origin: &str) -> Error {
    let (class, advice) = match reply.status {
        401 | 403 => (
            Class::Denied,
            "let whoever runs this read it: `docker login` keeps credentials of a registry where this program finds them",
        ),
        404 => (Class::NotFound, "correct the name, or push it"),
        429 => (
            Class::Throttled,
            "it was asked more than it permits; log in, or try later",
        ),
        500.. => (Class::Unavailable, "try again"),
        _ => (Class::Invalid, "check that it is a registry of containers"),
    };
    let said = said(&reply.body);
    Error::new(
        class,
        format!(
            "{origin} answered for {about} with status {}{said}; {advice}",
            reply.status
        ),
    )
}

/// What the registry's own error says, if there is one.
fn said(body: &[u8]) -> String {
    let told: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &told["errors"][0];
    let parts = ["code", "message"].map(|name| error[name].as_str().unwrap_or_default());
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(" ({})", parts.join(": ").trim_end_matches('.')),
    }
}

/// `https://host`, and the rest.
pub(super) fn origin(url: &str) -> (String, String) {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url[from..]
        .find(['/', '?'])
        .map_or(url.len(), |at| from + at);
    let (origin, rest) = url.split_at(end);
    let rest = match rest.starts_with('/') {
        true => rest.to_owned(),
        false => format!("/{rest}"),
    };
    (origin.to_owned(), rest)
}

/// What a `Location` names that came from `url`.
pub(super) fn absolute(url: &str, location: &str) -> String {
    match location.contains("://") {
        true => location.to_owned(),
        false => format!("{}/{}", origin(url).0, location.trim_start_matches('/')),
    }
}

fn request(asked: Asked) -> std::result::Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_method(asked.method)?;
    request.set_uri(origin(&asked.url).1)?;
    let headers = request.headers_mut();
    headers.insert("user-agent", USER_AGENT);
    for (name, value) in asked.headers {
        headers.try_insert(name, value)?;
    }
    if !matches!(asked.method, "GET" | "HEAD") {
        headers.insert("content-length", asked.body.len().to_string());
    }
    *request.body_mut() = SdkBody::from(asked.body);
    Ok(request)
}

fn read(response: &HttpResponse) -> std::result::Result<Reply, OrchestratorError<Never>> {
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Reply {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: Bytes::copy_from_slice(response.body().bytes().unwrap_or_default()),
    })
}

/// Every answer is one.
#[derive(Debug)]
struct Never(ErrorMetadata);

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Never {}

impl ProvideErrorMetadata for Never {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}
