//! The mlops command: the verbs of the provider for people and CI.
//!
//! This file names the adapters; everything else works on the core's ports.

mod arguments;
mod endpoint;
mod exit;
mod foreground;
mod registry;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use mlops_core::Result;
use mlops_core::endpoint::Deps;
use mlops_core::serving::ServerConfig;
use mlops_local::embedded;
use mlops_local::target::child;

fn main() -> ExitCode {
    // A deployment that is resumed here may have to start a server: a copy of this program.
    let served = child::dispatch(std::env::args_os(), |config| serve(config) as u8);
    served.unwrap_or_else(|| exit::run(arguments::Command::parse(), embedded, serve))
}

/// The registry in a directory, and the target on this machine.
fn embedded(directory: Option<&Path>, namespace: Option<&str>) -> Result<Deps> {
    let embedded = embedded::open(directory, namespace)?;
    Ok(Deps::new(embedded.registry, embedded.target))
}

/// Runs the model server until it ends; its exit status.
fn serve(config: ServerConfig) -> i32 {
    mlops_serve::run(config).err().map_or(0, |error| {
        eprintln!("mlops: {}", exit::chain(&error));
        error.exit_code()
    })
}
