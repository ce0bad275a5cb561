//! The embedded default put together: a registry in a directory, and a target on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mlops_core::clock::{RandomIds, SystemClock};
use mlops_core::registry::Registry;
use mlops_core::{Error, Result};

use crate::artifacts::LocalArtifacts;
use crate::cache::{LocalDigestCache, LocalHeldHints};
use crate::location::{self, Namespace};
use crate::records::LocalRecords;
use crate::sessions::LocalSessions;
use crate::target::{LocalTarget, binary};

/// The adapters of one directory. Opening them writes nothing; the first commit makes the directory.
pub struct Embedded {
    /// The registry.
    pub registry: Registry,
    /// Processes of this machine.
    pub target: Arc<LocalTarget>,
    /// Digests of source files that were hashed before.
    pub digests: Arc<LocalDigestCache>,
}

/// Opens the registry in `directory`, or the implicit default: `.mlops` in the working directory,
/// which is refused where it would not last. Without a `namespace` it is the workspace's name.
///
/// # Errors
/// `Invalid` for the refusal (attribute `local`) and for an illegal namespace.
pub fn open(directory: Option<&Path>, namespace: Option<&str>) -> Result<Embedded> {
    let (directory, namespace) = place(directory, namespace)?;
    let records = Arc::new(LocalRecords::new(&directory, namespace.clone()));
    let artifacts = Arc::new(LocalArtifacts::new(&directory));
    let held = Arc::new(LocalHeldHints::new(&directory, namespace));
    let registry = Registry::new(
        records.clone(),
        artifacts.clone(),
        Arc::new(SystemClock::default()),
        Arc::new(RandomIds),
    )
    .with_sessions(Arc::new(LocalSessions::new()), held);
    let program = binary::this_program().map_err(unknown)?;
    let target = Arc::new(LocalTarget::new(&directory, program, records, artifacts)?);
    Ok(Embedded {
        registry,
        target,
        digests: Arc::new(LocalDigestCache::new(&directory)),
    })
}

/// The records and artifacts alone, of the registry that [`open`] opens.
///
/// # Errors
/// As [`open`].
pub fn stores(
    directory: Option<&Path>,
    namespace: Option<&str>,
) -> Result<(Arc<LocalRecords>, Arc<LocalArtifacts>)> {
    let (directory, namespace) = place(directory, namespace)?;
    let records = Arc::new(LocalRecords::new(&directory, namespace));
    Ok((records, Arc::new(LocalArtifacts::new(&directory))))
}

fn unknown(cause: std::io::Error) -> Error {
    Error::unavailable("this program does not know where it runs").because(cause)
}

fn place(directory: Option<&Path>, namespace: Option<&str>) -> Result<(PathBuf, Namespace)> {
    let working = std::env::current_dir().map_err(unknown)?;
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let directory: PathBuf = match directory {
        Some(directory) => working.join(directory),
        None => {
            location::refuse_implicit(&working, &env)?;
            location::default_directory(&working)
        }
    };
    let namespace = match namespace {
        Some(name) => Namespace::new(name)?,
        None => Namespace::of_workspace(&env, &working, |path| std::fs::read_to_string(path).ok())?,
    };
    Ok((directory, namespace))
}
