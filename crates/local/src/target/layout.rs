//! Where a server keeps its files: `run/ENDPOINT/ID-DEPLOYMENT/` in the registry's directory, private to the user.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use mlops_core::endpoint::deployment::DeploymentRef;
use mlops_core::names::EndpointName;
use mlops_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest socket path that every supported system takes: macOS has 104 bytes with the final zero, Linux 108.
const SOCKET_PATH_LIMIT: usize = 103;

/// Which server: one per endpoint and try at a deployment. By it a server that a killed apply left is found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServerKey {
    /// The endpoint's id in the registry.
    pub(super) id: uuid::Uuid,
    /// The endpoint's name.
    pub(super) endpoint: EndpointName,
    /// The deployment that started it.
    pub(super) deployment: DeploymentRef,
}

impl std::fmt::Display for ServerKey {
    /// `digits/1a2b3c4d-5e6f7a8b.1`: unique, because the id is.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}-{}",
            self.endpoint,
            self.id.simple(),
            self.deployment
        )
    }
}

/// The directory of one server.
#[derive(Debug, Clone)]
pub(super) struct ServerDir {
    run: PathBuf,
    path: PathBuf,
    socket_name: String,
}

impl ServerDir {
    /// The directory of `key` below `run`. Nothing is touched.
    pub(super) fn new(run: &Path, key: &ServerKey) -> Self {
        let mut hash = Sha256::new();
        hash.update(key.id.as_bytes());
        hash.update(key.deployment.id.as_str());
        hash.update(key.deployment.attempt.to_be_bytes());
        let socket_name = hash.finalize()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            run: run.to_owned(),
            path: run.join(key.to_string()),
            socket_name,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The server's configuration: the intent to run it. Who finds it absent under the lock runs nothing.
    pub(super) fn config(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.path.join(LOCK)
    }

    pub(super) fn process(&self) -> PathBuf {
        self.path.join(PROCESS)
    }

    /// Names the program that the server was last started with.
    pub(super) fn program(&self) -> PathBuf {
        self.path.join(PROGRAM)
    }

    pub(super) fn exit(&self) -> PathBuf {
        self.path.join(EXIT)
    }

    pub(super) fn stopping(&self) -> PathBuf {
        self.path.join(STOPPING)
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    pub(super) fn rotated_log(&self) -> PathBuf {
        self.path.join(format!("{LOG}.1"))
    }

    pub(super) fn stderr(&self) -> PathBuf {
        self.path.join(STDERR)
    }

    /// Makes the directory and those above it, mode 0700.
    pub(super) fn create(&self) -> Result<()> {
        private_dir(&self.path)
    }

    /// Chooses where the admin socket goes, and makes the directory for it where it is not `run` itself: a socket's path
    /// is short by decree of the system, so a registry deep in the tree has its sockets below the temporary directory.
    pub(super) fn place_socket(&self) -> Result<PathBuf> {
        let beside = self.run.join(format!("{}.sock", self.socket_name));
        if beside.as_os_str().len() <= SOCKET_PATH_LIMIT {
            return Ok(beside);
        }
        let name = format!("mlops-{}", self.socket_name);
        for root in [std::env::temp_dir(), PathBuf::from("/tmp")] {
            let directory = root.join(&name);
            let socket = directory.join("s");
            if socket.as_os_str().len() <= SOCKET_PATH_LIMIT {
                private_dir(&directory)?;
                return Ok(socket);
            }
        }
        Err(Error::invalid(format!(
            "no path short enough for a unix socket: {} and the temporary directory are both too deep; \
             set TMPDIR to a shorter path",
            self.run.display()
        )))
    }

    /// Removes the admin socket of a server that does not run (any more).
    pub(super) fn remove_socket(&self, socket: Option<&Path>) -> Result<()> {
        let Some(socket) = socket else { return Ok(()) };
        gone(fs::remove_file(socket)).map_err(|cause| not_removed(socket, cause))?;
        if let Some(own) = socket.parent().filter(|parent| *parent != self.run) {
            // Only ever a directory that `place_socket` made; one that is not empty is somebody's.
            let _ = fs::remove_dir(own);
        }
        Ok(())
    }

    /// Removes the directory of a server that does not run (any more). `false` where it is to be asked for again: a late
    /// child looks for its lock by opening it, which makes the file, and may do so between the last file and the directory.
    pub(super) fn remove(&self) -> Result<bool> {
        match gone(fs::remove_dir_all(&self.path)) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(false),
            Err(cause) => return Err(not_removed(&self.path, cause)),
        }
        // The endpoint's directory and `run` go with their last server; both stay while they hold others.
        for parent in self.path.ancestors().skip(1).take(2) {
            if fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(true)
    }
}

fn not_removed(path: &Path, cause: io::Error) -> Error {
    Error::unavailable(format!("{} could not be removed", path.display())).because(cause)
}

pub(super) const CONFIG: &str = "config.json";
pub(super) const LOCK: &str = "lock";
pub(super) const PROCESS: &str = "process.json";
pub(super) const EXIT: &str = "exit.json";
pub(super) const PROGRAM: &str = "program.json";
const STOPPING: &str = "stopping.json";
const LOG: &str = "server.log";
const STDERR: &str = "stderr.log";

/// Makes `path` and what is missing above it with mode 0700; refuses a last directory that others may enter.
pub(super) fn private_dir(path: &Path) -> Result<()> {
    let failed = |cause: io::Error| {
        Error::denied(format!(
            "the directory {} could not be made",
            path.display()
        ))
        .because(cause)
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed)?;
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_dir() || !ours || metadata.mode() & 0o077 != 0 {
        return Err(Error::denied(format!(
            "{} is not a private directory of this user; remove it, or give it mode 0700",
            path.display()
        )));
    }
    Ok(())
}

/// Puts a document in place as one step, mode 0600, durable.
pub(super) fn write_document(path: &Path, document: &impl Serialize) -> Result<()> {
    let failed = |cause: io::Error| {
        Error::unavailable(format!("{} could not be written", path.display())).because(cause)
    };
    let bytes = serde_json::to_vec(document)
        .map_err(|cause| Error::bug(format!("{} is not JSON", path.display())).because(cause))?;
    let staged = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&staged)
        .map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&staged, path).map_err(failed)?;
    sync_parent(path).map_err(failed)
}

