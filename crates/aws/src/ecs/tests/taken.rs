//! A service that no endpoint made is taken over: killed at writes of the registry, it is the endpoint's in the end or nobody's, and nothing in between.

use std::collections::BTreeSet;

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ServiceNamespace,
    TargetTrackingScalingPolicyConfiguration,
};
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Compatibility, ContainerDefinition, KeyValuePair, LaunchType,
    LoadBalancer, NetworkConfiguration, NetworkMode, PortMapping,
};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, PathPatternConditionConfig, ProtocolEnum,
    RuleCondition, TargetTypeEnum,
};
use mlops_core::conformance::saga::When;
use mlops_core::endpoint::spec::{EndpointSpec, IngressSpec, SlotChoice, TargetSpec};
use mlops_core::target::Target as _;

use super::super::{names, tags};
use super::endpoint::{Doing, Endpoint};
use super::kills::row;

/// The rule's priority: in no range that endpoints lease from.
const PRIORITY: u16 = 7;

/// A service that somebody made by hand, in a world of its own: with a target group, a rule of a listener of others, and what scales it.
struct Theirs {
    world: Endpoint,
    listener: String,
    rule: String,
    group: String,
    service: String,
    /// What was there before all of it.
    platform: BTreeSet<String>,
}

impl Theirs {
    async fn new() -> Option<Self> {
        let world = Endpoint::on_paper_among_others().await?;
        let elb = world.direct.elbv2().await.expect("a client");
        let balancer = elb.describe_load_balancers();
        let balancer = balancer
            .load_balancer_arns(&world.load_balancer)
            .send()
            .await;
        let vpc = balancer.expect("told").load_balancers()[0]
            .vpc_id()
            .expect("one")
            .to_owned();
        let nothing = FixedResponseActionConfig::builder()
            .status_code("404")
            .build();
        let made = elb
            .create_listener()
            .load_balancer_arn(&world.load_balancer)
            .protocol(ProtocolEnum::Http)
            .port(80)
            .default_actions(
                Action::builder()
                    .r#type(ActionTypeEnum::FixedResponse)
                    .fixed_response_config(nothing)
                    .build(),
            )
            .send()
            .await
            .expect("a listener");
        let listener = made.listeners()[0].listener_arn().expect("one").to_owned();
        let platform = world.left().await;
        // Not with the endpoint's name, by which what is left of it is told.
        let others = format!("theirs-{}", &world.name.as_str()[1..]);
        let made = elb
            .create_target_group()
            .name(&others)
            .target_type(TargetTypeEnum::Ip)
            .protocol(ProtocolEnum::Http)
            .port(8080)
            .vpc_id(vpc)
            .health_check_path("/up")
            .health_check_protocol(ProtocolEnum::Http)
            .send()
            .await
            .expect("a target group");
        let group = made.target_groups()[0]
            .target_group_arn()
            .expect("one")
            .to_owned();
        let paths = PathPatternConditionConfig::builder()
            .values("/shop/*")
            .build();
        let made = elb
            .create_rule()
            .listener_arn(&listener)
            .priority(i32::from(PRIORITY))
            .conditions(
                RuleCondition::builder()
                    .field("path-pattern")
                    .path_pattern_config(paths)
                    .build(),
            )
            .actions(
                Action::builder()
                    .r#type(ActionTypeEnum::Forward)
                    .target_group_arn(&group)
                    .build(),
            )
            .send()
            .await
            .expect("a rule");
        let rule = made.rules()[0].rule_arn().expect("one").to_owned();
        let service = serve(&world, &others, &group).await;
        scale(&world).await;
        Some(Self {
            listener,
            rule,
            group,
            service,
            platform,
            world,
        })
    }

    /// The endpoint where the service is.
    fn spec(&self, version: u64) -> EndpointSpec {
        let mut spec = self.world.spec(version);
        let TargetSpec::Ecs(ecs) = &mut spec.target else {
            unreachable!("an endpoint on ECS");
        };
        ecs.ingress = IngressSpec::Rule {
            listener_arn: self.listener.clone(),
            priority: SlotChoice::Fixed(PRIORITY),
            host_headers: Vec::new(),
            path_patterns: vec!["/shop/*".to_owned()],
        };
        spec
    }

