//! How requests are answered: JSON, or a refusal in MLflow's envelope.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mlops_core::{Class, Error};
use serde::Serialize;

/// What a handler gives.
pub(crate) type Answer = Result<Json, Refusal>;

/// A JSON body of status 200.
#[derive(Debug)]
pub(crate) struct Json(Vec<u8>);

impl Json {
    /// This value.
    pub(crate) fn of(value: &impl Serialize) -> Answer {
        serde_json::to_vec(value).map(Self).map_err(|error| {
            Error::bug("an answer could not be written as JSON; report this")
                .because(error)
                .into()
        })
    }

    /// `{}`: done, and nothing to say.
    pub(crate) fn empty() -> Self {
        Self(b"{}".to_vec())
    }
}

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        json(StatusCode::OK, self.0)
    }
}

/// Why a request is not done: `{"error_code": …, "message": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    error_code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, error_code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            error_code,
            message: message.into(),
        }
    }

    /// A parameter is missing or says nothing sensible.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE", message)
    }

    /// The object does not exist.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", message)
    }

    /// The name is taken.
    pub(crate) fn exists(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "RESOURCE_ALREADY_EXISTS", message)
    }

    /// The object is in use, or somebody else changed it.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "RESOURCE_CONFLICT", message)
    }

    /// This registry does not do that.
    pub(crate) fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED", message)
    }

    /// The token is missing or wrong.
    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
    }

    /// This caller may not.
    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message)
    }

    /// The body is longer than the limit, or ended early.
    pub(crate) fn unreadable_body(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, "BAD_REQUEST", message)
    }

    /// There is nothing at this path.
    pub(crate) fn no_such_path(method: &str, path: &str) -> Self {
        let message = format!("{method} {path} is not served here");
        Self::new(StatusCode::NOT_FOUND, "ENDPOINT_NOT_FOUND", message)
    }

    /// There is something at this path, for other methods.
    pub(crate) fn wrong_method(method: &str, path: &str) -> Self {
        let message = format!("{path} does not take {method}");
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "ENDPOINT_NOT_FOUND",
            message,
        )
    }
}

impl From<Error> for Refusal {
    /// The class decides the status. The causes of a failure of ours go to the log only: they name
    /// places on this machine.
    fn from(error: Error) -> Self {
        let (status, code) = match error.class() {
            Class::NotFound => (StatusCode::NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
            Class::Conflict => (StatusCode::CONFLICT, "RESOURCE_CONFLICT"),
            Class::Throttled => (StatusCode::TOO_MANY_REQUESTS, "REQUEST_LIMIT_EXCEEDED"),
            Class::Denied => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
            Class::Invalid => (StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE"),
            Class::Unavailable | Class::Cancelled => {
                (StatusCode::SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE")
            }
            Class::Corrupt => (StatusCode::INTERNAL_SERVER_ERROR, "DATA_LOSS"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
        };
        if status.is_server_error() {
            tracing::error!(error = %error.chain(), "a request failed");
        }
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Three plain fields: it can be written.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = json(self.status, body);
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
