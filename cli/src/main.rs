//! The mlops command: the verbs of the provider for people and CI.
//!
//! This file names the adapters; everything else works on the core's ports.

mod arguments;
mod artifact;
mod endpoint;
mod exit;
mod image;
mod place;
mod reference;
mod registry;
mod serve;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use mlops_aws::dynamodb::DynamoRecords;
use mlops_aws::ecs::{EcsTarget, EcsTargetSettings};
use mlops_aws::images::Registries;
use mlops_aws::s3::{S3Artifacts, S3Settings, S3Sources};
use mlops_aws::{AwsClients, AwsSettings};
use mlops_core::artifacts::{ArtifactStore, RemoteSource};
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::images::Publisher;
use mlops_core::records::Records as _;
use mlops_core::registry::migrate::Place;
use mlops_core::registry::{Heartbeat, Registry};
use mlops_core::serving::{ServerConfig, TaskArtifacts};
use mlops_core::target::Targets;
use mlops_core::{Error, Result};
use mlops_local::target::child;
use mlops_local::{beside, embedded};
use mlops_metrics::HttpMeter;

use crate::place::{Adapters, Opened, RegistryPlace};
use crate::registry::{Failover, Home};

fn main() -> ExitCode {
    // A deployment that is resumed here may have to start a server: a copy of this program.
    let served = child::dispatch(std::env::args_os(), |config| serve(config) as u8);
    served.unwrap_or_else(|| {
        let adapters = Adapters {
            open,
            remote,
            place: stores,
            home: |asked| Box::pin(move_home(asked)),
            publisher,
            serve,
            artifacts: of_task,
            serve_prepared: mlops_serve::run_prepared,
            model: |bytes| Ok(Box::new(mlops_serve::Offline::load(bytes)?)),
        };
        exit::run(arguments::Command::parse(), &adapters)
    })
}

/// A registry, and what runs its endpoints. Nothing is written, and nothing is called.
fn open(place: &RegistryPlace, kms_key_arn: Option<&str>) -> Result<Opened> {
    let Some(stores) = on_aws(place, kms_key_arn)? else {
        let embedded = embedded::open(place.registry.as_deref(), place.namespace.as_deref())?;
        return Ok(Opened {
            registry: embedded.registry,
            targets: Targets::default().with(embedded.target),
            meter: Arc::new(HttpMeter::default()),
        });
    };
    let OnAws {
        clients,
        records,
        artifacts,
    } = stores;
    let table = place.table.as_deref().unwrap_or_default();
    let machine = beside::open(table, artifacts.clone())?;
    let tasks = EcsTargetSettings {
        bucket: place.bucket.clone().unwrap_or_default(),
        prefix: place.prefix.clone().unwrap_or_default(),
        kms_key_arn: kms_key_arn.map(str::to_owned),
        path_style: place.s3_use_path_style,
    };
    let ecs = EcsTarget::new(clients, tasks, records.clone());
    let registry = Registry::new(
        records,
        artifacts,
        Arc::new(SystemClock::default()),
        Arc::new(RandomIds),
    )
    .with_sessions(machine.sessions, machine.held)
    .with_heartbeat(Heartbeat::default());
    Ok(Opened {
        registry,
        targets: Targets::default().with(machine.target).with(Arc::new(ecs)),
        meter: Arc::new(HttpMeter::default()),
    })
}

/// The stores of a registry that moves.
fn stores(place: &RegistryPlace, kms_key_arn: Option<&str>) -> Result<Place> {
    if let Some(stores) = on_aws(place, kms_key_arn)? {
        return Ok(Place {
            records: stores.records,
            artifacts: stores.artifacts,
        });
    }
    let (records, artifacts) =
        embedded::stores(place.registry.as_deref(), place.namespace.as_deref())?;
    Ok(Place { records, artifacts })
}

/// A registry's stores on AWS.
struct OnAws {
    clients: AwsClients,
    records: Arc<DynamoRecords>,
    artifacts: Arc<S3Artifacts>,
}

