//! What a plan can say about a version's source.

use std::path::PathBuf;
use std::sync::Arc;

use mlops_core::artifacts::{Artifact, Digest, DigestCache, describe_source};
use mlops_core::inspect::{Inspected, inspect, model_source};
use mlops_core::{Error, Result};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::schema::State;
use crate::client::Client;
use crate::diagnose;

/// What a plan knows of the source.
pub(crate) enum Source {
    /// The bytes that are registered already.
    Unchanged,
    /// These bytes.
    Read(Box<(Artifact, Inspected)>),
    /// Only apply can read it.
    Unknown,
}

/// Looks at the source that is configured.
///
/// A source that is gone is an error, except where the bytes are registered already and the path
/// still is the one they came from, or where `source_hash` stands for them until apply.
pub(crate) async fn look(
    config: &State,
    prior: Option<&State>,
    digests: &Arc<dyn DigestCache>,
) -> Result<Source, Diagnostics> {
    let source = match &config.source {
        Attr::Known(source) => PathBuf::from(source),
        Attr::Unknown => return Ok(Source::Unknown),
        Attr::Null if prior.is_some_and(|prior| prior.source.is_null()) => {
            return Ok(Source::Unchanged);
        }
        Attr::Null => {
            let detail = "Set source to the file or directory to register.";
            return Err(Diagnostic::error("A version needs a source", detail)
                .at(Path::attribute("source"))
                .into());
        }
    };
    if !source.exists() {
        if prior.is_some_and(|prior| prior.source == config.source) {
            return Ok(Source::Unchanged);
        }
        if prior.is_none() && !config.source_hash.is_null() {
            return Ok(Source::Unknown);
        }
    }
    let registered = prior.and_then(|prior| prior.artifact_digest.as_str().map(str::to_owned));
    let read = read(source, Arc::clone(digests), registered).await;
    read.map_err(|error| diagnose::failed("The source cannot be registered", &error).into())
}

/// Stores a source, if it is what was planned where that is known, and says what it is. Its bytes are
/// read once, while they are copied.
///
/// # Errors
/// Those of [`ArtifactStore::put_planned`](mlops_core::artifacts::ArtifactStore::put_planned) and [`inspect`].
pub(crate) async fn store(
    source: &str,
    planned: Option<&Digest>,
    client: &Client,
) -> Result<(Artifact, Inspected)> {
    let path = PathBuf::from(source);
    let (model, inspected) = blocking(move || {
        let tree = describe_source(&path)?;
        let model = model_source(&tree)?;
        Ok((model.clone(), inspect(model)?))
    })
    .await?;
    let artifacts = client.registry.artifacts();
    let (source, digests) = (source.as_ref(), client.digests.as_ref());
    let stored = match planned {
        Some(planned) => artifacts.put_planned(source, planned, digests).await?,
        None => artifacts.put_tree(source, digests).await?,
    };
    // What was inspected is what was stored.
    blocking(move || model.check_unchanged()).await?;
    Ok((stored, inspected))
}

async fn read(
    source: PathBuf,
    digests: Arc<dyn DigestCache>,
    registered: Option<String>,
) -> Result<Source> {
    blocking(move || {
        let tree = describe_source(&source)?;
        let artifact = tree.hash(digests.as_ref())?;
        if registered.is_some_and(|registered| registered == artifact.digest.to_string()) {
            return Ok(Source::Unchanged);
        }
        let inspected = inspect(model_source(&tree)?)?;
        Ok(Source::Read(Box::new((artifact, inspected))))
    })
    .await
}

/// Reads files off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::bug("reading a source panicked").because(error))?
}
