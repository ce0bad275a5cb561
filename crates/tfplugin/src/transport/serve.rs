//! The life of the process between handshake and end.

use std::sync::Arc;
use std::time::Duration;

use tfplugin_proto::health::health_server::HealthServer;
use tfplugin_proto::plugin::grpc_broker_server::GrpcBrokerServer;
use tfplugin_proto::plugin::grpc_controller_server::GrpcControllerServer;
use tfplugin_proto::plugin::grpc_stdio_server::GrpcStdioServer;
use tfplugin_proto::tfplugin6::provider_server::{Provider, ProviderServer};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Server;

use super::MAX_MESSAGE_SIZE;
use super::certificate::ServerIdentity;
use super::connection::{Connections, Count};
use super::error::ServeError;
use super::go_plugin::{Broker, Controller, Pulse, Stdio};
use super::guard::{GuardLayer, Subject};
use super::handshake::{self, Invitation};
use super::listener;
use super::options::ServeOptions;
use super::panics;
use super::socket::Socket;
use crate::stop::StopSignal;

/// How long Terraform may take to connect after the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long operations may go on after an orderly shutdown. Terraform asks for one when it has nothing
/// running, or has been interrupted twice; it kills the process two seconds later.
const ORDERLY_DRAIN: Duration = Duration::from_millis(500);
/// How long operations may go on after the connection was lost or SIGTERM came: enough to undo.
const STOPPED_DRAIN: Duration = Duration::from_secs(15 * 60);

/// Serves `provider` to the Terraform that started this process, until that Terraform is done with it.
///
/// `stop` is raised by SIGTERM and by the loss of the connection; the provider raises it on StopProvider.
/// Operations in flight run to their own end in every case (bounded to 15 minutes once Terraform is gone).
/// SIGINT is ignored: Ctrl-C reaches the whole process group, and Terraform tells its providers itself
/// what to make of it.
///
/// # Errors
/// [`ServeError::StartedByHand`] when the process was not started by Terraform; the others say what could
/// not be set up. An end by shutdown, signal or lost connection is not an error.
pub async fn serve<P: Provider>(
    provider: P,
    stop: StopSignal,
    mut options: ServeOptions,
) -> Result<(), ServeError> {
    let debug = options.is_debug();
    let invitation = match debug {
        true => None,
        false => Some(Invitation::read(&options, |name| std::env::var_os(name))?),
    };
    // Before the handshake: from there on Terraform may pass on a Ctrl-C.
    let signals = Signals::install()?;
    panics::install_hook();

    let socket_dir = invitation.as_ref().and_then(|i| i.socket_dir.as_deref());
    let socket = Socket::open(socket_dir)?;
    let path = socket.path.clone();
    let tls = match &invitation {
        Some(invitation) => {
            let identity = ServerIdentity::make(invitation.client_certificate.clone())?;
            handshake::announce(&invitation.line(&path, &identity.certificate))?;
            Some(identity.tls)
        }
        None => {
            let value = handshake::reattach_value(options.source(), std::process::id(), &path);
            handshake::announce(&format!(
                "Provider started in debug mode. Let Terraform or OpenTofu use it with\n\n    \
                 export TF_REATTACH_PROVIDERS='{value}'\n\nand end it with Ctrl-C."
            ))?;
            None
        }
    };

    let connections = Connections::new(stop.clone(), debug);
    let count = connections.watch();
    let closing = CancellationToken::new();
    let tasks = TaskTracker::new();
    let guard = GuardLayer {
        tasks: tasks.clone(),
        subject: Arc::new(Subject {
            name: options.name().to_owned(),
            version: options.version().to_owned(),
        }),
    };
    let hooks = options.take_shutdown_hooks();
    let router = Server::builder()
        // One connection carries everything: let big values through without waiting for the peer.
        .initial_connection_window_size(Some(16 << 20))
        .initial_stream_window_size(Some(4 << 20))
        .layer(guard)
        .add_service(
            ProviderServer::new(provider)
                .max_decoding_message_size(MAX_MESSAGE_SIZE)
                .max_encoding_message_size(MAX_MESSAGE_SIZE),
        )
        .add_service(GrpcControllerServer::new(Controller::new(
            hooks,
            closing.clone(),
            debug,
        )))
        .add_service(GrpcStdioServer::new(Stdio {
            closing: closing.clone(),
        }))
        .add_service(GrpcBrokerServer::new(Broker {
            closing: closing.clone(),
        }))
        .add_service(HealthServer::new(Pulse {
            closing: closing.clone(),
        }));
    let Socket {
        listener, cleanup, ..
    } = socket;
    let mut server = tokio::spawn(router.serve_with_incoming_shutdown(
        listener::incoming(listener, tls, connections),
        closing.clone().cancelled_owned(),
    ));

    let end = tokio::select! {
        end = supervise(signals, count, closing.clone(), debug) => end?,
        ended = &mut server => return finished(ended),
    };
    stop.stop();
    closing.cancel();
    tasks.close();
    let drain = match end {
        End::Orderly => ORDERLY_DRAIN,
        End::Terminated | End::Disconnected => STOPPED_DRAIN,
    };
    tracing::debug!(?end, running = tasks.len(), "serving ends");
    let drained = tokio::time::timeout(drain, async {
        tasks.wait().await;
        (&mut server).await
    })
    .await;
    drop(cleanup);
    match drained {
        Ok(ended) => finished(ended),
        Err(_) => {
            tracing::warn!(
                running = tasks.len(),
                "operations were cut off at the end of the process"
            );
            Ok(())
        }
    }
}

