//! The Terraform provider for shipping machine-learning models.
//!
//! This file and `adapters.rs` name the adapters; everything else works on the core's ports.

mod adapters;
mod aws;
mod client;
mod data_sources;
mod diagnose;
mod fetched;
mod preflight;
mod prices;
mod provider;
mod resources;
mod siblings;
mod tags;
mod unborn;

use std::process::ExitCode;

use mlops_core::serving::ServerConfig;
use mlops_local::target::child;
use provider::Mlops;
use tfplugin::ServeOptions;

fn main() -> ExitCode {
    // An endpoint on this machine is served by a copy of this program.
    let served = child::dispatch(std::env::args_os(), |config| serve(config) as u8);
    served.unwrap_or_else(|| {
        let options = ServeOptions::new(
            "registry.terraform.io/mlops-rs/mlops",
            env!("CARGO_PKG_VERSION"),
        )
        .debug(std::env::args().any(|argument| argument == "--debug"));
        tfplugin::run(options, Mlops::new(adapters::open))
    })
}

/// Runs the model server until it ends; its exit status.
fn serve(config: ServerConfig) -> i32 {
    mlops_serve::run(config).err().map_or(0, |error| {
        eprintln!("{error}");
        error.exit_code()
    })
}
