//! What `scripts/tools.sh` takes for Terraform.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use mlops_acceptance::builds;

/// Programs that only tell their version, by name.
fn programs(dir: &Path, versions: &[(&str, &str)]) {
    for (name, version) in versions {
        let program = dir.join(name);
        fs::write(&program, format!("#!/bin/sh\necho '{version}'\n"))
            .expect("a program is written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .expect("a program can be run");
    }
}

/// What TF is for a script that says `before` and then asks for Terraform, with `dir` first on the PATH.
fn chosen(dir: &Path, before: &str) -> String {
    let path = std::env::var("PATH").expect("a PATH");
    let script = format!(
        "set -euo pipefail; . \"$ROOT/scripts/tools.sh\"; {before}; need_terraform; printf %s \"$TF\""
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("ROOT", builds::root())
        .env("PATH", format!("{}:{path}", dir.display()))
        .env_remove("TF")
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("a path in UTF-8")
}

#[test]
fn terraform_is_found_where_the_script_has_a_function_of_that_name() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    programs(dir.path(), &[("terraform", "Terraform v1.14.0")]);
    let found = chosen(dir.path(), "terraform() { \"$TF\" \"$@\"; }");
    assert_eq!(Path::new(&found), dir.path().join("terraform"));
}

#[test]
fn a_terraform_that_is_too_old_is_passed_over_for_opentofu() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    programs(
        dir.path(),
        &[
            ("terraform", "Terraform v1.10.5"),
            ("tofu", "OpenTofu v1.11.2"),
        ],
    );
    let found = chosen(dir.path(), "true");
    assert_eq!(Path::new(&found), dir.path().join("tofu"));
}
