//! The data side: what clients of the endpoint see.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, header};
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::metrics::prometheus;
use crate::predict::{Ask, Kind, Reply, answer};
use crate::revision::{Accepted, Revision, Traffic};
use crate::router::{NoAnswer, Wanted};

/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const HEADER_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

#[derive(Serialize)]
struct Access<'a> {
    request_id: &'a str,
    remote: SocketAddr,
    method: &'a str,
    path: &'a str,
    status: u16,
    duration_ms: f64,
    request_bytes: usize,
    response_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
}

/// An answer and who gave it.
struct Served {
    reply: Reply,
    by: Option<Arc<Revision>>,
    request_bytes: usize,
}

impl From<Reply> for Served {
    fn from(reply: Reply) -> Self {
        Served {
            reply,
            by: None,
            request_bytes: 0,
        }
    }
}

/// Serves one request; never fails.
pub(crate) async fn serve(
    app: Arc<App>,
    remote: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let arrived = Instant::now();
    let request_id = request_id(request.headers());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let served = route(&app, request, arrived).await;
    let access = Access {
        request_id: request_id.to_str().unwrap_or_default(),
        remote,
        method: method.as_str(),
        path: uri.path(),
        status: served.reply.status,
        duration_ms: arrived.elapsed().as_micros() as f64 / 1e3,
        request_bytes: served.request_bytes,
        response_bytes: served.reply.body.len(),
        variant: served.by.as_ref().map(|r| &*r.spec.variant),
        version: served.by.as_ref().map(|r| r.spec.version),
        revision: served.by.as_ref().map(|r| &*r.name),
    };
    app.log.event("info", "request", access);
    Ok(response(served, request_id))
}

/// The client's own id if it is a sane one, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let own = headers.get(REQUEST_ID).filter(|id| {
        (1..=128).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    own.cloned().unwrap_or_else(|| {
        let id = uuid::Uuid::new_v4().to_string();
        HeaderValue::from_str(&id).expect("a UUID is a legal header value")
    })
}

fn response(served: Served, request_id: HeaderValue) -> Response<Full<Bytes>> {
    let Served { reply, by, .. } = served;
    let mut response = Response::new(Full::new(reply.body));
    *response.status_mut() =
        hyper::StatusCode::from_u16(reply.status).expect("we answer legal statuses only");
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(reply.content_type),
    );
    if let Some(length) = reply.header_length {
        headers.insert(HEADER_LENGTH, HeaderValue::from(length));
    }
    if let Some(seconds) = reply.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(methods) = reply.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    if reply.close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(by) = by {
        let mut name = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        name("mlops-variant", &by.spec.variant);
        name("mlops-version", &by.spec.version.to_string());
        name("mlops-revision", &by.name);
    }
    response
}

