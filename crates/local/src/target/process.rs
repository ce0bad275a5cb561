//! Which process it is: its id and when it started. Ids are used again, the two together are not.

use mlops_core::{Error, Result};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

/// One process, in a way that no later process with the same id matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessIdentity {
    /// Process id.
    pub(super) pid: u32,
    /// When it started, in a form only equality is defined on.
    pub(super) started: String,
}

impl ProcessIdentity {
    /// The running process with this id; `None` if there is none, or it has exited and only waits for its parent.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            started: start_of(pid)?,
        })
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal to exactly this process; `false` if it does not run any more. Another process that has its id by
    /// now gets nothing.
    pub(super) fn signal(&self, signal: Signal) -> Result<bool> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(false);
        };
        match send(self, pid, signal) {
            Ok(sent) => Ok(sent),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(cause) => Err(Error::denied(format!(
                "the model server with process id {pid} could not be signalled",
                pid = self.pid
            ))
            .because(cause)),
        }
    }
}

#[cfg(target_os = "linux")]
fn send(identity: &ProcessIdentity, pid: Pid, signal: Signal) -> rustix::io::Result<bool> {
    // The descriptor pins the process: checked after it was opened, the id cannot change hands before the signal.
    let pinned = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
    if !identity.is_alive() {
        return Ok(false);
    }
    rustix::process::pidfd_send_signal(&pinned, signal)?;
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
fn send(identity: &ProcessIdentity, pid: Pid, signal: Signal) -> rustix::io::Result<bool> {
    if !identity.is_alive() {
        return Ok(false);
    }
    rustix::process::kill_process(pid, signal)?;
    Ok(true)
}

/// Start time in ticks since boot, and which boot.
#[cfg(target_os = "linux")]
fn start_of(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets and may itself hold spaces and brackets.
    let after_name = stat.rsplit_once(") ")?.1;
    let mut fields = after_name.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    // Field 22 of the line; the state was field 3.
    let ticks = fields.nth(22 - 4)?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}:{ticks}", boot.trim()))
}

/// Start time as `ps` prints it, to the second.
#[cfg(not(target_os = "linux"))]
fn start_of(pid: u32) -> Option<String> {
    let output = std::process::Command::new("/bin/ps")
        .args(["-o", "state=,lstart=", "-p", &pid.to_string()])
        .env_clear()
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .stderr(std::process::Stdio::null())
        .output()
        .ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (state, started) = line.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| started.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_id() {
        let mut child = sleeper();
        let identity = ProcessIdentity::of(child.id()).unwrap();
        let forged = ProcessIdentity {
            started: "earlier".into(),
            ..identity.clone()
        };
        assert!(identity.is_alive());
        assert!(!forged.is_alive());
        assert!(!forged.signal(Signal::KILL).unwrap());
        assert!(child.try_wait().unwrap().is_none(), "a stranger was killed");
        assert!(identity.signal(Signal::KILL).unwrap());
        child.wait().unwrap();
        assert!(!identity.is_alive());
        assert!(!identity.signal(Signal::KILL).unwrap());
    }

    #[test]
    fn a_process_that_only_waits_for_its_parent_is_not_alive() {
        let mut child = sleeper();
        let identity = ProcessIdentity::of(child.id()).unwrap();
        child.kill().unwrap();
        // Not reaped yet: wait until the kernel shows it as a zombie.
        while identity.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
