//! What the steps of an endpoint's saga act on.

use std::sync::Arc;

use super::deployment::DeploymentRef;
use super::events::Notes;
use super::store;
use crate::clock::Clock;
use crate::error::Result;
use crate::registry::Registry;
use crate::rollout::{LastLook, Meter};
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

    /// Whether somebody asked this deployment to pause.
    pub async fn pause_requested(&self, deployment: &DeploymentRef) -> Result<bool> {
        let control = store::glance_at_control(&self.registry, &self.identity).await?;
        Ok(control.is_some_and(|control| control.body.pause == *deployment))
    }
}
