//! What the provider declares, as `terraform providers schema -json` tells it.

use serde_json::Value;

use crate::workspace::Workspace;

/// The provider's part of it: `provider`, `resource_schemas`, `data_source_schemas`.
///
/// # Panics
/// If Terraform does not print it.
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

/// Names of all attributes and blocks of a block, nested ones included.
pub fn names(block: &Value) -> Vec<String> {
    let mut names = Vec::new();
    collect(block, &mut names);
    names
}

fn collect(block: &Value, names: &mut Vec<String>) {
    for (name, attribute) in block["attributes"].as_object().into_iter().flatten() {
        names.push(name.clone());
        collect(&attribute["nested_type"], names);
    }
    for (name, nested) in block["block_types"].as_object().into_iter().flatten() {
        names.push(name.clone());
        collect(&nested["block"], names);
    }
}
