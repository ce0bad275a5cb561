//! Which registry a command works on.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use mlops_core::artifacts::{ArtifactStore, RemoteSource};
use mlops_core::reference::Model;
use mlops_core::registry::Registry;
use mlops_core::registry::migrate::Place;
use mlops_core::rollout::Meter;
use mlops_core::serving::{ServerConfig, ServerLimits, TaskArtifacts};
use mlops_core::target::Targets;
use mlops_core::{Error, Result};

use crate::registry::MoveHome;
use crate::serve;

/// The embedded registry in a directory, or one on AWS.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RegistryPlace {
    /// Directory of the embedded registry. Default: .mlops in the working directory, which is refused where
    /// Terragrunt or Atlantis would throw it away.
    #[arg(long, value_name = "PATH", conflicts_with = "table")]
    pub(crate) registry: Option<PathBuf>,
    /// Namespace in it. Default: Terraform's workspace.
    #[arg(long, conflicts_with = "table")]
    pub(crate) namespace: Option<String>,
    /// DynamoDB table of a registry on AWS, by name or ARN, in place of the embedded one. Credentials, region and
    /// endpoints are found where the AWS command line finds them.
    #[arg(long, value_name = "TABLE", requires = "bucket")]
    pub(crate) table: Option<String>,
    /// S3 bucket of its artifacts.
    #[arg(long, requires = "table")]
    pub(crate) bucket: Option<String>,
    /// What all keys in the bucket begin with, as in the provider block.
    #[arg(long, requires = "table")]
    pub(crate) prefix: Option<String>,
    /// Region of both. Default: AWS_REGION, or what the profile says.
    #[arg(long, requires = "table")]
    pub(crate) region: Option<String>,
    /// Profile of the shared configuration files. Default: AWS_PROFILE.
    #[arg(long, requires = "table")]
    pub(crate) profile: Option<String>,
    /// Write https://host/bucket/key, as most emulators want.
    #[arg(long, requires = "table")]
    pub(crate) s3_use_path_style: bool,
}

/// A registry, and what runs its endpoints.
pub(crate) struct Opened {
    /// The registry.
    pub(crate) registry: Registry,
    /// The targets.
    pub(crate) targets: Targets,
    /// Who asks the sources of analyses.
    pub(crate) meter: Arc<dyn Meter>,
}

/// Opens a registry: the place, and the KMS key that encrypts what is written to the bucket.
pub(crate) type Open = fn(&RegistryPlace, Option<&str>) -> Result<Opened>;

/// What reads sources of versions that lie in S3, with the settings of a registry's place.
pub(crate) type Remote = fn(&RegistryPlace) -> Arc<dyn RemoteSource>;

/// As [`Open`], of what moves.
pub(crate) type OpenPlace = fn(&RegistryPlace, Option<&str>) -> Result<Place>;

/// What `main` gives the verbs: it alone names adapters.
#[derive(Clone, Copy)]
pub(crate) struct Adapters {
    /// Opens a registry.
    pub(crate) open: Open,
    /// Reads sources that lie in S3.
    pub(crate) remote: Remote,
    /// Opens a place that a registry moves out of, or into.
    pub(crate) place: OpenPlace,
    /// Moves the home of a table.
    pub(crate) home: MoveHome,
    /// Sends images to registries.
    pub(crate) publisher: crate::image::Publish,
    /// Runs a model server and returns its exit status.
    pub(crate) serve: fn(ServerConfig) -> i32,
    /// Opens what a task's artifact lies in. Nothing is called.
    pub(crate) artifacts: fn(&TaskArtifacts) -> Result<Arc<dyn ArtifactStore>>,
    /// Runs a model server within these limits, once its configuration is made.
    pub(crate) serve_prepared: fn(&ServerLimits, serve::Prepared) -> Result<(), serve::Failure>,
    /// Compiles a model that is asked for its predictions.
    pub(crate) model: fn(&[u8]) -> Result<Box<dyn Model>>,
}

impl RegistryPlace {
    /// Opens it, with messages that speak of the command line.
    pub(crate) fn open(&self, open: Open, kms_key_arn: Option<&str>) -> Result<Opened> {
        self.named(|place| open(place, kms_key_arn))
    }

    /// What `open` makes of it, with messages that speak of the command line.
    pub(crate) fn named<T>(&self, open: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        open(self).map_err(|error| match error.attribute() {
            // Only the implicit default is refused as `local`; its message speaks of Terraform's configuration.
            Some("local") => {
                Error::invalid("name the registry's directory with --registry").because(error)
            }
            _ => error,
        })
    }

    /// What to check where nothing is found.
    pub(crate) fn hint(&self) -> &'static str {
        match self.table {
            Some(_) => "check --table, --region and --profile",
            None => "name its directory with --registry",
        }
    }
}
