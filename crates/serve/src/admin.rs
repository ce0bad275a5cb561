//! The admin side, as `mlops_core::serving` describes it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use mlops_core::serving::{
    AdminError, AdminErrorCode, Identity, MAX_ADMIN_BODY_BYTES, MetricsSnapshot, Removal,
    RemovalState, RevisionSpec, RevisionState, RevisionStatus, RoutingTable, Shutdown,
    SmokeRequest, is_valid_name,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::app::{App, unix_ms};
use crate::predict::JSON;
use crate::revision::Revision;
use crate::smoke;

type Answer = Result<(StatusCode, Vec<u8>), AdminError>;

/// Serves one admin request; never fails.
pub(crate) async fn serve(
    app: Arc<App>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = route(&app, request).await.unwrap_or_else(|error| {
        let status = match error.code {
            AdminErrorCode::Invalid => StatusCode::BAD_REQUEST,
            AdminErrorCode::NotFound => StatusCode::NOT_FOUND,
            AdminErrorCode::Conflict => StatusCode::CONFLICT,
            AdminErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            AdminErrorCode::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, body_of(&error))
    });
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    Ok(response)
}

async fn route(app: &Arc<App>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_string();
    let query = request.uri().query().unwrap_or_default().to_string();
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let method = request.method().clone();
    match (&method, &*segments) {
        (&Method::GET, ["identity"]) => ok(&identity(app)),
        (&Method::GET, ["status"]) => ok(&app.status()),
        (&Method::GET, ["metrics", "snapshot"]) => ok(&snapshot(app)),
        (&Method::PUT, ["routing"]) => put_routing(app, read(request).await?),
        (&Method::PUT, ["revisions", revision]) => {
            put_revision(app, revision, read(request).await?)
        }
        (&Method::GET, ["revisions", revision]) => {
            let revision = find(app, revision)?;
            ok(&status_of(app, &revision))
        }
        (&Method::DELETE, ["revisions", revision]) => {
            delete_revision(app, revision, drain(&query)?)
        }
        (&Method::POST, ["revisions", revision, "smoke"]) => {
            let revision = find(app, revision)?;
            let asked: SmokeRequest = read(request).await?;
            ready(&revision)?;
            ok(&smoke::run(&revision, &asked).await)
        }
        (&Method::POST, ["shutdown"]) => {
            let drain = drain(&query)?;
            app.log.event(
                "info",
                "shutdown asked",
                json!({"drain_seconds": drain.as_secs()}),
            );
            app.stop(drain);
            Ok((
                StatusCode::ACCEPTED,
                body_of(&Shutdown {
                    in_flight: app.inside() as u64,
                }),
            ))
        }
        _ => Err(refusal(
            AdminErrorCode::NotFound,
            format!("{method} {path} is not part of the admin protocol"),
        )),
    }
}

fn refusal(code: AdminErrorCode, message: impl Into<String>) -> AdminError {
    AdminError {
        code,
        message: message.into(),
    }
}

fn ok(body: &impl Serialize) -> Answer {
    Ok((StatusCode::OK, body_of(body)))
}

fn body_of(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("the protocol's types are always JSON")
}

async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, AdminError> {
    let body = Limited::new(request.into_body(), MAX_ADMIN_BODY_BYTES)
        .collect()
        .await;
    let body = body.map_err(|e| {
        refusal(
            AdminErrorCode::Invalid,
            format!("the body could not be read: {e}"),
        )
    })?;
    serde_json::from_slice(&body.to_bytes()).map_err(|e| {
        refusal(
            AdminErrorCode::Invalid,
            format!("the body is not what this call takes: {e}"),
        )
    })
}

/// `drain_seconds=N`; absent means at once.
fn drain(query: &str) -> Result<Duration, AdminError> {
    if query.is_empty() {
        return Ok(Duration::ZERO);
    }
    let seconds = query
        .strip_prefix("drain_seconds=")
        .and_then(|n| n.parse::<u64>().ok());
    seconds
        .filter(|n| *n <= 24 * 3600)
        .map(Duration::from_secs)
        .ok_or_else(|| {
            refusal(
                AdminErrorCode::Invalid,
                format!("query {query:?}: expected drain_seconds=0..86400"),
            )
        })
}

fn find(app: &App, revision: &str) -> Result<Arc<Revision>, AdminError> {
    let found = app.table().revisions.get(revision).map(Arc::clone);
    found.ok_or_else(|| {
        refusal(
            AdminErrorCode::NotFound,
            format!("revision {revision:?} is not known to this server"),
        )
    })
}

fn ready(revision: &Revision) -> Result<(), AdminError> {
    match revision.state() {
        RevisionState::Ready => Ok(()),
        state => {
            let state = serde_json::to_value(state)
                .ok()
                .and_then(|s| s.as_str().map(String::from))
                .unwrap_or_default();
            Err(refusal(
                AdminErrorCode::Conflict,
                format!("revision {:?} is {state}, not ready", revision.name),
            ))
        }
    }
}

fn status_of(app: &App, revision: &Revision) -> RevisionStatus {
    let weight = app.table().weight(revision);
    revision.status(weight)
}

fn identity(app: &App) -> Identity {
    Identity {
        nonce: app.nonce.clone(),
        pid: std::process::id(),
        endpoint: app.endpoint.clone(),
        started_at_unix_ms: app.started_at_unix_ms,
        server_version: env!("CARGO_PKG_VERSION").into(),
    }
}

