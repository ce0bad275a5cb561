//! Starting a server that outlives whoever started it. The other half is [`super::child`].

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mlops_core::{Error, Result};

use super::child::{EXIT_NOT_WANTED, LAUNCH_COMMAND};
use super::layout::ServerDir;

/// What a server inherits of the environment. Nothing else: terraform's holds credentials.
const KEPT_VARIABLES: [&str; 3] = ["PATH", "HOME", "LANG"];

/// Longer than the launcher's own patience, so that the launcher's answer is the one that counts.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long to wait out a program file that another process still holds open for writing.
const BUSY_PATIENCE: Duration = Duration::from_secs(2);

/// What a launch led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Launched {
    /// A server has the lock: ours, or one that was there first.
    Runs,
    /// The server ended with this status before it took a request; `None` if a signal ended it.
    Ended(Option<i32>),
}

/// Starts `program` as the server of `dir`, whose configuration is in place. Returns once the server has the lock, or
/// has ended. Blocking, for some milliseconds.
pub(super) fn launch(program: &Path, dir: &ServerDir) -> Result<Launched> {
    let failed = |cause: io::Error| {
        Error::unavailable(format!(
            "the model server in {} could not be started from {}",
            dir.path().display(),
            program.display()
        ))
        .because(cause)
    };
    let stderr = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(dir.stderr())
        .map_err(failed)?;
    let mut command = Command::new(program);
    command
        .arg(LAUNCH_COMMAND)
        .arg("--config")
        .arg(dir.config())
        .current_dir(dir.path())
        .env_clear()
        .envs(
            KEPT_VARIABLES
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr);
    let launcher = spawn(&mut command).map_err(failed)?;
    let status = wait(launcher).map_err(failed)?;
    match status {
        Some(status) if status.success() => Ok(Launched::Runs),
        Some(status) if status.code() == Some(i32::from(EXIT_NOT_WANTED)) => Ok(Launched::Runs),
        Some(status) => Ok(Launched::Ended(status.code())),
        None => Err(failed(io::Error::from(io::ErrorKind::TimedOut))),
    }
}

fn spawn(command: &mut Command) -> io::Result<Child> {
    let begun = Instant::now();
    loop {
        match command.spawn() {
            // Another thread of this process was just starting a child while the copy was written: that child holds
            // the copy open until it runs its own program.
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && begun.elapsed() < BUSY_PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

/// Waits for the launcher; `None` if it had to be killed.
fn wait(mut launcher: Child) -> io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = launcher.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > PATIENCE {
            launcher.kill()?;
            launcher.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
