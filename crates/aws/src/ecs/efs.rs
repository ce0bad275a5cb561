//! The file system that all containers share, in the words of a task definition.

use aws_sdk_ecs::types::{
    EfsAuthorizationConfig, EfsAuthorizationConfigIam, EfsTransitEncryption,
    EfsVolumeConfiguration, MountPoint, Volume,
};
use mlops_core::endpoint::spec::EfsSpec;
use mlops_core::{Error, Result};

/// What a task definition calls the volume.
const SHARED: &str = "efs";

/// The volume. What travels is always encrypted: access points and roles ask for it, and nothing speaks against it.
pub(super) fn volume(efs: &EfsSpec) -> Result<Volume> {
    let iam = match efs.iam {
        true => EfsAuthorizationConfigIam::Enabled,
        false => EfsAuthorizationConfigIam::Disabled,
    };
    let access = EfsAuthorizationConfig::builder()
        .set_access_point_id(efs.access_point_id.clone())
        .iam(iam)
        .build();
    let configuration = EfsVolumeConfiguration::builder()
        .file_system_id(&efs.file_system_id)
        .set_root_directory(efs.root_directory.clone())
        .transit_encryption(EfsTransitEncryption::Enabled)
        .authorization_config(access)
        .build()
        .map_err(|cause| Error::bug("a volume lacks its file system").because(cause))?;
    Ok(Volume::builder()
        .name(SHARED)
        .efs_volume_configuration(configuration)
        .build())
}

/// Where containers find it.
pub(super) fn mount(efs: &EfsSpec) -> MountPoint {
    MountPoint::builder()
        .source_volume(SHARED)
        .container_path(&efs.container_path)
        .read_only(efs.read_only)
        .build()
}
