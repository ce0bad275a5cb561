//! The whole of a provider's `main`.

use std::process::ExitCode;

use tfplugin_proto::tfplugin6::provider_server::Provider;

use super::error::ServeError;
use super::options::ServeOptions;
use super::serve::serve;
use crate::logging;
use crate::stop::StopSignal;

/// Logs to Terraform, starts a runtime, serves what `provider` makes, and gives the exit code.
///
/// `provider` gets the stop signal that its operations are to watch. It runs before the handshake, and
/// Terraform waits for the handshake, so it must not build clients or read files.
///
/// The exit code is 0 after a run of Terraform, 1 when the program was started by hand (the page that
/// explains it is on standard error then) or could not be served.
pub fn run<P: Provider>(options: ServeOptions, provider: impl FnOnce(StopSignal) -> P) -> ExitCode {
    logging::init(options.name());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(source) => {
            return report(&ServeError::Process {
                what: "asynchronous runtime",
                source,
            });
        }
    };
    let stop = StopSignal::new();
    let served = runtime.block_on(serve(provider(stop.clone()), stop, options));
    // Not dropped: a drop waits for blocking work, and Terraform waits for this process.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the one text that is for a person")]
fn report(error: &ServeError) -> ExitCode {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    eprintln!("{text}");
    ExitCode::FAILURE
}
