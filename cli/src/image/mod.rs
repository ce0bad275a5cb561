//! `mlops image`: the container image of the model server.

mod layout;
mod push;
mod tar;

use clap::Subcommand;
use mlops_core::{Error, Result};

use crate::exit::Exit;
use crate::place::Adapters;

pub(crate) use self::push::Publish;

/// `mlops image`.
#[derive(Debug, Subcommand)]
pub(crate) enum Image {
    /// Sends the image of the model server to a registry, and prints its name by digest: what server_image of the provider takes. What the registry has
    /// already is not sent, so one that was interrupted goes on when it is repeated. ECR is asked with the credentials of AWS, any other registry with
    /// what `docker login` left.
    Push(push::Push),
}

/// Runs one verb to its end.
pub(crate) fn run(verb: &Image, adapters: &Adapters) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| Error::unavailable("no threads could be started").because(cause))?;
    match verb {
        Image::Push(push) => runtime.block_on(push::run(push, adapters.publisher)),
    }
}
