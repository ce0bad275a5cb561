//! The targets that a process can reach.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Target;
use crate::endpoint::spec::TargetSpec;
use crate::error::{Error, Result};
use crate::names::EndpointId;

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

    /// Where an endpoint of this specification runs.
    ///
    /// # Errors
    /// `Invalid` for a target that this process does not reach.
    pub fn of(&self, spec: &TargetSpec) -> Result<Arc<dyn Target>> {
        self.find(spec.kind(), spec.region())
    }

    /// Where an endpoint of this id runs, as far as the id tells. Of one that the registry has, [`Targets::of`] is more exact: it holds after the
    /// registry has moved to another region, too.
    ///
    /// # Errors
    /// As [`Targets::of`].
    pub fn named(&self, id: &EndpointId) -> Result<Arc<dyn Target>> {
        self.find(id.target(), id.region())
    }

    /// The region that an endpoint on this target is in where nobody names one; `None` of one that has none, or that this process does not reach.
    ///
    /// # Errors
    /// As [`Target::home_region`].
    pub async fn home_region(&self, kind: &str) -> Result<Option<String>> {
        match self.0.get(kind) {
            Some(target) => target.home_region().await,
            None => Ok(None),
        }
    }

    fn find(&self, kind: &str, region: Option<&str>) -> Result<Arc<dyn Target>> {
        let target = self.0.get(kind).cloned().ok_or_else(|| {
            Error::invalid(format!(
                "an endpoint on {} needs a registry on AWS: its tasks fetch the model from the registry's bucket",
                kind.to_uppercase()
            ))
            .at(kind)
        })?;
        let there = region.and_then(|region| target.in_region(region));
        Ok(there.unwrap_or(target))
    }
}
