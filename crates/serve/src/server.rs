//! Binds, accepts, drains.

use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mlops_core::serving::{Preload, RevisionState, ServerConfig, ServerLimits, is_valid_name};
use rustix::net::sockopt::set_ipv6_v6only;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::error::ServeError;
use crate::log::Log;
use crate::revision::Revision;
use crate::router::Table;
use crate::{admin, data, smoke};

/// A client that sends no request head for so long is let go.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that may wait in the kernel to be accepted.
const BACKLOG: u32 = 1024;

/// A running server. Dropping it does not stop it; [`Server::shutdown`] and [`Server::stopped`] do.
pub struct Server {
    app: Arc<App>,
    running: JoinHandle<()>,
}

impl Server {
    /// Binds, loads and asks the revisions of the configuration, listens, and serves in background tasks of the current
    /// runtime. Until it listens a connection is refused, so nobody takes a server that loads for one that serves.
    pub async fn start(config: ServerConfig) -> Result<Server, ServeError> {
        validate(&config)?;
        let unbound = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AddrInUse => ServeError::AddressInUse {
                address: config.listen,
            },
            _ => ServeError::Listen {
                address: config.listen,
                source,
            },
        };
        let socket = bound(config.listen).map_err(unbound)?;
        let mut table = Table::default();
        table.weights = config.weights;
        table.set_variants(config.variants);
        for preload in config.preload {
            let revision = loaded(preload).await?;
            table.revisions.insert(revision.name.clone(), revision);
        }
        table.compile(&config.endpoint);
        let listener = socket.listen(BACKLOG).map_err(unbound)?;
        let listen = listener.local_addr().map_err(unbound)?;
        let admin = match &config.admin_socket {
            Some(path) => Some((admin_socket(path).await?, path.clone())),
            None => None,
        };
        let log = Log::open(&config.log)?;
        let app = Arc::new(App::new(
            config.endpoint,
            config.nonce,
            listen,
            config.limits,
            log,
            table,
        ));
        app.log.event(
            "info",
            "listening",
            json!({"endpoint": app.endpoint, "address": listen}),
        );
        let running = tokio::spawn(serve(Arc::clone(&app), listener, admin));
        Ok(Server { app, running })
    }

    /// Where the data side listens.
    pub fn address(&self) -> SocketAddr {
        self.app.listen
    }

    /// Begins the shutdown: takes no new connection, and waits up to `drain` for requests in flight.
    pub fn shutdown(&self, drain: Duration) {
        self.app.stop(drain);
    }

    /// Waits for the end of a shutdown, begun here or from the admin side.
    pub async fn stopped(self) {
        // The task neither panics nor is cancelled; if it were, the server would be gone just the same.
        let _ = self.running.await;
    }
}

/// A socket that nobody can connect to yet. A server gets the address on which the last connections of another one are
/// closing, and does not get one on which somebody listens.
fn bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            // Every address means those of both families, whatever the machine's default is.
            set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
            socket
        }
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The revision, ready, and with the right answer to its golden request.
async fn loaded(preload: Preload) -> Result<Arc<Revision>, ServeError> {
    let revision = Revision::new(preload.revision, preload.spec);
    let loading = Arc::clone(&revision);
    // A panic in there is caught in the engine; the join cannot fail otherwise.
    let _ = tokio::task::spawn_blocking(move || loading.load()).await;
    if revision.state() != RevisionState::Ready {
        let reason = revision.failure().unwrap_or("it was not loaded");
        return Err(ServeError::Preload {
            revision: revision.name.clone(),
            reason: reason.to_owned(),
        });
    }
    if let Some(asked) = &preload.smoke
        && let Some(mismatch) = smoke::run(&revision, asked).await.mismatch
    {
        return Err(ServeError::Smoke {
            revision: revision.name.clone(),
            mismatch,
        });
    }
    Ok(revision)
}

/// Runs a server until it is told to stop by its admin side, SIGTERM or SIGINT. Makes its own threads; blocks.
pub fn run(config: ServerConfig) -> Result<(), ServeError> {
    let limits = config.limits.clone();
    run_prepared(&limits, std::future::ready(Ok(config)))
}

/// As [`run`], with a configuration that is only made then, on the threads of the server; its limits are to be `limits`. A
/// signal that comes before the server listens ends the process in order, as there is nothing to drain.
pub fn run_prepared<E: From<ServeError>>(
    limits: &ServerLimits,
    prepare: impl Future<Output = Result<ServerConfig, E>>,
) -> Result<(), E> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if limits.worker_threads == 0 {
        cores.min(4)
    } else {
        limits.worker_threads
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|source| ServeError::Runtime { source })?;
    let ended = runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let caught = |kind| signal(kind).map_err(|source| ServeError::Runtime { source });
        let (mut term, mut int) = (
            caught(SignalKind::terminate())?,
            caught(SignalKind::interrupt())?,
        );
        // A server outlives the terminal it was started from.
        let _hangup = caught(SignalKind::hangup())?;
        let start = async { Ok::<_, E>(Server::start(prepare.await?).await?) };
        let server = tokio::select! {
            started = start => started?,
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
        };
        let app = Arc::clone(&server.app);
        let drain = Duration::from_secs(limits.drain_seconds);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = int.recv() => {}
                }
                app.stop(drain);
            }
        });
        server.stopped().await;
        Ok::<(), E>(())
    });
    // A graph that loads or runs beyond the drain cannot be ended, and is not waited for.
    runtime.shutdown_background();
    ended
}

