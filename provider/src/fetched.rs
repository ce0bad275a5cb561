//! Sources that lie elsewhere, fetched to this machine at most once in a run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mlops_core::artifacts::{Digest, RemoteSource, RemoteTree};
use mlops_core::{Error, Result};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// What was fetched by this process, below the directory for temporary files. It goes when the process ends; what one
/// that was killed left there, the system clears up.
pub(crate) struct Fetched {
    remote: Arc<dyn RemoteSource>,
    trees: Mutex<HashMap<Digest, Arc<OnceCell<TempDir>>>>,
}

impl Fetched {
    /// Nothing yet.
    pub(crate) fn new(remote: Arc<dyn RemoteSource>) -> Self {
        Self {
            remote,
            trees: Mutex::default(),
        }
    }

    /// Whether `source` is a URI and no path.
    pub(crate) fn is_remote(source: &str) -> bool {
        source.starts_with("s3://")
    }

    /// What lies there now. No bytes are read.
    ///
    /// # Errors
    /// Those of [`RemoteSource::look`].
    pub(crate) async fn look(&self, uri: &str) -> Result<RemoteTree> {
        self.remote.look(uri).await
    }

    /// The bytes on this machine, fetched now or before.
    ///
    /// # Errors
    /// Those of [`RemoteSource::fetch`]; the directory for temporary files cannot be used.
    pub(crate) async fn fetch(&self, tree: &RemoteTree) -> Result<Local> {
        let cell = {
            let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(trees.entry(tree.fingerprint()).or_default())
        };
        let fetch = async || {
            let directory = tempfile::Builder::new()
                .prefix("mlops-source-")
                .tempdir()
                .map_err(|error| {
                    Error::unavailable(format!(
                        "source {} needs a directory below {}, which cannot be made; set TMPDIR to one with room",
                        tree.uri(),
                        std::env::temp_dir().display()
                    ))
                    .because(error)
                })?;
            self.remote.fetch(tree, directory.path()).await?;
            Ok::<_, Error>(directory)
        };
        let path = tree.below(cell.get_or_try_init(fetch).await?.path());
        Ok(Local { path, _kept: cell })
    }

    /// Forgets a tree that is not needed any more. Its room is free once nobody holds it.
    pub(crate) fn release(&self, tree: &RemoteTree) {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.remove(&tree.fingerprint());
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.clear();
    }
}

/// A tree on this machine, for as long as this is held.
pub(crate) struct Local {
    /// The file or directory.
    pub(crate) path: PathBuf,
    _kept: Arc<OnceCell<TempDir>>,
}
