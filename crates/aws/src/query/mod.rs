//! Services that are asked with forms and answer with XML: the Query protocol of AWS, for those of which a few reads are needed and whose SDK is large.
//! Beside it, of the same make, those that are asked and answer with JSON ([`JsonService`]), and those that are asked by path and answer with XML
//! ([`RestService`]).
//! Why: `docs/decisions/0026-query-protocol.md`.
//!
//! A [`Service`] has a name, a version and a place; a call is an action and a [`Form`]; the answer is an [`Element`]. It goes by the credentials,
//! connections, proxies and time limits of all other calls, is tried again as they are, and fails as they do: by the service's own code, with operation
//! and request. It must be a call that may be made twice. Nothing here knows what any service means.

mod form;
mod json;
mod place;
mod refusal;
mod rest;
mod xml;

#[cfg(test)]
mod tests;

use std::fmt;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::service_clock_skew::ServiceClockSkewInterceptor;
use aws_smithy_runtime::client::orchestrator::operation::{Operation, OperationBuilder};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use mlops_core::{Error, Result};

pub(crate) use self::form::Form;
pub(crate) use self::json::{JsonClient, JsonService};
use self::refusal::Refusal;
pub(crate) use self::rest::{Asked, RestClient, RestService};
pub(crate) use self::xml::Element;
use crate::fault::{Call, Failure};
use crate::retry::Retries;

/// Who asks, for those who keep logs.
pub(crate) const USER_AGENT: &str = concat!("terraform-provider-mlops/", env!("CARGO_PKG_VERSION"));

/// A service that speaks the protocol.
#[derive(Debug)]
pub(crate) struct Service {
    /// For messages, as `fault` knows it.
    pub(crate) name: &'static str,
    /// For whom requests are signed, and what its host begins with.
    pub(crate) host: &'static str,
    /// The version of its interface.
    pub(crate) version: &'static str,
}

/// Calls one service.
#[derive(Debug)]
pub(crate) struct QueryClient {
    service: &'static Service,
    sent: Sent<String, Element>,
}

impl QueryClient {
    /// A client with the region and credentials of `config`. Calls nothing yet.
    ///
    /// # Errors
    /// `Invalid` for a region in which there is no such place.
    pub(crate) async fn new(
        service: &'static Service,
        config: &SdkConfig,
        endpoint: Option<&str>,
        limits: TimeoutConfig,
    ) -> Result<Self> {
        let url = place::of(endpoint, service.name, service.host, config).await?;
        let calls = signed(config, service.name, service.host, &url, limits)?;
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
        form: &Form,
        resource: impl Into<String>,
    ) -> std::result::Result<Element, Failure> {
        let body = form.body(operation, self.service.version);
        self.sent.ask(retries, operation, body, resource).await
    }
}

/// Calls of one service, whatever its protocol.
#[derive(Debug)]
struct Sent<Asked, Told> {
    /// Its name, for messages.
    service: &'static str,
    operation: Operation<Asked, Told, Refusal>,
}

impl<Asked, Told> Sent<Asked, Told>
where
    Asked: Clone + fmt::Debug + Send + Sync + 'static,
    Told: fmt::Debug + Send + Sync + 'static,
{
    fn new(service: &'static str, operation: Operation<Asked, Told, Refusal>) -> Self {
        Self { service, operation }
    }

    /// Asks until there is an answer, it is refused for good, or time is up. `resource` is what it is about, for messages.
    async fn ask(
        &self,
        retries: &Retries,
        operation: &'static str,
        asked: Asked,
        resource: impl Into<String>,
    ) -> std::result::Result<Told, Failure> {
        let call = &Call {
            service: self.service,
            operation,
            resource: resource.into(),
        };
        retries
            .run(|| {
                let sent = self.operation.invoke(asked.clone());
                Box::pin(async move { sent.await.map_err(|error| Failure::of(call, error)) })
            })
            .await
    }
}

/// Calls of a service at `url`, signed for `signer`: with the region, credentials, connections, proxies and clock of `config`.
fn signed(
    config: &SdkConfig,
    service: &'static str,
    signer: &'static str,
    url: &str,
    limits: TimeoutConfig,
) -> Result<OperationBuilder> {
    let lacking = |what: &str| Error::bug(format!("the configuration of AWS has no {what}"));
    let region = config.region().ok_or_else(|| lacking("region"))?;
    let credentials = config
        .credentials_provider()
        .ok_or_else(|| lacking("credentials"))?;
    let http = config.http_client().ok_or_else(|| lacking("HTTP client"))?;
    let sleep = config.sleep_impl().ok_or_else(|| lacking("way to sleep"))?;
    let mut signing = Layer::new("query");
    signing.store_put(AuthSchemeOptionResolverParams::new(()));
    signing.store_put(SigV4OperationSigningConfig {
        region: Some(SigningRegion::from(region.clone())),
        name: Some(SigningName::from_static(signer)),
        ..SigV4OperationSigningConfig::default()
    });
    let components = RuntimeComponentsBuilder::new("query")
        .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
            SCHEME_ID,
        ])))
        .with_identity_resolver(SCHEME_ID, credentials);
    Ok(Operation::builder()
        .service_name(service)
        .operation_name("Query")
        .behavior_version(aws_config::BehaviorVersion::latest())
        .http_client(http)
        .endpoint_url(url)
        .sleep_impl(sleep)
        .timeout_config(limits)
        // Tried again by `Retries` alone.
        .no_retry()
        .with_connection_poisoning()
        .interceptor(ServiceClockSkewInterceptor::new())
        .runtime_plugin(
            StaticRuntimePlugin::new()
                .with_config(signing.freeze())
                .with_runtime_components(components),
        ))
}

/// A call of this type of content, its path the root.
fn post(content_type: &'static str, body: String) -> std::result::Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", content_type);
    headers.insert("content-length", body.len().to_string());
    headers.insert("user-agent", USER_AGENT);
    *request.body_mut() = SdkBody::from(body);
    Ok(request)
}

fn request(body: String) -> std::result::Result<HttpRequest, BoxError> {
    post("application/x-www-form-urlencoded", body)
}

fn read(response: &HttpResponse) -> std::result::Result<Element, OrchestratorError<Refusal>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return Element::read(body).map_err(|error| OrchestratorError::response(error.into()));
    }
    Err(OrchestratorError::operation(Refusal::read(body)))
}
