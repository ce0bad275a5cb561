//! Pages in the format of the Terraform registry, made from the provider's schema and the examples.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::workspace::Workspace;

/// Every page below `docs/`, by its path there.
///
/// # Panics
/// If an example is missing.
pub fn pages(root: &Path) -> BTreeMap<PathBuf, String> {
    let schema = schema();
    let mut pages = BTreeMap::new();
    pages.insert("index.md".into(), index(&schema["provider"]));
    for (kind, schemas) in [
        ("resources", &schema["resource_schemas"]),
        ("data-sources", &schema["data_source_schemas"]),
    ] {
        for (name, schema) in schemas.as_object().into_iter().flatten() {
            let file = format!("{kind}/{}.md", name.trim_start_matches("mlops_"));
            pages.insert(file.into(), page(root, kind, name, schema));
        }
    }
    pages
}

/// The provider's part of `providers schema -json`.
pub fn schema() -> Value {
    let mut work = Workspace::new();
    work.config("");
    work.init();
    let shown = work.run(["providers", "schema", "-json"]);
    shown.succeeded();
    let line = shown
        .output
        .lines()
        .find(|line| line.starts_with('{'))
        .expect("the schema is JSON");
    let json: Value = serde_json::from_str(line).expect("the schema is JSON");
    let providers = json["provider_schemas"]
        .as_object()
        .expect("there are providers");
    let ours = providers
        .iter()
        .find(|(address, _)| address.ends_with("mlops-rs/mlops"));
    ours.expect("our provider is among them").1.clone()
}

fn index(schema: &Value) -> String {
    let mut text = heading("mlops Provider", &schema["block"]);
    let _ = write!(
        text,
        "## Example Usage\n\n```terraform\nterraform {{\n  required_providers {{\n    mlops = {{\n      source  = \"mlops-rs/mlops\"\n      \
         version = \"~> 0.1\"\n    }}\n  }}\n}}\n\nprovider \"mlops\" {{}}\n```\n\n"
    );
    body(&mut text, &schema["block"]);
    text
}

fn page(root: &Path, kind: &str, name: &str, schema: &Value) -> String {
    let word = if kind == "resources" {
        "Resource"
    } else {
        "Data Source"
    };
    let mut text = heading(&format!("{name} ({word})"), &schema["block"]);
    let example = if kind == "resources" {
        "resource.tf"
    } else {
        "data-source.tf"
    };
    let read = |file: &str| fs::read_to_string(root.join(format!("examples/{kind}/{name}/{file}")));
    let example = read(example).unwrap_or_else(|error| panic!("{name} has no example: {error}"));
    let _ = write!(
        text,
        "## Example Usage\n\n```terraform\n{}\n```\n\n",
        example.trim_end()
    );
    body(&mut text, &schema["block"]);
    if kind == "resources" {
        let import = read("import.sh")
            .unwrap_or_else(|error| panic!("{name} has no import example: {error}"));
        let _ = write!(
            text,
            "\n## Import\n\n```shell\n{}\n```\n",
            import.trim_end()
        );
    }
    text
}

fn heading(title: &str, block: &Value) -> String {
    let description = block["description"].as_str().unwrap_or_default();
    format!(
        "---\npage_title: \"{title}\"\ndescription: |-\n  {description}\n---\n\n<!-- Made from the schema and the examples: `cargo run -p mlops-acceptance --bin docs` -->\n\n\
         # {title}\n\n{description}\n\n"
    )
}

/// Attributes and blocks, those within others indented.
fn body(text: &mut String, block: &Value) {
    text.push_str("## Schema\n\n");
    block_lines(text, block, 0);
}

fn block_lines(text: &mut String, block: &Value, depth: usize) {
    attribute_lines(text, &block["attributes"], depth);
    for (name, nested) in block["block_types"].as_object().into_iter().flatten() {
        line(
            text,
            depth,
            name,
            "Block",
            "",
            nested["block"]["description"].as_str(),
        );
        block_lines(text, &nested["block"], depth + 1);
    }
}

fn attribute_lines(text: &mut String, attributes: &Value, depth: usize) {
    let attributes = attributes.as_object().into_iter().flatten();
    let rank = |attribute: &Value| match mode(attribute) {
        "Required" => 0,
        "Computed" => 2,
        _ => 1,
    };
    let mut attributes: Vec<_> = attributes.collect();
    attributes.sort_by_key(|(name, attribute)| (rank(attribute), (*name).clone()));
    for (name, attribute) in attributes {
        let nested = &attribute["nested_type"];
        let of = if nested.is_null() {
            kind(&attribute["type"])
        } else {
            nesting(nested)
        };
        line(
            text,
            depth,
            name,
            mode(attribute),
            &of,
            attribute["description"].as_str(),
        );
        attribute_lines(text, &nested["attributes"], depth + 1);
    }
}

fn line(
    text: &mut String,
    depth: usize,
    name: &str,
    mode: &str,
    of: &str,
    description: Option<&str>,
) {
    let of = if of.is_empty() {
        String::new()
    } else {
        format!(", {of}")
    };
    let _ = writeln!(
        text,
        "{}- `{name}` ({mode}{of}) {}",
        "  ".repeat(depth),
        description.unwrap_or_default()
    );
}

fn mode(attribute: &Value) -> &'static str {
    if attribute["required"] == true {
        "Required"
    } else if attribute["optional"] == true {
        "Optional"
    } else {
        "Computed"
    }
}

fn nesting(nested: &Value) -> String {
    match nested["nesting_mode"].as_str() {
        Some("single") => "Object".to_owned(),
        Some(mode) => format!("{mode} of objects")
            .replacen('m', "M", usize::from(mode == "map"))
            .replacen('l', "L", usize::from(mode == "list")),
        None => String::new(),
    }
}

fn kind(of: &Value) -> String {
    match of {
        Value::String(name) if name == "bool" => "Boolean".to_owned(),
        Value::String(name) => name[..1].to_uppercase() + &name[1..],
        Value::Array(parts) => {
            let outer = parts.first().map(kind).unwrap_or_default();
            format!("{outer} of {}", parts.get(1).map(kind).unwrap_or_default())
        }
        _ => "Object".to_owned(),
    }
}
