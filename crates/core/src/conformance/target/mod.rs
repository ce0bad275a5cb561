//! The target port: a world in memory that obeys it, with knobs.

mod provision;
mod world;

pub use world::{Behaviour, Fault, FaultAt, MemoryTarget, RevisionView, ServerView, WorldView};
