use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use super::ProviderServer;
use crate::provider::Provider;
use crate::transport::{self, ServeOptions};

/// The whole of a provider's `main`: serves `provider` to the Terraform that started this process, and
/// gives the exit code.
///
/// Connections and files are for [`Provider::configure`] and later: Terraform starts providers that it
/// then does not use, and waits for each.
pub fn run<P: Provider>(options: ServeOptions, provider: P) -> ExitCode {
    let server: Arc<OnceLock<ProviderServer<P>>> = Arc::default();
    let ending = Arc::clone(&server);
    let options = options.on_shutdown(move || async move {
        if let Some(server) = ending.get() {
            server.shutdown().await;
        }
    });
    transport::run(options, move |stop| {
        server
            .get_or_init(|| ProviderServer::new(provider, stop))
            .clone()
    })
}
