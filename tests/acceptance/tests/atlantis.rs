//! `examples/atlantis`: its files in the words of Atlantis, its policies, and its stack planned as Atlantis plans it, by real
//! programs. Atlantis itself cannot be had everywhere; `docs/guides/atlantis.md` says what follows from that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mlops_acceptance::{Builds, Engine, builds, skip};
use tempfile::TempDir;

fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    text.concat()
}

/// The program that judges, built if need be; `None` after saying so where it cannot be had.
fn conftest(test: &str) -> Option<PathBuf> {
    let script = r#"set -eu; ROOT=$1; . "$ROOT/scripts/tools.sh"; need_conftest; echo "$CONFTEST""#;
    let found = Command::new("bash")
        .args(["-c", script, "bash"])
        .arg(builds::root())
        .output();
    let found = found.expect("bash runs");
    // 3: it cannot be put there (scripts/tools.sh, `missing`).
    if found.status.code() == Some(3) {
        skip(test, "conftest cannot be had here");
        return None;
    }
    assert!(found.status.success(), "{}", said(&found));
    let path = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    Some(PathBuf::from(path))
}

fn judge(conftest: &Path, policy: &Path, file: &Path) -> (bool, String) {
    let ran = Command::new(conftest)
        .args(["test", "--no-color", "--policy"])
        .args([policy, file])
        .output()
        .expect("conftest runs");
    (ran.status.success(), said(&ran))
}

#[test]
#[ignore = "long: builds conftest; `make test-full` runs it"]
fn words_that_atlantis_does_not_know_are_in_none_of_its_files() {
    let Some(conftest) = conftest("words_that_atlantis_does_not_know_are_in_none_of_its_files")
    else {
        return;
    };
    let schema = builds::root().join("tests/acceptance/clients/atlantis_schema.rego");
    let temp = tempfile::tempdir().expect("a temporary directory");
    for (file, wrong) in [
        (
            "atlantis.yaml",
            [
                ("when_modified", "when_changed"),
                ("dir: endpoints", "dir: ../endpoints"),
            ],
        ),
        (
            "repos.yaml",
            [
                ("undiverged", "up_to_date"),
                ("- policy_check", "- check_policies"),
            ],
        ),
    ] {
        let path = builds::root().join("examples/atlantis").join(file);
        let (passed, said) = judge(&conftest, &schema, &path);
        assert!(passed, "{said}");
        let text = fs::read_to_string(&path).expect("the example is there");
        for (word, other) in wrong {
            assert!(text.contains(word), "{file} has no {word}");
            let spoiled = temp.path().join(file);
            fs::write(&spoiled, text.replace(word, other)).expect("a writable directory");
            let (passed, said) = judge(&conftest, &schema, &spoiled);
            assert!(!passed, "{file} with {other}: {said}");
        }
    }
}

/// The stack of the example, checked out as Atlantis does it.
struct Checkout {
    temp: TempDir,
}

impl Checkout {
    fn new() -> Self {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let root = builds::root();
        let copied = Command::new("cp")
            .arg("-R")
            .arg(root.join("examples/atlantis"))
            .arg(temp.path().join("checkout"))
            .status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "the example is not copied"
        );
        let checkout = Self { temp };
        for model in ["digits-v1.onnx", "digits-v2.onnx"] {
            let place = checkout.stack().join("models");
            fs::create_dir_all(&place).expect("a writable directory");
            fs::copy(
                root.join("examples/quickstart/models").join(model),
                place.join(model),
            )
            .expect("the model is there");
        }
        let settings = fs::read_to_string(root.join("examples/atlantis/providers.tfrc"))
            .expect("the example's settings");
        let plugins = Builds::get().plugins.display().to_string();
        let settings = settings
            .replace("/opt/terraform/providers", &plugins)
            .replace("registry.terraform.io/mlops-rs/mlops", "*/*/*");
        fs::write(checkout.temp.path().join("providers.tfrc"), settings)
            .expect("a writable directory");
        checkout
    }

    fn stack(&self) -> PathBuf {
        self.temp.path().join("checkout/endpoints")
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.stack().join(file);
        let text = fs::read_to_string(&path).expect("the file is there");
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).expect("a writable directory");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Engine::get().command(&self.stack(), self.temp.path(), arguments);
        command
            .env(
                "TF_CLI_CONFIG_FILE",
                self.temp.path().join("providers.tfrc"),
            )
            .env("ATLANTIS_TERRAFORM_VERSION", "1.11.4")
            .env("TF_VAR_registry", self.temp.path().join("registry"));
        command.output().expect("the engine runs")
    }

    #[track_caller]
    fn succeed(&self, arguments: &[&str]) -> Output {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        output
    }

    /// The steps plan, show and policy_check; whether the policies are met, and what they said.
    #[track_caller]
    fn planned(&self, conftest: &Path) -> (bool, String) {
        self.succeed(&["plan", "-input=false", "-no-color", "-out=default.tfplan"]);
        let shown = self.succeed(&["show", "-json", "default.tfplan"]);
        let file = self.temp.path().join("plan.json");
        fs::write(&file, shown.stdout).expect("a writable directory");
        judge(
            conftest,
            &builds::root().join("examples/atlantis/policies"),
            &file,
        )
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        for process in mlops_acceptance::process::within(self.temp.path()) {
            mlops_acceptance::process::kill(process.pid);
        }
    }
}

#[test]
#[ignore = "long: builds conftest; `make test-full` runs it"]
fn plans_are_judged_by_the_policies_before_they_are_applied() {
    let Some(conftest) = conftest("plans_are_judged_by_the_policies_before_they_are_applied")
    else {
        return;
    };
    let policies = builds::root().join("examples/atlantis/policies");
    let verified = Command::new(&conftest)
        .args(["verify", "--no-color", "--policy"])
        .arg(&policies)
        .output()
        .expect("conftest runs");
    assert!(verified.status.success(), "{}", said(&verified));

    let checkout = Checkout::new();
    checkout.succeed(&["init", "-input=false", "-no-color"]);
    let (passed, said_of_create) = checkout.planned(&conftest);
    assert!(passed, "{said_of_create}");
    checkout.succeed(&["apply", "-input=false", "-no-color", "default.tfplan"]);

    // The change that the workflow is for.
    checkout.change("endpoints.auto.tfvars", "digits-v1.onnx", "digits-v2.onnx");
    let (passed, text) = checkout.planned(&conftest);
    assert!(passed, "{text}");

    let refused = |part: &str| {
        let (passed, text) = checkout.planned(&conftest);
        assert!(!passed && text.contains(part), "no {part:?} in {text}");
    };
    checkout.change(
        "endpoints.auto.tfvars",
        "digits-v2.onnx\"",
        "digits-v2.onnx\", strategy = \"ALL_AT_ONCE\"",
    );
    refused("another version at once or unwatched");
    checkout.change("endpoints.auto.tfvars", "digits = {", "letters = {");
    refused("is destroyed");
    checkout.change("endpoints.auto.tfvars", "letters = {", "digits = {");
    checkout.change(
        "main.tf",
        "create_before_destroy = true",
        "create_before_destroy = false",
    );
    refused("archived before its successor");

    // What the policy says of the implicit registry, the provider says first.
    checkout.change("main.tf", "  local {\n    path = var.registry\n  }\n", "");
    let planned = checkout.run(&["plan", "-input=false", "-no-color"]);
    assert!(
        !planned.status.success() && said(&planned).contains("Atlantis"),
        "{}",
        said(&planned)
    );
}
