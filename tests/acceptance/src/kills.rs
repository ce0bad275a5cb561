//! Kills at chosen writes of the registry, and what may not be left behind after them.
//!
//! A debug build of the provider takes two variables (see `crates/local/src/records/drill.rs`): `MLOPS_DRILL_KILL` kills
//! it, or Terraform, at its N-th commit; `MLOPS_DRILL_COUNT` names a file that gets one line a commit.

mod matrix;
mod world;

pub use matrix::{Extent, Kill, Operation, Report, Side, Victim, run, writes};
pub use world::World;
