//! A revision's task definition: the document, and the one of the revision's family that is registered.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, KeyValuePair, LogConfiguration, LogDriver,
    MountPoint, NetworkMode, OsFamily, PortMapping, ResourceRequirement, ResourceType,
    RuntimePlatform, Secret, TaskDefinitionField, TaskDefinitionStatus, TransportProtocol, Volume,
};
use mlops_core::endpoint::spec::{Architecture, BoundVersion, LaunchType, ModelCache, Placement};
use mlops_core::serving::{TASK_MODELS, TASK_VARIABLE, TaskArtifacts, TaskConfig};
use mlops_core::target::Revision;
use mlops_core::{Error, Result};
use uuid::Uuid;

use super::calls;
use super::efs;
use super::environment;
use super::names;
use super::tags;
use crate::clients::AwsClients;
use crate::elb::Owner;
use crate::fault::Failure;

/// The model server's user, without rights.
const USER: &str = "10001:10001";
/// The longest [`TaskConfig`], as text. A task definition may have 64 KiB in all; the longest part of this is the
/// golden request.
const LONGEST_CONFIG: usize = 24 * 1024;
/// The volume that models are brought to.
const MODELS: &str = "models";
/// What a container has to end beyond its own drain.
const STOP_MARGIN: u64 = 5;
/// The longest `stopTimeout` that Fargate takes, in seconds.
const LONGEST_STOP: u64 = 120;

/// What a task definition says beside what is the revision's.
pub(super) struct Surroundings<'a> {
    pub(super) owner: &'a Owner,
    pub(super) artifacts: TaskArtifacts,
    pub(super) log_group: &'a str,
    pub(super) region: &'a str,
}

/// The request that registers the task definition of `revision`.
pub(super) fn document(
    revision: &Revision,
    placement: &Placement,
    around: &Surroundings<'_>,
) -> Result<RegisterTaskDefinitionInputBuilder> {
    let compute = revision.compute;
    let compatibility = match placement.capacity.launch_type() {
        LaunchType::Fargate => Compatibility::Fargate,
        LaunchType::Ec2 => Compatibility::Ec2,
    };
    let definition = RegisterTaskDefinitionInput::builder()
        .family(names::service(around.owner, &revision.name))
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(compatibility)
        .cpu(compute.cpu().to_string())
        .memory(compute.memory_mb().to_string())
        .execution_role_arn(&placement.execution_role_arn)
        .task_role_arn(&placement.task_role_arn)
        .set_runtime_platform(revision.container.architecture.map(platform))
        .container_definitions(container(revision, placement, around)?)
        .set_tags(Some(tags::list(around.owner, revision)));
    let served = revision.workload.served();
    let models = served.map(|_| Volume::builder().name(MODELS).build());
    let shared = placement.efs.as_ref().map(efs::volume).transpose()?;
    let volumes: Vec<Volume> = models.into_iter().chain(shared).collect();
    Ok(definition.set_volumes((!volumes.is_empty()).then_some(volumes)))
}

fn platform(architecture: Architecture) -> RuntimePlatform {
    RuntimePlatform::builder()
        .cpu_architecture(match architecture {
            Architecture::X86_64 => CpuArchitecture::X8664,
            Architecture::Arm64 => CpuArchitecture::Arm64,
        })
        .operating_system_family(OsFamily::Linux)
        .build()
}

