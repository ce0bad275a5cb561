//! Every resource and data source has a page, an example that validates, and an acceptance test.

use std::collections::BTreeSet;
use std::fs;

use mlops_acceptance::{Workspace, builds, schema};

/// Types of resources or data sources, by the schema.
fn types(of: &str) -> BTreeSet<String> {
    let schema = schema::schema();
    let types: BTreeSet<_> = schema[of]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    assert!(!types.is_empty(), "the schema has no {of}");
    types
}

fn folders(path: &str) -> BTreeSet<String> {
    let dir = builds::root().join(path);
    let entries =
        fs::read_dir(&dir).unwrap_or_else(|error| panic!("cannot read {}: {error}", dir.display()));
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_type_has_an_example_and_every_example_a_type() {
    assert_eq!(folders("examples/resources"), types("resource_schemas"));
    assert_eq!(
        folders("examples/data-sources"),
        types("data_source_schemas")
    );
}

#[test]
fn every_type_has_an_acceptance_test() {
    let root = builds::root().join("tests/acceptance/tests");
    for name in types("resource_schemas") {
        assert!(
            root.join(format!("{name}.rs")).is_file(),
            "{name} has no tests/{name}.rs"
        );
    }
    let tests =
        fs::read_to_string(root.join("data_sources.rs")).expect("data_sources.rs can be read");
    for name in types("data_source_schemas") {
        assert!(
            tests.contains(&format!("\"{name}\"")),
            "data_sources.rs does not read {name}"
        );
    }
}

#[test]
fn every_type_has_a_page_that_names_each_attribute() {
    let docs = builds::root().join("docs");
    let schema = schema::schema();
    for (kind, of) in [
        ("resources", "resource_schemas"),
        ("data-sources", "data_source_schemas"),
    ] {
        for (name, declared) in schema[of].as_object().into_iter().flatten() {
            let page = docs
                .join(kind)
                .join(format!("{}.md", name.trim_start_matches("mlops_")));
            let text = fs::read_to_string(&page).unwrap_or_default();
            let missing: Vec<_> = schema::names(&declared["block"])
                .into_iter()
                .filter(|attribute| !text.contains(&format!("`{attribute}`")))
                .collect();
            assert!(
                missing.is_empty(),
                "docs/{kind} of {name} lacks {missing:?}: make docs"
            );
        }
    }
}

#[test]
fn every_example_validates() {
    let root = builds::root();
    for (kind, file) in [
        ("resources", "resource.tf"),
        ("data-sources", "data-source.tf"),
    ] {
        for name in folders(&format!("examples/{kind}")) {
            let text = fs::read_to_string(root.join(format!("examples/{kind}/{name}/{file}")));
            let mut work = Workspace::new();
            work.config(&text.unwrap_or_else(|error| panic!("examples/{kind}/{name}: {error}")));
            work.init();
            let ended = work.run(["validate", "-no-color"]);
            assert!(
                ended.status.success(),
                "examples/{kind}/{name}:\n{}",
                ended.output
            );
        }
    }
}
