//! Takes the sources of pending versions into the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mlops_core::artifacts::{Artifact, NoDigestCache, describe_source};
use mlops_core::inspect::{self, Inspected};
use mlops_core::names::VersionId;
use mlops_core::registry::VersionSpec;
use mlops_core::{Class, Error, Result};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, Inner};
use crate::sources::{Source, stamps};

/// How many sources are read at once: each is bound by the disk.
const AT_ONCE: usize = 2;
/// The first pause after the store failed; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Api {
    /// Ingests pending versions until `stop`: those that an earlier server left, then those that
    /// are asked for. What is not finished at the end is taken up by the next server.
    ///
    /// A source that cannot be had ends its registration as failed; a store that does not answer
    /// is asked again. Servers that share a registry must see the same files.
    ///
    /// # Errors
    /// What an earlier server left could not be read; `Bug` if it is called twice.
    pub async fn ingest(&self, stop: CancellationToken) -> Result<()> {
        let mut asked = self
            .take_queue()
            .ok_or_else(|| Error::bug("ingestion was started twice; report this"))?;
        for id in self.inner.registry.unfinished_registrations().await? {
            // The other end of the queue is ours.
            let _ = self.inner.asked.send(id);
        }
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(_) = running.join_next() => {}
                Some(id) = asked.recv() => {
                    let (inner, places) = (self.inner.clone(), places.clone());
                    running.spawn(async move { inner.finish(&id, &places).await });
                }
            }
        }
    }
}

impl Inner {
    /// Brings one registration to its end, however often the store has to be asked.
    async fn finish(&self, id: &VersionId, places: &Semaphore) {
        let mut pause = PAUSE;
        loop {
            let outcome = {
                // Never closed.
                let _place = places.acquire().await;
                self.attempt(id).await
            };
            match outcome {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(version = %id, error = %error.chain(), "a version could not be ingested yet");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One attempt; an error if another may end otherwise.
    pub(crate) async fn attempt(&self, id: &VersionId) -> Result<()> {
        let registry = &self.registry;
        let Some(pending) = registry.pending_version(id).await? else {
            return registry.drop_unfinished(id).await;
        };
        if pending.failure.is_some() {
            return Ok(());
        }
        let done = match self.take_in(&pending.origin.source).await {
            Ok(spec) => registry.complete_registration(id, spec).await.map(drop),
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => {
                tracing::info!(version = %id, "registered");
                Ok(())
            }
            Err(error) if may_pass(&error) => Err(error),
            Err(error) => {
                let why = error.chain().to_string();
                tracing::warn!(version = %id, error = %why, "a version could not be registered");
                registry.fail_registration(id, &why).await
            }
        }
    }

    async fn take_in(&self, source: &str) -> Result<VersionSpec> {
        match source.parse()? {
            Source::Files(path) => self.take_files(path).await,
            Source::Remote(uri) => self.take_remote(&uri).await,
            Source::Version(id) => match self.registry.version(&id).await? {
                Some(version) => Ok(version.spec),
                None => Err(Error::invalid(format!(
                    "version {id} does not exist any more"
                ))),
            },
            Source::Alias(id) => Err(Error::bug(format!(
                "alias {id} was not resolved when the version was asked for; report this"
            ))),
        }
    }

    /// Looks before it stores, so that nothing but a model gets into the store; and after, so that
    /// what was looked at is what was stored.
    async fn take_files(&self, path: PathBuf) -> Result<VersionSpec> {
        let (sources, at) = (self.settings.sources.clone(), path.clone());
        let (before, found) = blocking(move || {
            let tree = sources.describe(&at)?;
            let found = inspect::inspect(&tree)?;
            Ok((tree, found))
        })
        .await?;
        let artifact = self
            .registry
            .artifacts()
            .put_tree(&path, &NoDigestCache)
            .await?;
        let (sources, at) = (self.settings.sources.clone(), path.clone());
        let after = blocking(move || sources.describe(&at)).await?;
        if stamps(&before) != stamps(&after) {
            return Err(Error::conflict(format!(
                "source {} changed while it was read; register it again once it is written",
                path.display()
            ))
            .at("source"));
        }
        Ok(spec(artifact, found))
    }

    /// Looks at a copy of this server's own, which is then stored: nobody else changes it in between.
    async fn take_remote(&self, uri: &str) -> Result<VersionSpec> {
        let remote = self.settings.sources.remote(uri)?;
        let tree = remote.look(uri).await?;
        let directory = blocking(|| {
            tempfile::Builder::new()
                .prefix("mlops-source-")
                .tempdir()
                .map_err(|cause| {
                    Error::unavailable("no directory could be made below TMPDIR").because(cause)
                })
        })
        .await?;
        remote.fetch(&tree, directory.path()).await?;
        let path = tree.below(directory.path());
        let at = path.clone();
        let found = blocking(move || inspect::inspect(&describe_source(&at)?)).await?;
        let artifacts = self.registry.artifacts();
        let artifact = artifacts.put_tree(&path, &NoDigestCache).await?;
        Ok(spec(artifact, found))
    }
}

fn spec(artifact: Artifact, found: Inspected) -> VersionSpec {
    VersionSpec {
        artifact,
        framework: found.framework.to_owned(),
        image: None,
        signature: Some(found.signature),
        params: Default::default(),
        lineage: None,
        smoke: None,
    }
}

/// Whether the same attempt may succeed later: the store did not answer. A source that could not
/// be read is its caller's to mend.
fn may_pass(error: &Error) -> bool {
    let store = matches!(
        error.class(),
        Class::Unavailable | Class::Throttled | Class::Cancelled
    );
    store && error.attribute() != Some("source")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::bug("reading a source did not end; report this").because(error))?
}
