//! What the state says, read from Terraform's JSON.

use serde_json::Value;

/// A state, as `show -json` tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    json: Value,
}

/// A resource or data source.
#[derive(Clone, Debug, PartialEq)]
pub struct Object(pub Value);

impl Object {
    /// The value at a JSON pointer such as `/target_versions/main`; null if there is none.
    pub fn get(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The text at a JSON pointer.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        self.get(pointer)
            .as_str()
            .unwrap_or_else(|| panic!("no text at {pointer} in {:#}", self.0))
    }

    /// The whole number at a JSON pointer.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn number(&self, pointer: &str) -> u64 {
        self.get(pointer)
            .as_u64()
            .unwrap_or_else(|| panic!("no whole number at {pointer} in {:#}", self.0))
    }
}

impl State {
    pub(crate) fn new(json: Value) -> Self {
        Self { json }
    }

    fn resources(&self) -> impl Iterator<Item = &Value> {
        self.json
            .pointer("/values/root_module/resources")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    /// Addresses of all resources and data sources; deposed objects are marked.
    pub fn addresses(&self) -> Vec<String> {
        self.resources()
            .map(|resource| {
                let address = resource["address"].as_str().unwrap_or_default();
                match resource.get("deposed_key") {
                    Some(_) => format!("{address} (deposed)"),
                    None => address.to_owned(),
                }
            })
            .collect()
    }

    /// A resource or data source, if the state has it.
    pub fn find(&self, address: &str) -> Option<Object> {
        let found = self.resources().find(|resource| {
            resource["address"] == address && resource.get("deposed_key").is_none()
        })?;
        Some(Object(found["values"].clone()))
    }

    /// A resource or data source.
    ///
    /// # Panics
    /// If the state does not have it.
    #[track_caller]
    pub fn object(&self, address: &str) -> Object {
        self.find(address)
            .unwrap_or_else(|| panic!("no {address} in the state: {:?}", self.addresses()))
    }

    /// Whether a resource is tainted: its next plan replaces it.
    pub fn tainted(&self, address: &str) -> bool {
        self.resources()
            .any(|resource| resource["address"] == address && resource["tainted"] == true)
    }

    /// The value of an output; null if there is none.
    pub fn output(&self, name: &str) -> &Value {
        self.json
            .pointer(&format!("/values/outputs/{name}/value"))
            .unwrap_or(&Value::Null)
    }
}
