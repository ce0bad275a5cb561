//! What a front does with a request: divides it among target groups, or says that there is none yet.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, ForwardActionConfig, TargetGroupTuple,
};
use uuid::Uuid;

use super::Owner;

/// The answer of a front that was just made. It names the endpoint and the deployment, so that no two of them ask for the same
/// listener: of two equal requests for one, Elastic Load Balancing answers the second with what the first made.
pub(super) fn unused(owner: &Owner) -> Action {
    let Owner {
        endpoint,
        deployment,
        ..
    } = owner;
    unavailable(&format!(
        "endpoint {endpoint} has no revision yet (deployment {deployment})"
    ))
}

/// The answer of a front whose last target group has left.
pub(super) fn idle(endpoint: Uuid) -> Action {
    unavailable(&format!("endpoint {endpoint} has no revision"))
}

fn unavailable(message: &str) -> Action {
    let body = format!(r#"{{"error":"{message}"}}"#);
    Action::builder()
        .r#type(ActionTypeEnum::FixedResponse)
        .fixed_response_config(
            FixedResponseActionConfig::builder()
                .status_code("503")
                .content_type("application/json")
                .message_body(body)
                .build(),
        )
        .build()
}

/// Divides requests among target groups by their weights.
pub(super) fn forward(weights: impl IntoIterator<Item = (String, u32)>) -> Action {
    let mut config = ForwardActionConfig::builder();
    for (group, weight) in weights {
        let weight = i32::try_from(weight).unwrap_or(i32::MAX);
        let group = TargetGroupTuple::builder()
            .target_group_arn(group)
            .weight(weight);
        config = config.target_groups(group.build());
    }
    Action::builder()
        .r#type(ActionTypeEnum::Forward)
        .forward_config(config.build())
        .build()
}

/// The target groups of a front's actions, with their weights.
pub(super) fn groups(actions: &[Action]) -> Vec<(String, u32)> {
    let weight = |tuple: &TargetGroupTuple| {
        let weight = tuple.weight().and_then(|weight| weight.try_into().ok());
        Some((tuple.target_group_arn()?.to_owned(), weight.unwrap_or(1)))
    };
    actions
        .iter()
        .flat_map(|action| match action.forward_config() {
            Some(config) => config.target_groups().iter().filter_map(weight).collect(),
            // The short form of one group, which others may have written.
            None => Vec::from_iter(action.target_group_arn().map(|arn| (arn.to_owned(), 1))),
        })
        .collect()
}
