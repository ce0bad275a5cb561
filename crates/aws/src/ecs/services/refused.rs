//! What ECS says where it makes no service, and which attribute says it.

use mlops_core::Error;

/// What a service could not be made of, and the attribute that says it.
pub(super) fn refused(error: Error, text: &str) -> Error {
    // It joined the front a moment ago, and ECS has not seen it yet.
    if text.contains("does not have an associated load balancer") {
        return Error::unavailable(
            "ECS does not see yet that the target group is behind the load balancer",
        )
        .because(error);
    }
    let lower = text.to_ascii_lowercase();
    let attribute = if lower.contains("subnet") {
        "network.subnets"
    } else if lower.contains("security group") {
        "network.security_groups"
    } else if lower.contains("capacity provider") {
        "ecs.capacity_providers"
    } else {
        return error;
    };
    error.at(attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_cannot_be_made_of_is_blamed_on_its_attribute() {
        for (said, attribute) in [
            ("The subnet ID 'subnet-9' does not exist", "network.subnets"),
            (
                "The Security Group 'sg-9' does not exist",
                "network.security_groups",
            ),
            (
                "The specified capacity provider 'gpu' was not found",
                "ecs.capacity_providers",
            ),
        ] {
            let error = refused(Error::invalid(said), said);
            assert_eq!(error.attribute(), Some(attribute), "{said}");
        }
        let other = refused(Error::invalid("no"), "no");
        assert_eq!(other.attribute(), None);
    }
}
