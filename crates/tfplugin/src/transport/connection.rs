//! Connections to Terraform, and what their number says.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::stop::StopSignal;

/// How many connections there are and were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) open: usize,
    pub(super) ever: usize,
}

/// Counts connections. The loss of the last one raises the stop signal: Terraform is gone, and an
/// operation in flight should end or undo its work as it would after Ctrl-C.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    count: Arc<watch::Sender<Count>>,
    stop: StopSignal,
    rearm: bool,
}

impl Connections {
    /// `rearm`: a first connection after none makes the signal live again (debug mode, where one process
    /// outlives many runs of Terraform).
    pub(super) fn new(stop: StopSignal, rearm: bool) -> Self {
        Self {
            count: Arc::new(watch::Sender::new(Count::default())),
            stop,
            rearm,
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Count> {
        self.count.subscribe()
    }

    /// Counts `stream`, which has passed TLS if there is any, until it is dropped.
    pub(super) fn admit(&self, stream: Stream) -> Connection {
        self.count.send_modify(|count| {
            if count.open == 0 && self.rearm {
                self.stop.rearm();
            }
            count.open += 1;
            count.ever += 1;
        });
        Connection {
            stream,
            _admission: Admission(self.clone()),
        }
    }
}

#[derive(Debug)]
struct Admission(Connections);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| {
            count.open -= 1;
            if count.open == 0 {
                self.0.stop.stop();
            }
        });
    }
}

/// What bytes travel over.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(UnixStream),
    // Boxed: it is a kilobyte larger than the other.
    Tls(Box<TlsStream<UnixStream>>),
}

/// A counted connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    _admission: Admission,
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
