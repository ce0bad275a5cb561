//! The unix socket, in a directory that only its owner can enter.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::UnixListener;

use super::error::ServeError;

/// A listening socket. Dropping it removes what it made on disk.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
    pub(super) cleanup: RemoveDir,
}

impl Socket {
    /// Listens in `dir`, or in the directory for temporary files.
    ///
    /// The socket lies in a directory of its own, made with mode 0700: a socket file is open to all from
    /// its creation to a later change of its mode, a directory made private is private from the start.
    pub(super) fn open(dir: Option<&Path>) -> Result<Self, ServeError> {
        let parent = match dir {
            Some(dir) => dir.to_owned(),
            None => temporary_directory(),
        };
        let private = private_directory(&parent).map_err(|source| ServeError::SocketDirectory {
            dir: parent.clone(),
            source,
        })?;
        let path = private.join("s");
        let cleanup = RemoveDir(private);
        let listener = UnixListener::bind(&path)
            .and_then(|listener| {
                fs::set_permissions(&path, Permissions::from_mode(0o600))?;
                Ok(listener)
            })
            .map_err(|source| ServeError::Socket {
                path: path.clone(),
                source,
            })?;
        Ok(Self {
            listener,
            path,
            cleanup,
        })
    }
}

#[derive(Debug)]
pub(super) struct RemoveDir(PathBuf);

impl Drop for RemoveDir {
    fn drop(&mut self) {
        // Nobody is left to tell; a leftover is an empty private directory among temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn temporary_directory() -> PathBuf {
    // A socket's path ends at 104 (macOS) or 108 (Linux) bytes; ours adds about thirty.
    const LONGEST: usize = 70;
    let dir = std::env::temp_dir();
    if dir.as_os_str().len() > LONGEST {
        PathBuf::from("/tmp")
    } else {
        dir
    }
}

fn private_directory(parent: &Path) -> io::Result<PathBuf> {
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    let mut attempt = 0u32;
    loop {
        let name = format!("plugin-{}-{:x}", std::process::id(), nanos + attempt);
        let path = parent.join(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it exists").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_is_private_and_gone_when_dropped() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let socket = Socket::open(Some(dir.path())).expect("a socket");
        assert!(socket.path.starts_with(dir.path()));
        assert_eq!(mode(&socket.path), 0o600);
        let own = socket.path.parent().expect("a parent").to_owned();
        assert_eq!(mode(&own), 0o700);
        drop(socket);
        assert!(!own.exists());
    }

    #[tokio::test]
    async fn a_directory_that_is_missing_is_named() {
        let error = Socket::open(Some(Path::new("/nonexistent/dir"))).expect_err("no directory");
        assert!(error.to_string().contains("/nonexistent/dir"), "{error}");
    }
}
