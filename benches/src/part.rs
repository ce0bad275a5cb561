//! Servers that stand in for AWS: those of `scripts/parts`.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::builds::Builds;

/// The keys that the parts know.
pub(crate) const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_KEY: &str = "secret";

/// A running server; it ends when this is dropped.
pub(crate) struct Part {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// What else it told about itself, as JSON; empty if nothing.
    pub(crate) details: String,
    /// It ends when this is closed.
    stdin: Option<ChildStdin>,
    child: Child,
}

impl Part {
    /// Starts `scripts/parts/NAME`, which puts it there first if need be.
    pub(crate) fn start(builds: &Builds, name: &str) -> Result<Self> {
        Self::start_with_room(builds, name, 0)
    }

    /// The same, for so many bytes: kept in memory if they fit there twice, because what is measured is the client, and
    /// a disk that is busy with what was written before is none of it.
    pub(crate) fn start_with_room(builds: &Builds, name: &str, bytes: u64) -> Result<Self> {
        let script = builds.root.join("scripts/parts").join(name);
        let mut command = Command::new(&script);
        let memory = Path::new("/dev/shm");
        if bytes > 0 && memory.is_dir() && free_memory().is_some_and(|free| free > 2 * bytes) {
            command.env("TMPDIR", memory);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", script.display()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut part = Self {
            url: String::new(),
            details: String::new(),
            stdin,
            child,
        };
        let mut lines = BufReader::new(stdout.context("no output")?);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                bail!("{name} did not start");
            }
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                part.url = format!("http://{address}");
                // Read to its end, so that the part never waits for us.
                thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
                return Ok(part);
            }
            if line.starts_with('{') {
                part.details = line;
            }
        }
    }
}

/// Bytes that programs may still take, as Linux tells.
fn free_memory() -> Option<u64> {
    let told = fs::read_to_string("/proc/meminfo").ok()?;
    let line = told
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

impl Drop for Part {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}
