//! The embedded registry under a real Terraform: where it may lie, and what happens when it is lost, foreign or damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mlops_acceptance::{Workspace, skip};

const MODEL: &str = "resource \"mlops_model\" \"fraud\" {\n  name = \"fraud\"\n}\n";

fn applied() -> Workspace {
    let mut work = Workspace::new();
    work.config(MODEL);
    work.apply();
    work
}

/// The database in a registry.
fn database(work: &Workspace) -> std::path::PathBuf {
    let entries = fs::read_dir(work.registry()).expect("the registry is there");
    let mut paths = entries.flatten().map(|entry| entry.path());
    let is_database = |path: &std::path::PathBuf| {
        fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3"))
    };
    paths
        .find(is_database)
        .expect("the registry has a database")
}

#[test]
fn a_lost_registry_is_an_error_and_never_means_gone() {
    let mut work = applied();
    fs::rename(work.registry(), work.path("away")).unwrap();
    let shown = work.registry().display().to_string();
    work.plan_fails(&["registry", &shown]);
    work.try_destroy().failed_with(&["registry", &shown]);
    assert!(!work.registry().exists(), "a plan makes no registry");
    fs::rename(work.path("away"), work.registry()).unwrap();
    work.expect_empty_plan();
}

#[test]
fn another_registry_in_its_place_is_an_error() {
    let mut work = applied();
    let other = applied();
    fs::rename(work.registry(), work.path("away")).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(other.registry())
        .arg(work.registry())
        .status()
        .unwrap();
    assert!(copied.success());
    work.plan_fails(&["registry", "import"]);
}

#[test]
fn a_damaged_registry_is_named() {
    let mut work = applied();
    for entry in fs::read_dir(work.registry()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with("-wal") || name.ends_with("-shm") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    fs::write(database(&work), b"SQLite format 3\0 and then rubbish").unwrap();
    work.plan_fails(&["registry", "damaged"]);
}

#[test]
fn a_registry_that_may_not_be_written_is_named() {
    let mut work = Workspace::new();
    work.config(MODEL);
    work.init();
    fs::create_dir(work.registry()).unwrap();
    fs::set_permissions(work.registry(), fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(work.registry().join("probe"), "").is_ok() {
        fs::remove_file(work.registry().join("probe")).unwrap();
        skip(
            "a_registry_that_may_not_be_written_is_named",
            "the superuser may write everywhere",
        );
        return;
    }
    work.apply_fails(&["could not be", "permissions"]);
}

#[test]
fn something_else_in_the_registrys_place_is_named() {
    let mut work = Workspace::new();
    work.config(MODEL);
    work.write(".mlops", "not a directory");
    work.apply_fails(&[".mlops"]);
}

#[test]
fn the_registry_is_for_its_owner_alone() {
    let work = applied();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&work.registry()), 0o700);
    assert_eq!(mode(&database(&work)), 0o600);
}

#[test]
fn the_implicit_registry_is_refused_in_a_terragrunt_cache() {
    let mut work = Workspace::in_directory(".terragrunt-cache/abc/def");
    work.config(MODEL);
    work.plan_fails(&["Terragrunt", "local", "path"]);
    assert!(!work.registry().exists());

    let lasting = work.dir().join("../../../lasting");
    work.provider(&format!(
        "local {{\n    path = {:?}\n  }}",
        lasting.display().to_string()
    ));
    work.config(MODEL);
    work.apply();
    assert!(lasting.is_dir());
}

#[test]
fn the_implicit_registry_is_refused_under_atlantis() {
    let mut work = Workspace::new();
    work.config(MODEL);
    work.env("ATLANTIS_TERRAFORM_VERSION", "1.11.4");
    work.plan_fails(&["Atlantis", "local", "path"]);
    assert!(!work.registry().exists());
}

#[test]
fn workspaces_do_not_see_each_other() {
    let mut work = applied();
    work.run(["workspace", "new", "staging"]).succeeded();
    work.apply();
    work.run(["workspace", "select", "default"]).succeeded();
    work.expect_empty_plan();
    work.destroy();
    work.run(["workspace", "select", "staging"]).succeeded();
    work.expect_empty_plan();
}

#[test]
fn a_namespace_of_its_own_keeps_names_apart() {
    let work = applied();
    let mut other = work.outsider();
    other.provider(&format!(
        "local {{\n    path = {:?}\n    namespace = \"other\"\n  }}",
        work.registry().display().to_string()
    ));
    other.config(MODEL);
    other.apply();
    work.expect_empty_plan();
}

#[test]
fn a_place_that_is_unknown_at_plan_is_refused() {
    let mut work = Workspace::new();
    work.provider("local {\n    path = terraform_data.late.id\n  }");
    work.config(&format!(
        "resource \"terraform_data\" \"late\" {{}}\n{MODEL}"
    ));
    work.plan_fails(&["must be known at plan"]);
}
