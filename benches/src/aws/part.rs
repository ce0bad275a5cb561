//! Servers that stand in for AWS: those of `scripts/parts`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::builds::Builds;

/// The keys that the parts know.
pub(super) const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub(super) const SECRET_KEY: &str = "secret";

/// A running server; it ends when this is dropped.
pub(super) struct Part {
    /// `http://127.0.0.1:PORT`.
    pub(super) url: String,
    /// It ends when this is closed.
    stdin: Option<ChildStdin>,
    child: Child,
}

impl Part {
    /// Starts `scripts/parts/NAME`, which puts it there first if need be.
    pub(super) fn start(builds: &Builds, name: &str) -> Result<Self> {
        let script = builds.root.join("scripts/parts").join(name);
        let mut child = Command::new(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", script.display()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut part = Self {
            url: String::new(),
            stdin,
            child,
        };
        for line in BufReader::new(stdout.context("no output")?).lines() {
            if let Some(address) = line?.strip_prefix("listening on ") {
                part.url = format!("http://{address}");
                return Ok(part);
            }
        }
        bail!("{name} did not start")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}
