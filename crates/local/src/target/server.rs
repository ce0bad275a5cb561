//! One server's life as seen from outside: is it there, start it, stop it. Nothing here waits.
//!
//! Whether a server runs is answered by its lock, which the kernel releases with the process, however it ends. That it is
//! the one we started is answered by the nonce, on a socket that only this user can reach. A process id alone is never
//! believed, and nothing is signalled but the process that wrote its id and start time while it held the lock.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mlops_core::serving::{LogTarget, ServerConfig, ServerLimits};
use mlops_core::{Error, Result};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::child::{ExitRecord, Lock, ProcessRecord, try_lock};
use super::launch::{Launched, launch};
use super::layout::{ServerDir, gone, read_document, write_document};
use crate::admin::AdminClient;

/// Size at which a server's log is rotated, in bytes.
const LOG_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Time past the drain limit before a server that was asked to end is told by SIGTERM.
const TERM_AFTER: Duration = Duration::from_secs(2);
/// Time past the drain limit before it is ended by SIGKILL.
const KILL_AFTER: Duration = Duration::from_secs(4);
/// Time past the drain limit in which a stop must have come to its end.
pub(super) const STOP_MARGIN: Duration = Duration::from_secs(20);

/// What is found in a server's directory.
#[derive(Debug)]
pub(super) enum Found {
    /// No server was meant to run here, or it was taken away.
    Nothing,
    /// A server was meant to run; none does.
    Dead {
        /// The nonce of the one that was meant.
        nonce: String,
        /// Its exit status, if it ended on its own.
        exit: Option<u8>,
    },
    /// A server lives and does not answer: it is starting, ending, or stuck.
    Silent,
    /// Our server answers.
    Running {
        /// Its nonce.
        nonce: String,
        /// What it was started with.
        config: Box<ServerConfig>,
        /// The way to speak to it.
        admin: AdminClient,
    },
}

/// Looks. Changes nothing.
pub(super) async fn find(dir: &ServerDir) -> Result<Found> {
    let Some(config) = read_document::<ServerConfig>(&dir.config())? else {
        return Ok(Found::Nothing);
    };
    if !is_held(&dir.lock())? {
        let exit = read_document::<ExitRecord>(&dir.exit())?
            .filter(|exit| exit.nonce == config.nonce)
            .map(|exit| exit.code);
        return Ok(Found::Dead {
            nonce: config.nonce,
            exit,
        });
    }
    let Some(admin) = config.admin_socket.as_ref().map(AdminClient::new) else {
        return Ok(Found::Silent);
    };
    match admin.identity().await {
        Ok(identity) if identity.nonce == config.nonce => Ok(Found::Running {
            nonce: config.nonce.clone(),
            config: Box::new(config),
            admin,
        }),
        _ => Ok(Found::Silent),
    }
}

/// Whether a process holds the lock.
fn is_held(path: &Path) -> Result<bool> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(cause) if super::layout::is_absent(&cause) => return Ok(false),
        Err(cause) => {
            return Err(
                Error::denied(format!("the lock {} could not be read", path.display()))
                    .because(cause),
            );
        }
    };
    // Shared, so that observers do not take each other for servers.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(cause)) => Err(Error::unavailable(format!(
            "the lock {} could not be asked",
            path.display()
        ))
        .because(cause)),
    }
}

/// What a start led to.
#[derive(Debug)]
pub(super) enum Started {
    /// A new server has the lock.
    Launched {
        /// Its nonce.
        nonce: String,
    },
    /// The new server ended at once, with this status (`None`: by a signal).
    Ended(Option<i32>),
    /// Somebody has the lock. Look again.
    Busy,
}

/// Writes the intent and starts a server. Blocking, for some milliseconds.
pub(super) fn start(
    dir: &ServerDir,
    program: &Path,
    endpoint: &str,
    listen: SocketAddr,
    drain_seconds: u64,
) -> Result<Started> {
    dir.create()?;
    let lock = match try_lock(&dir.lock())? {
        Lock::Taken(lock) => lock,
        Lock::Held => return Ok(Started::Busy),
        Lock::NoDirectory => {
            return Err(Error::conflict(format!(
                "{} was removed while a server was started in it; apply again",
                dir.path().display()
            )));
        }
    };
    let known = read_document::<ServerConfig>(&dir.config())?.and_then(|known| known.admin_socket);
    let socket = match known {
        Some(socket) => socket,
        None => dir.place_socket()?,
    };
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    for stale in [dir.process(), dir.exit(), dir.stopping()] {
        gone(fs::remove_file(&stale)).map_err(|cause| {
            Error::unavailable(format!("{} could not be removed", stale.display())).because(cause)
        })?;
    }
    // Before the configuration: where there is one, it is known which program must stay.
    write_document(&dir.program(), &program)?;
    write_document(
        &dir.config(),
        &ServerConfig {
            endpoint: endpoint.to_owned(),
            listen,
            admin_socket: Some(socket),
            nonce: nonce.clone(),
            log: LogTarget::File {
                path: dir.log(),
                max_bytes: LOG_MAX_BYTES,
            },
            limits: ServerLimits {
                drain_seconds,
                ..ServerLimits::default()
            },
            variants: Default::default(),
            preload: Vec::new(),
            weights: Default::default(),
        },
    )?;
    drop(lock);
    Ok(match launch(program, dir)? {
        Launched::Runs => Started::Launched { nonce },
        Launched::Ended(code) => Started::Ended(code),
    })
}

