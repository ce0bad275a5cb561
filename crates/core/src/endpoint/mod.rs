//! An endpoint: one object that owns everything a served model needs on its target.
//!
//! [`apply()`] makes it what a specification says and [`delete`] takes it away, both through the
//! saga in [`crate::saga`]; [`plan`] says beforehand what an apply would do, and writes nothing.

mod apply;
mod arn;
mod control;
pub mod cost;
pub mod deployment;
mod drift;
pub mod events;
mod hooks;
mod naming;
mod outcome;
mod percent;
mod period;
pub mod plan;
pub mod ports;
mod preflight;
mod prepare;
pub mod record;
mod redact;
mod run;
mod saga;
pub mod spec;
pub mod state;
pub mod steps;
mod store;
pub mod take_over;
pub mod validate;

pub use apply::{ApplyRequest, DeleteRequest, apply, check_sources, delete};
pub use arn::region_of_arn;
pub use control::{
    EndpointStatus, OpenDeployment, open_deployment, pause, record, repair, resume, revision,
    status, target,
};
pub use deployment::{DeploymentId, DeploymentRef};
pub use drift::autoscaling_drift;
pub use outcome::{Outcome, Stopped};
pub use percent::Percent;
pub use period::Period;
pub use preflight::preflight;
pub use record::EndpointRecord;
pub use run::Deps;
pub use spec::EndpointSpec;
pub use store::{ClosedAs, ClosedDeployment, closed_deployments};

#[cfg(test)]
mod tests;
