//! `mlops registry serve`: the registry over REST, as MLflow's clients speak it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use mlops_api::{Api, Settings, Sources, Token};
use mlops_core::artifacts::RemoteSource;
use mlops_core::{Error, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use crate::exit::Exit;
use crate::place::{Adapters, RegistryPlace};

/// `mlops registry serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on; port 0 takes a free one, which the first line names. Anything beyond 127.0.0.1 and ::1
    /// needs --token-file.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// File with the bearer token that callers have to present, readable by you alone (mode 0600). Clients take it
    /// from MLFLOW_TRACKING_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Directory, or s3://BUCKET/PREFIX, below which versions may be registered from; may be repeated. Default: any file
    /// and object that you may read when listening on 127.0.0.1 or ::1, and none otherwise.
    #[arg(long, value_name = "DIR|URI")]
    source_root: Vec<String>,
    /// What clients put before a path to reach this server, such as `https://models.example.com`, where that is not
    /// http:// and the host that they ask: behind a proxy that does TLS.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    #[command(flatten)]
    registry: RegistryPlace,
    /// KMS key that encrypts what is written to the bucket. Default: what the bucket itself says.
    #[arg(long, value_name = "ARN", requires = "table")]
    kms_key_arn: Option<String>,
}

/// Runs it to its end.
pub(super) fn run(asked: &Serve, adapters: &Adapters) -> Result<Exit> {
    let settings = settings(asked, (adapters.remote)(&asked.registry))?;
    let deps = asked
        .registry
        .open(adapters.open, asked.kms_key_arn.as_deref())?;
    let api = Api::new(deps.registry.clone(), settings);
    api.check_listen(asked.listen)?;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(LevelFilter::INFO)
        .with_target(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::unavailable("no threads could be started").because(cause))?;
    runtime.block_on(async {
        let stop = stopped()?;
        let at = deps.registry.location();
        let listening = |address: SocketAddr| {
            // Whoever started the server waits for this line; that it cannot be written harms nobody else.
            let _ = writeln!(
                std::io::stdout(),
                "mlops: the registry at {at} is served on http://{address}"
            );
        };
        api.serve(asked.listen, stop, listening).await?;
        Ok(Exit::Ok)
    })
}

fn settings(asked: &Serve, remote: Arc<dyn RemoteSource>) -> Result<Settings> {
    let token = asked.token_file.as_deref().map(Token::read).transpose()?;
    let (uris, directories): (Vec<_>, Vec<_>) = asked
        .source_root
        .iter()
        .cloned()
        .partition(|root| root.starts_with("s3://"));
    let sources = if asked.source_root.is_empty() && asked.listen.ip().is_loopback() {
        Sources::everywhere().and_remote(remote, None)
    } else {
        let directories: Vec<_> = directories.into_iter().map(PathBuf::from).collect();
        let sources = Sources::below(&directories)?;
        match uris.is_empty() {
            true => sources,
            false => sources.and_remote(remote, Some(&uris)),
        }
    };
    let public_url = asked.public_url.as_deref().map(public_url).transpose()?;
    Ok(Settings {
        token,
        sources,
        public_url,
    })
}

fn public_url(url: &str) -> Result<String> {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', ' ']) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(Error::invalid(format!(
            "--public-url {url:?} is not a URL; write https://HOST"
        ))),
    }
}

/// Cancelled by an interrupt or a termination.
fn stopped() -> Result<CancellationToken> {
    let failed = |cause| Error::unavailable("signals cannot be listened to").because(cause);
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        stopping.cancel();
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_has_a_scheme_and_a_host_and_no_slash_at_its_end() {
        assert_eq!(
            public_url("https://models.example.com/").unwrap(),
            "https://models.example.com"
        );
        for wrong in ["models.example.com", "https://", "ftp://x", "https://x?y"] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
    }
}
