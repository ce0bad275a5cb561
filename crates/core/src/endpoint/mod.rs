//! An endpoint: one object that owns everything a served model needs on its target.

pub mod deployment;
mod percent;
mod period;
pub mod record;
pub mod spec;

pub use deployment::{DeploymentId, DeploymentRef};
pub use percent::Percent;
pub use period::Period;
pub use record::EndpointRecord;
pub use spec::EndpointSpec;
