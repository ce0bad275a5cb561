//! A target group that somebody else made, and the listener or rule that leads to it: described as an endpoint's front, and made one.

mod read;
mod take;

use mlops_core::endpoint::spec::{HealthCheck, IngressSpec, SlotChoice};
use serde::{Deserialize, Serialize};

use super::Front;

/// A listener or a rule that somebody else made and that forwards to one target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FoundFront {
    /// The listener or the rule.
    pub(crate) front: Front,
    /// What an endpoint says whose front it is.
    pub(crate) ingress: IngressSpec,
    /// The target group.
    pub(crate) group_arn: String,
    /// The weight that it has.
    pub(crate) weight: u32,
}

impl FoundFront {
    /// What an endpoint asks for that has this front, with the front's own slot in place of a choice.
    pub(crate) fn pinned(&self, asked: &IngressSpec) -> IngressSpec {
        let mut pinned = asked.clone();
        match &mut pinned {
            IngressSpec::Listener { port: slot, .. } | IngressSpec::Rule { priority: slot, .. } => {
                *slot = SlotChoice::Fixed(self.front.slot);
            }
        }
        pinned
    }
}

/// What is before a service that somebody else made.
#[derive(Debug)]
pub(crate) struct Before {
    /// The front that it has.
    pub(crate) found: FoundFront,
    /// What the load balancer asks its tasks.
    pub(crate) health_check: HealthCheck,
    /// How long requests in flight may take when a task goes.
    pub(crate) drain_seconds: u64,
}
