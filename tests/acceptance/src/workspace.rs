//! A configuration in a directory of its own, and Terraform run in it.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::plan::Plan;
use crate::process;
use crate::running::{Ended, Running};
use crate::state::{Object, State};
use crate::{Builds, Engine};

/// Longer than any command of a test takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// A directory with a configuration, initialised with the provider under test.
#[derive(Debug)]
pub struct Workspace {
    temp: TempDir,
    dir: PathBuf,
    engine: Engine,
    environment: Vec<(String, String)>,
    initialised: bool,
    provider: String,
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl Workspace {
    /// An empty one, for the engine under test.
    pub fn new() -> Self {
        Self::in_directory("work")
    }

    /// An empty one whose directory has this name, or path, below a temporary directory.
    pub fn in_directory(name: &str) -> Self {
        Self::with_engine(Engine::get(), name)
    }

    /// An empty one for another engine.
    pub fn with_engine(engine: Engine, name: &str) -> Self {
        let temp = tempfile::Builder::new()
            .prefix("mlops-")
            .tempdir()
            .expect("cannot make a temporary directory");
        let root = fs::canonicalize(temp.path()).expect("the temporary directory is there");
        let dir = root.join(name);
        for path in [&dir, &root.join("home")] {
            fs::create_dir_all(path)
                .unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        }
        Self {
            temp,
            dir,
            engine,
            environment: Vec::new(),
            initialised: false,
            provider: "provider \"mlops\" {}\n".to_owned(),
        }
    }

    /// Another configuration on the same registry: somebody else, to whom this workspace's state means nothing.
    pub fn outsider(&self) -> Self {
        let mut other = Self::with_engine(self.engine.clone(), "outsider");
        other.provider(&format!(
            "local {{\n    path = {:?}\n  }}",
            self.registry().display().to_string()
        ));
        other
    }

    /// Sets what stands in the provider block.
    pub fn provider(&mut self, block: &str) -> &mut Self {
        self.provider = format!("provider \"mlops\" {{\n  {block}\n}}\n");
        self
    }

    /// The directory of the configuration.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the embedded registry lies by default.
    pub fn registry(&self) -> PathBuf {
        self.dir.join(".mlops")
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Sets an environment variable for every later command.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file into the directory.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .unwrap_or_else(|error| panic!("cannot make {}: {error}", parent.display()));
        }
        fs::write(&path, bytes)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Copies one of the quickstart's models (`digits-v1` and so on) into the directory as `name`.
    pub fn copy_model(&self, model: &str, name: &str) -> PathBuf {
        let from = Builds::get()
            .root
            .join(format!("examples/quickstart/models/{model}.onnx"));
        let bytes = fs::read(&from)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", from.display()));
        self.write(name, bytes)
    }

    /// Sets the configuration: these blocks, with each resource exported as an output.
    pub fn config(&mut self, blocks: &str) -> &mut Self {
        let head = "terraform {\n  required_providers {\n    mlops = { source = \"mlops-rs/mlops\", version = \"0.1.0\" }\n  }\n}\n\n";
        self.write("main.tf", format!("{head}{}\n{blocks}", self.provider));
        // The whole object, so that no computed attribute is left out, whatever the schema says tomorrow.
        let outputs = declared(blocks).into_iter().map(|(kind, name)| {
            format!(
                "output \"everything_{kind}_{name}\" {{\n  value     = {kind}.{name}\n  sensitive = true\n}}\n"
            )
        });
        self.write("everything.tf", outputs.collect::<String>());
        self
    }

    /// Asks the registry through a data source, from outside.
    #[track_caller]
    pub fn ask(&self, kind: &str, arguments: &str) -> Object {
        let mut other = self.outsider();
        // A state is only written where something changes, such as an output.
        let output = format!("output \"asked\" {{\n  value = data.{kind}.asked\n}}\n");
        other.config(&format!(
            "data \"{kind}\" \"asked\" {{\n{arguments}\n}}\n{output}"
        ));
        other.apply();
        Object(other.state().output("asked").clone())
    }

    /// Asserts that a data source finds nothing, with an error that holds each of `parts`.
    #[track_caller]
    pub fn ask_fails(&self, kind: &str, arguments: &str, parts: &[&str]) {
        let mut other = self.outsider();
        other.config(&format!("data \"{kind}\" \"asked\" {{\n{arguments}\n}}\n"));
        other.plan_fails(parts);
    }

    /// Initialises the directory, once.
    #[track_caller]
    pub fn init(&mut self) {
        if self.initialised {
            return;
        }
        let plugins = format!("-plugin-dir={}", Builds::get().plugins.display());
        self.run(["init", "-input=false", "-no-color", &plugins])
            .succeeded();
        self.initialised = true;
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        self.start(arguments).wait(LIMIT)
    }

    /// Starts a command.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        let mut command = self
            .engine
            .command(&self.dir, &self.temp.path().join("home"), arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Running::start(command)
    }

    /// Plans, and fails the test if that fails.
    #[track_caller]
    pub fn plan(&mut self) -> Plan {
        let planned = self.try_plan();
        planned.succeeded();
        Plan::new(self.show(&["plan.tfplan"]), planned.diagnostics)
    }

    /// Plans.
    #[track_caller]
    pub fn try_plan(&mut self) -> Ended {
        self.init();
        self.run(["plan", "-json", "-input=false", "-out=plan.tfplan"])
    }

    /// Plans, and asserts that the plan fails with an error that holds each of `parts`.
    #[track_caller]
    pub fn plan_fails(&mut self, parts: &[&str]) -> Ended {
        let ended = self.try_plan();
        ended.failed_with(parts);
        ended
    }

    /// Plans and applies; asserts that both succeed and that a second plan is empty. Returns the plan.
    #[track_caller]
    pub fn apply(&mut self) -> Plan {
        let plan = self.plan();
        self.run(["apply", "-json", "-input=false", "plan.tfplan"])
            .succeeded();
        self.expect_empty_plan();
        plan
    }

    /// Applies without a saved plan, and does not ask how it ended.
    #[track_caller]
    pub fn try_apply(&mut self) -> Ended {
        self.init();
        self.start_apply().wait(LIMIT)
    }

    /// Applies, and asserts that it fails with an error that holds each of `parts`.
    #[track_caller]
    pub fn apply_fails(&mut self, parts: &[&str]) -> Ended {
        let ended = self.try_apply();
        ended.failed_with(parts);
        ended
    }

    /// Starts an apply without a saved plan. The workspace must be initialised.
    pub fn start_apply(&self) -> Running {
        self.start(["apply", "-json", "-input=false", "-auto-approve"])
    }

    /// Applies the plan that was made before, as it is.
    #[track_caller]
    pub fn try_apply_saved(&self) -> Ended {
        self.run(["apply", "-json", "-input=false", "plan.tfplan"])
    }

    /// What the user does after `kill -9` of Terraform, which rewrites its state file in place: where half of one is left, the
    /// backup is taken, or nothing where the workspace was never `applied`. What was made since is to be adopted.
    ///
    /// # Panics
    /// If a file cannot be written.
    pub fn mend_torn_state(&self, applied: bool) {
        let (state, backup) = (
            self.path("terraform.tfstate"),
            self.path("terraform.tfstate.backup"),
        );
        let whole = |file: &Path| {
            let text = fs::read(file).unwrap_or_default();
            serde_json::from_slice::<Value>(&text).is_ok()
        };
        if !state.exists() || whole(&state) {
            return;
        }
        println!("terraform was killed while it wrote its state");
        if applied && whole(&backup) {
            fs::copy(&backup, &state).unwrap_or_else(|error| panic!("cannot restore: {error}"));
        } else {
            fs::remove_file(&state).unwrap_or_else(|error| panic!("cannot remove: {error}"));
        }
    }

    /// Asserts that a plan changes nothing, outputs included.
    #[track_caller]
    pub fn expect_empty_plan(&self) {
        let again = self.run(["plan", "-json", "-input=false", "-detailed-exitcode"]);
        assert_eq!(
            again.status.code(),
            Some(0),
            "the second plan is not empty:\n{}",
            again.story()
        );
    }

    /// Destroys everything, and asserts that the state is empty.
    #[track_caller]
    pub fn destroy(&mut self) {
        self.try_destroy().succeeded();
        assert_eq!(
            self.state().addresses(),
            Vec::<String>::new(),
            "a destroy leaves nothing in the state"
        );
    }

    /// Destroys everything, and does not ask how it ended.
    #[track_caller]
    pub fn try_destroy(&mut self) -> Ended {
        self.init();
        self.run([
            "apply",
            "-destroy",
            "-json",
            "-input=false",
            "-auto-approve",
        ])
    }

    /// Imports an object, asserting that it succeeds.
    #[track_caller]
    pub fn import(&mut self, address: &str, id: &str) {
        self.init();
        self.run(["import", "-input=false", "-no-color", address, id])
            .succeeded();
    }

    /// Forgets an object, which stays in the registry.
    #[track_caller]
    pub fn forget(&self, address: &str) {
        self.run(["state", "rm", address]).succeeded();
    }

    /// The state.
    #[track_caller]
    pub fn state(&self) -> State {
        State::new(self.show(&[]))
    }

    /// Where the endpoint with this address in the configuration answers.
    #[track_caller]
    pub fn invoke_url(&self, endpoint: &str) -> String {
        self.state().object(endpoint).text("/invoke_url").to_owned()
    }

    #[track_caller]
    fn show(&self, what: &[&str]) -> Value {
        let shown = self.run(["show", "-json"].into_iter().chain(what.iter().copied()));
        shown.succeeded();
        // Warnings of the engine may stand before it.
        let line = shown.output.lines().find(|line| line.starts_with('{'));
        let line = line.unwrap_or_else(|| panic!("`show` prints no JSON: {}", shown.output));
        serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("`show` prints JSON that cannot be read: {error}"))
    }

