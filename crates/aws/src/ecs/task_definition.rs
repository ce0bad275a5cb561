//! A revision's task definition: the document, and the one of the revision's family that is registered.

mod registered;
mod variables;

use std::collections::HashMap;

use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, KeyValuePair, LogConfiguration, LogDriver,
    MountPoint, NetworkMode, OsFamily, PortMapping, RuntimePlatform, Secret, TransportProtocol,
    Volume,
};
use mlops_core::endpoint::spec::{Architecture, LaunchType, ModelCache, Placement};
use mlops_core::serving::{TASK_MODELS, TaskArtifacts};
use mlops_core::target::Revision;
use mlops_core::{Error, Result};

pub(super) use self::registered::{find, register, take_away, tell};
use self::variables::variables;
use super::efs;
use super::gpu;
use super::names;
use super::node;
use super::tags;
use crate::elb::Owner;

/// The model server's user, without rights.
const USER: &str = "10001:10001";
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
        .set_placement_constraints(compute.gpu_type.map(|kind| vec![gpu::only_with(kind)]))
        .set_tags(Some(tags::list(around.owner, revision)));
    let served = revision.workload.served();
    let models = served.map(|_| Volume::builder().name(MODELS).build());
    let shared = placement.efs.as_ref().map(efs::volume).transpose()?;
    let node = keeps_on_node(revision).then(node::volume);
    let volumes: Vec<Volume> = models.into_iter().chain(shared).chain(node).collect();
    Ok(definition.set_volumes((!volumes.is_empty()).then_some(volumes)))
}

/// Whether its tasks keep their model on the instance that they run on.
fn keeps_on_node(revision: &Revision) -> bool {
    revision.container.model_cache == ModelCache::Node
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
    let node = keeps_on_node(revision).then(node::mount);
    let mounts: Vec<MountPoint> = models.into_iter().chain(shared).chain(node).collect();
    let stop = (placement.drain_seconds + STOP_MARGIN).min(LONGEST_STOP);
    let container = ContainerDefinition::builder()
        .name(names::CONTAINER)
        .image(&placement.image)
        .essential(true)
        .stop_timeout(i32::try_from(stop).unwrap_or(i32::MAX))
        .set_secrets(secrets(revision)?)
        .set_resource_requirements(gpu::wish(compute.gpus)?)
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

#[cfg(test)]
mod tests;
