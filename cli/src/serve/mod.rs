//! `mlops serve`: the model server, for one model and without a registry.

mod cache;
mod foreground;
mod task;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use mlops_core::Result;
use mlops_core::serving::{
    LogTarget, Preload, ServerConfig, ServerLimits, VariantRoute, VariantTable, WHOLE, Weights,
};

use crate::exit::Exit;
use crate::place::Adapters;

pub(crate) use task::{Failure, Prepared};

/// How the server ends, beside the exit codes of every command.
const EXIT_CODES: &str = "\
Exit codes:
   0  ended by a signal, in order
   2  the command line, or MLOPS_TASK, is wrong
  65  the artifact is damaged: its bytes do not have its digest
  66  the artifact, or its bucket, is not there
  69  the bucket cannot be reached
  73  the directory of models cannot be written
  77  access to the artifact is denied, or there are no credentials
  78  the server's configuration cannot be accepted
  79  the model cannot be loaded
  80  the model does not answer its golden request as it should
  98  the port is in use";

/// `mlops serve`.
#[derive(Debug, Args)]
#[command(
    after_help = EXIT_CODES,
    group = ArgGroup::new("mode").required(true).multiple(false).args(["foreground", "task"])
)]
pub(crate) struct Serve {
    /// Serve a file of this machine on 127.0.0.1, and log to standard error. A server in the background is an endpoint,
    /// and Terraform deploys it.
    #[arg(long)]
    foreground: bool,
    /// Serve what MLOPS_TASK describes, as an endpoint's container does: fetch the artifact from S3 into /models (or
    /// MLOPS_TASK_MODELS), verify it, ask the golden request, and only then listen on every address. Credentials are found
    /// where the AWS command line finds them.
    #[arg(long, conflicts_with_all = ["model", "config", "port", "name"])]
    task: bool,
    /// ONNX file to serve.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["config", "task"],
        conflicts_with = "config"
    )]
    model: Option<PathBuf>,
    /// The model's reference, which `mlops reference` made: values are counted by it at /metrics.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "task"])]
    reference: Option<PathBuf>,
    /// Server configuration (JSON) to run instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["port", "name"])]
    config: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 takes a free one, which the first log line names.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Name to serve under: the endpoint's and the model's. Default: the file's name.
    #[arg(long)]
    name: Option<String>,
}

/// Serves until the server ends.
pub(crate) fn run(arguments: &Serve, adapters: &Adapters) -> Result<ExitCode> {
    let status = if arguments.task {
        task::run(adapters)
    } else {
        (adapters.serve)(foreground::configuration(arguments)?)
    };
    Ok(ExitCode::from(
        u8::try_from(status).unwrap_or(Exit::Failed as u8),
    ))
}

/// A server of one revision, which has all of the traffic.
fn alone(
    endpoint: String,
    listen: SocketAddr,
    limits: ServerLimits,
    preload: Preload,
) -> ServerConfig {
    let variant = preload.spec.variant.clone();
    let route = VariantRoute {
        traffic: WHOLE,
        shadow: 0,
    };
    ServerConfig {
        endpoint,
        listen,
        admin_socket: None,
        nonce: uuid::Uuid::new_v4().simple().to_string(),
        log: LogTarget::Stderr,
        limits,
        variants: VariantTable {
            variants: BTreeMap::from([(variant.clone(), route)]),
        },
        weights: BTreeMap::from([(variant, Weights::all_to(&preload.revision))]),
        preload: vec![preload],
    }
}
