//! What an endpoint that serves cannot become in one apply. Pure.

use super::registry;
use crate::endpoint::spec::{EcsSpec, EndpointSpec, IngressSpec, SlotChoice, TargetSpec};
use crate::error::Error;
use crate::names::cluster_name;

/// The problem of going from `before`, which serves, to `after`.
///
/// A cluster is the endpoint's own from its first deployment to its last, or never: it goes with what runs in it. And a rule with other conditions is another front, and the present one keeps its priority until the new one serves: requests would
/// be lost in between.
pub fn validate_change(before: &EndpointSpec, after: &EndpointSpec) -> Option<Error> {
    if let Some(problem) = registry::baseline(before, after) {
        return Some(problem);
    }
    let (TargetSpec::Ecs(before), TargetSpec::Ecs(after)) = (&before.target, &after.target) else {
        return None;
    };
    if before.creates_cluster != after.creates_cluster {
        return Some(whose(before));
    }
    let (
        IngressSpec::Rule {
            listener_arn,
            priority: priority @ SlotChoice::Fixed(number),
            host_headers,
            path_patterns,
        },
        IngressSpec::Rule {
            listener_arn: same_listener,
            priority: same_priority,
            host_headers: other_hosts,
            path_patterns: other_paths,
        },
    ) = (&before.ingress, &after.ingress)
    else {
        return None;
    };
    let is_same_slot = listener_arn == same_listener && priority == same_priority;
    let is_other_rule = host_headers != other_hosts || path_patterns != other_paths;
    (is_same_slot && is_other_rule).then(|| {
        Error::invalid(format!(
            "the rule with priority {number} of {listener_arn} serves this endpoint until one with the new conditions does, \
             and both cannot have that priority; change ingress.priority along with host_headers, path_patterns or domain_name, \
             or give an ingress.priority_range"
        ))
        .at("ingress.priority")
    })
}

/// The problem with a cluster that becomes the endpoint's own, or stops to be it.
fn whose(before: &EcsSpec) -> Error {
    let cluster = cluster_name(&before.cluster);
    let message = match before.creates_cluster {
        true => format!(
            "the endpoint made cluster {cluster} for itself, and the cluster goes with it; keep ecs.create_cluster, or name another cluster in \
             ecs.cluster_arn, which replaces the endpoint"
        ),
        false => format!(
            "cluster {cluster} was there before the endpoint, which cannot make it its own; keep ecs.cluster_arn"
        ),
    };
    Error::invalid(message).at("ecs.create_cluster")
}
