//! How the target knows its server again.

use std::collections::BTreeSet;

use mlops_core::endpoint::spec::{EcsSpec, IngressSpec};
use mlops_core::target::{RevisionName, Server};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::dns::Named;
use super::names;
use crate::elb::{Front, FrontKind, Owner};

/// A server: the endpoint's front, and where its services and logs are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handle {
    /// The endpoint, and the deployment that brought this server up: what all of it is tagged with.
    pub(super) owner: Owner,
    /// Where clients reach it.
    pub(super) front: Front,
    /// What the front was made for.
    pub(super) ingress: IngressSpec,
    /// The cluster, by ARN or name.
    pub(super) cluster: String,
    /// Whether the cluster is the endpoint's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) owns_cluster: bool,
    /// The log group of its tasks.
    pub(super) log_group: String,
    /// The region of all of it.
    pub(super) region: String,
    /// The name that clients know it by, beside the front's own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dns: Option<Named>,
    /// What ran here before the endpoint, if it was taken over. It stays in the handle once it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<FoundRevision>,
}

/// A service that was there before the endpoint, as a revision of it: it keeps its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FoundRevision {
    /// What the endpoint calls it.
    pub(super) revision: RevisionName,
    /// The service's name.
    pub(super) service: String,
    /// Its target group.
    pub(super) group_arn: String,
}

impl Handle {
    /// The server in the core's words.
    pub(super) fn server(&self) -> Result<Server> {
        let port = match self.front.kind {
            FrontKind::Listener => Some(self.front.slot),
            FrontKind::Rule => None,
        };
        Server::new(self.url(), port, self)
    }

    /// Where clients reach it: scheme and port are the front's, whatever the name.
    fn url(&self) -> String {
        let own = &self.front.url;
        let (Some(named), Some((scheme, host))) = (&self.dns, own.split_once("://")) else {
            return own.clone();
        };
        let port = host.rsplit_once(':').map(|(_, port)| format!(":{port}"));
        format!(
            "{scheme}://{}{}",
            named.domain_name,
            port.unwrap_or_default()
        )
    }

    /// Whether the server is where `spec` wants one.
    pub(super) fn satisfies(&self, spec: &EcsSpec) -> bool {
        is_where(&self.ingress, self.front.slot, &self.cluster, spec)
    }

    /// What ran before the endpoint, if `revision` is that.
    pub(super) fn found(&self, revision: &RevisionName) -> Option<&FoundRevision> {
        (self.found.as_ref()).filter(|found| found.revision == *revision)
    }

    /// The name of the revision's service.
    pub(super) fn service(&self, revision: &RevisionName) -> String {
        match self.found(revision) {
            Some(found) => found.service.clone(),
            None => names::service(&self.owner, revision),
        }
    }

    /// The error of every call about a server that is gone.
    pub(super) fn gone(&self) -> Error {
        Error::not_found(format!(
            "the front of endpoint {:?} at {} is gone or no longer the endpoint's; apply again to make it",
            self.owner.name.as_str(),
            self.front.url
        ))
    }
}

/// Whether what was made for this ingress, in this slot and this cluster, is where `spec` wants it.
pub(super) fn is_where(ingress: &IngressSpec, slot: u16, cluster: &str, spec: &EcsSpec) -> bool {
    let here = match (ingress, &spec.ingress) {
        (
            IngressSpec::Listener {
                load_balancer_arn, ..
            },
            IngressSpec::Listener {
                load_balancer_arn: wanted,
                port,
            },
        ) => load_balancer_arn == wanted && port.range().contains(slot),
        (
            IngressSpec::Rule {
                listener_arn,
                host_headers,
                path_patterns,
                ..
            },
            IngressSpec::Rule {
                listener_arn: wanted,
                host_headers: hosts,
                path_patterns: paths,
                priority,
            },
        ) => {
            listener_arn == wanted
                && are_same(host_headers, hosts)
                && are_same(path_patterns, paths)
                && priority.range().contains(slot)
        }
        _ => false,
    };
    here && same_cluster(cluster, &spec.cluster)
}

/// In whatever order.
fn are_same(some: &[String], others: &[String]) -> bool {
    let set = |all: &[String]| all.iter().cloned().collect::<BTreeSet<_>>();
    set(some) == set(others)
}

/// Whether both are the same cluster, each given by ARN or name.
fn same_cluster(one: &str, other: &str) -> bool {
    let by_arn = |cluster: &str| cluster.starts_with("arn:");
    if by_arn(one) && by_arn(other) {
        return one == other;
    }
    names::cluster(one) == names::cluster(other)
}

#[cfg(test)]
mod tests {
    use mlops_core::endpoint::spec::{PortRange, SlotChoice};

    use super::*;
    use crate::ecs::tests::{ecs_spec, handle};

    fn rule(hosts: &[&str], priority: SlotChoice) -> IngressSpec {
        IngressSpec::Rule {
            listener_arn: "arn:listener".to_owned(),
            priority,
            host_headers: hosts.iter().map(|host| (*host).to_owned()).collect(),
            path_patterns: Vec::new(),
        }
    }

    #[test]
    fn a_listener_stays_while_its_port_is_in_the_range_of_the_same_balancer() {
        let handle = handle();
        let wants = |change: fn(&mut EcsSpec)| {
            let mut spec = ecs_spec();
            change(&mut spec);
            handle.satisfies(&spec)
        };
        let port = |spec: &mut EcsSpec, wanted: SlotChoice| match &mut spec.ingress {
            IngressSpec::Listener { port, .. } => *port = wanted,
            IngressSpec::Rule { .. } => unreachable!("a listener"),
        };
        assert!(wants(|_| {}));
        let mut spec = ecs_spec();
        port(&mut spec, SlotChoice::Fixed(20_001));
        assert!(!handle.satisfies(&spec), "another port");
        port(&mut spec, SlotChoice::Fixed(20_000));
        assert!(handle.satisfies(&spec), "the port it has");
        port(
            &mut spec,
            SlotChoice::Leased(PortRange {
                first: 30_000,
                last: 30_001,
            }),
        );
        assert!(!handle.satisfies(&spec), "another range");
        assert!(!wants(|spec| spec.cluster = "other".to_owned()));
        assert!(!wants(
            |spec| spec.cluster = "arn:aws:ecs:us-east-1:111122223333:cluster/models".to_owned()
        ));
        assert!(wants(|spec| spec.cluster = "models".to_owned()));
        assert!(!wants(
            |spec| spec.ingress = rule(&["a"], SlotChoice::Fixed(20_000))
        ));
    }

    #[test]
    fn a_rule_stays_while_it_catches_the_same_requests() {
        let mut handle = handle();
        handle.ingress = rule(&["a"], SlotChoice::Leased(SlotChoice::PRIORITIES));
        let wants = |ingress: IngressSpec| {
            handle.satisfies(&EcsSpec {
                ingress,
                ..ecs_spec()
            })
        };
        assert!(wants(rule(&["a"], SlotChoice::Fixed(20_000))));
        assert!(!wants(rule(&["b"], SlotChoice::Fixed(20_000))));
        assert!(!wants(rule(&["a"], SlotChoice::Fixed(7))));
    }
}