fn container(
    revision: &Revision,
    placement: &Placement,
    around: &Surroundings<'_>,
) -> Result<ContainerDefinition> {
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .set_options(Some(HashMap::from([
            ("awslogs-group".to_owned(), around.log_group.to_owned()),
            ("awslogs-region".to_owned(), around.region.to_owned()),
            (
                "awslogs-stream-prefix".to_owned(),
                names::log_stream_prefix().to_owned(),
            ),
        ])))
        .build()
        .map_err(|cause| Error::bug("a log configuration lacks its driver").because(cause))?;
    let compute = revision.compute;
    let served = revision.workload.served();
    let models = served.map(|_| {
        MountPoint::builder()
            .source_volume(MODELS)
            .container_path(TASK_MODELS)
            .read_only(false)
            .build()
    });
    let shared = placement.efs.as_ref().map(efs::mount);
    let mounts: Vec<MountPoint> = models.into_iter().chain(shared).collect();
    let stop = (placement.drain_seconds + STOP_MARGIN).min(LONGEST_STOP);
    let container = ContainerDefinition::builder()
        .name(names::CONTAINER)
        .image(&placement.image)
        .essential(true)
        .stop_timeout(i32::try_from(stop).unwrap_or(i32::MAX))
        .set_secrets(secrets(revision)?)
        .set_resource_requirements(gpus(compute.gpus)?)
        .set_mount_points((!mounts.is_empty()).then_some(mounts))
        .port_mappings(
            PortMapping::builder()
                .container_port(i32::from(revision.container.port))
                .protocol(TransportProtocol::Tcp)
                .build(),
        )
        .log_configuration(log);
    Ok(match served {
        Some(bound) => container
            .command("serve")
            .command("--task")
            .user(USER)
            // The agent behind `aws ecs execute-command` writes to the container's root.
            .readonly_root_filesystem(!placement.enable_execute_command)
            .set_environment(Some(variables(revision, bound, placement, around)?))
            .build(),
        // Its user, its root and its command are its own, unless the variant says another command.
        None => {
            let command = &revision.container.command;
            let environment = revision.environment.iter();
            container
                .set_command((!command.is_empty()).then(|| command.clone()))
                .set_environment(Some(environment.map(pair).collect()))
                .build()
        }
    })
}

/// GPUs that the container has to itself: only instances have any.
fn gpus(wanted: Option<u32>) -> Result<Option<Vec<ResourceRequirement>>> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let gpus = ResourceRequirement::builder()
        .r#type(ResourceType::Gpu)
        .value(wanted.to_string())
        .build()
        .map_err(|cause| Error::bug("a wish for GPUs lacks their number").because(cause))?;
    Ok(Some(vec![gpus]))
}

fn pair((name, value): (impl Into<String>, impl Into<String>)) -> KeyValuePair {
    KeyValuePair::builder().name(name).value(value).build()
}

fn secrets(revision: &Revision) -> Result<Option<Vec<Secret>>> {
    let secrets = revision.container.secrets.iter().map(|(name, arn)| {
        let secret = Secret::builder().name(name).value_from(arn).build();
        secret.map_err(|cause| Error::bug("a secret lacks its name or its ARN").because(cause))
    });
    let secrets: Vec<Secret> = secrets.collect::<Result<_>>()?;
    Ok((!secrets.is_empty()).then_some(secrets))
}

/// Where the model server keeps its model for other tasks.
fn cache(revision: &Revision, placement: &Placement) -> Option<String> {
    match revision.container.model_cache {
        ModelCache::None => None,
        ModelCache::Efs => placement.efs.as_ref().map(|efs| efs.container_path.clone()),
    }
}

fn variables(
    revision: &Revision,
    bound: &BoundVersion,
    placement: &Placement,
    around: &Surroundings<'_>,
) -> Result<Vec<KeyValuePair>> {
    let attribute = || format!("variants.{}.environment", revision.variant);
    let limits =
        environment::limits(&revision.environment).map_err(|error| error.at(attribute()))?;
    let config = TaskConfig {
        endpoint: around.owner.name.to_string(),
        variant: revision.variant.to_string(),
        revision: revision.name.to_string(),
        model: bound.model.to_string(),
        version: bound.version,
        artifact_digest: bound.artifact_digest.clone(),
        artifacts: around.artifacts.clone(),
        port: revision.container.port,
        limits,
        drain_seconds: placement.drain_seconds,
        cache: cache(revision, placement),
        smoke: revision.smoke.clone(),
    };
    let config = serde_json::to_string(&config)
        .map_err(|cause| Error::bug("a task's configuration is not JSON").because(cause))?;
    if config.len() > LONGEST_CONFIG {
        return Err(Error::invalid(format!(
            "what a task of variant {:?} is started with has {} bytes, and {LONGEST_CONFIG} fit into a task definition; \
             give the version of {} a smaller golden request",
            revision.variant.as_str(),
            config.len(),
            bound.model,
        ))
        .at(format!("variants.{}", revision.variant)));
    }
    let mut variables: BTreeMap<&str, &str> = environment::passed(&revision.environment).collect();
    variables.insert(environment::REGION, around.region);
    variables.insert(TASK_VARIABLE, &config);
    Ok(variables.into_iter().map(pair).collect())
}

