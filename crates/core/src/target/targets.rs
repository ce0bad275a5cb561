//! The targets that a process can reach.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Target;
use crate::error::{Error, Result};

/// What runs endpoints, by the target's name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Targets(BTreeMap<&'static str, Arc<dyn Target>>);

impl Targets {
    /// With one more.
    #[must_use]
    pub fn with(mut self, target: Arc<dyn Target>) -> Self {
        self.0.insert(target.kind(), target);
        self
    }

    /// The target of this name, as [`EndpointId::target`](crate::names::EndpointId::target) tells it.
    pub fn get(&self, kind: &str) -> Result<Arc<dyn Target>> {
        self.0.get(kind).cloned().ok_or_else(|| {
            Error::invalid(format!(
                "an endpoint on {} needs a registry on AWS: its tasks fetch the model from the registry's bucket",
                kind.to_uppercase()
            ))
            .at(kind)
        })
    }
}
