//! The core's ports on one machine: SQLite, a content-addressed directory, processes.

pub mod admin;
pub mod artifacts;
pub mod cache;
pub mod embedded;
pub mod location;
pub mod records;
pub mod sessions;
pub mod target;
