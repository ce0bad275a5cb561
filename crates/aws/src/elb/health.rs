//! What a load balancer thinks of the targets in a group.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{TargetHealthDescription, TargetHealthStateEnum};
use futures::future::try_join_all;
use mlops_core::Result;

use super::Balancers;
use super::calls::{Blame, about, run};

/// How many targets of a group are in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GroupHealth {
    /// They take requests.
    pub(crate) healthy: u32,
    /// They were asked, and their answers were bad.
    pub(crate) unhealthy: u32,
    /// They were not asked often enough to know.
    pub(crate) initial: u32,
    /// They go, and end the requests that they have.
    pub(crate) draining: u32,
    /// They are not asked.
    pub(crate) unused: u32,
    /// Why targets are not healthy, for messages; each reason once.
    pub(crate) reasons: Vec<String>,
}

impl GroupHealth {
    fn of(targets: &[TargetHealthDescription]) -> Self {
        let mut found = Self::default();
        let mut reasons = BTreeSet::new();
        for target in targets {
            let Some(health) = target.target_health() else {
                found.unused += 1;
                continue;
            };
            let state = health.state();
            let count = match state {
                Some(TargetHealthStateEnum::Healthy) => &mut found.healthy,
                Some(TargetHealthStateEnum::Unhealthy) => &mut found.unhealthy,
                Some(TargetHealthStateEnum::Initial) => &mut found.initial,
                Some(
                    TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining,
                ) => &mut found.draining,
                _ => &mut found.unused,
            };
            *count += 1;
            if let (Some(state), Some(reason)) = (state, health.reason()) {
                let said = health.description().unwrap_or_default();
                reasons.insert(match said {
                    "" => format!("{}: {}", state.as_str(), reason.as_str()),
                    said => format!("{}: {} ({said})", state.as_str(), reason.as_str()),
                });
            }
        }
        found.reasons = reasons.into_iter().collect();
        found
    }
}

impl Balancers {
    /// The health of these target groups, by their ARNs. One that is gone is not among them.
    pub(crate) async fn health(
        &self,
        group_arns: &[String],
    ) -> Result<BTreeMap<String, GroupHealth>> {
        let each = group_arns.iter().map(|arn| async move {
            let resource = format!("target group {arn}");
            let about = about("DescribeTargetHealth", resource, Blame::Nothing);
            let sent = run(&self.clients, &about, |client| {
                Box::pin(client.describe_target_health().target_group_arn(arn).send())
            });
            match sent.await {
                Ok(found) => Ok(Some((
                    arn.clone(),
                    GroupHealth::of(found.target_health_descriptions()),
                ))),
                Err(refusal) if refusal.is_missing() => Ok(None),
                Err(refusal) => Err(refusal.into()),
            }
        });
        let all: Result<Vec<_>> = try_join_all(each).await;
        Ok(all?.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::{TargetHealth, TargetHealthReasonEnum};

    use super::*;

    #[test]
    fn targets_are_counted_by_state_and_each_reason_is_told_once() {
        let target = |state: &str, reason: Option<&str>| {
            let health = TargetHealth::builder()
                .state(state.into())
                .set_reason(reason.map(TargetHealthReasonEnum::from))
                .set_description(reason.map(|_| "Health checks failed".to_owned()));
            TargetHealthDescription::builder()
                .target_health(health.build())
                .build()
        };
        let found = GroupHealth::of(&[
            target("healthy", None),
            target("unhealthy", Some("Target.Timeout")),
            target("unhealthy", Some("Target.Timeout")),
            target("initial", Some("Elb.InitialHealthChecking")),
            target("draining", None),
            target("unhealthy.draining", None),
            target("unused", None),
            target("unavailable", None),
        ]);
        assert_eq!(
            found,
            GroupHealth {
                healthy: 1,
                unhealthy: 2,
                initial: 1,
                draining: 2,
                unused: 2,
                reasons: vec![
                    "initial: Elb.InitialHealthChecking (Health checks failed)".to_owned(),
                    "unhealthy: Target.Timeout (Health checks failed)".to_owned(),
                ],
            }
        );
    }
}
