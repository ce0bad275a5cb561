//! The adapters for a `provider` block. With `main.rs`, the only file that names any.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mlops_aws::dynamodb::DynamoRecords;
use mlops_aws::ecs::{EcsTarget, EcsTargetSettings};
use mlops_aws::images::Registries;
use mlops_aws::read_ahead::ReadAhead;
use mlops_aws::s3::{S3Artifacts, S3Settings, S3Sources};
use mlops_aws::{
    AssumeRole, AssumeRoleWithWebIdentity, AwsClients, AwsSettings, Endpoints, RetryMode, Secret,
};
use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::records::Records;
use mlops_core::registry::{Heartbeat, Registry};
use mlops_core::target::Targets;
use mlops_core::{Error, Result};
use mlops_local::{beside, embedded};
use mlops_metrics::HttpMeter;
use tfplugin::timeouts::parse_duration;

use crate::aws;
use crate::client::{Parts, Settings};
use crate::provider::Config;
use crate::unborn::Unborn;

/// Opens the registry, and the target on this machine. Nothing is written, and nothing is called.
pub(crate) fn open(settings: Settings) -> Result<Parts> {
    match settings {
        Settings::Embedded {
            path,
            namespace,
            aws,
        } => {
            let aws = self::settings(*aws)?;
            let embedded = embedded::open(path.as_deref(), namespace.as_deref())?;
            Ok(Parts {
                registry: embedded.registry,
                targets: Targets::default().with(embedded.target),
                meter: Arc::new(HttpMeter::default()),
                digests: embedded.digests,
                images: Arc::new(Registries::new(aws.clone())),
                sources: Arc::new(S3Sources::new(aws)),
            })
        }
        Settings::Aws(config) => on_aws(*config),
    }
}

fn on_aws(mut config: Config) -> Result<Parts> {
    let place = config
        .registry
        .take()
        .ok_or_else(|| Error::bug("a registry on AWS without a registry block"))?;
    let path_style = config.s3_use_path_style.unwrap_or_default();
    let clients = AwsClients::new(settings(config)?)?;
    let is_known = !place.table.is_unknown()
        && !place.bucket.is_unknown()
        && !place.prefix.is_unknown()
        && !place.kms_key_arn.is_unknown();
    let table = place.table.into_known().unwrap_or_else(not_known);
    let records: Arc<dyn Records> = if is_known {
        Arc::new(DynamoRecords::new(clients.clone(), &table)?)
    } else {
        Arc::new(Unborn)
    };
    let records = Arc::new(ReadAhead::new(records));
    let mut bucket = S3Settings::new(place.bucket.into_known().unwrap_or_else(not_known));
    bucket.prefix = place.prefix.into_known().unwrap_or_default();
    bucket.kms_key_arn = place.kms_key_arn.into_known();
    let tasks = EcsTargetSettings {
        bucket: bucket.bucket.clone(),
        prefix: bucket.prefix.clone(),
        kms_key_arn: bucket.kms_key_arn.clone(),
        path_style,
    };
    let artifacts = Arc::new(S3Artifacts::new(clients.clone(), bucket)?);
    let machine = beside::open(&table, artifacts.clone())?;
    let images = Arc::new(Registries::with_clients(clients.clone()));
    let ecs = EcsTarget::with_images(clients.clone(), tasks, records.clone(), images.clone());
    let registry = Registry::new(
        records,
        artifacts,
        Arc::new(SystemClock::default()),
        Arc::new(RandomIds),
    )
    .with_sessions(machine.sessions, machine.held)
    .with_heartbeat(Heartbeat::default());
    Ok(Parts {
        registry,
        targets: Targets::default().with(machine.target).with(Arc::new(ecs)),
        meter: Arc::new(HttpMeter::default()),
        digests: machine.digests,
        images,
        sources: Arc::new(S3Sources::with_clients(clients)),
    })
}

/// In place of a name that the plan does not know: nothing is asked of it, since an empty registry names no artifact.
fn not_known() -> String {
    "not-known-before-apply".to_owned()
}