fn validate(config: &ServerConfig) -> Result<(), ServeError> {
    let invalid = |reason: String| Err(ServeError::Config { reason });
    if !is_valid_name(&config.endpoint) {
        return invalid(format!(
            "endpoint name {:?}: use 1 to 128 of A-Z a-z 0-9 . _ -",
            config.endpoint
        ));
    }
    if config.limits.max_connections == 0
        || config.limits.max_in_flight == 0
        || config.limits.max_body_bytes == 0
    {
        return invalid("limits must be at least 1".into());
    }
    if let Err(error) = config.variants.validate() {
        return invalid(error.to_string());
    }
    for (variant, weights) in &config.weights {
        if let Err(error) = weights.validate() {
            return invalid(format!("variant {variant:?}: {error}"));
        }
    }
    Ok(())
}

async fn serve(app: Arc<App>, listener: TcpListener, admin: Option<(UnixListener, PathBuf)>) {
    let admin_path = admin.as_ref().map(|(_, path)| path.clone());
    let admin_task =
        admin.map(|(listener, _)| tokio::spawn(serve_admin(Arc::clone(&app), listener)));
    accept(&app, listener).await;
    drain(&app).await;
    if let Some(path) = admin_path {
        // Its absence tells a caller that the server is gone.
        let _ = std::fs::remove_file(path);
    }
    if let Some(task) = admin_task {
        task.abort();
    }
    app.log
        .event("info", "stopped", json!({"abandoned": app.inside()}));
    app.log.close();
}

async fn accept(app: &Arc<App>, listener: TcpListener) {
    let connections = Arc::new(Semaphore::new(
        app.limits.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    loop {
        let next = async {
            let permit = Arc::clone(&connections)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = app.stopping.cancelled() => return,
            next = next => next,
        };
        let (stream, remote) = match accepted {
            // An address of version 4 stays one, also where the socket takes both.
            Ok((stream, remote)) => (
                stream,
                SocketAddr::new(remote.ip().to_canonical(), remote.port()),
            ),
            Err(error) => {
                app.log
                    .event("warn", "accept failed", json!({"error": error.to_string()}));
                // Out of file descriptors, most likely: let some connections end.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are one write; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let for_requests = Arc::clone(app);
        let service =
            service_fn(move |request| data::serve(Arc::clone(&for_requests), remote, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let app = Arc::clone(app);
        app.clone().tasks.spawn(async move {
            let _permit = permit;
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                // A client that breaks off is its own affair.
                _ = connection.as_mut() => return,
                () = app.stopping.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
    }
}

/// Waits until every connection and copy has ended, or the limit has passed (which later calls may bring nearer).
async fn drain(app: &App) {
    app.tasks.close();
    let done = app.tasks.wait();
    let mut done = std::pin::pin!(done);
    loop {
        let until = app.drain_until().unwrap_or_else(Instant::now);
        let now = Instant::now();
        let slice = until
            .saturating_duration_since(now)
            .min(Duration::from_millis(100));
        if tokio::time::timeout(slice, done.as_mut()).await.is_ok() || until <= now {
            return;
        }
    }
}

async fn serve_admin(app: Arc<App>, listener: UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let app = Arc::clone(&app);
        let service = service_fn(move |request| admin::serve(Arc::clone(&app), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(ended(connection));
    }
}

async fn ended(connection: impl Future<Output = hyper::Result<()>>) {
    // A caller that was killed breaks off; it asks again.
    let _ = connection.await;
}

/// Makes the socket under another name and moves it, so that it is never there with a wider mode than 0600.
async fn admin_socket(path: &Path) -> Result<UnixListener, ServeError> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(ServeError::AdminInUse {
            path: path.to_path_buf(),
        });
    }
    let make = || {
        let mut unfinished = path.to_path_buf().into_os_string();
        unfinished.push("~");
        let _ = std::fs::remove_file(&unfinished);
        let listener = UnixListener::bind(&unfinished)?;
        std::fs::set_permissions(&unfinished, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&unfinished, path)?;
        Ok(listener)
    };
    make().map_err(|source| ServeError::Admin {
        path: path.to_path_buf(),
        source,
    })
}
