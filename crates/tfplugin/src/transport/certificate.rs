//! The certificate by which Terraform knows this process, and the TLS configuration around it.

use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::error::ServeError;
use super::verifier::ExactCertificate;

/// A fresh certificate and the TLS configuration that presents it.
pub(super) struct ServerIdentity {
    /// What goes into the handshake line.
    pub(super) certificate: CertificateDer<'static>,
    /// Presents it, and lets in nobody but the holder of the client certificate.
    pub(super) tls: Arc<ServerConfig>,
}

impl ServerIdentity {
    /// Makes one. This is most of the CPU time between start and handshake, hence P-256.
    pub(super) fn make(client_certificate: CertificateDer<'static>) -> Result<Self, ServeError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(ServeError::ServerCertificate)?;
        // Terraform's TLS asks for the server name "localhost" and for a server's key usage.
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])
            .map_err(ServeError::ServerCertificate)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params
            .self_signed(&key)
            .map_err(ServeError::ServerCertificate)?
            .der()
            .clone();

        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ServeError::Tls)?
            .with_client_cert_verifier(Arc::new(ExactCertificate::new(client_certificate)))
            .with_single_cert(vec![certificate.clone()], key)
            .map_err(ServeError::Tls)?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        // One connection for the life of the process: resumption would only cost.
        tls.send_tls13_tickets = 0;
        Ok(Self {
            certificate,
            tls: Arc::new(tls),
        })
    }
}
