//! Old programs go once no server needs them.
//!
//! Whoever stages a program and starts a server with it holds `bin/lock` shared; whoever collects holds it alone, or
//! does nothing. So every copy that is there and wanted is named in some server's directory when it is looked for.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use mlops_core::{Error, Result};

use super::layout::{CONFIG, PROGRAM, gone, is_absent, private_dir, read_document};

const LOCK: &str = "lock";

/// Keeps collectors out as long as the file lives. Waits for one that is at work, which takes milliseconds.
pub(super) fn share(bin: &Path) -> Result<File> {
    private_dir(bin)?;
    let failed = |cause: io::Error| failed(bin, cause);
    let lock = open(bin).map_err(failed)?;
    lock.lock_shared().map_err(failed)?;
    Ok(lock)
}

/// Removes the programs in `bin` that no server in `run` was started with. Nothing, while a server is being started, or
/// where a server does not say what it runs. Blocking.
pub(super) fn collect(bin: &Path, run: &Path) -> Result<()> {
    let failed = |cause: io::Error| failed(bin, cause);
    let lock = match open(bin) {
        Ok(lock) => lock,
        Err(cause) if is_absent(&cause) => return Ok(()),
        Err(cause) => return Err(failed(cause)),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(()),
        Err(TryLockError::Error(cause)) => return Err(failed(cause)),
    }
    let Some(wanted) = wanted(run)? else {
        return Ok(());
    };
    for entry in fs::read_dir(bin).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            if !wanted.contains(&path) {
                gone(fs::remove_dir_all(&path)).map_err(failed)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "tmp") {
            // Somebody was killed while staging: nobody stages now.
            gone(fs::remove_file(&path)).map_err(failed)?;
        }
    }
    Ok(())
}

/// The directories of the programs that servers were started with; `None` if one does not say.
fn wanted(run: &Path) -> Result<Option<BTreeSet<PathBuf>>> {
    let mut wanted = BTreeSet::new();
    for endpoint in directories(run)? {
        for server in directories(&endpoint)? {
            match read_document::<PathBuf>(&server.join(PROGRAM))? {
                Some(program) => wanted.extend(program.parent().map(Path::to_owned)),
                None if server.join(CONFIG).exists() => return Ok(None),
                None => {}
            }
        }
    }
    Ok(Some(wanted))
}

fn directories(of: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(of)? {
            let path = entry?.path();
            if path.is_dir() {
                found.push(path);
            }
        }
        Ok(found)
    };
    match read() {
        Err(cause) if is_absent(&cause) => Ok(Vec::new()),
        Err(cause) => Err(failed(of, cause)),
        Ok(found) => Ok(found),
    }
}

fn open(bin: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(bin.join(LOCK))
}

fn failed(directory: &Path, cause: io::Error) -> Error {
    Error::unavailable(format!(
        "the programs of servers could not be looked through in {}",
        directory.display()
    ))
    .because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::layout::write_document;

    struct Place {
        _dir: tempfile::TempDir,
        bin: PathBuf,
        run: PathBuf,
    }

    impl Place {
        /// Three programs; a server was started with each of the first two.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let (bin, run) = (dir.path().join("bin"), dir.path().join("run"));
            private_dir(&bin).unwrap();
            for n in 1..=3 {
                fs::create_dir(bin.join(format!("sha256-{n}"))).unwrap();
            }
            let place = Self {
                _dir: dir,
                bin,
                run,
            };
            for n in 1..=2 {
                place.server(n, &place.bin.join(format!("sha256-{n}/mlops-server")));
            }
            place
        }

        fn server(&self, n: u8, program: &Path) {
            let server = self.run.join(format!("digits/{n}"));
            fs::create_dir_all(&server).unwrap();
            write_document(&server.join(PROGRAM), &program).unwrap();
            fs::write(server.join(CONFIG), "{}").unwrap();
        }

        fn programs(&self) -> Vec<String> {
            let mut names: Vec<String> = directories(&self.bin)
                .unwrap()
                .iter()
                .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_program_that_no_server_was_started_with_is_removed_and_others_stay() {
        let place = Place::new();
        let stale = place.bin.join("0a.tmp");
        fs::write(&stale, "half a program").unwrap();
        collect(&place.bin, &place.run).unwrap();
        assert_eq!(place.programs(), ["sha256-1", "sha256-2"]);
        assert!(!stale.exists(), "a killed stager's file is removed");
        fs::remove_dir_all(place.run.join("digits/2")).unwrap();
        collect(&place.bin, &place.run).unwrap();
        assert_eq!(place.programs(), ["sha256-1"]);
    }

    #[test]
    fn nothing_is_removed_while_a_server_is_being_started() {
        let place = Place::new();
        let starting = share(&place.bin).unwrap();
        collect(&place.bin, &place.run).unwrap();
        assert_eq!(place.programs().len(), 3);
        drop(starting);
        collect(&place.bin, &place.run).unwrap();
        assert_eq!(place.programs().len(), 2);
    }

    #[test]
    fn nothing_is_removed_where_a_server_does_not_say_what_it_runs() {
        let place = Place::new();
        fs::remove_file(place.run.join("digits/2").join(PROGRAM)).unwrap();
        collect(&place.bin, &place.run).unwrap();
        assert_eq!(place.programs().len(), 3);
    }

    #[test]
    fn a_place_without_programs_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        collect(&dir.path().join("bin"), &dir.path().join("run")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
