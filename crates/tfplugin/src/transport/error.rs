//! Why serving ended without success.

use std::io;
use std::path::PathBuf;

/// Why a provider could not be served, or stopped being served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The process was started by a person and not by Terraform. The text is meant for that person.
    #[error("{page}")]
    StartedByHand {
        /// What this program is and how it is meant to be used, several lines.
        page: String,
    },

    /// Terraform announced no certificate, so its identity could not be checked.
    #[error(
        "Terraform sent no client certificate (PLUGIN_CLIENT_CERT is not set), so nothing would keep other \
         processes from using this provider; unset TF_DISABLE_PLUGIN_TLS, or start the provider with --debug"
    )]
    NoClientCertificate,

    /// PLUGIN_CLIENT_CERT does not hold a certificate.
    #[error(
        "the client certificate in PLUGIN_CLIENT_CERT cannot be read; is another program than Terraform starting this provider?"
    )]
    ClientCertificate(#[source] rustls::pki_types::pem::Error),

    /// No certificate for this process could be made.
    #[error("cannot make the certificate that proves this process to Terraform")]
    ServerCertificate(#[source] rcgen::Error),

    /// The TLS library refused the configuration. A bug here, not a mistake of the user.
    #[error("cannot set up TLS towards Terraform; this is a bug in the provider, please report it")]
    Tls(#[source] rustls::Error),

    /// The directory for the socket could not be made.
    #[error("cannot make a private directory for the provider's socket in {}", .dir.display())]
    SocketDirectory {
        /// The directory that was to hold it.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// The socket could not be opened.
    #[error("cannot listen on the unix socket {}; a path may have about 100 characters, set TMPDIR to a shorter one if this one is longer", .path.display())]
    Socket {
        /// Where it was to be.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// The handshake line could not be written.
    #[error("cannot write the handshake line to standard output; Terraform seems to be gone")]
    Handshake(#[source] io::Error),

    /// A signal handler could not be installed, or the runtime not be started.
    #[error("cannot set up the process ({what})")]
    Process {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// Nobody connected.
    #[error(
        "Terraform did not connect within {seconds} seconds of the handshake; it seems to be gone"
    )]
    NobodyConnected {
        /// How long was waited.
        seconds: u64,
    },

    /// The server ended with an error.
    #[error("the connection to Terraform failed")]
    Serve(#[source] tonic::transport::Error),
}

impl ServeError {
    /// True when a person started the program: the text explains it, nothing is broken.
    pub fn started_by_hand(&self) -> bool {
        matches!(self, Self::StartedByHand { .. })
    }
}