/// Makes a rename or a removal in `path`'s directory durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Reads a document; `None` if there is none.
pub(super) fn read_document<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(cause) if is_absent(&cause) => return Ok(None),
        Err(cause) => {
            return Err(
                Error::denied(format!("{} could not be read", path.display())).because(cause),
            );
        }
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|cause| {
        Error::corrupt(format!(
            "{} is damaged; remove its directory once no server of it runs",
            path.display()
        ))
        .because(cause)
    })
}

/// Whether an error means that nothing lies there.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Absence is what a removal wants.
pub(super) fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if is_absent(&error) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::child::try_lock;
    use super::*;

    #[test]
    fn a_directory_in_which_a_late_child_looks_for_its_lock_is_removed_by_asking_again() {
        let temp = tempfile::tempdir().unwrap();
        let dir = ServerDir {
            run: temp.path().join("run"),
            path: temp.path().join("run/digits/id-deployment.1"),
            socket_name: "abcdef".to_owned(),
        };
        let (rounds, over) = (200, AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    try_lock(&dir.lock()).unwrap();
                }
            });
            let removed = || -> Result<()> {
                for _ in 0..rounds {
                    dir.create()?;
                    while !dir.remove()? {}
                }
                Ok(())
            };
            let outcome = removed();
            over.store(true, Ordering::Relaxed);
            outcome.unwrap();
        });
        assert!(!dir.path.exists());
    }
}
