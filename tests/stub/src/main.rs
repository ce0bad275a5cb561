//! A stand-in for providers of others: it serves their schemas from facts files, checks what a configuration
//! says, plans what only an apply decides as unknown, applies plausible fakes, and keeps a transcript.
//!
//! Which provider it is, its file name says (`terraform-provider-aws_v6.25.0`), or `TFPLUGIN_STUB_PROVIDER`.
//! `--list` prints the providers that it can be, with the versions that they are installed under.

mod account;
mod base64;
mod data;
mod error;
mod facts;
mod fake;
mod policy;
mod provider;
mod realize;
mod resource;
mod rules;
mod schema;
mod transcript;

use std::process::ExitCode;

use tfplugin::ServeOptions;

use crate::error::StubError;
use crate::facts::Facts;
use crate::provider::StubProvider;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "for the person who starts it by hand"
)]
fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--list") {
        for (name, version) in Facts::versions() {
            println!("{name} {version}");
        }
        return ExitCode::SUCCESS;
    }
    match load() {
        Ok((provider, version)) => {
            let address = format!("registry.terraform.io/hashicorp/{}", provider.name());
            tfplugin::run(ServeOptions::new(address, version), provider)
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            eprintln!("{error}{}", cause.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn load() -> Result<(StubProvider, &'static str), StubError> {
    let name = std::env::var("TFPLUGIN_STUB_PROVIDER")
        .ok()
        .unwrap_or_else(name_of_program);
    let (facts, version) = Facts::about(&name)?;
    Ok((StubProvider::new(name, facts)?, version))
}

/// `aws` of `terraform-provider-aws_v6.25.0`.
fn name_of_program() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let program = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let name = program
        .strip_prefix("terraform-provider-")
        .unwrap_or(&program);
    name.split("_v").next().unwrap_or(name).to_owned()
}
