use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTarget,
    ScalingPolicy, ServiceNamespace, SuspendedState, TargetTrackingScalingPolicyConfiguration,
};
use aws_smithy_types::DateTime;

use super::*;

fn wanted() -> Autoscaling {
    crate::ecs::tests::autoscaling()
}

fn bounded(min: u32, max: u32) -> Bounds {
    Bounds {
        min,
        max,
        held: false,
        odd: false,
    }
}

#[test]
fn what_a_schedule_has_set_stays_and_anything_else_is_set_right() {
    let free = |found| bounds(&wanted(), found, None);
    assert_eq!(free(None), bounded(1, 10));
    assert_eq!(free(Some(bounded(1, 2))), bounded(1, 2), "it is night");
    assert_eq!(free(Some(bounded(1, 9))), bounded(1, 10));
    assert_eq!(free(Some(bounded(3, 10))), bounded(1, 10));
    let odd = Bounds {
        odd: true,
        ..bounded(1, 10)
    };
    assert_eq!(free(Some(odd)), bounded(1, 10));
}

#[test]
fn what_is_held_may_have_what_it_has() {
    let held = |max| Bounds {
        held: true,
        ..bounded(1, max)
    };
    let hold = |found, instances| bounds(&wanted(), found, Some(instances));
    assert_eq!(hold(None, 0), held(10));
    assert_eq!(hold(None, 14), held(14));
    // At night two are the most, and ten that came before are not taken away by being held.
    assert_eq!(hold(Some(bounded(1, 2)), 10), held(10));
    assert_eq!(hold(Some(held(14)), 14), held(14), "asked for again");
    assert_eq!(bounds(&wanted(), Some(held(14)), None), bounded(1, 10));
}

#[test]
fn requests_are_counted_by_load_balancer_and_target_group() {
    let arn = |what: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:111122223333:{what}");
    let balancer = arn("loadbalancer/app/main/50dc6c495c0c9188");
    let found = label(&balancer, &arn("targetgroup/digits/6d0ecf831eec9f09"));
    let right = "app/main/50dc6c495c0c9188/targetgroup/digits/6d0ecf831eec9f09";
    assert_eq!(found.as_deref(), Some(right));
    assert_eq!(label("main", &arn("targetgroup/digits/1")), None);
    assert_eq!(label(&balancer, "digits"), None);
}

#[test]
fn a_target_is_held_if_both_are_suspended_and_nothing_else() {
    let told = |scale_in, scheduled, scale_out| {
        let suspended = SuspendedState::builder()
            .dynamic_scaling_in_suspended(scale_in)
            .scheduled_scaling_suspended(scheduled)
            .dynamic_scaling_out_suspended(scale_out)
            .build();
        let target = ScalableTarget::builder()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id("service/models/digits")
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .min_capacity(1)
            .max_capacity(10)
            .role_arn("arn")
            .creation_time(DateTime::from_secs(0))
            .suspended_state(suspended);
        let found = read::bounds(&target.build().expect("whole"));
        (found.held, found.odd)
    };
    assert_eq!(told(false, false, false), (false, false));
    assert_eq!(told(true, true, false), (true, false));
    assert_eq!(told(true, false, false), (false, true));
    assert_eq!(told(false, true, false), (false, true));
    assert_eq!(told(false, false, true), (false, true));
}

#[test]
fn a_policy_that_could_not_be_asked_for_is_others() {
    type Change = fn(
        aws_sdk_applicationautoscaling::types::builders::TargetTrackingScalingPolicyConfigurationBuilder,
    ) -> aws_sdk_applicationautoscaling::types::builders::TargetTrackingScalingPolicyConfigurationBuilder;
    let told = |metric: MetricType, label: Option<&str>, change: Change| {
        let metric = PredefinedMetricSpecification::builder()
            .predefined_metric_type(metric)
            .set_resource_label(label.map(str::to_owned))
            .build()
            .expect("whole");
        let configuration = TargetTrackingScalingPolicyConfiguration::builder()
            .target_value(60.0)
            .predefined_metric_specification(metric);
        let policy = ScalingPolicy::builder()
            .policy_arn("arn")
            .policy_name("cpu")
            .service_namespace(ServiceNamespace::Ecs)
            .resource_id("service/models/digits")
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .policy_type(PolicyType::TargetTrackingScaling)
            .creation_time(DateTime::from_secs(0))
            .target_tracking_scaling_policy_configuration(
                change(configuration).build().expect("whole"),
            );
        read::policy(&policy.build().expect("whole"), Some("label"))
    };
    let cpu = told(MetricType::EcsServiceAverageCpuUtilization, None, |one| one);
    assert_eq!(
        Some(&cpu),
        wanted().policies.get("cpu"),
        "with the service's own cooldowns"
    );
    let metric = |metric, label, change| told(metric, label, change).metric;
    let requests = MetricType::AlbRequestCountPerTarget;
    assert_eq!(
        metric(requests.clone(), Some("label"), |one| one),
        ScalingMetric::RequestsPerTarget
    );
    assert_eq!(
        metric(requests, Some("another"), |one| one),
        ScalingMetric::Other
    );
    assert_eq!(
        metric(
            MetricType::EcsServiceAverageCpuUtilizationHighResolution,
            None,
            |one| one
        ),
        ScalingMetric::Other
    );
    assert_eq!(
        metric(
            MetricType::EcsServiceAverageMemoryUtilization,
            None,
            |one| one.disable_scale_in(true)
        ),
        ScalingMetric::Other
    );
}
