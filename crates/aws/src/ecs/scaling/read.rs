//! What Application Auto Scaling answers, in the core's words. Pure.

use std::collections::BTreeMap;

use aws_sdk_applicationautoscaling::types::{
    MetricType, ScalableTarget, ScalingPolicy as TheirPolicy, ScheduledAction,
    TargetTrackingScalingPolicyConfiguration,
};
use mlops_core::endpoint::Period;
use mlops_core::endpoint::spec::{
    ScalingMetric, ScalingPolicy, ScalingSchedule, default_cooldown, default_timezone,
};

use super::target::Bounds;

pub(super) fn bounds(target: &ScalableTarget) -> Bounds {
    let suspended = target.suspended_state();
    let is = |what: Option<bool>| what.unwrap_or(false);
    let scale_in = suspended.and_then(|state| state.dynamic_scaling_in_suspended());
    let scheduled = suspended.and_then(|state| state.scheduled_scaling_suspended());
    let scale_out = suspended.and_then(|state| state.dynamic_scaling_out_suspended());
    Bounds {
        min: u32::try_from(target.min_capacity()).unwrap_or(0),
        max: u32::try_from(target.max_capacity()).unwrap_or(0),
        held: is(scale_in) && is(scheduled),
        odd: is(scale_out) || is(scale_in) != is(scheduled),
    }
}

/// Whether one of them counts requests, be they others'.
pub(super) fn counts_requests(policies: &[TheirPolicy]) -> bool {
    policies
        .iter()
        .filter_map(|policy| policy.target_tracking_scaling_policy_configuration())
        .filter_map(|tracking| tracking.predefined_metric_specification())
        .any(|metric| *metric.predefined_metric_type() == MetricType::AlbRequestCountPerTarget)
}

/// By name. Requests are counted by `label`.
pub(super) fn policies(
    policies: &[TheirPolicy],
    label: Option<&str>,
) -> BTreeMap<String, ScalingPolicy> {
    policies
        .iter()
        .map(|one| (one.policy_name().to_owned(), policy(one, label)))
        .collect()
}

/// A policy that could not have been asked for measures [`ScalingMetric::Other`].
pub(super) fn policy(policy: &TheirPolicy, label: Option<&str>) -> ScalingPolicy {
    let Some(tracking) = policy.target_tracking_scaling_policy_configuration() else {
        return ScalingPolicy {
            metric: ScalingMetric::Other,
            target: 0.0,
            scale_in_cooldown: default_cooldown(),
            scale_out_cooldown: default_cooldown(),
        };
    };
    let cooldown = |seconds: Option<i32>| {
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.map_or(default_cooldown(), Period::seconds)
    };
    ScalingPolicy {
        metric: metric(tracking, label),
        target: tracking.target_value(),
        scale_in_cooldown: cooldown(tracking.scale_in_cooldown()),
        scale_out_cooldown: cooldown(tracking.scale_out_cooldown()),
    }
}

fn metric(
    tracking: &TargetTrackingScalingPolicyConfiguration,
    label: Option<&str>,
) -> ScalingMetric {
    let Some(metric) = tracking.predefined_metric_specification() else {
        return ScalingMetric::Other;
    };
    if tracking.disable_scale_in() == Some(true) {
        return ScalingMetric::Other;
    }
    match metric.predefined_metric_type() {
        MetricType::EcsServiceAverageCpuUtilization => ScalingMetric::Cpu,
        MetricType::EcsServiceAverageMemoryUtilization => ScalingMetric::Memory,
        // Those of another target group are others' requests.
        MetricType::AlbRequestCountPerTarget if metric.resource_label() == label => {
            ScalingMetric::RequestsPerTarget
        }
        _ => ScalingMetric::Other,
    }
}

pub(super) fn schedule(action: &ScheduledAction) -> ScalingSchedule {
    let numbers = action.scalable_target_action();
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let mut schedule = action.schedule().to_owned();
    if action.start_time().is_some() || action.end_time().is_some() {
        // Nobody can ask for that here.
        schedule.push_str(", within limits");
    }
    ScalingSchedule {
        schedule,
        timezone: action
            .timezone()
            .map_or_else(default_timezone, str::to_owned),
        min: count(numbers.and_then(|numbers| numbers.min_capacity())),
        max: count(numbers.and_then(|numbers| numbers.max_capacity())),
    }
}