async fn route(app: &Arc<App>, request: Request<Incoming>, arrived: Instant) -> Served {
    let path = request.uri().path().to_string();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    let post = *request.method() == Method::POST;
    let wrong_method = |allow| {
        Served::from(Reply {
            allow: Some(allow),
            ..Reply::error(
                405,
                None,
                format!("{} is not allowed on {path}; use {allow}", request.method()),
            )
        })
    };
    match &*segments {
        ["v2", "models", name, rest @ ..] => {
            let (version, rest) = match rest {
                ["versions", version, rest @ ..] => match version.parse::<u64>() {
                    Ok(number) => (Some(number), rest),
                    Err(_) => {
                        return Reply::error(
                            404,
                            None,
                            format!("version {version:?} is no number"),
                        )
                        .into();
                    }
                },
                rest => (None, rest),
            };
            let wanted = Wanted {
                name: Some(name),
                version,
            };
            match rest {
                [] if get => metadata(app, wanted).into(),
                ["ready"] if get => model_ready(app, wanted).into(),
                [] | ["ready"] => wrong_method("GET"),
                ["infer"] if post => {
                    let header_length = match request
                        .headers()
                        .get(HEADER_LENGTH)
                        .map(|v| v.to_str().map(str::parse))
                    {
                        None => None,
                        Some(Ok(Ok(length))) => Some(length),
                        Some(_) => {
                            let message = "Inference-Header-Content-Length is no number of bytes";
                            return Reply::error(400, None, message).into();
                        }
                    };
                    let kind = Kind::Infer {
                        model: (*name).to_string(),
                        header_length,
                    };
                    predict(app, request, kind, wanted, arrived).await
                }
                ["infer"] => wrong_method("POST"),
                _ => not_found(&path).into(),
            }
        }
        ["invocations"] if post => {
            let content_type = request
                .headers()
                .get(header::CONTENT_TYPE)
                .and_then(|v| v.to_str().ok());
            if let Some(other) = content_type.filter(|t| {
                !t.trim_start()
                    .to_ascii_lowercase()
                    .starts_with("application/json")
            }) {
                let message =
                    format!("Content-Type {other:?} is not supported; send application/json");
                return Reply::error(415, Some(&Kind::Invocations), message).into();
            }
            predict(
                app,
                request,
                Kind::Invocations,
                Wanted {
                    name: None,
                    version: None,
                },
                arrived,
            )
            .await
        }
        ["invocations"] => wrong_method("POST"),
        known if get => page(app, known).unwrap_or_else(|| not_found(&path)).into(),
        known if page(app, known).is_some() => wrong_method("GET"),
        _ => not_found(&path).into(),
    }
}

/// Pages that need no body and no model.
fn page(app: &App, segments: &[&str]) -> Option<Reply> {
    let health =
        |name: &str, well: bool| Reply::json(if well { 200 } else { 503 }, &json!({ name: well }));
    Some(match segments {
        ["v2"] => Reply::json(
            200,
            &json!({
                "name": "mlops-serve",
                "version": env!("CARGO_PKG_VERSION"),
                "extensions": ["binary_tensor_data"],
            }),
        ),
        ["v2", "health", "live"] => health("live", true),
        ["v2", "health", "ready"] => health("ready", app.ready()),
        ["ping" | "health"] => Reply::new(
            if app.ready() { 200 } else { 503 },
            "application/json",
            "\n",
        ),
        ["version"] => Reply::new(200, "text/plain; charset=utf-8", env!("CARGO_PKG_VERSION")),
        ["metrics"] => {
            let table = app.table();
            let text = prometheus(&app.endpoint, table.revisions.values().map(|r| &**r));
            Reply::new(200, "text/plain; version=0.0.4; charset=utf-8", text)
        }
        _ => return None,
    })
}

fn not_found(path: &str) -> Reply {
    Reply::error(404, None, format!("no such path: {path}"))
}

fn no_answer(app: &App, kind: Option<&Kind>, wanted: Wanted<'_>, why: &NoAnswer) -> Reply {
    let name = wanted.name.unwrap_or(&app.endpoint);
    match why {
        NoAnswer::UnknownName => {
            let names = app.table().names(&app.endpoint).join(", ");
            Reply::error(
                404,
                kind,
                format!("model {name:?} is not served here; this endpoint answers as {names}"),
            )
        }
        NoAnswer::UnknownVersion => {
            let version = wanted.version.unwrap_or_default();
            Reply::error(
                404,
                kind,
                format!("version {version} of model {name:?} is not served here"),
            )
        }
        NoAnswer::NotReady => {
            Reply::error(503, kind, format!("model {name:?} is not ready; try again"))
        }
    }
}

fn model_ready(app: &App, wanted: Wanted<'_>) -> Reply {
    let ready = match app.table().pick(&app.endpoint, wanted) {
        Ok(_) => true,
        Err(NoAnswer::NotReady) => false,
        Err(why) => return no_answer(app, None, wanted, &why),
    };
    let name = wanted.name.unwrap_or(&app.endpoint);
    Reply::json(
        if ready { 200 } else { 503 },
        &json!({"name": name, "ready": ready}),
    )
}

