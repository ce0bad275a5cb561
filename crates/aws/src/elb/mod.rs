//! The front of an endpoint on ECS: a listener of its own on a load balancer, or a rule of its own on a listener; and the
//! target groups among which it divides requests, one for each revision.
//!
//! Load balancers and shared listeners belong to others. What the endpoint adds carries its id as a tag; what carries no such
//! tag is never changed, whatever it is called. Elastic Load Balancing gives no token by which a call that was repeated is
//! known, so each thing is found again by where it is: a listener by its port, a rule by its priority, a target group by its
//! name.

mod action;
mod calls;
mod certificates;
mod foreign;
mod front;
mod groups;
mod health;
pub(crate) mod names;
mod pages;
mod place;
pub(crate) mod room;
mod slots;
pub(crate) mod tags;
mod together;
mod weights;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mlops_core::Result;
use mlops_core::endpoint::deployment::DeploymentRef;
use mlops_core::endpoint::spec::IngressSpec;
use mlops_core::names::{EndpointName, VariantName};
use mlops_core::records::Records;
use mlops_core::target::RevisionName;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use self::foreign::{Before, FoundFront};
pub(crate) use self::health::GroupHealth;
pub(crate) use self::place::Balancer;
pub(crate) use self::together::Kept;
pub(crate) use mlops_core::target::slots::Release;

use crate::clients::AwsClients;

/// Whose a front is: one for each endpoint and try at a deployment that makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// The endpoint's id in the registry.
    pub(crate) endpoint: Uuid,
    /// The endpoint's name.
    pub(crate) name: EndpointName,
    /// The deployment that makes it.
    pub(crate) deployment: DeploymentRef,
}

/// What a front is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FrontKind {
    /// A listener; its slot is its port.
    Listener,
    /// A rule; its slot is its priority.
    Rule,
}

/// Where clients reach an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Front {
    /// What it is.
    pub(crate) kind: FrontKind,
    /// The listener's or the rule's ARN.
    pub(crate) arn: String,
    /// What its slot is of: the load balancer of a listener, the listener of a rule.
    pub(crate) parent: String,
    /// The load balancer.
    pub(crate) load_balancer_arn: String,
    /// The load balancer's VPC.
    pub(crate) vpc_id: String,
    /// Where clients send requests, without a path.
    pub(crate) url: String,
    /// Its port or its priority.
    pub(crate) slot: u16,
}

/// What opening a front led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It is there, made now or by an earlier call.
    Front(Front),
    /// The slot is somebody else's.
    Foreign,
}

/// A target group that a front divides requests among.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached {
    /// The target group.
    pub(crate) group_arn: String,
    /// Its revision.
    pub(crate) revision: RevisionName,
    /// That revision's variant.
    pub(crate) variant: VariantName,
    /// Its weight, 0 to 999.
    pub(crate) weight: u32,
}

/// The fronts of a registry's endpoints.
#[derive(Clone)]
pub(crate) struct Balancers {
    clients: AwsClients,
    records: Arc<dyn Records>,
}

impl Balancers {
    /// Fronts made by `clients`, whose slots are leased in `records`.
    pub(crate) fn new(clients: AwsClients, records: Arc<dyn Records>) -> Self {
        Self { clients, records }
    }

    /// The same fronts by other clients.
    pub(crate) fn with(&self, clients: AwsClients) -> Self {
        Self::new(clients, Arc::clone(&self.records))
    }

    /// Leases a slot of what `ingress` names: a port, or a priority. Called again by the same owner it answers the same,
    /// unless that slot is in `foreign`: those are known to be somebody else's.
    ///
    /// `preferred` is tried first. `replaces` is a deployment of the same endpoint whose front is gone: its lease may be taken
    /// over.
    ///
    /// # Errors
    /// `Conflict` (attributes `ingress.port`, `ingress.port_range`, `ingress.priority`, `ingress.priority_range`) naming who
    /// has them, if none is left.
    pub(crate) async fn lease(
        &self,
        owner: &Owner,
        ingress: &IngressSpec,
        preferred: Option<u16>,
        replaces: Option<&DeploymentRef>,
        foreign: &BTreeSet<u16>,
    ) -> Result<u16> {
        let wanted = slots::Wanted::new(ingress, preferred, replaces);
        let records = &*self.records;
        if let Some(slot) = slots::held(records, owner, &wanted, foreign).await? {
            return Ok(slot);
        }
        let taken = self.taken(ingress).await?;
        slots::acquire(records, owner, &wanted, foreign, &taken).await
    }

    /// Leases the slot that a front has which is there and becomes the endpoint's: the one that `ingress` names. Only another endpoint of the registry can
    /// have it.
    pub(crate) async fn lease_found(&self, owner: &Owner, ingress: &IngressSpec) -> Result<u16> {
        let wanted = slots::Wanted::new(ingress, None, None);
        let (records, none) = (&*self.records, BTreeSet::new());
        match slots::held(records, owner, &wanted, &none).await? {
            Some(slot) => Ok(slot),
            None => slots::acquire(records, owner, &wanted, &none, &BTreeMap::new()).await,
        }
    }

    /// Ends every lease of `owner` on `parent` ([`IngressSpec::parent_arn`], [`Front::parent`]) but the one on `keep`. Nothing to end is
    /// success.
    pub(crate) async fn release(
        &self,
        owner: &Owner,
        parent: &str,
        keep: Option<u16>,
        how: Release,
    ) -> Result<()> {
        slots::release(&*self.records, owner, parent, keep, how).await
    }
}
