//! Every resource and data source has an acceptance test. Pages and examples: see documentation.rs.

use std::collections::BTreeSet;
use std::fs;

use mlops_acceptance::{builds, schema};

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
