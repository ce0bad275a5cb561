//! What a saga has to stand: a step that fails, a call that is repeated, a memory that is lost, a
//! process that is killed at any journal write.
//!
//! The first three are [`crate::saga::Drill`]s, which the executor itself runs; the last is
//! [`Killed`], a store of records that dies after a number of commits. [`Bench`] is an endpoint in
//! memory on which they are run.

mod bench;
mod killed;

pub use bench::{Bench, Process, endpoint_id, spec, spec_of};
pub use killed::{Killed, When};
