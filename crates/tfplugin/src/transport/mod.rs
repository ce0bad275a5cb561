//! The transport: how Terraform starts this process, trusts it, talks to it and ends it.
//!
//! [`run`] is what a provider's `main` calls; [`serve`] is the part of it that needs a runtime. Between
//! them they cover go-plugin's side of the contract: the magic cookie, the handshake line on standard
//! output, mutual TLS over a unix socket, the controller, stdio, broker and health services, signals,
//! and the end of the process. Everything a provider does itself comes in as one implementation of the
//! generated `Provider` trait.

mod certificate;
mod connection;
mod error;
mod go_plugin;
mod guard;
mod handshake;
mod listener;
mod options;
mod panics;
mod run;
mod serve;
mod socket;
mod verifier;

pub use error::ServeError;
pub use options::ServeOptions;
pub use run::run;
pub use serve::serve;

/// The largest message that is sent or accepted, in bytes: 256 MiB, as Terraform core has it.
pub const MAX_MESSAGE_SIZE: usize = 256 << 20;
