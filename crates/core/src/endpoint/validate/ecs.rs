//! What can be wrong with an endpoint on ECS. Limits are those of the services' API references.

use super::{capacity, dns, efs, gpu, machines, model_cache, tasks};
use crate::endpoint::Percent;
use crate::endpoint::arn::{Arn, region_of_arn};
use crate::endpoint::spec::{
    EcsSpec, EndpointSpec, HealthCheck, IngressSpec, LaunchType, SlotChoice, Strategy, VariantSpec,
};
use crate::error::Error;
use crate::rollout::Source;

/// A rule's conditions hold five values at most (Elastic Load Balancing, quotas of an Application Load Balancer).
const MOST_CONDITION_VALUES: usize = 5;
/// The highest priority of a listener's rule (`CreateRule`).
const HIGHEST_PRIORITY: u16 = 50_000;
/// Variants of which each can have an old and a new target group in one forward action, which takes five at most.
const MOST_VARIANTS: usize = 2;
/// Retentions that `PutRetentionPolicy` takes, in days.
const RETENTIONS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// Every problem of `spec` that an endpoint on ECS has.
pub(super) fn ecs(spec: &EndpointSpec, ecs: &EcsSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    let mut refuse = |attribute: &str, message: String| {
        problems.push(Error::invalid(message).at(attribute));
    };
    if !ecs.creates_cluster && !is_cluster(&ecs.cluster) {
        refuse(
            "ecs.cluster_arn",
            format!(
                "{:?} is not a cluster's ARN, such as arn:aws:ecs:eu-west-1:111122223333:cluster/models",
                ecs.cluster
            ),
        );
    }
    for (attribute, arn) in [
        ("ecs.execution_role_arn", &ecs.execution_role_arn),
        ("ecs.task_role_arn", &ecs.task_role_arn),
    ] {
        if !is_role(arn) {
            refuse(
                attribute,
                format!(
                    "{arn:?} is not a role's ARN, such as arn:aws:iam::111122223333:role/serve"
                ),
            );
        }
    }
    let runs_server = |variant: &VariantSpec| variant.workload.own_image().is_none();
    if spec.variants.values().any(runs_server)
        && let Some(problem) = server_image(&ecs.image)
    {
        refuse("ecs", problem);
    }
    if !RETENTIONS.contains(&ecs.log_retention_days) {
        refuse(
            "ecs.log_retention_days",
            format!(
                "CloudWatch Logs does not know a retention of {} days; 7, 14, 30, 90 and 365 are among those it does",
                ecs.log_retention_days
            ),
        );
    }
    if ecs.network.subnets.is_empty() {
        refuse(
            "network.subnets",
            "tasks need at least one subnet".to_owned(),
        );
    }
    problems.extend(capacity::of(ecs));
    problems.extend(machines::of(spec, ecs));
    problems.extend(gpu::of(spec, ecs));
    problems.extend(model_cache::of(spec, ecs));
    problems.extend(efs::of(spec, ecs));
    problems.extend(ingress(&ecs.ingress));
    problems.extend(same_region(ecs));
    problems.extend(dns::of(ecs));
    problems.extend(health_check(&spec.health_check));
    problems.extend(rollout(spec));
    problems.extend(variants(spec, ecs.capacity.launch_type()));
    problems
}

/// What is wrong with the model server's image. A tag could move between two tasks of one revision.
fn server_image(image: &str) -> Option<String> {
    const HOW: &str = "set server_image { uri = \"REPOSITORY:TAG\" } in the provider block; `mlops image push --to REPOSITORY` publishes the image";
    if image.is_empty() {
        return Some(format!(
            "a model needs a server to run in a container: {HOW}"
        ));
    }
    (!tasks::has_digest(image)).then(|| {
        format!("the provider's server_image {image:?} names no digest, and a tag may move: {HOW}")
    })
}

fn is_cluster(arn: &str) -> bool {
    Arn::read(arn).is_some_and(|arn| {
        arn.partition.starts_with("aws")
            && arn.service == "ecs"
            && !arn.region.is_empty()
            && arn.account.len() == 12
            && arn.resource.starts_with("cluster/")
    })
}

fn is_role(arn: &str) -> bool {
    Arn::read(arn).is_some_and(|arn| {
        arn.partition.starts_with("aws")
            && arn.service == "iam"
            && arn.region.is_empty()
            && arn.account.len() == 12
            && arn.resource.starts_with("role/")
    })
}

/// A target group, and so a task behind it, is of the load balancer's region.
fn same_region(ecs: &EcsSpec) -> Option<Error> {
    let arn = ecs.ingress.parent_arn();
    let (cluster, front) = (region_of_arn(&ecs.cluster)?, Arn::read(arn)?.region);
    (cluster != front).then(|| {
        let message = format!(
            "{arn} is in {front}, and the cluster of ecs.cluster_arn in {cluster}: a load balancer has tasks of its own region only; name one in {cluster}, or a cluster in {front}"
        );
        Error::invalid(message).at(ecs.ingress.parent_attribute())
    })
}

