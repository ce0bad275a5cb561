//! The target port: the suite that every target passes, and a world in memory that obeys it,
//! with knobs.

mod calls;
mod memory;
mod provision;
mod suite;
mod world;

pub use calls::{Fault, FaultAt};
pub use memory::MemoryTarget;
pub use suite::{
    a_server_serves_shifts_and_leaves_nothing, provision_can_be_repeated_and_taken_back,
};
pub use world::{Behaviour, RevisionView, Scaled, ServerView, WorldView};
