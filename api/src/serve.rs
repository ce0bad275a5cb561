//! The server.

use std::net::SocketAddr;
use std::time::Duration;

use mlops_core::{Error, Result};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Api;

/// How long requests under way may take to end once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

impl Api {
    /// Refuses to be asked from elsewhere without a token.
    ///
    /// # Errors
    /// `Invalid` for an address beyond the loopback interface and no token.
    pub fn check_listen(&self, listen: SocketAddr) -> Result<()> {
        if listen.ip().is_loopback() || self.inner.settings.token.is_some() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{listen} can be reached from other machines, and a registry without a token is open to whoever does; give --token-file FILE, or listen on 127.0.0.1"
        )))
    }

    /// Answers and ingests until `stop`. `listening` is told the address, with its real port.
    ///
    /// # Errors
    /// `Invalid` as [`Api::check_listen`]; `Unavailable` if the address is taken, or if the registry
    /// could not be read.
    pub async fn serve(
        &self,
        listen: SocketAddr,
        stop: CancellationToken,
        listening: impl FnOnce(SocketAddr),
    ) -> Result<()> {
        self.check_listen(listen)?;
        let failed = |cause| {
            Error::unavailable(format!(
                "the registry cannot be served on {listen}; is the port taken?"
            ))
            .because(cause)
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        listening(listener.local_addr().map_err(failed)?);
        let answering = axum::serve(listener, self.router())
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let answering = async { answering.await.map_err(failed) };
        let ingesting = self.ingest(stop.clone());
        let grace = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            done = async { tokio::try_join!(answering, ingesting) } => done.map(drop),
            () = grace => Ok(()),
        }
    }
}
