//! What the steps of an endpoint's saga act on.

use std::sync::Arc;

use super::deployment::DeploymentRef;
use super::events::Notes;
use super::store;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::names::VersionId;
use crate::registry::Registry;
use crate::rollout::{Answer, LastLook, Meter, MetricName};
use crate::target::Target;

/// The ports of one endpoint's steps.
pub struct EndpointPorts {
    /// What runs it.
    pub target: Arc<dyn Target>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who is asked about candidates over a network.
    pub meter: Arc<dyn Meter>,
    /// What there is to tell.
    pub events: Arc<Notes>,
    /// What the stage under bake was last seen by.
    pub(crate) last_look: LastLook,
    pub(super) registry: Registry,
    pub(super) identity: String,
}

impl EndpointPorts {
    /// The ports of one step outside of a run, for tests of targets.
    #[cfg(any(test, feature = "conformance"))]
    pub fn alone(target: Arc<dyn Target>, registry: Registry, identity: String) -> Self {
        Self {
            target,
            clock: registry.clock().clone(),
            meter: Arc::new(crate::rollout::NoMeter),
            events: Arc::default(),
            last_look: LastLook::default(),
            registry,
            identity,
        }
    }

    /// The endpoint's name: its id without what it runs on.
    pub fn name(&self) -> &str {
        (self.identity.rsplit('/').next()).unwrap_or(&self.identity)
    }

    /// What the registry has by now of this metric of a version.
    pub(crate) async fn measured(
        &self,
        version: &VersionId,
        metric: &MetricName,
    ) -> Result<Answer> {
        let found = self.registry.version_by_now(version).await;
        let Some(found) = found.map_err(|error| error.at("source"))? else {
            let message = format!("version {version} is not in the registry any more");
            return Err(Error::not_found(message).at("source"));
        };
        Ok(match found.metrics.get(metric.as_str()) {
            Some(value) => Answer::Number(*value),
            None => Answer::Nothing(format!(
                "version {version} has no metric {:?} in the registry yet",
                metric.as_str()
            )),
        })
    }

    /// Whether somebody asked this deployment to pause.
    pub async fn pause_requested(&self, deployment: &DeploymentRef) -> Result<bool> {
        let control = store::glance_at_control(&self.registry, &self.identity).await?;
        Ok(control.is_some_and(|control| control.body.pause == *deployment))
    }
}