/// Why serving ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Terraform asked for it.
    Orderly,
    /// A signal asked for it.
    Terminated,
    /// Terraform is gone.
    Disconnected,
}

async fn supervise(
    mut signals: Signals,
    mut count: watch::Receiver<Count>,
    closing: CancellationToken,
    debug: bool,
) -> Result<End, ServeError> {
    let connected = async {
        // The sender lives in the accepting task, which lives as long as the server.
        let seen = count.wait_for(|count| count.ever > 0);
        let in_time = match debug {
            true => Ok(seen.await.is_ok()),
            false => tokio::time::timeout(CONNECT_TIMEOUT, seen)
                .await
                .map(|seen| seen.is_ok()),
        };
        if in_time.is_err() {
            return Err(ServeError::NobodyConnected {
                seconds: CONNECT_TIMEOUT.as_secs(),
            });
        }
        if debug {
            std::future::pending::<()>().await;
        }
        let _ = count.wait_for(|count| count.open == 0).await;
        Ok(End::Disconnected)
    };
    tokio::select! {
        // A shutdown is answered, then the connection goes: seen together, it was a shutdown.
        biased;
        () = closing.cancelled() => Ok(End::Orderly),
        () = signals.end(debug) => Ok(End::Terminated),
        end = connected => end,
    }
}

fn finished(
    ended: Result<Result<(), tonic::transport::Error>, tokio::task::JoinError>,
) -> Result<(), ServeError> {
    match ended {
        Ok(ended) => ended.map_err(ServeError::Serve),
        // Nobody aborts the task, so it panicked: go on doing so.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The signals that this process does not leave to the system.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn install() -> Result<Self, ServeError> {
        let install =
            |kind, what| signal(kind).map_err(|source| ServeError::Process { what, source });
        Ok(Self {
            interrupt: install(SignalKind::interrupt(), "handler for SIGINT")?,
            terminate: install(SignalKind::terminate(), "handler for SIGTERM")?,
        })
    }

    /// Waits for a signal that ends the process; SIGINT does only in debug mode.
    async fn end(&mut self, debug: bool) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => {
                    if debug {
                        return;
                    }
                    tracing::debug!("ignored SIGINT: Terraform decides what it means");
                }
            }
        }
    }
}
