//! A directory with a fixture in it, and real terraform (or tofu) that finds the stub under the providers' names.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The engine to test with (`TF`, else terraform, else tofu), or `None` after saying so.
fn engine(test: &str) -> Option<OsString> {
    if let Some(named) = std::env::var_os("TF").filter(|named| !named.is_empty()) {
        return Some(named);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = ["terraform", "tofu"]
        .into_iter()
        .find(|name| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()));
    if found.is_none() {
        println!("SKIP {test}: no terraform or tofu on PATH");
    }
    found.map(OsString::from)
}

/// The stub under the name of each provider that it can be, put there once.
fn plugins() -> &'static Path {
    static PLUGINS: OnceLock<TempDir> = OnceLock::new();
    PLUGINS
        .get_or_init(|| {
            let stub = Path::new(env!("CARGO_BIN_EXE_tfplugin-stub"));
            let listed = Command::new(stub)
                .arg("--list")
                .output()
                .expect("the stub runs");
            let listed = String::from_utf8(listed.stdout).expect("names are UTF-8");
            let os = if std::env::consts::OS == "macos" {
                "darwin"
            } else {
                std::env::consts::OS
            };
            let arch = match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                arch => arch,
            };
            // Beside the stub, so that a link will do: a copy for each would be large.
            let beside = stub.parent().expect("a program lies in a directory");
            let place = tempfile::Builder::new()
                .prefix("stub-plugins")
                .tempdir_in(beside)
                .expect("a temporary directory");
            for line in listed.lines() {
                let (name, version) = line.split_once(' ').expect("a name and a version");
                for host in ["registry.terraform.io", "registry.opentofu.org"] {
                    let package = place
                        .path()
                        .join(format!("{host}/hashicorp/{name}/{version}/{os}_{arch}"));
                    fs::create_dir_all(&package).expect("a writable directory");
                    let program = package.join(format!("terraform-provider-{name}_v{version}"));
                    fs::hard_link(stub, program).expect("the stub can be linked");
                }
            }
            place
        })
        .path()
}

/// A copy of a fixture.
pub(crate) struct Root {
    engine: OsString,
    dir: TempDir,
    seed: &'static str,
    endpoint: String,
}

impl Root {
    /// The fixture of this name, initialised; `None` if there is no engine.
    pub(crate) fn of(test: &str, fixture: &str) -> Option<Self> {
        Self::seeded(test, fixture, "")
    }

    /// The same, with another seed for fakes.
    pub(crate) fn seeded(test: &str, fixture: &str, seed: &'static str) -> Option<Self> {
        Self::new(test, fixture, seed, String::new())
    }

    /// The same, with an emulator that things are made in.
    pub(crate) fn realizing(test: &str, fixture: &str, endpoint: String) -> Option<Self> {
        Self::new(test, fixture, "", endpoint)
    }

    fn new(test: &str, fixture: &str, seed: &'static str, endpoint: String) -> Option<Self> {
        let engine = engine(test)?;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(fixture);
        for entry in
            fs::read_dir(&from).unwrap_or_else(|error| panic!("{}: {error}", from.display()))
        {
            let entry = entry.expect("a readable directory");
            fs::copy(entry.path(), dir.path().join(entry.file_name())).expect("a readable fixture");
        }
        // Where there is none, OpenTofu warns among the JSON that it prints.
        fs::write(dir.path().join("terraform.rc"), "").expect("a writable directory");
        let root = Self {
            engine,
            dir,
            seed,
            endpoint,
        };
        root.succeeds(&[
            "init",
            "-input=false",
            "-plugin-dir",
            plugins().to_str().expect("UTF-8"),
        ]);
        Some(root)
    }

    /// A file of the root.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        let mut command = Command::new(&self.engine);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_CLI_CONFIG_FILE", self.path("terraform.rc"))
            .env("TF_CLI_ARGS", "-no-color")
            .env("TFPLUGIN_STUB_TRANSCRIPT", self.path("transcript.jsonl"))
            .env("TFPLUGIN_STUB_SEED", self.seed)
            .env("TFPLUGIN_STUB_ENDPOINT", &self.endpoint)
            .stdin(Stdio::null());
        for variable in [
            "TF_LOG",
            "TF_WORKSPACE",
            "TF_DATA_DIR",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
        ] {
            command.env_remove(variable);
        }
        command.output().expect("the engine runs")
    }

    /// Runs a command that must succeed, and gives what it wrote.
    #[track_caller]
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{arguments:?}\n{out}\n{error}");
        out.into_owned()
    }

    /// Runs a command that must fail, and gives what it said.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        // Lines are broken where they are long.
        let said = String::from_utf8_lossy(&output.stderr);
        said.split_whitespace()
            .filter(|word| *word != "│")
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The JSON that a command writes, whatever its exit code.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let (out, said) = (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
            panic!("{arguments:?}: {error}\n{out}\n{said}")
        })
    }

    /// Plans, and gives the plan.
    #[track_caller]
    pub(crate) fn plan(&self) -> Value {
        self.succeeds(&["plan", "-input=false", "-out=plan"]);
        self.json(&["show", "-json", "plan"])
    }

    /// Applies.
    #[track_caller]
    pub(crate) fn apply(&self) {
        self.succeeds(&["apply", "-auto-approve", "-input=false"]);
    }

    /// The outputs' values by name.
    #[track_caller]
    pub(crate) fn outputs(&self) -> Value {
        let outputs = self.json(&["output", "-json"]);
        let outputs = outputs.as_object().expect("outputs are an object").iter();
        Value::Object(
            outputs
                .map(|(name, of)| (name.clone(), of["value"].clone()))
                .collect(),
        )
    }

    /// What the transcript says, in order.
    pub(crate) fn transcript(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("transcript.jsonl")).expect("a transcript");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect()
    }
}
