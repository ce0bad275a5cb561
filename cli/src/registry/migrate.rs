//! `mlops registry migrate`: a registry moves to another place.

use std::path::PathBuf;

use clap::Args;
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::registry::migrate::{Migrated, Movers, migrate, take_back};
use mlops_core::{Error, Result};
use serde::Serialize;

use crate::exit::Exit;
use crate::place::{Adapters, RegistryPlace};

/// `mlops registry migrate`.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(flatten)]
    from: RegistryPlace,
    #[command(flatten)]
    to: Target,
    /// Do it: the place that it leaves is read-only from then on. Without it nothing is changed.
    #[arg(long)]
    confirm: bool,
    /// Take a move to this place back that did not end: the registry is in use again where it was.
    #[arg(long, conflicts_with = "confirm")]
    take_back: bool,
    /// Directory with room for the largest artifact, which is kept there on its way. Default: the system's for temporary files.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Where it moves.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Target {
    /// Directory that the registry moves into; there must be none yet.
    #[arg(long, value_name = "PATH", conflicts_with = "to_table")]
    to_registry: Option<PathBuf>,
    /// Namespace in it. Default: Terraform's workspace.
    #[arg(long, value_name = "NAMESPACE", requires = "to_registry")]
    to_namespace: Option<String>,
    /// DynamoDB table that the registry moves into; it must be empty. modules/registry makes one.
    #[arg(long, value_name = "TABLE", requires = "to_bucket")]
    to_table: Option<String>,
    /// S3 bucket for its artifacts.
    #[arg(long, value_name = "BUCKET", requires = "to_table")]
    to_bucket: Option<String>,
    /// What all keys in the bucket begin with.
    #[arg(long, value_name = "PREFIX", requires = "to_table")]
    to_prefix: Option<String>,
    /// Region of both. Default: AWS_REGION, or what the profile says.
    #[arg(long, value_name = "REGION", requires = "to_table")]
    to_region: Option<String>,
    /// Profile of the shared configuration files. Default: AWS_PROFILE.
    #[arg(long, value_name = "PROFILE", requires = "to_table")]
    to_profile: Option<String>,
    /// KMS key that encrypts what is written to the bucket. Default: what the bucket itself says.
    #[arg(long, value_name = "ARN", requires = "to_table")]
    to_kms_key_arn: Option<String>,
    /// Write https://host/bucket/key, as most emulators want.
    #[arg(long, requires = "to_table")]
    to_s3_use_path_style: bool,
}

impl Target {
    fn place(&self) -> RegistryPlace {
        RegistryPlace {
            registry: self.to_registry.clone(),
            namespace: self.to_namespace.clone(),
            table: self.to_table.clone(),
            bucket: self.to_bucket.clone(),
            prefix: self.to_prefix.clone(),
            region: self.to_region.clone(),
            profile: self.to_profile.clone(),
            s3_use_path_style: self.to_s3_use_path_style,
        }
    }
}

/// The report, for programs.
#[derive(Debug, Serialize)]
struct Report {
    registry: uuid::Uuid,
    from: String,
    to: String,
    already: bool,
    records: usize,
    written: usize,
    artifacts: usize,
    copied: usize,
    copied_bytes: u64,
}

/// Runs it to its end.
pub(super) async fn run(asked: &Migrate, adapters: &Adapters) -> Result<Exit> {
    let from = asked.from.named(|place| (adapters.place)(place, None))?;
    let target = asked.to.place();
    let to = (adapters.place)(&target, asked.to.to_kms_key_arn.as_deref())?;
    let (here, there) = (from.records.location(), to.records.location());
    if asked.take_back {
        take_back(&from, &to).await?;
        println!("the registry stays at {here}");
        return Ok(Exit::Ok);
    }
    if !asked.confirm {
        let identity = from.records.identity().await?.ok_or_else(|| {
            Error::not_found(format!(
                "there is no registry at {here}: {}",
                asked.from.hint()
            ))
        })?;
        println!(
            "registry {} would move from {here} to {there}, and be read-only at {here}; say --confirm to do it",
            identity.uuid
        );
        return Ok(Exit::Ok);
    }
    let scratch = (asked.scratch.clone().unwrap_or_else(std::env::temp_dir))
        .join(format!("mlops-migrate-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).map_err(|cause| {
        Error::invalid(format!("{} could not be made", scratch.display()))
            .because(cause)
            .at("--scratch")
    })?;
    let movers = Movers {
        scratch: &scratch,
        clock: &SystemClock::default(),
        ids: &RandomIds,
        by: std::env::var("USER").ok().filter(|user| !user.is_empty()),
    };
    let moved = migrate(&from, &to, &movers).await;
    // What cannot be removed lies with the system's temporary files.
    let _ = std::fs::remove_dir_all(&scratch);
    let report = Report::new(moved?, here, there);
    match serde_json::to_string(&report) {
        Ok(line) if asked.json => println!("{line}"),
        _ => report.print(),
    }
    Ok(Exit::Ok)
}

impl Report {
    fn new(moved: Migrated, from: String, to: String) -> Self {
        Self {
            registry: moved.uuid,
            from,
            to,
            already: moved.already,
            records: moved.records,
            written: moved.written,
            artifacts: moved.artifacts,
            copied: moved.copied,
            copied_bytes: moved.copied_bytes,
        }
    }

    fn print(&self) {
        let Self {
            registry, from, to, ..
        } = self;
        if self.already {
            println!("registry {registry} moved from {from} to {to} before");
            return;
        }
        println!("registry {registry} moved from {from} to {to}");
        println!("  {} records, {} of them now", self.records, self.written);
        println!(
            "  {} artifacts, {} of them now ({} bytes)",
            self.artifacts, self.copied, self.copied_bytes
        );
        println!("{from} is read-only from now on; name the new place in the provider block");
    }
}
