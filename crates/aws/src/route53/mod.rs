//! Records of Route 53: the names that endpoints are known by, in hosted zones of others.
//!
//! A record has no tags, and its zone is full of records of others. So beside each of ours is another one that says whose it is; both come and go in one
//! batch, which Route 53 does whole or not at all. Why: `docs/decisions/0038-names-of-endpoints.md`.

mod batch;
mod calls;
mod mark;
mod place;
mod records;

#[cfg(test)]
mod tests;

use mlops_core::endpoint::deployment::DeploymentRef;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use self::batch::{Whose, foreign};
pub(crate) use self::calls::{Batch, Zone, change, in_sync, look, zone};
pub(crate) use self::place::place;
use crate::elb::Owner;
use crate::query::RestService;

/// How it is called.
pub(crate) const SERVICE: RestService = RestService {
    name: "Route 53",
    signer: "route53",
};

/// What a name leads to: a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alias {
    /// The load balancer's own name.
    pub(crate) dns_name: String,
    /// The hosted zone of that name, which is AWS's.
    pub(crate) zone_id: String,
    /// Whether it has addresses of IPv6 too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_dual: bool,
}

/// A record of an endpoint's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The zone that it is in.
    pub(crate) zone_id: String,
    /// The name.
    pub(crate) name: String,
    /// Where it leads.
    pub(crate) alias: Alias,
    /// The endpoint, and the deployment that made it lead there.
    pub(crate) owner: Owner,
}

impl Record {
    /// Whether this is about the same name in the same zone.
    pub(crate) fn is_at(&self, zone_id: &str, name: &str) -> bool {
        self.zone_id == zone_id && self.name == name
    }
}

/// What is there of a name: what leads somewhere, and what says whose that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    addresses: Vec<records::RecordSet>,
    mark: Option<records::RecordSet>,
}

impl Seen {
    /// Whether the endpoint's deployment itself made it.
    pub(crate) fn is_made_by(&self, endpoint: Uuid, deployment: &DeploymentRef) -> bool {
        self.marked().is_some_and(|mark| {
            mark.endpoint_id == endpoint && mark.deployment == deployment.to_string()
        })
    }
}
