//! What a plan says, read from Terraform's JSON.

use serde_json::Value;

use crate::state::Object;

/// A saved plan, as `show -json` tells it.
#[derive(Clone, Debug)]
pub struct Plan {
    json: Value,
    diagnostics: Vec<Diagnostic>,
}

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it is an error.
    pub error: bool,
    /// The headline.
    pub summary: String,
    /// The text.
    pub detail: String,
    /// The resource, where there is one.
    pub address: String,
    /// The line of the configuration that it points to, where there is one.
    pub code: String,
}

impl Diagnostic {
    pub(crate) fn read(json: &Value) -> Self {
        let text = |pointer: &str| {
            json.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            error: text("/severity") == "error",
            summary: text("/summary"),
            detail: text("/detail"),
            address: text("/address"),
            code: text("/snippet/code"),
        }
    }

    /// Everything that it says, in one line.
    pub fn text(&self) -> String {
        let text = format!(
            "{} {} {} {}",
            self.address, self.summary, self.detail, self.code
        );
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Plan {
    pub(crate) fn new(json: Value, diagnostics: Vec<Diagnostic>) -> Self {
        Self { json, diagnostics }
    }

    /// What happens to a resource: `["create"]`, `["update"]`, `["delete", "create"]`, `["create", "delete"]`, `["delete"]`,
    /// `["no-op"]`, or nothing if the plan does not know it.
    pub fn actions(&self, address: &str) -> Vec<&str> {
        let Some(change) = self.change(address) else {
            return Vec::new();
        };
        let actions = change.pointer("/change/actions").and_then(Value::as_array);
        actions
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The attributes that force a replacement, as paths with dots.
    pub fn replaced_because_of(&self, address: &str) -> Vec<String> {
        let paths = self
            .change(address)
            .and_then(|change| change.pointer("/change/replace_paths"))
            .and_then(Value::as_array);
        let step = |step: &Value| {
            step.as_str()
                .map_or_else(|| step.to_string(), str::to_owned)
        };
        let path = |path: &Value| {
            path.as_array()
                .into_iter()
                .flatten()
                .map(step)
                .collect::<Vec<_>>()
                .join(".")
        };
        paths.into_iter().flatten().map(path).collect()
    }

    /// What the resource will be; unknown attributes are absent.
    ///
    /// # Panics
    /// If the plan does not know the resource.
    #[track_caller]
    pub fn after(&self, address: &str) -> Object {
        Object(
            self.expect(address)
                .pointer("/change/after")
                .cloned()
                .unwrap_or_default(),
        )
    }

    /// Whether the attribute at this JSON pointer, or the object or map that it lies in, is known only after apply.
    ///
    /// # Panics
    /// If the plan does not know the resource.
    #[track_caller]
    pub fn unknown(&self, address: &str, pointer: &str) -> bool {
        let Some(mut unknown) = self.expect(address).pointer("/change/after_unknown") else {
            return false;
        };
        for step in pointer.split('/').skip(1) {
            if unknown == &Value::Bool(true) {
                return true;
            }
            match unknown.get(step) {
                Some(next) => unknown = next,
                None => return false,
            }
        }
        unknown == &Value::Bool(true)
    }

    /// Addresses of resources that change, with their actions, sorted.
    pub fn changes(&self) -> Vec<(String, String)> {
        let changes = self.json.get("resource_changes").and_then(Value::as_array);
        let mut changes: Vec<_> = changes
            .into_iter()
            .flatten()
            .filter_map(|change| {
                let actions = change.pointer("/change/actions")?.as_array()?;
                let actions: Vec<_> = actions.iter().filter_map(Value::as_str).collect();
                let mut address = change.get("address")?.as_str()?.to_owned();
                if change.get("deposed").is_some() {
                    address.push_str(" (deposed)");
                }
                (actions != ["no-op"] && actions != ["read"])
                    .then(|| (address, actions.join("-then-")))
            })
            .collect();
        changes.sort();
        changes
    }

    /// Warnings, each in one line.
    pub fn warnings(&self) -> Vec<String> {
        self.diagnostics
            .iter()
            .filter(|diagnostic| !diagnostic.error)
            .map(Diagnostic::text)
            .collect()
    }

    /// Resources that changed outside of Terraform, as the refresh saw it.
    pub fn drift(&self) -> Vec<String> {
        let drift = self.json.get("resource_drift").and_then(Value::as_array);
        drift
            .into_iter()
            .flatten()
            .filter_map(|change| change.get("address")?.as_str().map(str::to_owned))
            .collect()
    }

    #[track_caller]
    fn expect(&self, address: &str) -> &Value {
        self.change(address)
            .unwrap_or_else(|| panic!("the plan does not know {address}: {:?}", self.changes()))
    }

    fn change(&self, address: &str) -> Option<&Value> {
        let changes = self.json.get("resource_changes")?.as_array()?;
        changes
            .iter()
            .find(|change| change["address"] == address && change.get("deposed").is_none())
    }
}
