//! A file system that all tasks of an endpoint share.

use serde::{Deserialize, Serialize};

/// The block `ecs.efs`: a file system of Amazon EFS, which exists already, at a path of every container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EfsSpec {
    /// The file system.
    pub file_system_id: String,
    /// The access point: user, group and directory are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_point_id: Option<String>,
    /// The directory of the file system that containers see, if no access point says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_directory: Option<String>,
    /// Whether tasks prove who they are by [`EcsSpec::task_role_arn`](super::EcsSpec::task_role_arn).
    #[serde(default)]
    pub iam: bool,
    /// Where containers find it.
    pub container_path: String,
    /// Whether they may only read it.
    #[serde(default)]
    pub read_only: bool,
}
