//! The test runner's verdict: what it counts, and what it does not let pass.

use std::fs;
use std::process::Command;

use mlops_acceptance::builds;

const LOG: &str = "\
     Running unittests src/lib.rs (target/debug/deps/one)
test a ... ok
test b ... ok
test tests::slow ... ignored, long: minutes
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
successes:
---- needs_tofu stdout ----
SKIP needs_tofu: tofu is not installed
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";
const LISTED: &str =
    "# a comment\nslow | long: minutes\nneeds_tofu | OpenTofu is not on every machine\n";

/// The verdict's last line, and whether it is a success.
fn verdict(log: &str, code: i32, expected: &str, full: bool) -> (String, bool) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (log_file, expected_file) = (dir.path().join("log"), dir.path().join("expected"));
    fs::write(&log_file, log).expect("the log is written");
    fs::write(&expected_file, expected).expect("the list is written");
    let mut command = Command::new(builds::root().join("scripts/test-verdict"));
    command
        .arg(log_file)
        .arg(code.to_string())
        .arg(expected_file)
        .args(full.then_some("--full"));
    let output = command.output().expect("the verdict runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        text.lines().last().unwrap_or_default().to_owned(),
        output.status.success(),
    )
}

#[test]
fn passed_failed_and_skipped_are_counted_over_all_binaries() {
    assert_eq!(
        verdict(LOG, 0, LISTED, false),
        ("4 passed, 0 failed, 2 skipped".to_owned(), true)
    );
}

#[test]
fn a_failed_test_fails_the_run() {
    let log = LOG.replace("ok. 3 passed; 0 failed", "FAILED. 2 passed; 1 failed");
    assert_eq!(
        verdict(&log, 101, LISTED, false),
        ("3 passed, 1 failed, 2 skipped".to_owned(), false)
    );
}

#[test]
fn a_skip_that_is_not_listed_fails_the_run() {
    let listed = "slow | long: minutes\n";
    assert_eq!(
        verdict(LOG, 0, listed, false),
        ("4 passed, 1 failed, 2 skipped".to_owned(), false)
    );
}

#[test]
fn a_listed_skip_that_ran_fails_the_run() {
    let listed = format!("{LISTED}a | because\n");
    assert_eq!(
        verdict(LOG, 0, &listed, false),
        ("4 passed, 1 failed, 2 skipped".to_owned(), false)
    );
}

#[test]
fn what_depends_on_the_machine_may_run_and_may_be_skipped() {
    let listed = "slow | long: minutes\nneeds_tofu | machine: no tofu\na | machine: no tofu\n";
    assert_eq!(
        verdict(LOG, 0, listed, false),
        ("4 passed, 0 failed, 2 skipped".to_owned(), true)
    );
}

#[test]
fn a_long_test_is_expected_to_run_in_the_full_run() {
    let log = LOG.replace("ignored, long: minutes", "ok").replace(
        "2 passed; 0 failed; 1 ignored",
        "3 passed; 0 failed; 0 ignored",
    );
    assert_eq!(
        verdict(&log, 0, LISTED, true),
        ("5 passed, 0 failed, 1 skipped".to_owned(), true)
    );
}

#[test]
fn a_build_that_broke_fails_the_run() {
    assert_eq!(
        verdict("error: could not compile\n", 101, "", false),
        ("0 passed, 1 failed, 0 skipped".to_owned(), false)
    );
}

#[test]
fn a_run_without_tests_fails() {
    assert_eq!(
        verdict("", 0, "", false),
        ("0 passed, 1 failed, 0 skipped".to_owned(), false)
    );
}
