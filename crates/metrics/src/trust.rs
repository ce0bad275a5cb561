//! Whose certificates are believed.

use std::sync::{Arc, OnceLock};

use mlops_core::{Error, Result};
use rustls::{ClientConfig, RootCertStore};

/// The certificates that this machine trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Read when they are first needed: most
/// sources are asked without TLS.
pub(crate) struct Trust {
    roots: Box<dyn Fn() -> RootCertStore + Send + Sync>,
    config: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    pub(crate) fn of_this_machine() -> Self {
        Self::new(|| {
            let mut roots = RootCertStore::empty();
            // What cannot be read is not trusted, and an untrusted server says so by its name.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        })
    }

    pub(crate) fn new(roots: impl Fn() -> RootCertStore + Send + Sync + 'static) -> Self {
        Self {
            roots: Box::new(roots),
            config: OnceLock::new(),
        }
    }

    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::bug("no version of TLS can be spoken").because(cause))?
            .with_root_certificates((self.roots)())
            .with_no_client_auth();
        Ok(self.config.get_or_init(|| Arc::new(config)).clone())
    }
}
