//! Services of which things are asked by path and method, and which answer with XML: REST and XML, for those of which a few calls are needed and whose
//! SDK is large.

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use mlops_core::Result;

use super::{Element, Sent, USER_AGENT, read, signed};
use crate::fault::Failure;
use crate::retry::Retries;

/// A service that speaks the protocol.
#[derive(Debug)]
pub(crate) struct RestService {
    /// For messages, as `fault` knows it.
    pub(crate) name: &'static str,
    /// For whom requests are signed.
    pub(crate) signer: &'static str,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// With its query, all of which stands in a URL as it is.
    pub(crate) path: String,
    /// What is sent, as XML; without it something is read.
    pub(crate) body: Option<String>,
}

/// Calls one service.
#[derive(Debug)]
pub(crate) struct RestClient(Sent<Asked, Element>);

impl RestClient {
    /// A client with the region and credentials of `config`, of a service at `url`. Calls nothing yet.
    pub(crate) fn new(
        service: &'static RestService,
        config: &SdkConfig,
        url: &str,
        limits: TimeoutConfig,
    ) -> Result<Self> {
        let calls = signed(config, service.name, service.signer, url, limits)?;
        let sent = calls.serializer(request).deserializer(read).build();
        Ok(Self(Sent::new(service.name, sent)))
    }

    /// Asks until there is an answer, it is refused for good, or time is up. `resource` is what it is about, for messages.
    pub(crate) async fn ask(
        &self,
        retries: &Retries,
        operation: &'static str,
        asked: Asked,
        resource: impl Into<String>,
    ) -> std::result::Result<Element, Failure> {
        self.0.ask(retries, operation, asked, resource).await
    }
}

fn request(asked: Asked) -> std::result::Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(asked.path)?;
    request.headers_mut().insert("user-agent", USER_AGENT);
    match asked.body {
        None => request.set_method("GET")?,
        Some(body) => {
            request.set_method("POST")?;
            let headers = request.headers_mut();
            headers.insert("content-type", "text/xml");
            headers.insert("content-length", body.len().to_string());
            *request.body_mut() = SdkBody::from(body);
        }
    }
    Ok(request)
}
