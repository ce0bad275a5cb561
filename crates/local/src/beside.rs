//! What this machine adds to a registry that lies elsewhere: a target for local endpoints, the session of this process, and
//! caches.

use std::path::PathBuf;
use std::sync::Arc;

use mlops_core::artifacts::{ArtifactStore, Digest};
use mlops_core::{Error, Result};

use crate::artifacts::LocalArtifacts;
use crate::cache::{LocalDigestCache, LocalHeldHints};
use crate::location::{self, Namespace};
use crate::mirror::Mirror;
use crate::records::LocalRecords;
use crate::sessions::LocalSessions;
use crate::target::{LocalTarget, binary};

/// The adapters of one machine. Opening them writes nothing.
pub struct Beside {
    /// Processes of this machine. Their files, and which of them has which port, lie in `.mlops` in the working directory,
    /// and so do copies of the artifacts that they serve.
    pub target: Arc<LocalTarget>,
    /// This process's session.
    pub sessions: Arc<LocalSessions>,
    /// Ids that a state holds, in the user's cache directory.
    pub held: Arc<LocalHeldHints>,
    /// Digests of source files, in the user's cache directory.
    pub digests: Arc<LocalDigestCache>,
}

/// Opens them for the registry of this name, whose artifacts are in `artifacts`.
///
/// # Errors
/// `Unavailable` where the operating system does not tell the working directory.
pub fn open(registry: &str, artifacts: Arc<dyn ArtifactStore>) -> Result<Beside> {
    let unknown =
        |cause| Error::unavailable("this program does not know where it runs").because(cause);
    let working = std::env::current_dir().map_err(unknown)?;
    let directory = location::default_directory(&working);
    let cache = user_cache(|name| std::env::var_os(name).map(PathBuf::from))
        .unwrap_or_else(|| directory.clone())
        .join(Digest::of(registry.as_bytes()).hex());
    let namespace = Namespace::new("default")?;
    let records = Arc::new(LocalRecords::new(&directory, namespace.clone()));
    let near = Arc::new(Mirror::new(artifacts, LocalArtifacts::new(&directory)));
    let program = binary::this_program().map_err(unknown)?;
    Ok(Beside {
        target: Arc::new(LocalTarget::new(&directory, program, records, near)?),
        sessions: Arc::new(LocalSessions::new().among_machines()),
        held: Arc::new(LocalHeldHints::new(&cache, namespace)),
        digests: Arc::new(LocalDigestCache::new(&cache)),
    })
}

/// Where a user's programs keep what may be lost (XDG Base Directory Specification 0.8: `XDG_CACHE_HOME`, if it is absolute,
/// else `~/.cache`).
fn user_cache(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let named = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let base = named.or_else(|| Some(variable("HOME")?.join(".cache")))?;
    Some(base.join("mlops"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(variables: &[(&str, &str)]) -> Option<PathBuf> {
        user_cache(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| PathBuf::from(value))
        })
    }

    #[test]
    fn the_cache_lies_where_the_user_keeps_caches() {
        let home = ("HOME", "/home/a");
        assert_eq!(cache(&[home]), Some("/home/a/.cache/mlops".into()));
        let named = ("XDG_CACHE_HOME", "/var/cache/a");
        assert_eq!(cache(&[home, named]), Some("/var/cache/a/mlops".into()));
        let relative = ("XDG_CACHE_HOME", "cache");
        assert_eq!(
            cache(&[home, relative]),
            Some("/home/a/.cache/mlops".into())
        );
        assert_eq!(cache(&[]), None);
    }
}
