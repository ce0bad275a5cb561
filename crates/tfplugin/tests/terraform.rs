//! The example provider `minimal` under real terraform (or tofu): what the framework and the transport
//! promise, as the one who matters sees it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use std::os::unix::process::CommandExt as _;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

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

fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let target = test
        .ancestors()
        .nth(2)
        .expect("tests lie in target/<profile>/deps");
    let path = target.join("examples/minimal");
    assert!(
        path.exists(),
        "the example minimal is not built; run cargo build -p tfplugin --examples"
    );
    path
}

/// A configuration in a directory of its own, initialised with the provider.
struct Root {
    engine: OsString,
    dir: TempDir,
    reattach: Option<String>,
}

impl Root {
    fn new(engine: OsString, body: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            os => os,
        };
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            arch => arch,
        };
        for host in ["registry.terraform.io", "registry.opentofu.org"] {
            let package = dir
                .path()
                .join(format!("plugins/{host}/example/minimal/0.1.0/{os}_{arch}"));
            fs::create_dir_all(&package).expect("a writable directory");
            let binary = package.join("terraform-provider-minimal_v0.1.0");
            fs::copy(example(), binary).expect("the provider can be copied");
        }
        fs::create_dir(dir.path().join("tmp")).expect("a writable directory");
        // Where there is none, OpenTofu warns among the JSON that it prints.
        fs::write(dir.path().join("terraform.rc"), "").expect("a writable directory");
        let root = Self {
            engine,
            dir,
            reattach: None,
        };
        root.configure(body);
        let plugins = root.path("plugins");
        root.succeeds(&["init", "-plugin-dir", plugins.to_str().expect("UTF-8")]);
        root
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    fn configure(&self, body: &str) {
        let head = r#"
            terraform {
              required_providers {
                minimal = { source = "example/minimal" }
              }
            }
            provider "minimal" { directory = "notes" }
        "#;
        fs::write(self.path("main.tf"), format!("{head}\n{body}\n")).expect("a writable directory");
    }

    fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&self.engine);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_CLI_CONFIG_FILE", self.path("terraform.rc"))
            .env("TF_CLI_ARGS", "-no-color")
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null());
        for variable in [
            "TF_LOG",
            "TF_LOG_PROVIDER",
            "TF_REATTACH_PROVIDERS",
            "TF_DATA_DIR",
        ] {
            command.env_remove(variable);
        }
        if let Some(value) = &self.reattach {
            command.env("TF_REATTACH_PROVIDERS", value);
        }
        command
    }

    fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        self.command(arguments).output().expect("the engine starts")
    }

    /// Runs a command that must succeed, and gives its output.
    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = text(&output);
        assert!(output.status.success(), "{arguments:?}:\n{text}");
        text
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = text(&output);
        assert!(!output.status.success(), "{arguments:?}:\n{text}");
        // Long messages are wrapped and framed.
        text.replace('│', " ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Applies, and checks that a second plan is empty.
    #[track_caller]
    fn apply(&self) -> String {
        let text = self.succeeds(&["apply", "-auto-approve"]);
        self.plan_is_empty();
        text
    }

    #[track_caller]
    fn plan_is_empty(&self) {
        let output = self.run(&["plan", "-detailed-exitcode"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }

    /// The plan's text; it must hold changes.
    #[track_caller]
    fn plan(&self) -> String {
        let output = self.run(&["plan", "-detailed-exitcode"]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        text(&output)
    }

    fn note(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path("notes").join(name)).ok()
    }

    fn output(&self, name: &str) -> Value {
        let json = self.run(&["output", "-json", name]).stdout;
        serde_json::from_slice(&json).expect("JSON")
    }

    fn resources(&self) -> usize {
        let state = fs::read(self.path("terraform.tfstate")).expect("a state");
        let state: Value = serde_json::from_slice(&state).expect("JSON");
        state["resources"].as_array().expect("a list").len()
    }

    /// Providers are gone, and with them their sockets.
    #[track_caller]
    fn nothing_is_left_behind(&self) {
        let left: Vec<_> = fs::read_dir(self.path("tmp"))
            .expect("the directory is there")
            .map(|entry| entry.expect("readable").file_name())
            .filter(|name| name.to_string_lossy().starts_with("plugin"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn note(name: &str, text: &str) -> String {
    format!(
        r#"
        resource "minimal_note" "a" {{
          name = "{name}"
          text = "{text}"
        }}
        output "length" {{ value = minimal_note.a.length }}
        output "id" {{ value = minimal_note.a.id }}
        "#
    )
}

#[test]
fn terraform_creates_updates_replaces_restores_and_destroys() {
    let Some(engine) = engine("terraform_creates_updates_replaces_restores_and_destroys") else {
        return;
    };
    let root = Root::new(engine, &note("one", "hello"));
    root.apply();
    assert_eq!(root.note("one").as_deref(), Some("hello"));
    assert_eq!(root.output("length"), 5);
    assert_eq!(root.output("id"), "one");

    root.configure(&note("one", "hello again"));
    let plan = root.plan();
    assert!(plan.contains("updated in-place"), "{plan}");
    // Known values stay in the plan, what depends on the text is not known.
    assert!(
        plan.contains("~ length = 5 -> (known after apply)"),
        "{plan}"
    );
    root.apply();
    assert_eq!(root.note("one").as_deref(), Some("hello again"));

    root.configure(&note("two", "hello again"));
    let plan = root.plan();
    assert!(plan.contains("must be replaced"), "{plan}");
    assert!(plan.contains("# forces replacement"), "{plan}");
    root.apply();
    assert_eq!(root.note("one"), None);
    assert_eq!(root.note("two").as_deref(), Some("hello again"));

    fs::remove_file(root.path("notes/two")).expect("it is there");
    let plan = root.plan();
    assert!(
        plan.contains("1 to add, 0 to change, 0 to destroy"),
        "{plan}"
    );
    root.apply();
    assert_eq!(root.note("two").as_deref(), Some("hello again"));

    root.succeeds(&["destroy", "-auto-approve"]);
    assert_eq!(root.note("two"), None);
    assert_eq!(root.resources(), 0);
    root.nothing_is_left_behind();
}

#[test]
fn terraform_passes_unknown_values_data_sources_and_functions_through() {
    let Some(engine) = engine("terraform_passes_unknown_values_data_sources_and_functions_through")
    else {
        return;
    };
    let root = Root::new(
        engine,
        r#"
        resource "minimal_note" "a" {
          name = "a"
          text = provider::minimal::shout("first")
        }
        resource "minimal_note" "b" {
          name = "b"
          text = "after ${minimal_note.a.id}"
        }
        data "minimal_note" "b" {
          name = minimal_note.b.id
        }
        output "text" { value = data.minimal_note.b.text }
        "#,
    );
    root.apply();
    assert_eq!(root.note("a").as_deref(), Some("FIRST"));
    assert_eq!(root.output("text"), "after a");
}

#[test]
fn terraform_imports_by_name_and_shows_what_is_wrong_with_a_missing_one() {
    let Some(engine) =
        engine("terraform_imports_by_name_and_shows_what_is_wrong_with_a_missing_one")
    else {
        return;
    };
    let root = Root::new(engine, &note("found", "made by hand"));
    let text = root.fails(&["import", "minimal_note.a", "found"]);
    assert!(text.contains("There is no note \"found\""), "{text}");

    fs::create_dir(root.path("notes")).expect("a writable directory");
    fs::write(root.path("notes/found"), "made by hand").expect("a writable directory");
    root.succeeds(&["import", "minimal_note.a", "found"]);
    // The outputs are new; the resource is not.
    let text = root.apply();
    assert!(text.contains("0 added, 0 changed, 0 destroyed"), "{text}");
}

#[test]
fn terraform_shows_a_validators_message_at_plan() {
    let Some(engine) = engine("terraform_shows_a_validators_message_at_plan") else {
        return;
    };
    let root = Root::new(engine, &note("", "text"));
    let text = root.fails(&["validate"]);
    assert!(text.contains("name"), "{text}");
    assert!(text.contains("32"), "{text}");
}

#[test]
fn terraform_shows_a_panic_as_a_bug_and_leaves_nothing_in_state() {
    let Some(engine) = engine("terraform_shows_a_panic_as_a_bug_and_leaves_nothing_in_state")
    else {
        return;
    };
    let root = Root::new(engine, &note("one", "panic"));
    let text = root.fails(&["apply", "-auto-approve"]);
    assert!(text.contains("this note asks for a crash"), "{text}");
    assert!(text.contains("bug"), "{text}");
    assert!(text.contains("with minimal_note.a"), "{text}");
    assert!(!text.contains("plugin crashed"), "{text}");
    root.configure(&note("one", "calm"));
    root.apply();
}

#[test]
fn terraform_interrupted_undoes_a_running_create() {
    let Some(engine) = engine("terraform_interrupted_undoes_a_running_create") else {
        return;
    };
    let root = Root::new(
        engine,
        r#"
        resource "minimal_note" "a" {
          name = "held"
          text = "until interrupted"
          hold = true
        }
        "#,
    );
    // A group of its own, so that the interrupt reaches terraform and the provider alike, as Ctrl-C does.
    let child = root
        .command(&["apply", "-auto-approve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("the engine starts");
    until("the note", || root.note("held").is_some());
    kill_process_group(Pid::from_child(&child), Signal::INT).expect("the engine runs");
    let output = child.wait_with_output().expect("the engine ends");
    let text = text(&output);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("the note was removed again"), "{text}");
    assert_eq!(root.note("held"), None);
    assert_eq!(root.resources(), 0);
    root.nothing_is_left_behind();
}

#[test]
fn terraform_killed_lets_the_provider_undo_and_go() {
    let Some(engine) = engine("terraform_killed_lets_the_provider_undo_and_go") else {
        return;
    };
    let root = Root::new(
        engine,
        r#"
        resource "minimal_note" "a" {
          name = "held"
          text = "until killed"
          hold = true
        }
        "#,
    );
    let mut child = root
        .command(&["apply", "-auto-approve"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the engine starts");
    until("the note", || root.note("held").is_some());
    child.kill().expect("the engine runs");
    child.wait().expect("the engine ends");
    until("the undo", || root.note("held").is_none());
    // The provider removes its socket as the last thing before it ends.
    until("the provider's end", || {
        fs::read_dir(root.path("tmp"))
            .expect("the directory is there")
            .all(|entry| {
                !entry
                    .expect("readable")
                    .file_name()
                    .to_string_lossy()
                    .starts_with("plugin-")
            })
    });
}

#[test]
fn terraform_merges_the_providers_log_into_its_own() {
    let Some(engine) = engine("terraform_merges_the_providers_log_into_its_own") else {
        return;
    };
    let root = Root::new(engine, &note("one", "hello"));
    let output = root
        .command(&["apply", "-auto-approve"])
        .env("TF_LOG_PROVIDER", "INFO")
        .output()
        .expect("the engine starts");
    let text = text(&output);
    let line = text
        .lines()
        .find(|line| line.contains("creating a note"))
        .unwrap_or_else(|| panic!("no such line:\n{text}"));
    assert!(line.contains("[INFO]"), "{line}");
    assert!(line.contains("name=one"), "{line}");
    assert!(
        !line.contains('{'),
        "a line that was not understood as JSON: {line}"
    );
}

#[test]
fn terraform_attaches_to_a_provider_in_debug_mode() {
    let Some(engine) = engine("terraform_attaches_to_a_provider_in_debug_mode") else {
        return;
    };
    let mut root = Root::new(engine, &note("one", "hello"));
    let mut provider = Command::new(example())
        .arg("--debug")
        .current_dir(root.dir.path())
        .env("TMPDIR", root.path("tmp"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the provider starts");
    let stdout = BufReader::new(provider.stdout.take().expect("stdout is piped"));
    let mut lines = stdout.lines();
    let value = lines
        .by_ref()
        .map(|line| line.expect("text"))
        .find_map(|line| {
            Some(
                line.split_once("TF_REATTACH_PROVIDERS=")?
                    .1
                    .trim_matches('\'')
                    .to_owned(),
            )
        })
        .expect("the provider says how to attach");
    root.reattach = Some(value);
    // The package is gone: what answers is the running process.
    fs::remove_dir_all(root.path("plugins")).expect("it is there");
    root.apply();
    assert_eq!(root.note("one").as_deref(), Some("hello"));
    root.succeeds(&["destroy", "-auto-approve"]);
    assert!(
        provider.try_wait().expect("a child").is_none(),
        "it outlives its hosts"
    );
    kill_process(Pid::from_child(&provider), Signal::INT).expect("it runs");
    assert!(provider.wait().expect("a child").success());
}

/// Terraform waits two seconds for a provider that does not end by itself, at each of its walks.
#[test]
fn terraform_does_not_wait_for_the_provider_to_end() {
    let Some(engine) = engine("terraform_does_not_wait_for_the_provider_to_end") else {
        return;
    };
    let root = Root::new(engine, &note("one", "hello"));
    let output = root
        .command(&["apply", "-auto-approve"])
        .env("TF_LOG", "DEBUG")
        .output()
        .expect("the engine starts");
    let log = text(&output);
    assert!(output.status.success(), "{log}");
    let started = log.matches("plugin started").count();
    assert!(started > 0, "{log}");
    assert_eq!(log.matches("plugin exited").count(), started, "{log}");
    assert!(!log.contains("plugin failed to exit gracefully"), "{log}");
}
