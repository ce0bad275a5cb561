//! A mirror of files in which Terraform finds our provider beside the stand-ins for the others.

use std::path::PathBuf;
use std::process::Command;

use crate::builds::{self, Builds};

/// Puts our provider and the stub, under the name of each provider that it stands in for, into a directory of this name beside the builds; where.
///
/// # Panics
/// If they are not built.
#[must_use]
pub fn mirror(name: &str) -> PathBuf {
    let provider = &Builds::get().provider;
    let place = Builds::get().plugins.with_file_name(name);
    let placed = Command::new("bash")
        .args(["-c", r#"set -eu; ROOT=$1; . "$ROOT/scripts/tools.sh"; install_provider "$2" "$4"; install_stub "$3" "$4""#, "bash"])
        .args([&builds::root(), provider, &provider.with_file_name("tfplugin-stub"), &place])
        .status()
        .expect("bash runs");
    assert!(placed.success(), "no mirror in {}", place.display());
    place
}
