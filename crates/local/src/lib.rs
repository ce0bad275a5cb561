//! The core's ports on one machine: SQLite, a content-addressed directory, processes.

pub mod admin;
pub mod artifacts;
pub mod beside;
pub mod cache;
pub mod embedded;
pub mod location;
pub mod mirror;
pub mod records;
pub mod sessions;
pub mod target;
