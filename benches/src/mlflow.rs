//! The peer server: `mlflow models serve` of the same ONNX file.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::builds::Builds;
use crate::load::Connection;

/// The first run installs MLflow.
const READY_WITHIN: Duration = Duration::from_secs(20 * 60);
const BETWEEN_PINGS: Duration = Duration::from_millis(200);

/// A running server; it and its workers end when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it and waits until it answers.
    pub(crate) fn start(builds: &Builds, model: &Path) -> Result<Self> {
        // Released before MLflow binds it: there is no way to hand it the socket.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .context("no free port")?
            .local_addr()?;
        let scratch = builds.scratch()?;
        let log_path = scratch.join("mlflow.log");
        let log = File::create(&log_path)
            .with_context(|| format!("cannot write {}", log_path.display()))?;
        let script = builds.root.join("benches/mlflow/serve.sh");
        println!(
            "starting MLflow (the first time this installs about 950 MB; log in {})",
            log_path.display()
        );
        let child = Command::new(&script)
            .arg(scratch.with_file_name("bench-venv"))
            .arg(model)
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot share the log")?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", script.display()))?;
        let mut server = Self { child, address };
        server
            .wait_until_ready()
            .with_context(|| format!("MLflow does not serve; see {}", log_path.display()))?;
        Ok(server)
    }

    /// The first process of its group.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        let ping = format!("GET /ping HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        while start.elapsed() < READY_WITHIN {
            if let Some(status) = self.child.try_wait().context("cannot wait for MLflow")? {
                bail!("it ended with {status}");
            }
            let answer = Connection::open(self.address).and_then(|mut c| c.ask(ping.as_bytes()));
            if answer.is_ok_and(|a| a.status == 200) {
                return Ok(());
            }
            thread::sleep(BETWEEN_PINGS);
        }
        bail!("no answer to /ping within {} s", READY_WITHIN.as_secs())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its workers are children of its own; the group has them all. An error means that they are gone.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