/// `None` for a place that is not on AWS.
fn on_aws(place: &RegistryPlace, kms_key_arn: Option<&str>) -> Result<Option<OnAws>> {
    let (Some(table), Some(bucket)) = (&place.table, &place.bucket) else {
        return Ok(None);
    };
    let clients = AwsClients::new(reached(place))?;
    let records = DynamoRecords::new(clients.clone(), table)?;
    let mut settings = S3Settings::new(bucket);
    settings.prefix = place.prefix.clone().unwrap_or_default();
    settings.kms_key_arn = kms_key_arn.map(str::to_owned);
    let artifacts = Arc::new(S3Artifacts::new(clients.clone(), settings)?);
    Ok(Some(OnAws {
        clients,
        records: Arc::new(records),
        artifacts,
    }))
}

/// What reads sources that lie in S3. Nothing is called.
fn remote(place: &RegistryPlace) -> Arc<dyn RemoteSource> {
    Arc::new(S3Sources::new(reached(place)))
}

/// What sends images. Nothing is called.
fn publisher(profile: Option<&str>) -> Arc<dyn Publisher> {
    Arc::new(Registries::new(AwsSettings {
        profile: profile.map(str::to_owned),
        ..AwsSettings::default()
    }))
}

/// The store of a task, on AWS. Whose its credentials are makes no difference to it, and STS may be beyond the reach of its
/// network; that the region is one was checked by whoever wrote the task.
fn of_task(artifacts: &TaskArtifacts) -> Result<Arc<dyn ArtifactStore>> {
    let clients = AwsClients::new(AwsSettings {
        region: Some(artifacts.region.clone()),
        s3_use_path_style: artifacts.path_style,
        skip_credentials_validation: true,
        skip_region_validation: true,
        ..AwsSettings::default()
    })?;
    let mut settings = S3Settings::new(&artifacts.bucket);
    settings.prefix = artifacts.prefix.clone();
    Ok(Arc::new(S3Artifacts::new(clients, settings)?))
}

/// How AWS is reached; the environment says the rest.
fn reached(place: &RegistryPlace) -> AwsSettings {
    AwsSettings {
        region: place.region.clone(),
        profile: place.profile.clone(),
        s3_use_path_style: place.s3_use_path_style,
        ..AwsSettings::default()
    }
}

/// Moves the home of a table, or, without confirmation, says where it is.
async fn move_home(asked: &Failover) -> Result<Home> {
    let replica = |region: &str| {
        if asked.table.starts_with("arn:") {
            return Err(Error::invalid(
                "--table is the name of a table here: an ARN names one replica of it",
            ));
        }
        let clients = AwsClients::new(AwsSettings {
            region: Some(region.to_owned()),
            profile: asked.profile.clone(),
            ..AwsSettings::default()
        })?;
        DynamoRecords::new(clients, &asked.table)
    };
    let to = replica(&asked.to)?;
    let seen = to.home().await?.ok_or_else(|| {
        let at = to.location();
        Error::not_found(format!(
            "there is no registry in {at}: check --table, --to and --profile"
        ))
    })?;
    let home = match (asked.confirm, asked.home_is_lost) {
        (false, _) => seen.clone(),
        (true, true) => to.take_home().await?,
        (true, false) => {
            let from = replica(&seen.region)?;
            to.move_home(&from, asked.within).await?
        }
    };
    Ok(Home {
        registry: home.uuid,
        from: seen.region,
        home_region: home.region,
        fence: home.fence,
        moving_to: home.moving_to,
    })
}

/// Runs the model server until it ends; its exit status.
fn serve(config: ServerConfig) -> i32 {
    mlops_serve::run(config).err().map_or(0, |error| {
        eprintln!("mlops: {}", exit::chain(&error));
        error.exit_code()
    })
}

impl From<mlops_serve::ServeError> for crate::serve::Failure {
    fn from(error: mlops_serve::ServeError) -> Self {
        Self {
            status: error.exit_code(),
            said: exit::chain(&error),
        }
    }
}
