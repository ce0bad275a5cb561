//! Terraform plugin protocol 6 and the go-plugin services around it: the protocol files and the code
//! generated from them.
//!
//! The `.proto` files beside `Cargo.toml` are ours in wording and follow the protocol in every name and
//! number; where the numbers come from is written at their heads. The code under `src/gen` is checked
//! in, so that a build needs neither `protoc` nor a build script; the test `generated` fails when it
//! differs from what the files say, and `UPDATE=1 cargo test -p tfplugin-proto` rewrites it.

/// Protocol 6 itself: package `tfplugin6`.
///
/// `provider_server` is what a provider serves, `provider_client` what a test drives it with.
/// An RPC that an implementation of the server trait leaves out answers UNIMPLEMENTED.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::large_futures)]
#[rustfmt::skip]
#[path = "gen/tfplugin6.rs"]
pub mod tfplugin6;

/// go-plugin's own services: controller, stdio and broker. Package `plugin`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::large_futures)]
#[rustfmt::skip]
#[path = "gen/plugin.rs"]
pub mod plugin;

/// The gRPC health service, which go-plugin's client asks for the service `plugin`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::large_futures)]
#[rustfmt::skip]
#[path = "gen/grpc.health.v1.rs"]
pub mod health;

/// The well-known types that protocol 6 uses.
pub use prost_types::Timestamp;
