//! What can be asked for.

use std::path::PathBuf;

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
`mlops serve` ends with 78 for a configuration it cannot accept and with 98 for a port in use.";

/// Serves models and watches over endpoints.
#[derive(Debug, Parser)]
#[command(name = "mlops", version, about, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) enum Command {
    /// Serves a model from this terminal until it is interrupted.
    Serve(Serve),
    /// Looks after endpoints that Terraform deployed.
    #[command(subcommand)]
    Endpoint(Endpoint),
    /// Brings what the registry keeps to this machine.
    #[command(subcommand)]
    Artifact(crate::artifact::Artifact),
    /// Gives others access to the registry, or moves it.
    #[command(subcommand)]
    Registry(crate::registry::Registry),
}

/// `mlops serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Stay in the foreground and log to standard error. The only mode there is: a server in the background is an
    /// endpoint, and Terraform deploys it.
    #[arg(long, required = true)]
    pub(crate) foreground: bool,
    /// ONNX file to serve.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "config",
        conflicts_with = "config"
    )]
    pub(crate) model: Option<PathBuf>,
    /// Server configuration (JSON) to run instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["port", "name"])]
    pub(crate) config: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 takes a free one, which the first log line names.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Name to serve under: the endpoint's and the model's. Default: the file's name.
    #[arg(long)]
    pub(crate) name: Option<String>,
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
    /// The endpoint's name or id: digits, or local/digits.
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
