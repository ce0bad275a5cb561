//! Processes that a workspace started, found through `/proc`, and signals to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::wait;

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// The id of its parent.
    pub parent: i32,
    /// The program that it runs.
    pub exe: PathBuf,
    /// Its working directory.
    pub cwd: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Process {
    /// Whether it is the plugin, started by Terraform.
    pub fn is_provider(&self) -> bool {
        let name = self.exe.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("terraform-provider-mlops")
    }
}

/// Every process of this machine that can be looked at. Empty where there is no `/proc`.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

fn read(pid: i32) -> Option<Process> {
    let dir = PathBuf::from(format!("/proc/{pid}"));
    let stat = fs::read_to_string(dir.join("stat")).ok()?;
    // `pid (name) state parent …`: the name may hold anything, so look behind its last bracket.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    let arguments = fs::read(dir.join("cmdline")).ok()?;
    let arguments = arguments
        .split(|byte| *byte == 0)
        .filter(|part| !part.is_empty());
    Some(Process {
        pid,
        parent,
        exe: fs::read_link(dir.join("exe")).ok()?,
        cwd: fs::read_link(dir.join("cwd")).ok()?,
        arguments: arguments
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect(),
    })
}

/// Processes whose program or working directory lies in `dir`.
pub fn within(dir: &Path) -> Vec<Process> {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    all()
        .into_iter()
        .filter(|process| process.exe.starts_with(&dir) || process.cwd.starts_with(&dir))
        .collect()
}

/// Model servers that run from the registry in `dir`.
pub fn servers(dir: &Path) -> Vec<Process> {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    all()
        .into_iter()
        .filter(|process| process.exe.starts_with(&dir))
        .collect()
}

/// Children of a process.
pub fn children(pid: i32) -> Vec<Process> {
    all()
        .into_iter()
        .filter(|process| process.parent == pid)
        .collect()
}

/// Whether a process runs (a zombie does not).
pub fn runs(pid: i32) -> bool {
    match Pid::from_raw(pid) {
        Some(id) => test_kill_process(id).is_ok() && read(pid).is_some(),
        None => false,
    }
}

/// SIGINT, as Ctrl-C sends it.
pub fn interrupt(pid: i32) {
    signal(pid, Signal::INT);
}

/// SIGTERM.
pub fn terminate(pid: i32) {
    signal(pid, Signal::TERM);
}

/// SIGKILL. It returns when the process is gone.
pub fn kill(pid: i32) {
    signal(pid, Signal::KILL);
    wait::until("a killed process ends", Duration::from_secs(10), || {
        !runs(pid)
    });
}

fn signal(pid: i32, signal: Signal) {
    let id = Pid::from_raw(pid).unwrap_or_else(|| panic!("{pid} is no process id"));
    // It may have ended on its own by now.
    let _ = kill_process(id, signal);
}
