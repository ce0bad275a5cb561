//! A configuration in a directory of its own, and Terraform run in it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::accounting::{self, Usage};
use crate::builds::Builds;
use crate::proxy;

/// A provider to install: its name and its binary.
pub(crate) struct Provider {
    pub(crate) name: &'static str,
    pub(crate) binary: PathBuf,
}

/// What one command cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    /// CPU of Terraform and its providers, in seconds.
    pub(crate) total_cpu: f64,
    /// Of the provider processes alone.
    pub(crate) provider: Usage,
}

/// A directory with a configuration, initialised.
pub(crate) struct Workspace {
    dir: TempDir,
    terraform: OsString,
}

impl Workspace {
    /// Writes `config` as `main.tf` and runs `init` with `provider` as the only one to be had.
    pub(crate) fn new(builds: &Builds, provider: Option<&Provider>, config: &str) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("work-")
            .tempdir_in(builds.scratch()?)
            .context("cannot make a work directory")?;
        let workspace = Self {
            dir,
            terraform: builds.terraform()?,
        };
        for sub in ["records", "plugins"] {
            let path = workspace.path().join(sub);
            fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        workspace.write("main.tf", config)?;
        // An empty file: neither the user's mirrors nor development overrides belong into a measurement.
        workspace.write("cli.tfrc", "")?;
        if let Some(provider) = provider {
            workspace.install(provider)?;
        }
        workspace.run(&["init", "-plugin-dir=plugins"])?;
        Ok(workspace)
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the provider's costs are recorded.
    pub(crate) fn records(&self) -> PathBuf {
        self.path().join("records")
    }

    /// Writes a file of the configuration.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path().join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn install(&self, provider: &Provider) -> Result<()> {
        let os_arch = match (std::env::consts::OS, std::env::consts::ARCH) {
            (os, "x86_64") => format!("{os}_amd64"),
            (os, "aarch64") => format!("{os}_arm64"),
            (os, other) => format!("{os}_{other}"),
        };
        // Terraform's and OpenTofu's default host.
        for host in ["registry.terraform.io", "registry.opentofu.org"] {
            let dir = self.path().join(format!(
                "plugins/{host}/mlops-rs/{}/0.1.0/{os_arch}",
                provider.name
            ));
            fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
            let file = dir.join(format!("terraform-provider-{}_v0.1.0", provider.name));
            proxy::install(&provider.binary, &self.records(), &file)?;
        }
        Ok(())
    }

    /// Runs a command to its end; an error if it fails, with what it said.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Spent> {
        let (verb, rest) = arguments.split_first().context("a command needs a verb")?;
        let before = accounting::children()?;
        let start = Instant::now();
        let output = self
            .command(verb, rest)
            .output()
            .with_context(|| format!("cannot run {}", self.terraform.display()))?;
        let wall = start.elapsed();
        let after = accounting::children()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "`{} {}` failed ({}):\n{said}",
            self.terraform.display(),
            arguments.join(" "),
            output.status
        );
        let (provider, _) = proxy::collect(&self.records())?;
        Ok(Spent {
            wall,
            total_cpu: after.cpu - before.cpu,
            provider,
        })
    }

    /// Runs a command and kills its provider when it is time.
    pub(crate) fn kill(&self, arguments: &[&str], when: impl Fn() -> bool) -> Result<()> {
        let (verb, rest) = arguments.split_first().context("a command needs a verb")?;
        let mut child = self
            .command(verb, rest)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", self.terraform.display()))?;
        while !when() {
            let ended = child.try_wait()?;
            ensure!(ended.is_none(), "it ended before its provider was killed");
            std::thread::sleep(Duration::from_millis(1));
        }
        proxy::kill(&self.records())?;
        let status = child.wait()?;
        ensure!(
            !status.success(),
            "its provider was killed, and it succeeded"
        );
        proxy::collect(&self.records()).map(drop)
    }

    fn command(&self, verb: &str, rest: &[&str]) -> Command {
        let mut command = Command::new(&self.terraform);
        command
            // Options come before a plan file, so this one comes first.
            .args([verb, "-no-color"])
            .args(rest)
            .current_dir(self.path())
            .env("TF_CLI_CONFIG_FILE", self.path().join("cli.tfrc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_LOG")
            .env_remove("TF_WORKSPACE")
            .env_remove("TF_DATA_DIR")
            .env_remove("TF_PLUGIN_CACHE_DIR");
        command
    }

    /// The value of an output that is a string.
    pub(crate) fn output(&self, name: &str) -> Result<String> {
        let output = Command::new(&self.terraform)
            .args(["output", "-raw", name])
            .current_dir(self.path())
            .env("TF_CLI_CONFIG_FILE", self.path().join("cli.tfrc"))
            .output()
            .with_context(|| format!("cannot run {}", self.terraform.display()))?;
        ensure!(
            output.status.success(),
            "no output {name:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .with_context(|| format!("the output {name:?} is not UTF-8"))
    }
}

/// The head of a configuration that uses one of our providers, as it is without settings.
pub(crate) fn requiring(name: &str) -> String {
    requiring_with(name, &format!("provider \"{name}\" {{}}"))
}

/// The same, with this provider block.
pub(crate) fn requiring_with(name: &str, block: &str) -> String {
    format!(
        "terraform {{\n  required_providers {{\n    {name} = {{ source = \"mlops-rs/{name}\", version = \"0.1.0\" }}\n  }}\n}}\n\n{block}\n\n"
    )
}
