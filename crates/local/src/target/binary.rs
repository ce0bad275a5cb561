//! The program that servers run: a private copy of this one, named by its content.
//!
//! A copy, not a link: `terraform init -upgrade` or `cargo build` may replace or remove the original while servers run,
//! and a restart must run the same bytes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use mlops_core::{Error, Result};
use sha2::{Digest as _, Sha256};

use super::layout::{private_dir, sync_parent};

/// What the copy is called, so that `ps` shows what it is.
const NAME: &str = "mlops-server";

/// The running program itself, also after its file was replaced or removed.
pub fn this_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        // The kernel's own reference: valid even when the path behind it is gone.
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}

/// Copies `program` to `bin/sha256-…/mlops-server` unless it is there, and returns the copy's path.
///
/// Blocking. Safe against any number of processes at once: the copy appears whole, by rename. A copy whose bytes are
/// no longer what its name says is replaced.
pub(super) fn stage(bin: &Path, program: &Path) -> Result<PathBuf> {
    let failed = |cause: io::Error| {
        Error::unavailable(format!(
            "the server's program could not be copied from {} into {}",
            program.display(),
            bin.display()
        ))
        .because(cause)
    };
    private_dir(bin)?;
    let mut staged = Staged::new(bin).map_err(failed)?;
    let digest = staged.fill(program).map_err(failed)?;
    let directory = bin.join(format!("sha256-{digest}"));
    private_dir(&directory)?;
    let target = directory.join(NAME);
    if !has_digest(&target, &digest) {
        fs::rename(&staged.path, &target).map_err(failed)?;
        sync_parent(&target).map_err(failed)?;
    }
    Ok(target)
}

/// A temporary file that goes away unless it was renamed.
struct Staged {
    path: PathBuf,
}

impl Staged {
    fn new(bin: &Path) -> io::Result<Self> {
        let path = bin.join(format!("{}.tmp", uuid::Uuid::new_v4().simple()));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&path)?;
        Ok(Self { path })
    }

    /// Copies `program` and returns the digest of what was written. The file is closed after: a program that is open
    /// for writing cannot be run (ETXTBSY).
    fn fill(&mut self, program: &Path) -> io::Result<String> {
        let mut from = File::open(program)?;
        let mut to = OpenOptions::new().write(true).open(&self.path)?;
        let digest = digest_of(&mut from, &mut to)?;
        to.sync_all()?;
        Ok(digest)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn has_digest(path: &Path, digest: &str) -> bool {
    File::open(path)
        .and_then(|mut file| digest_of(&mut file, &mut io::sink()))
        .is_ok_and(|found| found == digest)
}

fn digest_of(from: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 256 * 1024];
    loop {
        let n = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&piece[..n]);
        to.write_all(&piece[..n])?;
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_copy_outlives_its_original_and_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let original = dir.path().join("program");
        fs::write(&original, b"one").unwrap();
        let bin = dir.path().join("bin");
        let copy = stage(&bin, &original).unwrap();
        let again = stage(&bin, &original).unwrap();
        assert_eq!(copy, again);
        assert_eq!(
            copy,
            bin.join("sha256-7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed/mlops-server")
        );
        fs::write(&original, b"two").unwrap();
        assert_ne!(stage(&bin, &original).unwrap(), copy);
        fs::remove_file(&original).unwrap();
        assert_eq!(fs::read(&copy).unwrap(), b"one");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&copy), 0o700);
        assert_eq!(mode(copy.parent().unwrap()), 0o700);
        let left = fs::read_dir(&bin).unwrap().count();
        assert_eq!(left, 2, "a staged file stayed behind");
    }

    #[test]
    fn a_damaged_copy_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let original = dir.path().join("program");
        fs::write(&original, b"one").unwrap();
        let bin = dir.path().join("bin");
        let copy = stage(&bin, &original).unwrap();
        fs::write(&copy, b"o").unwrap();
        assert_eq!(stage(&bin, &original).unwrap(), copy);
        assert_eq!(fs::read(&copy).unwrap(), b"one");
    }
}
