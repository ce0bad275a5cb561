//! What the documentation says is what the provider has: its pages, its examples, and the README's configuration.
//!
//! The pages are generated (`make docs`). Whether they are byte for byte what the generator writes is asked by `make check`,
//! which has the generator; here their content is compared with the schemas of the built provider.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mlops_acceptance::schema::schema;
use mlops_acceptance::{Workspace, builds};
use serde_json::{Map, Value};

const KINDS: [(&str, &str); 2] = [
    ("resource_schemas", "resources"),
    ("data_source_schemas", "data-sources"),
];

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// Names and descriptions of all attributes and blocks of a block, at every depth.
fn described(block: &Value, found: &mut BTreeSet<(String, String)>) {
    let mut note = |name: &str, body: &Value| {
        let text = body["description"].as_str().unwrap_or_default();
        found.insert((name.to_owned(), text.to_owned()));
    };
    for (name, attribute) in object(&block["attributes"]) {
        note(name, attribute);
    }
    for (name, nested) in object(&block["block_types"]) {
        note(name, &nested["block"]);
    }
    for (_, attribute) in object(&block["attributes"]) {
        described(&attribute["nested_type"], found);
    }
    for (_, nested) in object(&block["block_types"]) {
        described(&nested["block"], found);
    }
}

/// The same as a page has it: lines such as ``- `name` (String) The name.``
fn documented(page: &str) -> BTreeSet<(String, String)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("- `"));
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once("` (")?;
            let (_, text) = rest.split_once(')')?;
            let text = text.split(" (see [below").next().unwrap_or_default();
            Some((name.to_owned(), text.trim().to_owned()))
        })
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Names of what lies in a directory, without their extensions.
fn listed(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", directory.display()));
    entries
        .flatten()
        .map(|entry| {
            let path = entry.path();
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn every_attribute_stands_in_its_page_with_its_description() {
    let schemas = schema();
    let root = builds::root();
    for (kind, folder) in KINDS {
        let mut pages = BTreeSet::new();
        for (name, schema) in object(&schemas[kind]) {
            let short = name.strip_prefix("mlops_").expect("our own prefix");
            pages.insert(short.to_owned());
            let page = read(&root.join(format!("docs/{folder}/{short}.md")));
            let text = schema["block"]["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{name} has no description");
            assert!(
                page.contains(text),
                "{folder}/{short}.md is old; run `make docs`"
            );
            let mut expected = BTreeSet::new();
            described(&schema["block"], &mut expected);
            for (attribute, text) in &expected {
                assert!(!text.is_empty(), "{name}: {attribute} has no description");
            }
            assert_eq!(
                documented(&page),
                expected,
                "{folder}/{short}.md is old; run `make docs`"
            );
        }
        assert_eq!(
            listed(&root.join("docs").join(folder)),
            pages,
            "a page in docs/{folder} for each, and no other"
        );
    }
    let mut expected = BTreeSet::new();
    described(&schemas["provider"]["block"], &mut expected);
    let index = documented(&read(&root.join("docs/index.md")));
    assert_eq!(index, expected, "docs/index.md is old; run `make docs`");
}

#[test]
fn every_type_has_an_example_and_each_example_is_valid_alone() {
    let schemas = schema();
    let examples = builds::root().join("examples");
    let mut work = Workspace::new();
    work.write("provider.tf", read(&examples.join("provider/provider.tf")));
    work.init();
    for (kind, folder) in KINDS {
        let types: BTreeSet<_> = object(&schemas[kind])
            .map(|(name, _)| name.clone())
            .collect();
        assert_eq!(
            listed(&examples.join(folder)),
            types,
            "an example in examples/{folder} for each, and no other"
        );
        for name in types {
            let directory = examples.join(folder).join(&name);
            let file = if folder == "resources" {
                let import = read(&directory.join("import.sh"));
                assert!(
                    import.contains(&format!("terraform import {name}.")),
                    "{name}/import.sh imports another type"
                );
                "resource.tf"
            } else {
                "data-source.tf"
            };
            work.write("example.tf", read(&directory.join(file)));
            let validated = work.run(["validate", "-no-color"]);
            assert!(
                validated.status.success(),
                "examples/{folder}/{name} is not valid:\n{}",
                validated.story()
            );
        }
    }
}

#[test]
fn the_configuration_in_the_readme_can_be_applied() {
    let readme = read(&builds::root().join("README.md"));
    let (_, rest) = readme
        .split_once("```hcl\n")
        .expect("the README has a configuration");
    let (configuration, _) = rest.split_once("```").expect("a block that ends");
    let mut work = Workspace::new();
    work.copy_model("digits-v1", "model.onnx");
    work.write("main.tf", configuration);
    let plan = work.plan();
    assert!(
        !plan.changes().is_empty(),
        "the README's configuration makes something"
    );
}

/// The project's pages for people.
fn pages() -> Vec<PathBuf> {
    fn below(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let root = builds::root();
    let mut found: Vec<_> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
        .map(|name| root.join(name))
        .into();
    below(&root.join("docs"), &mut found);
    below(&root.join("changes"), &mut found);
    found
}

#[test]
fn every_link_within_the_project_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = read(&page);
        let targets = text.split("](").skip(1).filter_map(|rest| {
            let (target, _) = rest.split_once(')')?;
            Some(target)
        });
        for target in targets {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let base = page.parent().expect("a file has a directory");
            if !base.join(file).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}
