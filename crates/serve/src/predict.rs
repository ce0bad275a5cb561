//! One prediction: from a body to an answer, on one revision.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;

use crate::engine::RunError;
use crate::protocol::{infer, mlflow};
use crate::revision::{Refusal, Revision, Traffic};

/// A request for a prediction, read whole but not understood yet: each revision understands it by its own signature.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) kind: Kind,
    pub(crate) body: Bytes,
}

#[derive(Clone)]
pub(crate) enum Kind {
    /// Open Inference Protocol.
    Infer {
        /// The name it was asked under; the answer repeats it.
        model: String,
        /// `Inference-Header-Content-Length`.
        header_length: Option<usize>,
    },
    /// MLflow.
    Invocations,
}

/// An HTTP answer, still without the headers that every answer has.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) content_type: &'static str,
    /// `Inference-Header-Content-Length`.
    pub(crate) header_length: Option<usize>,
    /// Seconds.
    pub(crate) retry_after: Option<u32>,
    pub(crate) allow: Option<&'static str>,
    /// Whether the connection cannot be used again.
    pub(crate) close: bool,
}

pub(crate) const JSON: &str = "application/json";

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let retry_after = matches!(status, 429 | 503).then_some(1);
        Self {
            status,
            body: body.into(),
            content_type,
            header_length: None,
            retry_after,
            allow: None,
            close: false,
        }
    }

    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self::new(
            status,
            JSON,
            serde_json::to_vec(body).expect("our own types are always JSON"),
        )
    }

    /// An error as the protocol of the path says it.
    pub(crate) fn error(status: u16, kind: Option<&Kind>, message: impl std::fmt::Display) -> Self {
        let message = message.to_string();
        let body = match kind {
            Some(Kind::Invocations) => {
                let code = match status {
                    404 => "RESOURCE_DOES_NOT_EXIST",
                    400..500 if status != 429 => "BAD_REQUEST",
                    429 | 503 => "TEMPORARILY_UNAVAILABLE",
                    _ => "INTERNAL_ERROR",
                };
                json!({"error_code": code, "message": message})
            }
            _ => json!({"error": message}),
        };
        Self::json(status, &body)
    }
}

/// Asks one ready revision; for whom, see [`Revision::run`].
pub(crate) async fn answer(
    revision: &Arc<Revision>,
    ask: &Ask,
    arrived: Instant,
    traffic: Option<Traffic>,
) -> Reply {
    enum Form {
        Infer(infer::Form),
        Mlflow(mlflow::Form),
    }
    let kind = Some(&ask.kind);
    let Some(engine) = revision.engine() else {
        return Reply::error(
            503,
            kind,
            format!("revision {:?} is not ready", revision.name),
        );
    };
    let signature = engine.signature();
    let read = match &ask.kind {
        Kind::Infer { header_length, .. } => infer::read(signature, &ask.body, *header_length)
            .map(|(inputs, form)| (inputs, Form::Infer(form))),
        Kind::Invocations => {
            mlflow::read(signature, &ask.body).map(|(inputs, form)| (inputs, Form::Mlflow(form)))
        }
    };
    let (inputs, form) = match read {
        Ok(read) => read,
        Err(mistake) => return Reply::error(400, kind, mistake),
    };
    let outputs = match revision.run(inputs, arrived, traffic).await {
        Ok(outputs) => outputs,
        Err(refusal) => return refused(revision, kind, &refusal),
    };
    match (form, &ask.kind) {
        (Form::Infer(form), Kind::Infer { model, .. }) => {
            let answer = form.write(signature, &outputs, model, revision.spec.version);
            let content_type = if answer.header_length.is_some() {
                "application/octet-stream"
            } else {
                JSON
            };
            Reply {
                header_length: answer.header_length,
                ..Reply::new(200, content_type, answer.body)
            }
        }
        (Form::Mlflow(form), _) => Reply::new(200, JSON, form.write(signature, &outputs)),
        (Form::Infer(_), Kind::Invocations) => unreachable!("the form was read as its kind says"),
    }
}

fn refused(revision: &Revision, kind: Option<&Kind>, refusal: &Refusal) -> Reply {
    let name = &revision.name;
    match refusal {
        Refusal::QueueFull { waiting } => {
            let running = revision.spec.limits.max_concurrency;
            let message = format!(
                "revision {name:?} is busy: {running} requests run and {waiting} wait; try again"
            );
            Reply::error(429, kind, message)
        }
        Refusal::TimedOut { after_ms } => Reply::error(
            504,
            kind,
            format!("revision {name:?} did not answer within {after_ms} ms"),
        ),
        Refusal::Run(mistake @ RunError::Sizes { .. }) => Reply::error(400, kind, mistake),
        Refusal::Run(error @ RunError::Model { .. }) => Reply::error(500, kind, error),
    }
}
