//! The core's ports on one machine: SQLite, a content-addressed directory, processes.

pub mod admin;
pub mod target;
