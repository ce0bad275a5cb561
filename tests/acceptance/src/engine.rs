//! Terraform or OpenTofu, run with nothing of the user's settings.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// The program that applies configurations.
#[derive(Clone, Debug)]
pub struct Engine {
    program: OsString,
}

impl Engine {
    /// The engine under test: `TF`, else terraform, else tofu.
    ///
    /// # Panics
    /// If there is none.
    pub fn get() -> Self {
        if let Some(program) = env::var_os("TF").filter(|named| !named.is_empty()) {
            return Self { program };
        }
        Self::named("terraform")
            .or_else(|| Self::named("tofu"))
            .expect("neither terraform nor tofu runs here; `make test` sets one up")
    }

    /// The engine of that name, if it runs here.
    pub fn named(name: &str) -> Option<Self> {
        let runs = Command::new(name)
            .arg("version")
            .output()
            .is_ok_and(|output| output.status.success());
        runs.then(|| Self {
            program: name.into(),
        })
    }

    /// A command of this engine in `dir`, without colours, with an environment of its own: `home` is its home directory,
    /// and neither the user's mirrors and overrides nor `TF_` variables reach it.
    pub fn command<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        home: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let settings = home.join("terraform.rc");
        if !settings.exists() {
            fs::write(&settings, "")
                .unwrap_or_else(|error| panic!("cannot write {}: {error}", settings.display()));
        }
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(dir)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", home)
            .env("TF_CLI_CONFIG_FILE", settings)
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("NO_COLOR", "1");
        // Unix sockets lie here, and their paths must stay short.
        if let Some(dir) = env::var_os("TMPDIR") {
            command.env("TMPDIR", dir);
        }
        command
    }
}