fn settings(config: Config) -> Result<AwsSettings> {
    let endpoints = config
        .endpoints
        .map_or_else(Endpoints::default, |own| Endpoints {
            acm: own.acm,
            appautoscaling: own.appautoscaling,
            dynamodb: own.dynamodb,
            route53: own.route53,
            s3: own.s3,
            secretsmanager: own.secretsmanager,
            servicequotas: own.servicequotas,
            sts: own.sts,
            ecs: own.ecs,
            elbv2: own.elbv2,
            cloudwatch: own.cloudwatch,
            ec2: own.ec2,
            autoscaling: own.autoscaling,
            ecr: own.ecr,
            iam: own.iam,
            kms: own.kms,
            logs: own.logs,
        });
    Ok(AwsSettings {
        region: config.region,
        profile: config.profile,
        access_key: config.access_key,
        secret_key: config.secret_key.map(hidden),
        token: config.token.map(hidden),
        shared_config_files: paths(config.shared_config_files),
        shared_credentials_files: paths(config.shared_credentials_files),
        assume_role: config.assume_role.map(assume_role).transpose()?,
        assume_role_with_web_identity: config
            .assume_role_with_web_identity
            .map(web_identity)
            .transpose()?,
        allowed_account_ids: config.allowed_account_ids.unwrap_or_default(),
        forbidden_account_ids: config.forbidden_account_ids.unwrap_or_default(),
        endpoints,
        sts_region: config.sts_region,
        max_retries: config.max_retries,
        retry_mode: config.retry_mode.map(|mode| match mode.as_str() {
            "adaptive" => RetryMode::Adaptive,
            _ => RetryMode::Standard,
        }),
        http_proxy: config.http_proxy,
        https_proxy: config.https_proxy,
        no_proxy: config.no_proxy,
        custom_ca_bundle: config.custom_ca_bundle.map(PathBuf::from),
        use_fips_endpoint: config.use_fips_endpoint.unwrap_or_default(),
        use_dualstack_endpoint: config.use_dualstack_endpoint.unwrap_or_default(),
        s3_use_path_style: config.s3_use_path_style.unwrap_or_default(),
        skip_credentials_validation: config.skip_credentials_validation.unwrap_or_default(),
        skip_region_validation: config.skip_region_validation.unwrap_or_default(),
        skip_metadata_api_check: config.skip_metadata_api_check.unwrap_or_default(),
    })
}

fn assume_role(own: aws::AssumeRole) -> Result<AssumeRole> {
    Ok(AssumeRole {
        role_arn: own.role_arn,
        duration: duration(own.duration, "assume_role.duration")?,
        external_id: own.external_id,
        policy: own.policy,
        policy_arns: own.policy_arns.unwrap_or_default(),
        session_name: own.session_name,
        source_identity: own.source_identity,
        tags: own.tags.unwrap_or_default(),
        transitive_tag_keys: own.transitive_tag_keys.unwrap_or_default(),
    })
}

fn web_identity(own: aws::WebIdentity) -> Result<AssumeRoleWithWebIdentity> {
    Ok(AssumeRoleWithWebIdentity {
        role_arn: own.role_arn,
        duration: duration(own.duration, "assume_role_with_web_identity.duration")?,
        policy: own.policy,
        policy_arns: own.policy_arns.unwrap_or_default(),
        session_name: own.session_name,
        web_identity_token: own.web_identity_token.map(hidden),
        web_identity_token_file: own.web_identity_token_file.map(PathBuf::from),
    })
}

fn duration(text: Option<String>, attribute: &str) -> Result<Option<Duration>> {
    let Some(text) = text else { return Ok(None) };
    let parsed = parse_duration(&text).ok_or_else(|| {
        Error::invalid(format!("{text:?} is no duration; write one such as 1h")).at(attribute)
    })?;
    Ok(Some(parsed))
}

fn paths(files: Option<Vec<String>>) -> Vec<PathBuf> {
    files
        .unwrap_or_default()
        .into_iter()
        .map(PathBuf::from)
        .collect()
}

fn hidden(secret: tfplugin::Secret<String>) -> Secret {
    Secret::new(secret.into_exposed())
}
