//! Services that are asked and answer with JSON: AWS JSON 1.1, for those of which a few calls are needed and whose SDK is large.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use mlops_core::Result;
use serde_json::Value;

use super::refusal::Refusal;
use super::{Sent, place, post, signed};
use crate::fault::Failure;
use crate::retry::Retries;

/// A service that speaks the protocol.
#[derive(Debug)]
pub(crate) struct JsonService {
    /// For messages, as `fault` knows it.
    pub(crate) name: &'static str,
    /// What its host begins with.
    pub(crate) host: &'static str,
    /// For whom requests are signed.
    pub(crate) signer: &'static str,
    /// What operations are named after.
    pub(crate) target: &'static str,
}

/// Calls one service.
#[derive(Debug)]
pub(crate) struct JsonClient {
    service: &'static JsonService,
    sent: Sent<Asked, Value>,
}

/// An operation, and what it is asked with.
#[derive(Debug, Clone)]
struct Asked {
    target: String,
    body: String,
}

impl JsonClient {
    /// A client with the region and credentials of `config`. Calls nothing yet.
    ///
    /// # Errors
    /// `Invalid` for a region in which there is no such place.
    pub(crate) async fn new(
        service: &'static JsonService,
        config: &SdkConfig,
        endpoint: Option<&str>,
        limits: TimeoutConfig,
    ) -> Result<Self> {
        let url = place::of(endpoint, service.name, service.host, config).await?;
        let calls = signed(config, service.name, service.signer, &url, limits)?;
        let sent = calls.serializer(request).deserializer(read).build();
        Ok(Self {
            service,
            sent: Sent::new(service.name, sent),
        })
    }

    /// Asks until there is an answer, it is refused for good, or time is up. `resource` is what it is about, for messages.
    pub(crate) async fn ask(
        &self,
        retries: &Retries,
        operation: &'static str,
        body: &Value,
        resource: impl Into<String>,
    ) -> std::result::Result<Value, Failure> {
        let asked = Asked {
            target: format!("{}.{operation}", self.service.target),
            body: body.to_string(),
        };
        self.sent.ask(retries, operation, asked, resource).await
    }
}

fn request(asked: Asked) -> std::result::Result<HttpRequest, BoxError> {
    let mut request = post("application/x-amz-json-1.1", asked.body)?;
    request.headers_mut().insert("x-amz-target", asked.target);
    Ok(request)
}

fn read(response: &HttpResponse) -> std::result::Result<Value, OrchestratorError<Refusal>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body)
            .map_err(|error| OrchestratorError::response(error.into()));
    }
    // An answer that is no such object, as a proxy gives, has no code: its status decides.
    let told: BTreeMap<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let of = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| told.get(*name));
        found.and_then(Value::as_str).map(str::to_owned)
    };
    // `com.amazonaws.ecr#RepositoryNotFoundException:http://…`.
    let code = of(["__type", "code"]).map(|code| {
        let code = code.rsplit('#').next().unwrap_or_default();
        code.split(':').next().unwrap_or_default().to_owned()
    });
    let refusal = Refusal::new(code, of(["message", "Message"]));
    Err(OrchestratorError::operation(refusal))
}