fn snapshot(app: &App) -> MetricsSnapshot {
    let table = app.table();
    let revisions: BTreeMap<_, _> = table
        .revisions
        .iter()
        .map(|(name, r)| (name.clone(), r.metrics()))
        .collect();
    MetricsSnapshot {
        nonce: app.nonce.clone(),
        taken_at_unix_ms: unix_ms(),
        revisions,
    }
}

fn put_routing(app: &App, routing: RoutingTable) -> Answer {
    routing
        .validate()
        .map_err(|e| refusal(AdminErrorCode::Invalid, e.to_string()))?;
    app.change(|table| {
        for (variant, weights) in &routing.weights {
            for (name, _) in weights.0.iter().filter(|(_, share)| **share > 0) {
                let revision = table
                    .revisions
                    .get(name)
                    .filter(|r| r.spec.variant == *variant)
                    .ok_or_else(|| {
                        refusal(
                            AdminErrorCode::NotFound,
                            format!("variant {variant:?} has no revision {name:?}"),
                        )
                    })?;
                ready(revision)?;
            }
        }
        table.variants.clone_from(&routing.variants);
        table.weights.clone_from(&routing.weights);
        Ok(())
    })?;
    app.log.event("info", "routing set", &routing);
    ok(&app.status())
}

fn put_revision(app: &Arc<App>, name: &str, spec: RevisionSpec) -> Answer {
    let invalid = |what: &str| {
        Err(refusal(
            AdminErrorCode::Invalid,
            format!("revision {name:?}: {what}"),
        ))
    };
    if !is_valid_name(name) {
        return invalid("its name is not valid: use 1 to 128 of A-Z a-z 0-9 . _ -");
    }
    if !is_valid_name(&spec.variant) || !is_valid_name(&spec.model) {
        return invalid("variant and model names take 1 to 128 of A-Z a-z 0-9 . _ -");
    }
    if spec.file.sha256.len() != 64
        || !spec
            .file
            .sha256
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return invalid("file.sha256 is not 64 lower-case hexadecimal digits");
    }
    if spec.limits.max_concurrency == 0 || spec.limits.timeout_ms == 0 {
        return invalid("max_concurrency and timeout_ms must be at least 1");
    }
    if app.stopping.is_cancelled() {
        return Err(refusal(
            AdminErrorCode::Unavailable,
            "the server is shutting down",
        ));
    }
    let (revision, to_load) = app.change(|table| match table.revisions.get(name) {
        Some(known) if known.spec != spec => Err(refusal(
            AdminErrorCode::Conflict,
            format!("revision {name:?} exists with another specification; a revision never changes, use a new name"),
        )),
        Some(known) if known.state() == RevisionState::Draining => {
            Err(refusal(AdminErrorCode::Conflict, format!("revision {name:?} is being removed; use a new name")))
        }
        Some(known) if known.state() != RevisionState::Failed => Ok((Arc::clone(known), false)),
        _ => {
            let revision = Revision::new(name.to_string(), spec);
            table.revisions.insert(name.to_string(), Arc::clone(&revision));
            Ok((revision, true))
        }
    })?;
    if to_load {
        let (app, revision) = (Arc::clone(app), Arc::clone(&revision));
        tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            revision.load();
            // Weights may have been set before a restart of the load: now it counts.
            app.change(|_| ());
            let fields = json!({
                "revision": revision.name,
                "state": revision.state(),
                "failure": revision.failure(),
                "duration_ms": began.elapsed().as_millis() as u64,
            });
            app.log.event(
                if revision.failure().is_none() {
                    "info"
                } else {
                    "error"
                },
                "revision loaded",
                fields,
            );
        });
    }
    let status = status_of(app, &revision);
    let code = if status.state == RevisionState::Loading {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((code, body_of(&status)))
}

fn delete_revision(app: &Arc<App>, name: &str, drain: Duration) -> Answer {
    let first = app.change(|table| {
        let revision = Arc::clone(table.revisions.get(name)?);
        let first = revision.state() != RevisionState::Draining;
        revision.drain();
        if let Some(weights) = table.weights.get_mut(&revision.spec.variant) {
            weights.0.remove(name);
        }
        if revision.in_flight() == 0 || drain.is_zero() {
            table.revisions.remove(name);
        }
        Some((revision, first))
    });
    let Some((revision, first)) = first else {
        return ok(&Removal {
            state: RemovalState::Gone,
            in_flight: 0,
        });
    };
    if first {
        app.log.event(
            "info",
            "revision removed from routing",
            json!({"revision": name}),
        );
    }
    if !app.table().revisions.contains_key(name) {
        return ok(&Removal {
            state: RemovalState::Gone,
            in_flight: revision.in_flight(),
        });
    }
    let in_flight = revision.in_flight();
    if first {
        let app = Arc::clone(app);
        tokio::spawn(async move { unload(&app, &revision, Instant::now() + drain).await });
    }
    ok(&Removal {
        state: RemovalState::Draining,
        in_flight,
    })
}

/// Forgets a draining revision as soon as nothing is in flight, or the limit has passed. Requests that outlive it keep the
/// engine alive and are answered.
async fn unload(app: &App, revision: &Arc<Revision>, until: Instant) {
    while revision.in_flight() > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    app.change(|table| {
        if table
            .revisions
            .get(&revision.name)
            .is_some_and(|r| Arc::ptr_eq(r, revision))
        {
            table.revisions.remove(&revision.name);
        }
    });
    app.log.event(
        "info",
        "revision unloaded",
        json!({"revision": revision.name, "in_flight": revision.in_flight()}),
    );
}
