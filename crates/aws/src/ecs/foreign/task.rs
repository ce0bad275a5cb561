//! What a service's tasks are: one container, as far as an endpoint can say it.

use aws_sdk_ecs::types::{
    ContainerDefinition, CpuArchitecture, NetworkMode, OsFamily, ResourceType, TaskDefinition,
};
use mlops_core::endpoint::spec::{Architecture, Compute, VariantSpec};

use super::variant;
use crate::ecs::gpu;

/// A task definition in the words of an endpoint.
pub(super) struct Task {
    pub(super) variant: VariantSpec,
    /// Empty if it has none.
    pub(super) execution_role_arn: String,
    /// Empty if it has none.
    pub(super) task_role_arn: String,
    /// What nothing depends on.
    pub(super) left_behind: Vec<String>,
}

/// Reads it; what an endpoint has no words for is added to `problems`. `serves` is the container that requests come to.
pub(super) fn read(
    definition: &TaskDefinition,
    serves: Option<&str>,
    problems: &mut Vec<String>,
) -> Option<Task> {
    let whole = unsaid_of_task(definition);
    if !whole.is_empty() {
        problems.push(format!(
            "its task definition has {}, which no endpoint has: take that away, and deploy the service",
            whole.join(", ")
        ));
    }
    let container = match definition.container_definitions() {
        [one] => one,
        several => {
            let names = several.iter().filter_map(|one| one.name());
            problems.push(format!(
                "its tasks have {} containers ({}), and those of an endpoint have one: leave {}",
                several.len(),
                names.collect::<Vec<_>>().join(", "),
                serves.unwrap_or("one")
            ));
            return None;
        }
    };
    let unsaid = unsaid_of_container(container);
    if !unsaid.is_empty() {
        problems.push(format!(
            "its container {} has {}, which no endpoint says: put it into the image, or take it away, and deploy the service",
            container.name().unwrap_or_default(),
            unsaid.join(", ")
        ));
    }
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let mut variant = variant(container.image().unwrap_or_default());
    let gpus = gpu::wished(container);
    variant.compute = Compute {
        cpu: whole_number(definition.cpu()),
        memory_mb: whole_number(definition.memory()),
        gpus,
        gpu_type: gpus.and_then(|_| gpu::asked_for(definition.placement_constraints())),
    };
    let pairs = container.environment().iter();
    variant.environment = pairs
        .map(|one| (text(one.name()), text(one.value())))
        .collect();
    let secrets = container.secrets().iter();
    variant.container.secrets = secrets
        .map(|one| (one.name().to_owned(), one.value_from().to_owned()))
        .collect();
    variant.container.command = container.command().to_vec();
    variant.container.architecture = (definition.runtime_platform())
        .and_then(|platform| platform.cpu_architecture())
        .and_then(|architecture| match architecture {
            CpuArchitecture::X8664 => Some(Architecture::X86_64),
            CpuArchitecture::Arm64 => Some(Architecture::Arm64),
            _ => None,
        });
    Some(Task {
        variant,
        execution_role_arn: text(definition.execution_role_arn()),
        task_role_arn: text(definition.task_role_arn()),
        left_behind: left_behind(container),
    })
}

fn whole_number(text: Option<&str>) -> Option<u32> {
    text?.parse().ok()
}

/// An empty text says nothing.
fn is_said(text: Option<&str>) -> bool {
    text.is_some_and(|text| !text.is_empty())
}

