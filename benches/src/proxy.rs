//! Stands in the provider's place, runs it, and records what it cost.
//!
//! Terraform starts several provider processes for one command and tells nobody what each cost. So the plugin directory
//! holds a script that runs this; it runs the provider with the same standard streams and environment, waits, and writes
//! one record a process.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::accounting::{self, Usage};

/// File with the environment that Terraform hands to a plugin, beside the records.
const ENVIRONMENT: &str = "environment";

/// File with the process id of the provider that was started last.
const RUNNING: &str = "running";

/// Runs `provider` to its end and records its cost in `records`.
pub(crate) fn run(provider: &Path, records: &Path) -> Result<ExitCode> {
    let plugin: BTreeMap<String, String> = env::vars()
        .filter(|(name, _)| name.starts_with("PLUGIN_") || name.starts_with("TF_PLUGIN_"))
        .collect();
    let text =
        serde_json::to_vec(&plugin).context("cannot write the plugin's environment as JSON")?;
    fs::write(records.join(ENVIRONMENT), text).context("cannot record the plugin's environment")?;

    let about = || format!("cannot run {}", provider.display());
    let mut child = Command::new(provider).spawn().with_context(about)?;
    fs::write(records.join(RUNNING), child.id().to_string())
        .context("cannot record the provider's process id")?;
    let status = child.wait().with_context(about)?;
    let usage = accounting::children()?;
    let record = records.join(format!("{}.json", std::process::id()));
    let text = serde_json::to_vec(&usage).context("cannot write a record as JSON")?;
    fs::write(&record, text).with_context(|| format!("cannot write {}", record.display()))?;
    // A provider that a signal ended has no code.
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Writes the script that stands in for `provider` at `path`.
pub(crate) fn install(provider: &Path, records: &Path, path: &Path) -> Result<()> {
    let me = env::current_exe().context("cannot tell this program's path")?;
    let quoted = |p: &Path| format!("'{}'", p.display().to_string().replace('\'', r"'\''"));
    let script = format!(
        "#!/bin/sh\nexec {} proxy {} {}\n",
        quoted(&me),
        quoted(provider),
        quoted(records)
    );
    fs::write(path, script).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))
}

/// Takes the records away and sums them: CPU added, memory the largest. Also says how many there were.
pub(crate) fn collect(records: &Path) -> Result<(Usage, usize)> {
    let mut total = Usage::default();
    let mut count = 0;
    for entry in
        fs::read_dir(records).with_context(|| format!("cannot list {}", records.display()))?
    {
        let path = entry.context("cannot list the records")?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let one: Usage = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no record", path.display()))?;
        total = Usage {
            cpu: total.cpu + one.cpu,
            peak_bytes: total.peak_bytes.max(one.peak_bytes),
        };
        count += 1;
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok((total, count))
}

/// What Terraform put into the plugin's environment when it last ran one.
pub(crate) fn environment(records: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read(records.join(ENVIRONMENT)).context("no provider has run yet")?;
    serde_json::from_slice(&text).context("the recorded environment is no JSON object")
}

/// Kills the provider that was started last, as `kill -9` does.
pub(crate) fn kill(records: &Path) -> Result<()> {
    let id = fs::read_to_string(records.join(RUNNING)).context("no provider has run yet")?;
    let id = id.parse().ok().and_then(Pid::from_raw);
    let id = id.context("the recorded process id is none")?;
    kill_process(id, Signal::KILL).context("cannot kill the provider")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_summed_once_and_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        for (name, cpu, peak_bytes) in [("1.json", 0.25, 10), ("2.json", 0.5, 30)] {
            fs::write(
                dir.path().join(name),
                serde_json::to_vec(&Usage { cpu, peak_bytes }).unwrap(),
            )
            .unwrap();
        }
        fs::write(dir.path().join(ENVIRONMENT), "{}").unwrap();
        assert_eq!(
            collect(dir.path()).unwrap(),
            (
                Usage {
                    cpu: 0.75,
                    peak_bytes: 30
                },
                2
            )
        );
        assert_eq!(collect(dir.path()).unwrap(), (Usage::default(), 0));
    }
}
