//! The managed resources, a folder each.

pub(crate) mod convert;
pub(crate) mod endpoint;
pub(crate) mod model;
pub(crate) mod model_alias;
pub(crate) mod model_version;
pub(crate) mod shared;
