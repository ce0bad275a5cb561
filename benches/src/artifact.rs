//! One large artifact registered on this machine, against `sha256sum` and `cp` of the same file.
//!
//! The artifact is a directory with a small graph and one large file beside it. The same apply with a small file there tells
//! what everything else costs in time and memory. Files are in the page cache for both sides; ours makes its copy durable.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::builds::Builds;
use crate::table::{Table, at_most};
use crate::terraform::{Provider, Spent, Workspace, requiring};

const TIMES_TOOLS: f64 = 1.5;
const MEMORY_OVER_IDLE_MB: f64 = 64.0;
pub(crate) const MIB: u64 = 1024 * 1024;

/// What registering cost.
struct Registered {
    plan: Spent,
    apply: Spent,
}

impl Registered {
    /// Of either step, in megabytes.
    fn peak_mb(&self) -> f64 {
        self.plan
            .provider
            .peak_bytes
            .max(self.apply.provider.peak_bytes) as f64
            / 1e6
    }
}

/// Measures and prints.
pub(crate) fn run(builds: &Builds, size_mib: u64) -> Result<()> {
    let provider = Provider {
        name: "mlops",
        binary: builds.provider()?,
    };
    let graph = builds.quickstart("models/digits-v2.onnx")?;
    println!("artifact: {size_mib} MiB");

    let scratch = tempfile::tempdir_in(builds.scratch()?)
        .context("cannot make a directory for the artifact")?;
    let large = scratch.path().join("weights.bin");
    write_noise(&large, size_mib * MIB)?;
    let sha256sum = timed(Command::new("sha256sum").arg(&large))?;
    let copy = scratch.path().join("copy.bin");
    let cp = timed(Command::new("cp").arg(&large).arg(&copy))?;
    let sync = timed(Command::new("sync").arg(&copy))?;
    fs::remove_file(&copy).context("cannot remove the copy")?;

    let idle = register(builds, &provider, &graph, |path| write_noise(path, 1024))?;
    let busy = register(builds, &provider, &graph, |path| {
        fs::rename(&large, path)
            .with_context(|| format!("cannot move the file to {}", path.display()))
    })?;

    let tools = (sha256sum + cp).as_secs_f64();
    let apply = busy.apply.wall.as_secs_f64();
    let above_idle = busy
        .apply
        .wall
        .saturating_sub(idle.apply.wall)
        .as_secs_f64();
    let mut table = Table::new(
        format!("Artifact of {size_mib} MiB registered on this machine"),
        &["what", "measured", "at most", ""],
    );
    let mut line = |what: &str, measured: String, bound: Option<(f64, f64)>| {
        table.row(vec![
            what.to_owned(),
            measured,
            bound.map_or_else(|| "-".to_owned(), |(_, b)| b.to_string()),
            bound.map_or("", |(value, b)| at_most(value, b)).to_owned(),
        ]);
    };
    line(
        "sha256sum",
        format!("{:.2} s", sha256sum.as_secs_f64()),
        None,
    );
    line("cp", format!("{:.2} s", cp.as_secs_f64()), None);
    line(
        "sync of the copy (not part of the bound)",
        format!("{:.2} s", sync.as_secs_f64()),
        None,
    );
    line(
        "plan: hashes",
        format!("{:.2} s", busy.plan.wall.as_secs_f64()),
        None,
    );
    line(
        "apply of the plan: hashes, copies, durable",
        format!("{apply:.2} s"),
        None,
    );
    line(
        "apply / (sha256sum + cp)",
        format!("{:.2}", apply / tools),
        Some((apply / tools, TIMES_TOOLS)),
    );
    line(
        "same, less the apply of 1 KiB",
        format!("{:.2}", above_idle / tools),
        None,
    );
    line(
        "same, tools with sync",
        format!("{:.2}", above_idle / (tools + sync.as_secs_f64())),
        None,
    );
    line(
        "provider's own CPU, plan and apply",
        format!("{:.2} s", busy.plan.provider.cpu + busy.apply.provider.cpu),
        None,
    );
    line(
        "provider memory, artifact of 1 KiB",
        format!("{:.1} MB", idle.peak_mb()),
        None,
    );
    let over = busy.peak_mb() - idle.peak_mb();
    line(
        "provider memory above that, MB",
        format!("{over:.1}"),
        Some((over, MEMORY_OVER_IDLE_MB)),
    );
    print!("{table}");
    Ok(())
}

/// Plans and applies the registration of the directory which `fill` completes, then destroys it.
fn register(
    builds: &Builds,
    provider: &Provider,
    graph: &Path,
    fill: impl Fn(&Path) -> Result<()>,
) -> Result<Registered> {
    let config = format!(
        "{}resource \"mlops_model\" \"big\" {{\n  name = \"big\"\n}}\n\n\
         resource \"mlops_model_version\" \"big\" {{\n  model  = mlops_model.big.name\n  source = \"${{path.module}}/artifact\"\n}}\n",
        requiring(provider.name)
    );
    let workspace = Workspace::new(builds, Some(provider), &config)?;
    let artifact = workspace.path().join("artifact");
    fs::create_dir(&artifact).with_context(|| format!("cannot make {}", artifact.display()))?;
    fs::copy(graph, artifact.join("model.onnx"))
        .with_context(|| format!("cannot copy {}", graph.display()))?;
    fill(&artifact.join("weights.bin"))?;
    let plan = workspace.run(&["plan", "-input=false", "-out=planned"])?;
    let apply = workspace.run(&["apply", "-input=false", "planned"])?;
    workspace.run(&["destroy", "-input=false", "-auto-approve"])?;
    Ok(Registered { plan, apply })
}

/// Bytes that neither compress nor repeat, and are on the disk when this returns: write-back of the file during the
/// measurement would be charged to whoever runs then.
pub(crate) fn write_noise(path: &Path, bytes: u64) -> Result<()> {
    let about = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(about)?;
    let mut file = BufWriter::with_capacity(MIB as usize, file);
    noise(0, bytes, &mut file).with_context(about)?;
    let file = file.into_inner().with_context(about)?;
    file.sync_all().with_context(about)
}

/// Writes such bytes, others for each seed; a multiple of eight.
pub(crate) fn noise(seed: u64, bytes: u64, to: &mut impl Write) -> std::io::Result<()> {
    // xorshift64, from any state but zero.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ seed.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    for _ in 0..bytes / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        to.write_all(&state.to_le_bytes())?;
    }
    Ok(())
}

fn timed(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let status = command
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_size_asked_for_and_does_not_repeat() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("noise");
        write_noise(&path, 4096).unwrap();
        let bytes = fs::read(&path).unwrap();
        let distinct: std::collections::BTreeSet<_> = bytes.chunks(8).collect();
        assert_eq!((bytes.len(), distinct.len()), (4096, 512));
    }
}