    /// Everything of the service that a take-over may touch, in words.
    async fn look(&self) -> Vec<String> {
        let mut seen = Vec::new();
        let elb = self.world.direct.elbv2().await.expect("a client");
        let rules = elb.describe_rules().rule_arns(&self.rule).send().await;
        let rules = rules.map(|told| format!("{:?}", told.rules()));
        seen.push(rules.unwrap_or_else(|error| error.to_string()));
        for arn in [&self.rule, &self.group] {
            let tags = elb.describe_tags().resource_arns(arn).send().await;
            let tags = tags.map(|told| format!("{:?}", told.tag_descriptions()));
            seen.push(tags.unwrap_or_else(|error| error.to_string()));
        }
        let ecs = self.world.direct.ecs().await.expect("a client");
        let told = ecs
            .describe_services()
            .cluster(&self.world.cluster)
            .services(self.world.name.as_str())
            .include(aws_sdk_ecs::types::ServiceField::Tags)
            .send()
            .await
            .expect("told");
        seen.extend(told.services().iter().map(|one| {
            format!(
                "{:?} {} of {}, {:?}",
                one.status(),
                one.running_count(),
                one.desired_count(),
                tags::read(one.tags())
            )
        }));
        let scaling = self.world.direct.scaling().await.expect("a client");
        let targets = scaling
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs)
            .resource_ids(resource(&self.world))
            .send()
            .await
            .expect("told");
        for target in targets.scalable_targets() {
            let arn = target.scalable_target_arn().unwrap_or_default();
            let tags = scaling.list_tags_for_resource().resource_arn(arn).send();
            let tags = tags.await.expect("told").tags;
            seen.push(format!(
                "{} to {}, {:?}, {:?}",
                target.min_capacity(),
                target.max_capacity(),
                target.suspended_state(),
                tags.filter(|tags| !tags.is_empty())
            ));
        }
        seen.extend(self.world.left().await);
        seen
    }
}

async fn serve(world: &Endpoint, others: &str, group: &str) -> String {
    let ecs = world.direct.ecs().await.expect("a client");
    let container = ContainerDefinition::builder()
        .name("shop")
        .image(&world.image)
        .essential(true)
        .port_mappings(PortMapping::builder().container_port(8080).build())
        .environment(KeyValuePair::builder().name("A").value("b").build())
        .build();
    ecs.register_task_definition()
        .family(others)
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .cpu("256")
        .memory("512")
        .container_definitions(container)
        .send()
        .await
        .expect("a task definition");
    let addresses = AwsVpcConfiguration::builder().set_subnets(Some(world.subnets.clone()));
    let made = ecs
        .create_service()
        .cluster(&world.cluster)
        .service_name(world.name.as_str())
        .task_definition(others)
        .desired_count(2)
        .launch_type(LaunchType::Fargate)
        .network_configuration(
            NetworkConfiguration::builder()
                .awsvpc_configuration(addresses.build().expect("subnets"))
                .build(),
        )
        .load_balancers(
            LoadBalancer::builder()
                .target_group_arn(group)
                .container_name("shop")
                .container_port(8080)
                .build(),
        )
        .send()
        .await
        .expect("a service");
    let made = made.service().expect("described");
    made.service_arn().expect("one").to_owned()
}

fn resource(world: &Endpoint) -> String {
    format!("service/{}/{}", names::cluster(&world.cluster), world.name)
}

async fn scale(world: &Endpoint) {
    let scaling = world.direct.scaling().await.expect("a client");
    scaling
        .register_scalable_target()
        .service_namespace(ServiceNamespace::Ecs)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .resource_id(resource(world))
        .min_capacity(2)
        .max_capacity(4)
        .send()
        .await
        .expect("registered");
    let metric = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::EcsServiceAverageCpuUtilization)
        .build()
        .expect("a metric");
    scaling
        .put_scaling_policy()
        .service_namespace(ServiceNamespace::Ecs)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .resource_id(resource(world))
        .policy_name("by-hand")
        .policy_type(PolicyType::TargetTrackingScaling)
        .target_tracking_scaling_policy_configuration(
            TargetTrackingScalingPolicyConfiguration::builder()
                .target_value(50.0)
                .predefined_metric_specification(metric)
                .build()
                .expect("a configuration"),
        )
        .send()
        .await
        .expect("a policy");
}

/// What comes after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The same apply again.
    Again,
    /// `mlops endpoint repair`, and then the same apply.
    Repair,
}

