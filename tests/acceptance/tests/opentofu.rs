//! OpenTofu, the second engine: what holds under Terraform holds under it.
//!
//! The tests themselves are the ones of Terraform, run again with `TF` set; there are no others to keep in step.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::{env, fs};

use mlops_acceptance::{builds, skip};

/// The test programs that drive an engine: the provider's, and those named `terraform`, of the plugin layer and of the stub.
const PROGRAMS: [&str; 17] = [
    "aws_registry",
    "cli",
    "data_sources",
    "documentation",
    "endpoint_refusals",
    "health_check",
    "interrupts",
    "mlops_endpoint",
    "mlops_model",
    "mlops_model_alias",
    "mlops_model_version",
    "quickstart",
    "registry",
    "repairs",
    "rollouts",
    "terraform",
    "terragrunt",
];

/// The OpenTofu of `scripts/parts/opentofu`, built once; else the reason why it cannot be had here.
fn opentofu() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || {
        let script = builds::root().join("scripts/parts/opentofu/build");
        let output = Command::new(&script)
            .output()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
        if output.status.success() {
            let path = String::from_utf8(output.stdout).expect("a path in UTF-8");
            return Ok(PathBuf::from(path.trim()));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        // 3: it cannot be put there (scripts/tools.sh, `missing`).
        assert_eq!(output.status.code(), Some(3), "{said}");
        let reason = said.lines().find(|line| line.starts_with("missing: "));
        Err(reason.unwrap_or("missing: OpenTofu").to_owned())
    };
    BUILT.get_or_init(build).clone()
}

/// Runs a command with OpenTofu as its engine, and fails if it started a Terraform all the same.
fn under(tofu: &Path, mut command: Command) -> Output {
    let decoys = tempfile::tempdir().expect("a temporary directory");
    let (decoy, mark) = (
        decoys.path().join("terraform"),
        decoys.path().join("started"),
    );
    let script = format!("#!/bin/sh\necho \"$@\" >>'{}'\nexit 1\n", mark.display());
    fs::write(&decoy, script).expect("a writable directory");
    fs::set_permissions(&decoy, fs::Permissions::from_mode(0o755)).expect("our own file");
    let mut path = OsString::from(decoys.path());
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let output = command
        .current_dir(builds::root())
        .env("PATH", path)
        .env("TF", tofu)
        .env("MLOPS_PREBUILT", "1")
        .output()
        .expect("the command starts");
    let started = fs::read_to_string(&mark).unwrap_or_default();
    assert!(
        started.is_empty(),
        "Terraform was started instead of OpenTofu:\n{started}"
    );
    output
}

/// What was said, with a margin: the verdict of the whole run counts lines that begin with `test result:`.
fn told(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let lines = streams.iter().flat_map(|text| text.lines());
    lines.map(|line| format!("    {line}\n")).collect()
}

/// How many tests of each program passed: after `Running tests/NAME.rs (…)` comes its `test result: ok. N passed; …`.
fn passed(output: &str) -> BTreeMap<String, usize> {
    let (mut program, mut counts) = (String::new(), BTreeMap::new());
    for line in output.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("Running tests/") {
            let name = rest.split_whitespace().next().unwrap_or_default();
            name.trim_end_matches("/main.rs")
                .trim_end_matches(".rs")
                .clone_into(&mut program);
        } else if let Some(rest) = line.strip_prefix("test result: ok. ") {
            let number = rest.split(' ').next().and_then(|count| count.parse().ok());
            *counts.entry(program.clone()).or_default() += number.unwrap_or(0);
        }
    }
    counts
}

#[test]
#[ignore = "long: builds OpenTofu"]
fn what_holds_under_terraform_holds_under_opentofu() {
    let tofu = match opentofu() {
        Ok(tofu) => tofu,
        Err(reason) => {
            return skip("what_holds_under_terraform_holds_under_opentofu", &reason);
        }
    };
    let mut command = Command::new("sh");
    // One stream, so that a program's name stands before its result.
    command.args(["-c", "exec \"$@\" 2>&1", "sh"]);
    command.arg(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--workspace", "--no-fail-fast"]);
    command.args(PROGRAMS.iter().flat_map(|name| ["--test", name]));
    let output = under(&tofu, command);
    let text = told(&output);
    assert!(output.status.success(), "under OpenTofu:\n{text}");
    let counts = passed(&text);
    for program in PROGRAMS {
        assert!(
            counts.get(program).is_some_and(|count| *count > 0),
            "no test of {program} ran: {counts:?}\n{text}"
        );
    }
    println!("passed under OpenTofu: {counts:?}");
}

#[test]
#[ignore = "long: builds OpenTofu"]
fn the_modules_hold_under_opentofu() {
    let tofu = match opentofu() {
        Ok(tofu) => tofu,
        Err(reason) => return skip("the_modules_hold_under_opentofu", &reason),
    };
    let output = under(
        &tofu,
        Command::new(builds::root().join("scripts/test-modules")),
    );
    let text = told(&output);
    assert!(output.status.success(), "under OpenTofu:\n{text}");
    println!(
        "passed under OpenTofu: {}",
        text.lines().last().unwrap_or_default()
    );
}

#[test]
fn the_tests_of_each_program_are_counted() {
    let output = "     Running tests/cli.rs (target/debug/deps/cli-0a)\ntest result: ok. 3 passed; 0 failed; 1 ignored\n     \
                  Running tests/terraform.rs (deps/terraform-1b)\n    test result: ok. 2 passed; 0 failed\n     \
                  Running tests/terraform/main.rs (deps/terraform-2c)\ntest result: ok. 5 passed; 0 failed\n";
    let expected = [("cli", 3), ("terraform", 7)];
    assert_eq!(
        passed(output),
        expected
            .map(|(name, count)| (name.to_owned(), count))
            .into()
    );
}
