//! Registries that answer as they are told to, on this machine.

mod distribution;
mod ecr;
mod push;
mod server;
