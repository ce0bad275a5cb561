//! The mlops command: the verbs of the provider for people and CI.
//!
//! This file names the adapters; everything else works on the core's ports.

mod arguments;
mod endpoint;
mod exit;
mod foreground;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::endpoint::Deps;
use mlops_core::registry::Registry;
use mlops_core::serving::ServerConfig;
use mlops_core::{Error, Result};
use mlops_local::artifacts::LocalArtifacts;
use mlops_local::cache::LocalHeldHints;
use mlops_local::location::Namespace;
use mlops_local::records::LocalRecords;
use mlops_local::sessions::LocalSessions;
use mlops_local::target::{LocalTarget, binary, child};

fn main() -> ExitCode {
    // A deployment that is resumed here may have to start a server: a copy of this program.
    let served = child::dispatch(std::env::args_os(), |config| serve(config) as u8);
    served.unwrap_or_else(|| exit::run(arguments::Command::parse(), embedded, serve))
}

/// The registry in a directory, and the target on this machine.
fn embedded(directory: &Path, namespace: Option<&str>) -> Result<Deps> {
    let unknown =
        |cause| Error::unavailable("this program does not know where it runs").because(cause);
    let namespace = match namespace {
        Some(name) => Namespace::new(name)?,
        None => {
            let working = std::env::current_dir().map_err(unknown)?;
            let read = |path: &Path| std::fs::read_to_string(path).ok();
            Namespace::of_workspace(&std::env::vars().collect(), &working, read)?
        }
    };
    let records = Arc::new(LocalRecords::new(directory, namespace.clone()));
    let artifacts = Arc::new(LocalArtifacts::new(directory));
    let held = Arc::new(LocalHeldHints::new(directory, namespace));
    let (clock, ids) = (Arc::new(SystemClock::default()), Arc::new(RandomIds));
    let registry = Registry::new(records.clone(), artifacts.clone(), clock, ids)
        .with_sessions(Arc::new(LocalSessions::new()), held);
    let program = binary::this_program().map_err(unknown)?;
    let target = LocalTarget::new(directory, program, records, artifacts)?;
    Ok(Deps::new(registry, Arc::new(target)))
}

/// Runs the model server until it ends; its exit status.
fn serve(config: ServerConfig) -> i32 {
    mlops_serve::run(config).err().map_or(0, |error| {
        eprintln!("mlops: {}", exit::chain(&error));
        error.exit_code()
    })
}