    /// Runs the command `mlops` in the directory, to its end.
    #[track_caller]
    pub fn mlops<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        self.start_mlops(arguments).wait(LIMIT)
    }

    /// Starts the command `mlops` in the directory.
    pub fn start_mlops<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        let mut command = std::process::Command::new(&Builds::get().cli);
        command.args(arguments).current_dir(&self.dir);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Running::start(command)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // Whatever a failed test left running.
        for process in process::within(self.temp.path()) {
            process::kill(process.pid);
        }
    }
}

/// A port of 127.0.0.1 that nothing listens on now.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("cannot listen on 127.0.0.1");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// Type and name of each managed resource of a configuration.
fn declared(configuration: &str) -> Vec<(String, String)> {
    let blocks = configuration
        .lines()
        .filter_map(|line| line.strip_prefix("resource "));
    blocks
        .filter_map(|rest| {
            let mut words = rest.split('"');
            let kind = words.nth(1)?;
            let name = words.nth(1)?;
            Some((kind.to_owned(), name.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn declared_resources_are_found_and_data_sources_are_not() {
        let text = "resource \"mlops_model\" \"fraud\" {\n  name = \"resource\"\n}\ndata \"mlops_model\" \"x\" {}\nresource \"mlops_model_alias\" \"a\" {\n";
        let found = declared(text);
        let expected = [("mlops_model", "fraud"), ("mlops_model_alias", "a")];
        assert_eq!(
            found,
            expected.map(|(kind, name)| (kind.to_owned(), name.to_owned()))
        );
    }
}
