//! What an endpoint's things on ECS are called: fixed before anything is made.

use mlops_core::names::EndpointName;
use mlops_core::target::RevisionName;

use crate::elb::{Owner, names};

/// The one container of a task.
pub(super) const CONTAINER: &str = "server";
/// What the names of log streams begin with.
const STREAMS: &str = CONTAINER;
/// Characters of the hash at the end of a derived name.
const HASH: usize = 16;

/// The name of a revision's service, of its task definition's family, and the token of the service's creation.
pub(super) fn service(owner: &Owner, revision: &RevisionName) -> String {
    names::derived(&owner.name, owner.endpoint, revision.as_str())
}

/// Whether a service of this name may be one of the endpoint's. Its tags decide.
pub(super) fn may_be_of(owner: &Owner, service: &str) -> bool {
    let any = names::derived(&owner.name, owner.endpoint, "");
    let shown = &any[..any.len() - HASH];
    service.len() == any.len()
        && service
            .strip_prefix(shown)
            .is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A cluster's name out of its ARN or name.
pub(super) fn cluster(cluster: &str) -> &str {
    cluster.rsplit('/').next().unwrap_or(cluster)
}

/// The log group of an endpoint's servers.
pub(super) fn log_group(cluster: &str, endpoint: &EndpointName) -> String {
    format!("/mlops/endpoints/{}/{endpoint}", self::cluster(cluster))
}

/// What the container definition asks log streams to begin with.
pub(super) fn log_stream_prefix() -> &'static str {
    STREAMS
}

/// The log stream of a task's container, as the awslogs driver names it.
pub(super) fn log_stream(task: &str) -> String {
    format!("{STREAMS}/{CONTAINER}/{task}")
}

/// A task's id out of its ARN.
pub(super) fn task(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::tests::{owner, revision};

    #[test]
    fn a_service_may_be_the_endpoints_if_its_name_has_the_endpoints_form() {
        let owner = owner("fraud_detection_of_cards");
        assert!(may_be_of(&owner, &service(&owner, &revision().name)));
        for other in [
            "fraud-detection-",
            "fraud-detection-0123456789abcdeg",
            "fraud-detection-0123456789abcdef0",
            "fraud-0123456789abcdef",
            "",
        ] {
            assert!(!may_be_of(&owner, other), "{other}");
        }
    }

    #[test]
    fn a_cluster_is_known_by_its_name_however_it_is_given() {
        let arn = "arn:aws:ecs:eu-west-1:111122223333:cluster/models";
        assert_eq!(cluster(arn), "models");
        assert_eq!(cluster("models"), "models");
        let endpoint = EndpointName::new("digits").expect("legal");
        assert_eq!(log_group(arn, &endpoint), "/mlops/endpoints/models/digits");
    }
}
