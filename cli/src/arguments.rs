//! What can be asked for.

use clap::{Args, Parser, Subcommand};

use crate::place::RegistryPlace;

/// Exit codes, for every command.
const EXIT_CODES: &str = "\
Exit codes:
  0  done, or as it should be
  1  failed, rolled back, or does not serve
  2  the command line or an argument is wrong
  3  no such endpoint or version, or nothing to do it to
  4  paused, or locked until somebody acts
  5  somebody else is deploying
`mlops serve` has further ones: see its own help.";

/// Serves models and watches over endpoints.
#[derive(Debug, Parser)]
#[command(name = "mlops", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) enum Command {
    /// Serves a model until it is interrupted: from this terminal, or as a task in a container.
    Serve(crate::serve::Serve),
    /// Looks after endpoints that Terraform deployed.
    #[command(subcommand)]
    Endpoint(Endpoint),
    /// Brings what the registry keeps to this machine.
    #[command(subcommand)]
    Artifact(crate::artifact::Artifact),
    /// Brings the image of the model server to a registry.
    #[command(subcommand)]
    Image(crate::image::Image),
    /// Makes the file that drift is judged by, of the rows that a model was trained on. It is one of the version's files.
    Reference(crate::reference::MakeReference),
    /// Gives others access to the registry, or moves it.
    #[command(subcommand)]
    Registry(crate::registry::Registry),
}

/// `mlops endpoint`.
#[derive(Debug, Subcommand)]
pub(crate) enum Endpoint {
    /// Says what the registry and this machine know of an endpoint.
    Status(Place),
    /// Prints what a deployment does while it does it, and ends with it.
    Watch(Place),
    /// Asks the deployment under way to pause; it does within a second.
    Pause(Place),
    /// Goes on with a paused or interrupted deployment, to its end.
    Resume(Place),
    /// Takes back what a failed deployment could not.
    Repair(Repair),
}

/// Which endpoint, where, and how to answer.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The endpoint's id, local/digits or ecs/CLUSTER/digits, and ecs/REGION/CLUSTER/digits in another region than the registry's. A name alone, digits, is one on this machine.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) registry: RegistryPlace,
    /// Answer in JSON, one document a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `mlops endpoint repair`.
#[derive(Debug, Args)]
pub(crate) struct Repair {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Unlock the endpoint even if something cannot be taken back; it stays behind.
    #[arg(long)]
    pub(crate) force: bool,
}
