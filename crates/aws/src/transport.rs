//! The HTTP client that all services share: one connection pool, one TLS provider, the user's
//! certificates and proxies.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use mlops_core::{Error, Result};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::settings::AwsSettings;

/// Who encrypts.
pub(crate) const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

/// The client that these settings describe.
///
/// # Errors
/// `Invalid` for a proxy that is no URL and a bundle that is missing or holds no certificate.
pub(crate) fn http_client(settings: &AwsSettings) -> Result<SharedHttpClient> {
    let tls = tls_context(settings)?;
    let Some(plain) = proxy(settings.http_proxy.as_deref(), "http_proxy", settings)? else {
        let secure = proxy(settings.https_proxy.as_deref(), "https_proxy", settings)?;
        let Some(secure) = secure else {
            return Ok(through(tls, ProxyConfig::from_env()));
        };
        return Ok(SharedHttpClient::new(ByScheme {
            plain: through(tls.clone(), ProxyConfig::from_env()),
            secure: through(tls, secure),
        }));
    };
    // As in the AWS provider: the proxy for HTTP serves HTTPS too, unless that has its own or
    // has none by an empty text.
    let secure = match settings.https_proxy.as_deref() {
        None => plain.clone(),
        Some("") => ProxyConfig::disabled(),
        Some(_) => proxy(settings.https_proxy.as_deref(), "https_proxy", settings)?
            .unwrap_or_else(ProxyConfig::disabled),
    };
    Ok(SharedHttpClient::new(ByScheme {
        plain: through(tls.clone(), plain),
        secure: through(tls, secure),
    }))
}

fn proxy(
    url: Option<&str>,
    attribute: &str,
    settings: &AwsSettings,
) -> Result<Option<ProxyConfig>> {
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        return Ok(None);
    };
    // The URL may hold a password and is not repeated.
    let proxy = ProxyConfig::all(url).map_err(|_| {
        Error::invalid(format!(
            "{attribute} is not a URL such as http://proxy.example.com:3128"
        ))
        .at(attribute)
    })?;
    let no_proxy = settings
        .no_proxy
        .clone()
        .or_else(|| std::env::var("NO_PROXY").ok())
        .or_else(|| std::env::var("no_proxy").ok());
    Ok(Some(match no_proxy {
        Some(hosts) => proxy.no_proxy(hosts),
        None => proxy,
    }))
}

fn tls_context(settings: &AwsSettings) -> Result<TlsContext> {
    let mut store = TrustStore::default();
    if let Some(path) = &settings.custom_ca_bundle {
        let refused = |why: &str| {
            Error::invalid(format!(
                "the certificates in {} cannot be used: {why}",
                path.display()
            ))
            .at("custom_ca_bundle")
        };
        let pem = std::fs::read(path)
            .map_err(|error| refused("the file cannot be read").because(error))?;
        check_certificates(&pem).map_err(|why| refused(&why))?;
        store = store.with_pem_certificate(pem);
    }
    TlsContext::builder()
        .with_trust_store(store)
        .build()
        .map_err(|error| {
            Error::invalid("the trusted certificates cannot be used")
                .because(error)
                .at("custom_ca_bundle")
        })
}

/// The client takes for granted that these are certificates.
fn check_certificates(pem: &[u8]) -> std::result::Result<(), String> {
    let mut store = RootCertStore::empty();
    for (number, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let certificate =
            certificate.map_err(|error| format!("certificate {}: {error}", number + 1))?;
        store
            .add(certificate)
            .map_err(|error| format!("certificate {}: {error}", number + 1))?;
    }
    if store.is_empty() {
        return Err("the file holds no PEM certificate".to_owned());
    }
    Ok(())
}

fn through(tls: TlsContext, proxy: ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder();
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.set_proxy_config(Some(proxy.clone()));
        builder.tls_provider(TLS).tls_context(tls.clone()).build()
    })
}

/// Plain HTTP goes one way and HTTPS another: a proxy's configuration holds one proxy.
#[derive(Debug)]
struct ByScheme<T> {
    plain: T,
    secure: T,
}

impl HttpClient for ByScheme<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(ByScheme {
            plain: self.plain.http_connector(settings, components),
            secure: self.secure.http_connector(settings, components),
        })
    }
}

impl HttpConnector for ByScheme<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.uri().starts_with("http:") {
            self.plain.call(request)
        } else {
            self.secure.call(request)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_is_no_url_is_refused_without_repeating_it() {
        for attribute in ["http_proxy", "https_proxy"] {
            let url = Some("user:hunter2@ not a url".to_owned());
            let mut settings = AwsSettings::default();
            match attribute {
                "http_proxy" => settings.http_proxy = url,
                _ => settings.https_proxy = url,
            }
            let error = http_client(&settings).expect_err("no URL");
            assert_eq!(error.attribute(), Some(attribute));
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_bundle_that_holds_no_certificate_is_refused_naming_the_file() {
        let directory = tempfile::tempdir().expect("directory");
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (name, content) in [
            ("missing", None),
            ("empty", Some("")),
            ("text", Some("no certificate")),
            ("nonsense", Some(nonsense)),
        ] {
            let path = directory.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).expect("file");
            }
            let settings = AwsSettings {
                custom_ca_bundle: Some(path.clone()),
                ..AwsSettings::default()
            };
            let error = http_client(&settings).expect_err(name);
            assert_eq!(error.attribute(), Some("custom_ca_bundle"), "{error}");
            assert!(
                error.to_string().contains(&*path.to_string_lossy()),
                "{error}"
            );
        }
    }
}