/// One kill and what came after; false once the take-over has fewer writes.
async fn killed(commit: u64, when: When, after: After) -> Result<bool, String> {
    let theirs = Theirs::new().await.expect("it was there before");
    let world = &theirs.world;
    let before = theirs.look().await;
    let (deps, killed) = world.process_killed_at(commit, when);
    drop(world.take_over(&deps, theirs.spec(1)).await);
    let died = killed.is_dead();
    if after == After::Repair && died {
        // Where nothing is open there is nothing to repair.
        drop(world.repair().await);
        let now = theirs.look().await;
        if world.record().await.is_none() && now != before {
            return Err(format!("it was {before:#?} and is {now:#?}"));
        }
    }
    let outcome = world.take_over(&world.process(), theirs.spec(1)).await;
    let outcome = outcome.map_err(|error| error.chain().to_string())?;
    if !outcome.is_success() {
        return Err(outcome.to_string());
    }
    let is_there = |left: &BTreeSet<String>| left.contains(&format!("service {}", theirs.service));
    if !world.serves_only(1).await || is_there(&world.left().await) {
        return Err(format!("{:?} is there", world.left().await));
    }
    world.done(Doing::Delete).await?;
    let (left, seen) = (world.left().await, theirs.look().await);
    let rule_stays = seen.iter().any(|one| one.contains(&theirs.group));
    match left == theirs.platform && !rule_stays {
        true => Ok(died),
        false => Err(format!("{left:?} is left, {seen:#?}")),
    }
}

async fn matrix(stride: u64) {
    if Theirs::new().await.is_none() {
        return;
    }
    for (when, after) in [(When::Before, After::Repair), (When::After, After::Again)] {
        let what = format!("killed {when:?}, {after:?},");
        let (kills, wrong) = row(&what, stride, |commit| killed(commit, when, after)).await;
        println!(
            "take over, killed {when:?} a write, {after:?}: {kills} kills, {} wrong",
            wrong.len()
        );
        assert!(kills > 1, "{kills} kills, {wrong:#?}");
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_some_writes_of_a_take_over_leaves_the_service_to_the_endpoint_or_as_it_was() {
    matrix(9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: minutes; every write"]
async fn a_kill_at_any_write_of_a_take_over_leaves_the_service_to_the_endpoint_or_as_it_was() {
    matrix(1).await;
}

#[tokio::test]
async fn a_service_is_read_as_the_endpoint_that_it_would_be() {
    let Some(theirs) = Theirs::new().await else {
        return;
    };
    let before = theirs.look().await;
    let found = theirs.world.target().foreign(&theirs.world.id()).await;
    let found = found.expect("it can be one");
    assert_eq!(theirs.look().await, before, "it is only read");
    let spec = &found.spec;
    let (name, main) = spec.variants.iter().next().expect("one");
    assert_eq!((name.as_str(), spec.id()), ("main", theirs.world.id()));
    assert_eq!(main.workload.own_image(), Some(theirs.world.image.as_str()));
    assert_eq!(
        (main.compute.cpu, main.compute.memory_mb),
        (Some(256), Some(512))
    );
    assert_eq!(main.environment["A"], "b");
    assert_eq!(spec.health_check.path.as_deref(), Some("/up"));
    assert_eq!(spec.drain_seconds, 300);
    let scaled = spec.autoscaling.as_ref().expect("it is scaled");
    assert_eq!((scaled.min, scaled.max), (2, 4));
    assert!(scaled.policies.contains_key("by-hand"));
    assert!(
        theirs
            .world
            .target()
            .satisfies(&found.server, &theirs.spec(1))
    );
    assert!(
        !theirs
            .world
            .target()
            .satisfies(&found.server, &theirs.world.spec(1))
    );
    // Whoever asks for another place is told, and nothing is done.
    let world = &theirs.world;
    let refused = world.take_over(&world.process(), world.spec(1)).await;
    let refused = refused.expect_err("it would be elsewhere");
    assert_eq!(refused.attribute(), Some("ingress"), "{refused}");
    assert_eq!(theirs.look().await, before);
}

#[tokio::test]
async fn what_cannot_be_taken_over_for_a_bad_version_is_as_it_was() {
    let Some(theirs) = Theirs::new().await else {
        return;
    };
    let world = &theirs.world;
    let before = theirs.look().await;
    let mut bad = theirs.spec(1);
    for variant in bad.variants.values_mut() {
        let ends = ("EXIT_CODE".to_owned(), "78".to_owned());
        variant.environment.extend([ends]);
    }
    let outcome = world.take_over(&world.process(), bad).await.expect("told");
    assert!(!outcome.is_success(), "{outcome}");
    assert_eq!(theirs.look().await, before);
    assert!(world.record().await.is_none());
}
