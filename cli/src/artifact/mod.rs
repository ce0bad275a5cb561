//! `mlops artifact`: the files that the registry keeps.

mod gc;
mod pull;

use clap::Subcommand;
use mlops_core::{Error, Result};

use crate::exit::Exit;
use crate::place::Open;

pub(crate) use gc::time;

/// `mlops artifact`.
#[derive(Debug, Subcommand)]
pub(crate) enum Artifact {
    /// Writes the files of a version into a directory, and verifies each. What is there and right stays, so a pull that
    /// was interrupted goes on when it is repeated.
    Pull(pull::Pull),
    /// Deletes the versions that their models' retention does not keep, removes the artifacts that no version names, and ends
    /// uploads that nobody finished. Only says what would go, unless it is told --delete.
    Gc(gc::Gc),
}

/// Runs one verb to its end.
pub(crate) fn run(verb: &Artifact, open: Open) -> Result<Exit> {
    let place = match verb {
        Artifact::Pull(pull) => &pull.registry,
        Artifact::Gc(gc) => &gc.registry,
    };
    // Nothing is written to the bucket, so no key is asked for.
    let registry = place.open(open, None)?.registry;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| Error::unavailable("no threads could be started").because(cause))?;
    runtime.block_on(async {
        match verb {
            Artifact::Pull(pull) => pull::run(pull, &registry).await,
            Artifact::Gc(gc) => gc::run(gc, &registry).await,
        }
    })
}
