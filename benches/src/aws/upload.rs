//! A large file that is registered, against `aws s3 cp` of it and `sha256sum`.
//!
//! Both send to the same server on this machine, which shares the cores with them; only the clients' CPU counts.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::part::Part;
use super::{BUCKET, cli, head};
use crate::artifact::{MIB, write_noise};
use crate::builds::Builds;
use crate::table::{Table, at_least, at_most};
use crate::terraform::{Provider, Workspace};

const OF_PEER_CPU: f64 = 0.6;
const OF_PEER_RATE: f64 = 1.0;
const MEMORY_MB: f64 = 96.0;

pub(super) fn run(builds: &Builds, size_mib: u64) -> Result<()> {
    println!("aws: upload of {size_mib} MiB");
    let provider = Provider {
        name: "mlops",
        binary: builds.provider()?,
    };
    let records = Part::start(builds, "ministack")?;
    let objects = Part::start_with_room(builds, "versitygw", 2 * size_mib * MIB)?;
    cli::make_table(builds, &records.url)?;
    cli::make_bucket(builds, &objects.url)?;

    let head = head(&records.url, &objects.url);
    let config = format!(
        "{head}resource \"mlops_model\" \"big\" {{\n  name = \"big\"\n}}\n\n\
         resource \"mlops_model_version\" \"big\" {{\n  model  = mlops_model.big.name\n  source = \"${{path.module}}/artifact\"\n}}\n"
    );
    let workspace = Workspace::new(builds, Some(&provider), &config)?;
    let artifact = workspace.path().join("artifact");
    fs::create_dir(&artifact).with_context(|| format!("cannot make {}", artifact.display()))?;
    let graph = builds.quickstart("models/digits-v2.onnx")?;
    fs::copy(&graph, artifact.join("model.onnx"))
        .with_context(|| format!("cannot copy {}", graph.display()))?;
    let large = artifact.join("weights.bin");
    write_noise(&large, size_mib * MIB)?;

    let sha256sum = cli::timed(Command::new("sha256sum").arg(&large))?;
    let (from, to) = (
        large.to_string_lossy(),
        format!("s3://{BUCKET}/peer/weights.bin"),
    );
    let copy = cli::timed(&mut cli::aws(
        builds,
        &objects.url,
        &["s3", "cp", "--quiet", &from, &to],
    )?)?;
    cli::timed(&mut cli::aws(
        builds,
        &objects.url,
        &["s3", "rm", "--quiet", &to],
    )?)?;

    let plan = workspace.run(&["plan", "-input=false", "-out=planned"])?;
    let apply = workspace.run(&["apply", "-input=false", "planned"])?;

    let peer_cpu = sha256sum.cpu + copy.cpu;
    let own_cpu = plan.provider.cpu + apply.provider.cpu;
    let (peer, own) = (
        (sha256sum.wall + copy.wall).as_secs_f64(),
        (plan.wall + apply.wall).as_secs_f64(),
    );
    let peak = plan.provider.peak_bytes.max(apply.provider.peak_bytes) as f64 / 1e6;
    let mut table = Table::new(
        format!("Registry on AWS: upload of {size_mib} MiB to versitygw on this machine"),
        &[
            "what",
            "sha256sum + aws s3 cp",
            "ours, plan + apply",
            "of it",
            "bound",
            "",
        ],
    );
    table.row(vec![
        "client CPU".into(),
        format!("{:.2} + {:.2} s", sha256sum.cpu, copy.cpu),
        format!("{own_cpu:.2} s"),
        format!("{:.2}", own_cpu / peer_cpu),
        format!("at most {OF_PEER_CPU}"),
        at_most(own_cpu / peer_cpu, OF_PEER_CPU).into(),
    ]);
    table.row(vec![
        "time; throughput".into(),
        format!(
            "{:.2} + {:.2} s",
            sha256sum.wall.as_secs_f64(),
            copy.wall.as_secs_f64()
        ),
        format!("{own:.2} s"),
        format!("{:.2}", peer / own),
        format!("at least {OF_PEER_RATE}"),
        at_least(peer / own, OF_PEER_RATE).into(),
    ]);
    table.row(vec![
        "memory".into(),
        "-".into(),
        format!("{peak:.1} MB"),
        "-".into(),
        format!("at most {MEMORY_MB} MB"),
        at_most(peak, MEMORY_MB).into(),
    ]);
    print!("{table}");
    Ok(())
}