/// When a stop was first asked for, so that any process can go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stopping {
    nonce: String,
    since_ms: u64,
}

/// Asks a server to end, later tells it, at last makes it; then removes all files of it. `true` once nothing is left.
/// To be called again until then.
pub(super) async fn stop(dir: &ServerDir, drain: Duration) -> Result<bool> {
    let config = match read_document::<ServerConfig>(&dir.config()) {
        Ok(Some(config)) => Some(config),
        Ok(None) => {
            // Withdrawn, or never begun: at most an empty directory is left.
            return dir.remove();
        }
        // It says neither where the server listens nor its nonce, but the lock and the server's own record do not lie.
        Err(error) if error.class() == mlops_core::Class::Corrupt => None,
        Err(error) => return Err(error),
    };
    if is_held(&dir.lock())? {
        match &config {
            Some(config) => press(dir, config, drain).await?,
            None => end_recorded(dir)?,
        }
        return Ok(false);
    }
    let _lock = match try_lock(&dir.lock())? {
        Lock::Taken(lock) => lock,
        // A late child of a killed launcher; it is asked to go by the next call.
        Lock::Held => return Ok(false),
        Lock::NoDirectory => return Ok(true),
    };
    // Under the lock. The intent goes before the files: a child that still waits for the lock finds none and ends.
    let socket = match config {
        Some(config) => config.admin_socket,
        None => Some(dir.place_socket()?),
    };
    dir.remove_socket(socket.as_deref())?;
    gone(fs::remove_file(dir.config())).map_err(|cause| {
        Error::unavailable(format!("{} could not be removed", dir.config().display()))
            .because(cause)
    })?;
    dir.remove()
}

async fn press(dir: &ServerDir, config: &ServerConfig, drain: Duration) -> Result<()> {
    let now = monotonic_ms();
    let begun = read_document::<Stopping>(&dir.stopping())?
        .filter(|stopping| stopping.nonce == config.nonce && stopping.since_ms <= now);
    let since = match begun {
        Some(stopping) => stopping.since_ms,
        None => {
            let stopping = Stopping {
                nonce: config.nonce.clone(),
                since_ms: now,
            };
            write_document(&dir.stopping(), &stopping)?;
            now
        }
    };
    let waited = Duration::from_millis(now - since);
    if waited < drain + TERM_AFTER
        && let Some(socket) = &config.admin_socket
    {
        let admin = AdminClient::new(socket);
        if let Ok(identity) = admin.identity().await
            && identity.nonce == config.nonce
        {
            return match admin.shutdown(drain).await {
                // It may have gone between the two questions.
                Err(error) if error.class() != mlops_core::Class::Unavailable => Err(error),
                _ => Ok(()),
            };
        }
        if waited < TERM_AFTER {
            return Ok(());
        }
    }
    let signal = if waited < drain + KILL_AFTER {
        Signal::TERM
    } else {
        Signal::KILL
    };
    let record = read_document::<ProcessRecord>(&dir.process())?;
    if let Some(record) = record.filter(|record| record.nonce == config.nonce) {
        tracing::warn!(
            endpoint = config.endpoint,
            pid = record.identity.pid,
            ?signal,
            "the model server does not end by itself"
        );
        record.identity.signal(signal)?;
    }
    Ok(())
}

/// Ends the server that holds the lock of `dir` by what it wrote of itself.
fn end_recorded(dir: &ServerDir) -> Result<()> {
    if let Some(record) = read_document::<ProcessRecord>(&dir.process())? {
        tracing::warn!(
            pid = record.identity.pid,
            "the model server's configuration is damaged; it is told to end by a signal"
        );
        record.identity.signal(Signal::TERM)?;
    }
    Ok(())
}

/// Milliseconds of a clock that all processes share and that nobody sets.
fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1000 + nanos / 1_000_000
}
