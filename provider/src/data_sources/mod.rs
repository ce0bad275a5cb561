//! The data sources, a file each. What CI, a rollout or another resource moves is read here, never
//! from a resource's attributes.

pub(crate) mod deployments;
pub(crate) mod endpoint;
pub(crate) mod endpoint_status;
pub(crate) mod image;
pub(crate) mod model;
pub(crate) mod model_version;
pub(crate) mod model_versions;
pub(crate) mod models;
mod shared;
