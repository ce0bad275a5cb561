//! The volume of an instance that all tasks on it share, in the words of a task definition.

use aws_sdk_ecs::types::{DockerVolumeConfiguration, MountPoint, Scope, Volume};
use mlops_core::serving::TASK_CACHE;

/// What the volume is called, by the task definition and by Docker: one for all endpoints, so that it is bounded as one and nothing grows
/// after an endpoint is gone.
const SHARED: &str = "mlops-models";

/// How much of an instance's disk models leave free, since nobody else cleans there: what the kubelet of Kubernetes leaves for images
/// (`imageGCHighThresholdPercent` is 85).
pub(super) const FREE_PERCENT: u8 = 15;

/// The volume, which the agent of ECS makes where it is not there yet.
pub(super) fn volume() -> Volume {
    let configuration = DockerVolumeConfiguration::builder()
        .scope(Scope::Shared)
        .autoprovision(true)
        .driver("local")
        .build();
    Volume::builder()
        .name(SHARED)
        .docker_volume_configuration(configuration)
        .build()
}

/// Where the model server finds it.
pub(super) fn mount() -> MountPoint {
    MountPoint::builder()
        .source_volume(SHARED)
        .container_path(TASK_CACHE)
        .read_only(false)
        .build()
}
