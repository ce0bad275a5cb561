//! CPU from exec to the handshake line.
//!
//! Terraform prepares each plugin's environment (cookie, client certificate). One run under it records that environment; the
//! provider is then started with it directly, many times, and ended as soon as its handshake line is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::accounting;
use crate::builds::Builds;
use crate::proxy;
use crate::table::{Table, at_most, median};
use crate::terraform::{Provider, Workspace, requiring};

const CPU_MS: f64 = 10.0;
const STARTS: usize = 31;

/// Measures and prints.
pub(crate) fn run(builds: &Builds) -> Result<()> {
    println!("handshake: {STARTS} starts");
    let rust = measure(
        builds,
        &Provider {
            name: "mlops",
            binary: builds.provider()?,
        },
    )?;
    let go = measure(
        builds,
        &Provider {
            name: "peer",
            binary: builds.peer()?,
        },
    )?;
    let mut table = Table::new(
        "Provider: CPU from exec to the handshake line, median",
        &["Go ms", "ours ms", "below", ""],
    );
    table.row(vec![
        format!("{go:.1}"),
        format!("{rust:.1}"),
        CPU_MS.to_string(),
        at_most(rust, CPU_MS).to_owned(),
    ]);
    print!("{table}");
    Ok(())
}

fn measure(builds: &Builds, provider: &Provider) -> Result<f64> {
    let workspace = Workspace::new(builds, Some(provider), &requiring(provider.name))?;
    workspace.run(&["validate"])?;
    let mut environment = proxy::environment(&workspace.records())?;
    // Terraform removed its own socket directory when it ended.
    let sockets = tempfile::tempdir().context("cannot make a directory for sockets")?;
    environment.insert(
        "PLUGIN_UNIX_SOCKET_DIR".into(),
        sockets.path().display().to_string(),
    );
    let milliseconds = (0..STARTS)
        .map(|_| start(&provider.binary, &environment))
        .collect::<Result<Vec<_>>>()?;
    Ok(median(milliseconds))
}

/// One start: CPU in milliseconds.
fn start(binary: &Path, environment: &BTreeMap<String, String>) -> Result<f64> {
    let before = accounting::children()?;
    let mut child = Command::new(binary)
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    let stdout = child
        .stdout
        .take()
        .context("the child has no standard output")?;
    let mut line = String::new();
    let read = BufReader::new(stdout).read_line(&mut line);
    child.kill().context("cannot end the provider")?;
    child.wait().context("cannot wait for the provider")?;
    read.context("cannot read the handshake")?;
    ensure!(
        line.split('|').count() >= 5,
        "{} said {line:?} where a handshake belongs",
        binary.display()
    );
    Ok((accounting::children()?.cpu - before.cpu) * 1000.0)
}
