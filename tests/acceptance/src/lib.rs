//! Real terraform against the built provider and real parts.
//!
//! A test writes a configuration into a [`Workspace`], plans and applies it with the Terraform (or OpenTofu) that a user
//! would run, and asks the state, the plan, the registry and the served model what came of it. After every apply the
//! workspace plans once more and fails the test unless that plan is empty, with every resource exported as an output.
//!
//! This crate drives built binaries only; it knows none of our crates. Its functions panic with what happened, because
//! their only callers are tests and the demo.

pub mod builds;
pub mod digits;
pub mod ecs_world;

pub mod engine;
pub mod http;
pub mod iam;
pub mod kills;
pub mod load;
pub mod mirror;
pub mod part;
pub mod plan;
pub mod process;
pub mod registry_module;
pub mod running;
pub mod schema;
pub mod stack;
pub mod state;
pub mod wait;
pub mod workspace;

pub use builds::Builds;
pub use ecs_world::EcsWorld;
pub use engine::Engine;
pub use part::Part;
pub use plan::Plan;
pub use registry_module::RegistryModule;
pub use running::{Ended, Running};
pub use stack::Stack;
pub use state::State;
pub use workspace::Workspace;

/// Tells the runner that a test cannot run on this machine. The test returns afterwards; `.ci/expected-skips` lists it.
pub fn skip(test: &str, reason: &str) {
    println!("SKIP {test}: {reason}");
}
