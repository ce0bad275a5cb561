//! What a plan can say about a version's source.

use std::path::PathBuf;
use std::sync::Arc;

use mlops_core::artifacts::{Artifact, DigestCache, hash_source};
use mlops_core::inspect::{Inspected, inspect};
use mlops_core::{Error, Result};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::schema::State;
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

/// Reads a source that must be readable now.
pub(crate) async fn read_now(
    source: &str,
    digests: &Arc<dyn DigestCache>,
) -> Result<(Artifact, Inspected)> {
    match read(source.into(), Arc::clone(digests), None).await? {
        Source::Read(read) => Ok(*read),
        Source::Unchanged | Source::Unknown => {
            Err(Error::bug("a source was read and not returned"))
        }
    }
}

async fn read(
    source: PathBuf,
    digests: Arc<dyn DigestCache>,
    registered: Option<String>,
) -> Result<Source> {
    let reading = move || {
        let artifact = hash_source(&source, digests.as_ref())?;
        if registered.is_some_and(|registered| registered == artifact.digest.to_string()) {
            return Ok(Source::Unchanged);
        }
        let inspected = inspect(&source, &artifact)?;
        Ok(Source::Read(Box::new((artifact, inspected))))
    };
    tokio::task::spawn_blocking(reading)
        .await
        .map_err(|error| Error::bug("reading a source panicked").because(error))?
}
