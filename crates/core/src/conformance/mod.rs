//! Conformance suites: what every adapter of a port must do, as functions that panic when it
//! does not. The macros make one test of each.

pub mod artifacts;
pub mod movable;
pub mod records;
pub mod registry;
pub mod saga;
pub mod target;
