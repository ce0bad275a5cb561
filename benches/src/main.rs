//! `make bench`: measures the built binaries beside their peers in one run and prints tables.
//!
//! A table has what was measured and what was asked for beside it. A figure that misses its target is printed as a miss; it
//! is no failure of the run. A part that cannot run (a binary that is not built, a tool that is not there) says what is
//! missing, the other parts go on, and the run ends with exit code 1. Linux only: it reads `/proc`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

mod accounting;
mod artifact;
mod aws;
mod builds;
mod counter;
mod ecs;
mod handshake;
mod load;
mod mlflow;
mod part;
mod providers;
mod proxy;
mod serving;
mod table;
mod terraform;

#[derive(Parser)]
#[command(about = "Measure the built binaries beside their peers")]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only these parts; without it, all of them.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Resources in the largest provider run.
    #[arg(long, default_value_t = 1000)]
    resources: usize,
    /// Seconds of load for each server and number of connections.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Size of the large artifact in MiB.
    #[arg(long, default_value_t = 2048)]
    artifact_mib: u64,
    /// Endpoints on ECS that wait at once.
    #[arg(long, default_value_t = 50)]
    endpoints: usize,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a provider and record what it cost (started by Terraform in the provider's place).
    #[command(hide = true)]
    Proxy {
        /// The provider.
        provider: PathBuf,
        /// Directory for the records.
        records: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// CPU and memory of a provider at work.
    Providers,
    /// CPU from exec to the handshake line.
    Handshake,
    /// The model server against MLflow and the bare call.
    Server,
    /// One large artifact registered on this machine.
    Artifact,
    /// Calls and a large upload of the registry on AWS, on emulators.
    Aws,
    /// Endpoints on ECS, on an emulator that runs containers.
    Ecs,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Verb::Proxy { provider, records }) = cli.verb {
        return proxy::run(&provider, &records).unwrap_or_else(|error| {
            eprintln!("mlops-bench proxy: {error:#}");
            ExitCode::FAILURE
        });
    }
    let builds = match builds::Builds::locate() {
        Ok(builds) => builds,
        Err(error) => {
            eprintln!("mlops-bench: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = Vec::new();
    for part in [
        Part::Providers,
        Part::Handshake,
        Part::Server,
        Part::Artifact,
        Part::Aws,
        Part::Ecs,
    ] {
        if !cli.only.is_empty() && !cli.only.contains(&part) {
            continue;
        }
        let measured = match part {
            Part::Providers => providers::run(&builds, cli.resources),
            Part::Handshake => handshake::run(&builds),
            Part::Server => serving::run(&builds, cli.seconds),
            Part::Artifact => artifact::run(&builds, cli.artifact_mib),
            Part::Aws => aws::run(&builds, cli.resources, cli.artifact_mib),
            Part::Ecs => ecs::run(&builds, cli.endpoints),
        };
        if let Err(error) = measured {
            let name = format!("{part:?}").to_lowercase();
            println!("\n{name}: not measured: {error:#}");
            failed.push(name);
        }
    }
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        println!("\nnot measured: {}", failed.join(", "));
        ExitCode::FAILURE
    }
}