fn metadata(app: &App, wanted: Wanted<'_>) -> Reply {
    let name = wanted.name.unwrap_or(&app.endpoint);
    let picked = app.table().pick(&app.endpoint, wanted);
    let revision = match picked {
        Ok(revision) => revision,
        Err(why) => return no_answer(app, None, wanted, &why),
    };
    let mut versions: Vec<u64> = app
        .table()
        .named(&app.endpoint, name)
        .map(|r| r.spec.version)
        .collect();
    versions.sort_unstable();
    versions.dedup();
    let versions: Vec<String> = versions.iter().map(u64::to_string).collect();
    let signature = revision
        .engine()
        .map(|e| e.signature().clone())
        .unwrap_or_default();
    Reply::json(
        200,
        &json!({
            "name": name,
            "versions": versions,
            "platform": "onnx",
            "inputs": signature.inputs,
            "outputs": signature.outputs,
        }),
    )
}

async fn predict(
    app: &Arc<App>,
    request: Request<Incoming>,
    kind: Kind,
    wanted: Wanted<'_>,
    arrived: Instant,
) -> Served {
    let Some(_inside) = app.enter() else {
        let most = app.limits.max_in_flight;
        // The body is not read, so the connection is of no more use.
        let reply = Reply::error(
            503,
            Some(&kind),
            format!("the server is full: {most} requests are inside; try again"),
        );
        return Reply {
            close: true,
            ..reply
        }
        .into();
    };
    let body = match body(app, request, &kind).await {
        Ok(body) => body,
        Err(reply) => return (*reply).into(),
    };
    let request_bytes = body.len();
    let whole_endpoint =
        wanted.version.is_none() && wanted.name.is_none_or(|name| name == app.endpoint);
    let (picked, shadows) = {
        let table = app.table();
        let picked = table
            .pick(&app.endpoint, wanted)
            .map(|r| Accepted::new(r, Traffic::Live));
        let shadows = if whole_endpoint {
            table.shadows()
        } else {
            Vec::new()
        };
        (
            picked,
            shadows
                .into_iter()
                .map(|r| Accepted::new(r, Traffic::Shadow))
                .collect::<Vec<_>>(),
        )
    };
    let accepted = match picked {
        Ok(accepted) => accepted,
        Err(why) => {
            return Served {
                request_bytes,
                ..no_answer(app, Some(&kind), wanted, &why).into()
            };
        }
    };
    let ask = Ask { kind, body };
    for shadow in shadows {
        let ask = ask.clone();
        app.tasks.spawn(async move {
            let copied = Instant::now();
            let reply = answer(&shadow.revision, &ask, copied, Some(Traffic::Shadow)).await;
            shadow.count(reply.status, copied.elapsed());
        });
    }
    let reply = answer(&accepted.revision, &ask, arrived, Some(Traffic::Live)).await;
    accepted.count(reply.status, arrived.elapsed());
    if reply.status >= 500 {
        let error = String::from_utf8_lossy(&reply.body);
        app.log.event(
            "error",
            "prediction failed",
            json!({"revision": accepted.revision.name, "answer": error}),
        );
    }
    Served {
        reply,
        by: Some(Arc::clone(&accepted.revision)),
        request_bytes,
    }
}

async fn body(app: &App, request: Request<Incoming>, kind: &Kind) -> Result<Bytes, Box<Reply>> {
    let refuse = |status, message: String| {
        Box::new(Reply {
            close: true,
            ..Reply::error(status, Some(kind), message)
        })
    };
    if let Some(encoding) = request.headers().get(header::CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(refuse(
            415,
            format!("Content-Encoding {encoding:?} is not supported; send the body as it is"),
        ));
    }
    let most = app.limits.max_body_bytes;
    let too_long = || refuse(413, format!("the body is longer than {most} bytes"));
    if request.body().size_hint().lower() > most as u64 {
        return Err(too_long());
    }
    match tokio::time::timeout(
        BODY_TIMEOUT,
        Limited::new(request.into_body(), most).collect(),
    )
    .await
    {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
        Ok(Err(error)) => Err(refuse(400, format!("the body could not be read: {error}"))),
        Err(_) => Err(refuse(
            408,
            format!(
                "the body did not arrive within {} s",
                BODY_TIMEOUT.as_secs()
            ),
        )),
    }
}
