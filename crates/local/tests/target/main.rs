//! The local target with real processes. The server is the example `local_server`, which can misbehave.
#![cfg(target_os = "linux")]

mod conformance;
mod lifecycle;
mod ports;
mod race;
mod serving;
mod world;
