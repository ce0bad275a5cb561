//! `mlops registry`: others get access to it, and it gets to other places.

mod failover;
mod migrate;
mod serve;

use clap::Subcommand;
use mlops_core::{Error, Result};

use crate::exit::Exit;
use crate::place::Adapters;

pub(crate) use failover::{Failover, Home, MoveHome};

/// `mlops registry`.
#[derive(Debug, Subcommand)]
pub(crate) enum Registry {
    /// Serves the registry over MLflow's REST API until it is interrupted.
    Serve(serve::Serve),
    /// Moves the home of a table that is replicated to several regions: the one region that is written.
    Failover(Failover),
    /// Moves a registry to another place, with its UUID: from this machine to AWS, or back.
    Migrate(migrate::Migrate),
}

/// Runs one verb to its end.
pub(crate) fn run(verb: &Registry, adapters: &Adapters) -> Result<Exit> {
    match verb {
        Registry::Serve(asked) => serve::run(asked, adapters),
        Registry::Failover(asked) => runtime()?.block_on(failover::run(asked, adapters.home)),
        Registry::Migrate(asked) => runtime()?.block_on(migrate::run(asked, adapters)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::unavailable("no threads could be started").because(cause))
}
