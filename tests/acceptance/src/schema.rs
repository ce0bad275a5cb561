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
