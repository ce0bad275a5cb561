//! What this program does when it is started again as a model server.
//!
//! Two hidden commands, both `COMMAND --config PATH`:
//!
//! * [`LAUNCH_COMMAND`] leaves the session of whoever started it, starts the server, waits until the server has made
//!   itself known or failed, and exits. So the server is nobody's child: it outlives terraform and the provider, no
//!   signal of their terminal reaches it, and it leaves no zombie.
//! * [`SERVE_COMMAND`] is the server. It holds a lock for as long as it lives, so there is never a second one in the same
//!   directory, and "does it run" has an answer that no reused process id can fake.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use mlops_core::serving::{EXIT_INVALID_CONFIG, ServerConfig};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::layout::{CONFIG, EXIT, LOCK, PROCESS, is_absent, read_document, write_document};
use super::process::ProcessIdentity;

/// First argument of the process that starts a server and exits.
pub const LAUNCH_COMMAND: &str = "mlops-serve-launch";
/// First argument of the process that is the server.
pub const SERVE_COMMAND: &str = "mlops-serve-child";

/// Exit status of a server that gave way: another one runs in its directory, or it is not wanted any more.
pub(super) const EXIT_NOT_WANTED: u8 = 75;
/// Exit status of a server whose configuration or directory cannot be used: [`EXIT_INVALID_CONFIG`].
const EXIT_UNUSABLE: u8 = EXIT_INVALID_CONFIG as u8;
/// Exit status of a launcher that could not start the server, or saw nothing of it in time.
const EXIT_LAUNCH_FAILED: u8 = 71;

/// How long a server waits for the lock; others hold it for moments only, unless they are servers.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How long a launcher waits for the server to make itself known.
const LAUNCH_PATIENCE: Duration = Duration::from_secs(10);

/// Runs a hidden command if `args` (with the program's name first) is one, and returns its exit status; `None` if this
/// process is something else. `serve` runs the model server until it ends, and returns its exit status.
///
/// To be called first in `main`, before a runtime is started or a signal handler set.
pub fn dispatch(
    args: impl IntoIterator<Item = OsString>,
    serve: impl FnOnce(ServerConfig) -> u8,
) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    let command = args.next()?;
    if command != LAUNCH_COMMAND && command != SERVE_COMMAND {
        return None;
    }
    let config = match (args.next(), args.next(), args.next()) {
        (Some(flag), Some(path), None) if flag == "--config" => PathBuf::from(path),
        _ => {
            report(&Error::invalid(
                "this command is for the program itself: it takes --config PATH",
            ));
            return Some(ExitCode::from(EXIT_UNUSABLE));
        }
    };
    let (outcome, otherwise) = if command == SERVE_COMMAND {
        (serve_locked(&config, serve), EXIT_UNUSABLE)
    } else {
        (launch(&config), EXIT_LAUNCH_FAILED)
    };
    let code = outcome.unwrap_or_else(|error| {
        report(&error);
        otherwise
    });
    Some(ExitCode::from(code))
}

/// Standard error is the server's `stderr.log`: the only reader is whoever asks why it did not start.
fn report(error: &Error) {
    eprintln!("{}", error.chain());
}

fn launch(config: &Path) -> Result<u8> {
    let failed = |what: &str| Error::bug(format!("the launcher of {} {what}", config.display()));
    rustix::process::setsid()
        .map_err(|cause| failed("could not leave the session").because(cause))?;
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // Terraform may hand on what it inherited itself (make's job server, a CI runner's pipe). A server that kept such a
    // pipe open would keep its reader waiting for ever.
    close_fds::set_fds_cloexec(3, &[]);
    let program = std::env::current_exe()
        .map_err(|cause| failed("does not know its own program").because(cause))?;
    let mut server = Command::new(program)
        .arg(SERVE_COMMAND)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|cause| failed("could not start the server").because(cause))?;
    let known = config.with_file_name(PROCESS);
    let begun = Instant::now();
    loop {
        let ended = server
            .try_wait()
            .map_err(|cause| failed("lost the server").because(cause))?;
        if let Some(status) = ended {
            return Ok(status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(EXIT_LAUNCH_FAILED));
        }
        let record = read_document::<ProcessRecord>(&known)?;
        if record.is_some_and(|record| record.identity.pid == server.id()) {
            return Ok(0);
        }
        if begun.elapsed() > LAUNCH_PATIENCE {
            let _ = server.kill();
            let _ = server.wait();
            return Err(failed("saw no sign of the server within ten seconds"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What a server writes about itself once it holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessRecord {
    /// Who it is.
    pub(super) identity: ProcessIdentity,
    /// The nonce of the configuration that it runs.
    pub(super) nonce: String,
}

/// What a server writes when it ends on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ExitRecord {
    /// The nonce of the configuration that it ran.
    pub(super) nonce: String,
    /// Its exit status.
    pub(super) code: u8,
}

fn serve_locked(config_path: &Path, serve: impl FnOnce(ServerConfig) -> u8) -> Result<u8> {
    debug_assert_eq!(config_path.file_name(), Some(CONFIG.as_ref()));
    let Some(_lock) = lock_patiently(&config_path.with_file_name(LOCK))? else {
        return Ok(EXIT_NOT_WANTED);
    };
    // Read under the lock: nobody changes or withdraws it while a server runs.
    let Some(config) = read_document::<ServerConfig>(config_path)? else {
        return Ok(EXIT_NOT_WANTED);
    };
    let nonce = config.nonce.clone();
    let identity = ProcessIdentity::of(std::process::id())
        .ok_or_else(|| Error::bug("this process does not find its own start time"))?;
    write_document(
        &config_path.with_file_name(PROCESS),
        &ProcessRecord {
            identity,
            nonce: nonce.clone(),
        },
    )?;
    let code = serve(config);
    // The directory may be gone by now; then nobody asks.
    let _ = write_document(
        &config_path.with_file_name(EXIT),
        &ExitRecord { nonce, code },
    );
    Ok(code)
}

/// Takes the server's lock; `None` if another server has it or the directory is gone.
fn lock_patiently(path: &Path) -> Result<Option<File>> {
    let begun = Instant::now();
    loop {
        match try_lock(path)? {
            Lock::Taken(file) => return Ok(Some(file)),
            Lock::NoDirectory => return Ok(None),
            Lock::Held if begun.elapsed() > LOCK_PATIENCE => return Ok(None),
            Lock::Held => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// What an attempt to take the lock gave.
pub(super) enum Lock {
    /// It is ours until the file is dropped.
    Taken(File),
    /// Somebody else has it.
    Held,
    /// There is no directory for it.
    NoDirectory,
}

/// Tries to take the server's lock.
pub(super) fn try_lock(path: &Path) -> Result<Lock> {
    let failed = |cause: io::Error| {
        Error::unavailable(format!("the lock {} could not be taken", path.display())).because(cause)
    };
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(cause) if is_absent(&cause) => return Ok(Lock::NoDirectory),
        Err(cause) => return Err(failed(cause)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Lock::Taken(file)),
        Err(TryLockError::WouldBlock) => Ok(Lock::Held),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}
