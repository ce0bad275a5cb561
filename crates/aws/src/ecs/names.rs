//! What an endpoint's things on ECS are called: fixed before anything is made.

use mlops_core::names::EndpointName;
pub(super) use mlops_core::names::cluster_name as cluster;

/// The name of a revision's service, of its task definition's family, and the token of the service's creation.
pub(super) use crate::elb::names::of_revision as service;

/// The one container of a task.
pub(super) const CONTAINER: &str = "server";
/// What the names of log streams begin with.
const STREAMS: &str = CONTAINER;

/// The log group of an endpoint's servers.
pub(crate) fn log_group(cluster: &str, endpoint: &EndpointName) -> String {
    format!("/mlops/endpoints/{}/{endpoint}", self::cluster(cluster))
}

/// What the container definition asks log streams to begin with.
pub(super) fn log_stream_prefix() -> &'static str {
    STREAMS
}

/// The log stream of a task's container, as the awslogs driver names it.
pub(crate) fn log_stream(task: &str) -> String {
    format!("{STREAMS}/{CONTAINER}/{task}")
}

/// What an ARN ends with: a task's id, a service's name, the family and number of a task definition.
pub(super) fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::tests::{owner, revision};
    use crate::elb::names::may_be_of;

    #[test]
    fn a_service_may_be_the_endpoints_if_its_name_has_the_endpoints_form() {
        let owner = owner("fraud_detection_of_cards");
        assert!(may_be_of(&owner.name, &service(&owner, &revision().name)));
        for other in [
            "fraud-detection-",
            "fraud-detection-0123456789abcdeg",
            "fraud-detection-0123456789abcdef0",
            "fraud-0123456789abcdef",
            "",
        ] {
            assert!(!may_be_of(&owner.name, other), "{other}");
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