fn ingress(ingress: &IngressSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    let mut refuse = |attribute: &str, message: String| {
        problems.push(Error::invalid(message).at(attribute));
    };
    match ingress {
        IngressSpec::Listener {
            load_balancer_arn, ..
        } => {
            if !is_balancer(load_balancer_arn, "loadbalancer/app/") {
                refuse(
                    "ingress.load_balancer_arn",
                    format!("{load_balancer_arn:?} is not the ARN of an Application Load Balancer"),
                );
            }
        }
        IngressSpec::Rule {
            listener_arn,
            priority,
            host_headers,
            path_patterns,
        } => {
            if !is_balancer(listener_arn, "listener/app/") {
                refuse(
                    "ingress.listener_arn",
                    format!(
                        "{listener_arn:?} is not the ARN of a listener of an Application Load Balancer"
                    ),
                );
            }
            let values = host_headers.len() + path_patterns.len();
            if values == 0 || values > MOST_CONDITION_VALUES {
                refuse(
                    "ingress.host_headers",
                    format!(
                        "a rule needs one to {MOST_CONDITION_VALUES} host_headers and path_patterns together, not {values}"
                    ),
                );
            }
            let range = priority.range();
            if range.last > HIGHEST_PRIORITY {
                let attribute = match priority {
                    SlotChoice::Fixed(_) => "ingress.priority",
                    SlotChoice::Leased(_) => "ingress.priority_range",
                };
                refuse(
                    attribute,
                    format!(
                        "priorities end at {HIGHEST_PRIORITY}, {} is above",
                        range.last
                    ),
                );
            }
            for path in path_patterns {
                if !path.starts_with(['/', '*']) || path.len() > 128 {
                    refuse(
                        "ingress.path_patterns",
                        format!(
                            "{path:?} is not a path pattern: begin with /, 128 characters at most"
                        ),
                    );
                }
            }
        }
    }
    problems
}

fn is_balancer(arn: &str, resource: &str) -> bool {
    Arn::read(arn).is_some_and(|arn| {
        arn.service == "elasticloadbalancing" && arn.resource.starts_with(resource)
    })
}

/// A target group's health check is coarser than a local server's (`CreateTargetGroup`).
fn health_check(check: &HealthCheck) -> Vec<Error> {
    let mut problems = Vec::new();
    let mut between = |attribute: &str, value: Option<u64>, low: u64, high: u64| {
        if let Some(value) = value
            && !(low..=high).contains(&value)
        {
            let message = format!("a target group's {attribute} is {low} to {high}, not {value}");
            problems.push(Error::invalid(message).at(format!("health_check.{attribute}")));
        }
    };
    let seconds = |period: Option<crate::endpoint::Period>| period.map(|p| p.duration().as_secs());
    between("interval", seconds(check.interval), 5, 300);
    between("timeout", seconds(check.timeout), 2, 120);
    between(
        "healthy_threshold",
        check.healthy_threshold.map(u64::from),
        2,
        10,
    );
    between(
        "unhealthy_threshold",
        check.unhealthy_threshold.map(u64::from),
        2,
        10,
    );
    if let (Some(interval), Some(timeout)) = (check.interval, check.timeout)
        && timeout >= interval
    {
        problems.push(
            Error::invalid(format!(
                "a target group's timeout is shorter than its interval, {interval}, and not {timeout}"
            ))
            .at("health_check.timeout"),
        );
    }
    problems
}

fn rollout(spec: &EndpointSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    if spec.rollout.strategy == Strategy::Shadow {
        problems.push(
            Error::invalid(
                "a load balancer cannot copy requests, so ECS has no SHADOW; use CANARY",
            )
            .at("rollout.strategy"),
        );
    }
    for (name, analysis) in &spec.rollout.analysis {
        if matches!(analysis.source, Source::Server { .. }) {
            problems.push(
                Error::invalid("the counters of servers in a VPC are out of reach from here; use \"cloudwatch\" or \"prometheus\"")
                    .at(format!("rollout.analysis.{name}.source")),
            );
        }
    }
    problems
}

fn variants(spec: &EndpointSpec, launch_type: LaunchType) -> Vec<Error> {
    let mut problems = Vec::new();
    if spec.variants.len() > MOST_VARIANTS {
        problems.push(
            Error::invalid(format!(
                "an endpoint on ECS has {MOST_VARIANTS} variants at most: a load balancer divides among five target groups, and a rollout needs two for each"
            ))
            .at("variants"),
        );
    }
    for (name, variant) in &spec.variants {
        if variant.shadow_percentage > Percent::ZERO {
            problems.push(
                Error::invalid(
                    "a load balancer cannot copy requests, so ECS has no shadow variants",
                )
                .at(format!("variants.{name}.shadow_percentage")),
            );
        }
        let size = capacity::size(variant.compute, launch_type).into_iter();
        problems.extend(
            size.map(|(at, problem)| Error::invalid(problem).at(format!("variants.{name}.{at}"))),
        );
        let own = tasks::of(variant).into_iter();
        problems.extend(
            own.map(|(at, problem)| Error::invalid(problem).at(format!("variants.{name}.{at}"))),
        );
    }
    problems
}

#[cfg(test)]
mod tests;