/// The registered task definition of the family, if the endpoint's `revision` registered it.
pub(super) async fn find(
    clients: &AwsClients,
    owner: &Owner,
    revision: &Revision,
) -> Result<Option<String>> {
    let family = names::service(owner, &revision.name);
    let found = describe(clients, &family).await?;
    Ok(found
        .filter(|found| found.active && tags::are_of(&found.tags, owner.endpoint))
        .map(|found| found.arn))
}

/// Registers it. Without an answer nobody knows whether it is registered: [`find`] tells, the next time.
pub(super) async fn register(
    clients: &AwsClients,
    document: RegisterTaskDefinitionInputBuilder,
) -> Result<()> {
    let family = document.get_family().clone().unwrap_or_default();
    let call = calls::ecs("RegisterTaskDefinition", format!("family {family}"));
    let client = clients.ecs().await?;
    calls::run_once(clients, &call, || {
        Box::pin(document.clone().send_with(client))
    })
    .await
    .map_err(Failure::into_error)?;
    Ok(())
}

/// Deregisters and deletes every task definition of the family that is the endpoint's.
pub(super) async fn take_away(clients: &AwsClients, endpoint: Uuid, family: &str) -> Result<()> {
    let mut ours = Vec::new();
    for status in [TaskDefinitionStatus::Active, TaskDefinitionStatus::Inactive] {
        for arn in list(clients, family, &status).await? {
            let Some(found) = describe(clients, &arn).await? else {
                continue;
            };
            // A listing may go by the beginning of a family's name.
            if found.family != family || !tags::are_of(&found.tags, endpoint) {
                continue;
            }
            if found.active {
                deregister(clients, &arn).await?;
            }
            ours.push(arn);
        }
    }
    // The most that one call takes.
    for arns in ours.chunks(10) {
        delete(clients, family, arns).await?;
    }
    Ok(())
}

struct Registered {
    arn: String,
    family: String,
    active: bool,
    tags: BTreeMap<String, String>,
}

async fn describe(clients: &AwsClients, which: &str) -> Result<Option<Registered>> {
    let call = calls::ecs("DescribeTaskDefinition", which);
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .describe_task_definition()
                .task_definition(which)
                .include(TaskDefinitionField::Tags)
                .send(),
        )
    })
    .await;
    let answer = match answer {
        Ok(answer) => answer,
        // ECS has no other word for a family of which nothing is active.
        Err(failure) if failure.code() == Some("ClientException") => return Ok(None),
        Err(failure) => return Err(failure.into_error()),
    };
    let tags = tags::read(answer.tags());
    Ok(answer.task_definition.map(|found| Registered {
        active: found.status() == Some(&TaskDefinitionStatus::Active),
        arn: found.task_definition_arn.unwrap_or_default(),
        family: found.family.unwrap_or_default(),
        tags,
    }))
}

async fn list(
    clients: &AwsClients,
    family: &str,
    status: &TaskDefinitionStatus,
) -> Result<Vec<String>> {
    let call = calls::ecs("ListTaskDefinitions", format!("family {family}"));
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .list_task_definitions()
                .family_prefix(family)
                .status(status.clone())
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    // One page: a family has one, and another one for each answer that was lost.
    Ok(answer.task_definition_arns.unwrap_or_default())
}

async fn deregister(clients: &AwsClients, arn: &str) -> Result<()> {
    let call = calls::ecs("DeregisterTaskDefinition", arn);
    let client = clients.ecs().await?;
    calls::run(clients, &call, || {
        Box::pin(
            client
                .deregister_task_definition()
                .task_definition(arn)
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    Ok(())
}

/// ECS forgets it once no task runs it any more.
async fn delete(clients: &AwsClients, family: &str, arns: &[String]) -> Result<()> {
    let call = calls::ecs("DeleteTaskDefinitions", format!("family {family}"));
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .delete_task_definitions()
                .set_task_definitions(Some(arns.to_vec()))
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    match answer.failures() {
        [] => Ok(()),
        [first, ..] => Err(Error::unavailable(format!(
            "ECS did not delete task definition {}: {}; run the operation again",
            first.arn().unwrap_or(family),
            first
                .detail()
                .or(first.reason())
                .unwrap_or("it gave no reason"),
        ))),
    }
}

#[cfg(test)]
mod tests;
