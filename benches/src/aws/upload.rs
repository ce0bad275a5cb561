//! A large file that is registered, against `aws s3 cp` of it and `sha256sum`.
//!
//! Both send to the same server on this machine, which shares the cores with them; only the clients' CPU counts.

use std::process::Command;

use anyhow::Result;

use super::project::Servers;
use super::{BUCKET, cli};
use crate::artifact::{MIB, write_noise};
use crate::builds::Builds;
use crate::table::{Table, at_least, at_most};

const OF_PEER_CPU: f64 = 0.6;
const OF_PEER_RATE: f64 = 1.0;
const MEMORY_MB: f64 = 96.0;

pub(super) fn run(builds: &Builds, size_mib: u64) -> Result<()> {
    println!("aws: upload of {size_mib} MiB");
    let servers = Servers::start(builds, 2 * size_mib * MIB)?;
    let project = servers.project("big")?;
    write_noise(&project.weights, size_mib * MIB)?;

    let sha256sum = cli::timed(Command::new("sha256sum").arg(&project.weights))?;
    let (from, to) = (
        project.weights.to_string_lossy(),
        format!("s3://{BUCKET}/peer/weights.bin"),
    );
    let copy = servers.s3(&["cp", "--quiet", &from, &to])?;
    servers.s3(&["rm", "--quiet", &to])?;

    let workspace = &project.workspace;
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
