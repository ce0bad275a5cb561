//! Whether a deployment has to do something about the name that clients know the endpoint by.

use super::plan::ServerChange;
use super::record::EndpointRecord;
use super::spec::EndpointSpec;
use crate::error::Result;
use crate::target::{Server, Target};

/// What it does.
#[derive(Debug, Default)]
pub(super) struct Renaming {
    /// The server gets its name, another one, or none.
    pub(super) announces: bool,
    /// What is left of the name before.
    pub(super) left: Option<Server>,
}

/// Compares what is asked for with what runs, and with what is there of it.
pub(super) async fn renaming(
    target: &dyn Target,
    spec: &EndpointSpec,
    prior: Option<&EndpointRecord>,
    change: ServerChange,
) -> Result<Renaming> {
    let naming = target.naming(spec, prior.map(|prior| &prior.server));
    let announces = match prior.filter(|_| change == ServerChange::Keep) {
        Some(_) if !naming.is_same => true,
        Some(prior) => naming.is_wanted && target.unnamed(&prior.server).await?.is_some(),
        None => naming.is_wanted,
    };
    // A server that is replaced takes with it what is its own.
    let stays = matches!(change, ServerChange::Keep | ServerChange::Start);
    Ok(Renaming {
        announces,
        left: naming.left.filter(|_| stays),
    })
}
