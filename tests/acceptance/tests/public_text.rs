//! What the project's files may say: nothing about the machine that they were written on, and no skipped documentation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mlops_acceptance::builds;

/// The project's text files, as git knows them.
fn texts() -> Vec<(PathBuf, String)> {
    let root = builds::root();
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&root)
        .output()
        .expect("git lists the files");
    assert!(
        listed.status.success(),
        "git cannot list the files: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let files = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from);
    // A file that git knows may have been removed just now; one that is no text is not asked.
    let texts: Vec<_> = files
        .filter_map(|name| Some((name.clone(), fs::read_to_string(root.join(&name)).ok()?)))
        .collect();
    assert!(texts.len() > 50, "the files were not listed");
    texts
}

fn lines_that(holds: impl Fn(&PathBuf, &str) -> bool) -> Vec<String> {
    let texts = texts();
    let lines = texts.iter().flat_map(|(name, text)| {
        text.lines()
            .enumerate()
            .map(move |(number, line)| (name, number, line))
    });
    lines
        .filter(|(name, _, line)| holds(name, line))
        .map(|(name, number, line)| format!("{}:{}: {}", name.display(), number + 1, line.trim()))
        .collect()
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_written_on() {
    let root = builds::root();
    // A parent such as /src or /tmp stands in many texts that mean no machine.
    let common = [
        "/", "/app", "/build", "/home", "/mnt", "/opt", "/src", "/tmp", "/usr", "/var",
    ];
    let parent = root
        .parent()
        .filter(|parent| !common.iter().any(|common| *parent == Path::new(common)));
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.components().count() > 1);
    // Spelt so that this file does not hold it.
    let superuser = Some(PathBuf::from(concat!("/", "root")));
    let places = [
        Some(root.clone()),
        parent.map(Path::to_owned),
        home,
        superuser,
    ];
    let places: Vec<_> = places
        .iter()
        .flatten()
        .map(|place| format!("{}/", place.display()))
        .collect();
    let wrong = lines_that(|_, line| places.iter().any(|place| line.contains(place.as_str())));
    assert!(wrong.is_empty(), "paths of a machine: {wrong:#?}");
}

#[test]
fn no_documentation_example_is_left_unchecked() {
    let fences = [concat!("```", "ignore"), concat!("```rust,", "ignore")];
    let wrong = lines_that(|name, line| {
        name.extension().is_some_and(|extension| extension == "rs")
            && fences.iter().any(|fence| line.contains(fence))
    });
    assert!(
        wrong.is_empty(),
        "examples that are not compiled: {wrong:#?}"
    );
}

#[test]
fn no_code_is_left_for_later() {
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let wrong = lines_that(|name, line| {
        name.extension().is_some_and(|extension| extension == "rs")
            && words.iter().any(|word| line.contains(word))
    });
    assert!(wrong.is_empty(), "code that is not there yet: {wrong:#?}");
}

#[test]
fn lock_files_alone_name_a_registry_of_packages() {
    let hosts = [
        concat!("index.", "crates.io"),
        concat!("files.", "pythonhosted.org"),
        concat!("registry.", "npmjs.org"),
        concat!("proxy.", "golang.org"),
    ];
    let lock = |name: &PathBuf| {
        name.file_name()
            .is_some_and(|name| name.to_string_lossy().contains("lock") || name == "go.sum")
    };
    let wrong =
        lines_that(|name, line| !lock(name) && hosts.iter().any(|host| line.contains(host)));
    assert!(wrong.is_empty(), "hosts of package registries: {wrong:#?}");
}
