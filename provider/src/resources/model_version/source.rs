//! What a plan can say about a version's source, and its way into the store at apply.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use mlops_core::artifacts::{
    Artifact, Digest, DigestCache, NoDigestCache, RemoteTree, SourceFile, describe_source,
};
use mlops_core::images::ContainerImage;
use mlops_core::inspect::{Inspected, inspect, looked};
use mlops_core::signature::Signature;
use mlops_core::{Error, Result};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path, PrivateState};

use super::image;
use super::schema::State;
use crate::client::{Client, unreadable};
use crate::diagnose;
use crate::fetched::Fetched;

/// The key in private state of what a source elsewhere looked like when its bytes were last known.
const SEEN: &str = "source";

/// What a plan knows of the source.
pub(crate) enum Source {
    /// The bytes that are registered already.
    Unchanged,
    /// These bytes.
    Read(Box<(Artifact, Content)>),
    /// Only apply can read it.
    Unknown,
}

/// What an artifact is.
pub(crate) enum Content {
    /// The files of a model.
    Model(Inspected),
    /// The document that names an image.
    Image(ContainerImage),
}

impl Content {
    /// The word for it.
    pub(crate) fn framework(&self) -> &'static str {
        match self {
            Self::Model(inspected) => inspected.framework,
            Self::Image(_) => ContainerImage::FRAMEWORK,
        }
    }

    /// Inputs and outputs, where the artifact tells.
    pub(crate) fn signature(&self) -> Option<&Signature> {
        match self {
            Self::Model(inspected) => Some(&inspected.signature),
            Self::Image(_) => None,
        }
    }

    /// What a machine fetches to run it, in bytes.
    pub(crate) fn size(&self, artifact: &Artifact) -> Option<u64> {
        match self {
            Self::Model(_) => Some(artifact.size),
            Self::Image(image) => image.size,
        }
    }
}

/// Looks at the source that is configured. What one elsewhere looks like goes to `private`.
///
/// A source that is gone is an error, except where the bytes are registered already and the path
/// still is the one they came from, or where `source_hash` stands for them until apply.
pub(crate) async fn look(
    config: &State,
    prior: Option<&State>,
    private: &mut PrivateState,
    client: &Client,
) -> Result<Source, Diagnostics> {
    match &config.image {
        Attr::Known(image) => return image::look(image, prior, client).await,
        Attr::Unknown => return Ok(Source::Unknown),
        Attr::Null => {}
    }
    let source = match &config.source {
        Attr::Known(source) => source,
        Attr::Unknown => return Ok(Source::Unknown),
        Attr::Null
            if prior.is_some_and(|prior| prior.source.is_null() && prior.image.is_null()) =>
        {
            return Ok(Source::Unchanged);
        }
        Attr::Null => {
            let detail = "Set source to the file or directory to register, or image to an image that serves itself.";
            return Err(Diagnostic::error("A version needs a source", detail)
                .at(Path::attribute("source"))
                .into());
        }
    };
    let looked = if Fetched::is_remote(source) {
        elsewhere(source, config, prior, private, client).await?
    } else {
        on_this_machine(PathBuf::from(source), config, prior, client).await
    };
    looked.map_err(|error| diagnose::failed("The source cannot be registered", &error).into())
}

async fn on_this_machine(
    source: PathBuf,
    config: &State,
    prior: Option<&State>,
    client: &Client,
) -> Result<Source> {
    if !source.exists()
        && let Some(known) = without_bytes(config, prior)
    {
        return Ok(known);
    }
    read(source, Arc::clone(&client.digests), registered(prior)).await
}

/// One elsewhere is read where its bytes are not known: when the version is planned first, and when it looks
/// different. With `source_hash` it is left to apply.
async fn elsewhere(
    uri: &str,
    config: &State,
    prior: Option<&State>,
    private: &mut PrivateState,
    client: &Client,
) -> Result<Result<Source>, Diagnostics> {
    let known = without_bytes(config, prior);
    let same_hash = prior.is_none_or(|prior| prior.source_hash == config.source_hash);
    if !config.source_hash.is_null()
        && same_hash
        && let Some(known) = known
    {
        return Ok(Ok(known));
    }
    let tree = match client.sources.look(uri).await {
        Ok(tree) => tree,
        Err(error) if error.is_not_found() => {
            return Ok(without_bytes(config, prior).ok_or(error));
        }
        Err(error) => return Ok(Err(error)),
    };
    let seen: Option<Digest> = private.get(SEEN).map_err(unreadable)?;
    if seen == Some(tree.fingerprint()) && matches!(known, Some(Source::Unchanged)) {
        return Ok(Ok(Source::Unchanged));
    }
    note_seen(private, &tree)?;
    let looked = async {
        let local = client.sources.fetch(&tree).await?;
        let digests: Arc<dyn DigestCache> = Arc::new(NoDigestCache);
        read(local.path.clone(), digests, registered(prior)).await
    };
    Ok(looked.await)
}

/// Remembers what a source elsewhere looks like.
pub(crate) fn note_seen(private: &mut PrivateState, tree: &RemoteTree) -> Result<(), Diagnostics> {
    private.set(SEEN, &tree.fingerprint()).map_err(unreadable)
}

/// What can be said of a source whose bytes are not looked at.
fn without_bytes(config: &State, prior: Option<&State>) -> Option<Source> {
    if prior.is_some_and(|prior| prior.source == config.source) {
        return Some(Source::Unchanged);
    }
    (prior.is_none() && !config.source_hash.is_null()).then_some(Source::Unknown)
}

fn registered(prior: Option<&State>) -> Option<String> {
    prior.and_then(|prior| prior.artifact_digest.as_str().map(str::to_owned))
}

/// A source that was stored.
pub(crate) struct Stored {
    pub(crate) artifact: Artifact,
    pub(crate) content: Content,
    /// What it looked like, if it lies elsewhere.
    pub(crate) seen: Option<RemoteTree>,
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
) -> Result<Stored> {
    if !Fetched::is_remote(source) {
        let digests = client.digests.as_ref();
        let (artifact, inspected) = put(source.as_ref(), planned, digests, client).await?;
        return Ok(Stored {
            artifact,
            content: Content::Model(inspected),
            seen: None,
        });
    }
    let tree = client.sources.look(source).await?;
    let local = client.sources.fetch(&tree).await?;
    let (artifact, inspected) = put(&local.path, planned, &NoDigestCache, client).await?;
    client.sources.release(&tree);
    Ok(Stored {
        artifact,
        content: Content::Model(inspected),
        seen: Some(tree),
    })
}

async fn put(
    source: &FilePath,
    planned: Option<&Digest>,
    digests: &dyn DigestCache,
    client: &Client,
) -> Result<(Artifact, Inspected)> {
    let path = source.to_owned();
    let (seen, inspected) = blocking(move || {
        let tree = describe_source(&path)?;
        let looked = looked(&tree)?;
        let seen: Vec<SourceFile> = [Some(looked.model), looked.reference]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        Ok((seen, inspect(&tree)?))
    })
    .await?;
    let artifacts = client.registry.artifacts();
    let stored = match planned {
        Some(planned) => artifacts.put_planned(source, planned, digests).await?,
        None => artifacts.put_tree(source, digests).await?,
    };
    // What was inspected is what was stored.
    blocking(move || seen.iter().try_for_each(SourceFile::check_unchanged)).await?;
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
        let inspected = inspect(&tree)?;
        let content = Content::Model(inspected);
        Ok(Source::Read(Box::new((artifact, content))))
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