/// Names of what is there, of pairs of a name and whether it is.
fn there<const N: usize>(all: [(&'static str, bool); N]) -> Vec<&'static str> {
    let there = all.into_iter().filter(|(_, is_there)| *is_there);
    there.map(|(name, _)| name).collect()
}

/// Whether the only constraint, if any, is that of a kind of GPU, which a container of it wants: an endpoint says that, too.
fn is_placed_so(definition: &TaskDefinition) -> bool {
    let constraints = definition.placement_constraints();
    let mut containers = definition.container_definitions().iter();
    constraints.is_empty()
        || (gpu::asked_for(constraints).is_some()
            && containers.any(|one| gpu::wished(one).is_some()))
}

fn unsaid_of_task(definition: &TaskDefinition) -> Vec<&'static str> {
    let platform = definition.runtime_platform();
    let family = platform.and_then(|platform| platform.operating_system_family());
    there([
        (
            "another network mode than awsvpc",
            definition.network_mode() != Some(&NetworkMode::Awsvpc),
        ),
        ("volumes", !definition.volumes().is_empty()),
        ("placementConstraints", !is_placed_so(definition)),
        (
            "another operating system than LINUX",
            family.is_some_and(|one| *one != OsFamily::Linux),
        ),
        (
            "pidMode",
            is_said(definition.pid_mode().map(|mode| mode.as_str())),
        ),
        (
            "ipcMode",
            is_said(definition.ipc_mode().map(|mode| mode.as_str())),
        ),
        (
            "proxyConfiguration",
            definition.proxy_configuration().is_some(),
        ),
        ("ephemeralStorage", definition.ephemeral_storage().is_some()),
        (
            "inferenceAccelerators",
            !definition.inference_accelerators().is_empty(),
        ),
        (
            "enableFaultInjection",
            definition.enable_fault_injection() == Some(true),
        ),
    ])
}

fn unsaid_of_container(container: &ContainerDefinition) -> Vec<&'static str> {
    let on = |flag: Option<bool>| flag == Some(true);
    let other = |one: &aws_sdk_ecs::types::ResourceRequirement| *one.r#type() != ResourceType::Gpu;
    there([
        ("entryPoint", !container.entry_point().is_empty()),
        ("user", is_said(container.user())),
        ("workingDirectory", is_said(container.working_directory())),
        (
            "readonlyRootFilesystem",
            on(container.readonly_root_filesystem()),
        ),
        ("privileged", on(container.privileged())),
        ("linuxParameters", container.linux_parameters().is_some()),
        ("ulimits", !container.ulimits().is_empty()),
        ("systemControls", !container.system_controls().is_empty()),
        ("mountPoints", !container.mount_points().is_empty()),
        ("volumesFrom", !container.volumes_from().is_empty()),
        (
            "environmentFiles",
            !container.environment_files().is_empty(),
        ),
        (
            "repositoryCredentials",
            container.repository_credentials().is_some(),
        ),
        (
            "firelensConfiguration",
            container.firelens_configuration().is_some(),
        ),
        (
            "resourceRequirements",
            container.resource_requirements().iter().any(other),
        ),
        ("credentialSpecs", !container.credential_specs().is_empty()),
        (
            "dockerSecurityOptions",
            !container.docker_security_options().is_empty(),
        ),
        ("dnsServers", !container.dns_servers().is_empty()),
        (
            "dnsSearchDomains",
            !container.dns_search_domains().is_empty(),
        ),
        ("extraHosts", !container.extra_hosts().is_empty()),
        ("hostname", is_said(container.hostname())),
        ("interactive", on(container.interactive())),
        ("pseudoTerminal", on(container.pseudo_terminal())),
        (
            "restartPolicy",
            container.restart_policy().is_some_and(|one| one.enabled()),
        ),
    ])
}

fn left_behind(container: &ContainerDefinition) -> Vec<String> {
    let mut left = Vec::new();
    if container.log_configuration().is_some() {
        left.push(
            "where it logs to (an endpoint has a log group of its own; the old one stays)"
                .to_owned(),
        );
    }
    if container.health_check().is_some() {
        left.push(
            "its container's own health check (the load balancer asks tasks of an endpoint)"
                .to_owned(),
        );
    }
    if container
        .docker_labels()
        .is_some_and(|labels| !labels.is_empty())
    {
        left.push("its Docker labels".to_owned());
    }
    left
}
