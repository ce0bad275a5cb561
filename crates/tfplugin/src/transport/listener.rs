//! Accepts connections and puts them through TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream as FutureStream;
use rustls::ServerConfig;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::connection::{Connection, Connections, Stream};

/// How long a peer may take over its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections that arrive at `listener` and pass `tls`, if there is any.
///
/// Handshakes run beside each other, so that a peer who never finishes one keeps nobody out. Accepting
/// ends when the stream is dropped.
pub(super) fn incoming(
    listener: UnixListener,
    tls: Option<Arc<ServerConfig>>,
    connections: Connections,
) -> impl FutureStream<Item = io::Result<Connection>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(accept(
        listener,
        tls.map(TlsAcceptor::from),
        connections,
        sender,
    ));
    futures::stream::unfold(receiver, async |mut receiver| {
        receiver
            .recv()
            .await
            .map(|connection| (Ok(connection), receiver))
    })
}

async fn accept(
    listener: UnixListener,
    tls: Option<TlsAcceptor>,
    connections: Connections,
    sender: mpsc::Sender<Connection>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = sender.closed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(greet(
                    stream,
                    tls.clone(),
                    connections.clone(),
                    sender.clone(),
                ));
            }
            Err(error) => {
                // Out of file descriptors, most likely: the next attempt may come too soon.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn greet(
    stream: UnixStream,
    tls: Option<TlsAcceptor>,
    connections: Connections,
    sender: mpsc::Sender<Connection>,
) {
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "refused a connection: its TLS handshake failed");
                return;
            }
            Err(_) => {
                tracing::warn!("refused a connection: its TLS handshake took too long");
                return;
            }
        },
    };
    // An error means that the server is ending; the connection is dropped with it.
    let _ = sender.send(connections.admit(stream)).await;
}
