//! Where the built binaries and the tools lie.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

/// Paths of everything that is measured. Nothing is built or checked before it is asked for.
pub(crate) struct Builds {
    /// The checkout.
    pub(crate) root: PathBuf,
    target: PathBuf,
}

impl Builds {
    /// Finds the checkout: from cargo's environment, else from the working directory.
    pub(crate) fn locate() -> Result<Self> {
        let start = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => env::current_dir().context("cannot tell the working directory")?,
        };
        let root = start
            .ancestors()
            .find(|dir| dir.join("benches/peer-go-provider/go.mod").is_file())
            .with_context(|| {
                format!(
                    "{} is not in a checkout; run `make bench` there",
                    start.display()
                )
            })?
            .to_owned();
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// A directory for what the benches make, on the disk that the target directory is on: durable writes to a file
    /// system in memory would cost nothing.
    pub(crate) fn scratch(&self) -> Result<PathBuf> {
        let dir = self.target.join("bench");
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }

    /// The release build of our provider.
    pub(crate) fn provider(&self) -> Result<PathBuf> {
        self.release("terraform-provider-mlops", "terraform-provider-mlops")
    }

    /// The release build of our command line.
    pub(crate) fn mlops(&self) -> Result<PathBuf> {
        self.release("mlops", "mlops-cli")
    }

    /// What furnishes a world with containers.
    pub(crate) fn ecs_world(&self) -> Result<PathBuf> {
        self.release("ecs_world", "mlops-acceptance")
    }

    fn release(&self, binary: &str, package: &str) -> Result<PathBuf> {
        let path = self.target.join("release").join(binary);
        ensure!(
            path.is_file(),
            "{} is missing; build it with `cargo build --release -p {package}`",
            path.display()
        );
        Ok(path)
    }

    /// The provider written in Go, built by its own tool chain if it is not yet, or is older than its sources.
    pub(crate) fn peer(&self) -> Result<PathBuf> {
        let path = self.scratch()?.join("terraform-provider-peer");
        let sources = self.root.join("benches/peer-go-provider");
        println!("building the Go peer (minutes the first time)");
        let built = Command::new("go")
            .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
            .arg(&path)
            .arg(".")
            .current_dir(&sources)
            .status()
            .context("cannot run `go`; install Go 1.26 or newer for the peer provider")?;
        ensure!(
            built.success(),
            "`go build` in {} failed",
            sources.display()
        );
        Ok(path)
    }

    /// Terraform, else OpenTofu; `TF` overrides.
    pub(crate) fn terraform(&self) -> Result<OsString> {
        if let Some(named) = env::var_os("TF") {
            return Ok(named);
        }
        for name in ["terraform", "tofu"] {
            if Command::new(name)
                .arg("version")
                .output()
                .is_ok_and(|out| out.status.success())
            {
                return Ok(name.into());
            }
        }
        bail!("neither `terraform` nor `tofu` is on the path; install one, or set TF to its path")
    }

    /// A file of the quickstart.
    pub(crate) fn quickstart(&self, file: impl AsRef<Path>) -> Result<PathBuf> {
        let path = self.root.join("examples/quickstart").join(file);
        ensure!(path.is_file(), "{} is missing", path.display());
        Ok(path)
    }
}
