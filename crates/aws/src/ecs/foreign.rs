//! A service that no endpoint made, in the words of one: read, and nothing else.
//!
//! All that keeps it from being an endpoint is told at once, each with what to do about it. What an endpoint could not say and a new revision would lack is
//! such a reason, unless nothing depends on it; that is [`Foreign::left_behind`].

mod service;
mod task;

use std::collections::BTreeMap;

use mlops_core::endpoint::Percent;
use mlops_core::endpoint::spec::{
    Autoscaling, EcsSpec, EndpointSpec, RolloutSpec, STARTUP_TIMEOUT_ON_ECS,
    TERMINATE_AFTER_ON_ECS, TargetSpec, VariantSpec, default_log_retention_days,
};
use mlops_core::names::{EndpointId, VariantName};
use mlops_core::target::{Foreign, Server};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::handle::is_where;
use super::services::Services;
use super::{Account, names, scaling, tags, task_definition};
use crate::elb::{self, Before, FoundFront, FrontKind};

/// The variant that a service becomes.
const VARIANT: &str = "main";

/// How a service that no endpoint made is known again: what takes its place as a server until it is taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    /// Its name.
    pub(super) service: String,
    /// Its ARN.
    pub(super) service_arn: String,
    /// Its cluster, by ARN.
    pub(super) cluster: String,
    /// What leads to it.
    pub(super) front: FoundFront,
    /// What scales it.
    pub(super) scalable_arn: Option<String>,
}

impl Found {
    /// Whether it is where `spec` wants an endpoint.
    pub(super) fn satisfies(&self, spec: &EcsSpec) -> bool {
        let FoundFront { front, ingress, .. } = &self.front;
        is_where(ingress, front.slot, &self.cluster, spec)
    }
}

/// Reads the service that this id names.
pub(super) async fn read(account: &Account, id: &EndpointId) -> Result<Foreign> {
    let clients = &account.clients;
    let (cluster, name) = (names::cluster(id.place()), id.name.as_str());
    let service = Services::new(clients, cluster).tell(name).await?;
    let service = service.ok_or_else(|| {
        Error::not_found(format!(
            "the registry has no endpoint {id}, and there is no service {name} in cluster {cluster} of this region and account"
        ))
    })?;
    let called = format!("service {name} of cluster {cluster}");
    if let Some(owner) = elb::tags::owner(&tags::read(service.tags())) {
        return Err(its_endpoints(
            &called,
            &owner,
            cluster,
            &tags::read(service.tags()),
        ));
    }
    service::check_settled(&called, &service)?;
    let mut problems = Vec::new();
    let shape = service::shape(&service, &mut problems);
    let definition = service.task_definition().unwrap_or_default();
    let definition = task_definition::tell(clients, definition).await?;
    let container = shape.as_ref().map(|shape| shape.container.as_str());
    let task = task::read(&definition, container, &mut problems);
    let mut before = None;
    if let Some(shape) = &shape {
        before = (account.balancers.before(&shape.group_arn, &mut problems)).await?;
        if let Some(sharing) = sharing(account, &shape.group_arn, service.running_count()).await? {
            problems.push(sharing);
        }
    }
    let requests_of = (before.as_ref()).map(|before| {
        let FoundFront {
            front, group_arn, ..
        } = &before.found;
        (front.load_balancer_arn.as_str(), group_arn.as_str())
    });
    let scaled = scaling::of_service(clients, (cluster, name), requests_of, &mut problems).await?;
    let (scaled, scalable_arn) = scaled.unzip();
    let (Some(shape), Some(mut task), Some(before), []) = (shape, task, before, &problems[..])
    else {
        return Err(refused(&called, &problems));
    };
    let cluster_arn = service.cluster_arn().unwrap_or(cluster).to_owned();
    task.variant.container.port = shape.port;
    let found = Found {
        service: name.to_owned(),
        service_arn: service.service_arn().unwrap_or_default().to_owned(),
        cluster: cluster_arn.clone(),
        front: before.found.clone(),
        scalable_arn,
    };
    let ecs = EcsSpec {
        cluster: cluster_arn,
        region: id.region().map(str::to_owned),
        creates_cluster: false,
        capacity: shape.capacity,
        execution_role_arn: task.execution_role_arn,
        task_role_arn: task.task_role_arn,
        image: String::new(),
        enable_execute_command: service.enable_execute_command(),
        log_retention_days: default_log_retention_days(),
        efs: None,
        network: shape.network,
        ingress: before.found.ingress.clone(),
        dns: None,
    };
    let spec = spec(id, ecs, task.variant, &before, scaled)?;
    let port = match before.found.front.kind {
        FrontKind::Listener => Some(before.found.front.slot),
        FrontKind::Rule => None,
    };
    Ok(Foreign {
        spec,
        server: Server::new(before.found.front.url.clone(), port, &found)?,
        left_behind: task.left_behind,
    })
}

fn spec(
    id: &EndpointId,
    ecs: EcsSpec,
    variant: VariantSpec,
    before: &Before,
    scaled: Option<Autoscaling>,
) -> Result<EndpointSpec> {
    Ok(EndpointSpec {
        name: id.name.clone(),
        variants: BTreeMap::from([(VariantName::new(VARIANT)?, variant)]),
        target: TargetSpec::Ecs(Box::new(ecs)),
        health_check: before.health_check.clone(),
        autoscaling: scaled,
        rollout: RolloutSpec {
            terminate_after: TERMINATE_AFTER_ON_ECS,
            ..RolloutSpec::default()
        },
        wait_for_steady_state: true,
        drain_seconds: before.drain_seconds,
        deletion_policy: Default::default(),
        tags: BTreeMap::new(),
    })
}

/// A variant of which nothing is known yet.
fn variant(image: &str) -> VariantSpec {
    VariantSpec {
        workload: mlops_core::endpoint::spec::Workload::image(image),
        traffic: Percent::from(100),
        shadow_percentage: Percent::ZERO,
        environment: BTreeMap::new(),
        compute: Default::default(),
        container: Default::default(),
        autoscaling: None,
        startup_timeout: STARTUP_TIMEOUT_ON_ECS,
    }
}

/// That the target group has targets which are no tasks of the service: they would lose their requests.
async fn sharing(account: &Account, group: &str, running: i32) -> Result<Option<String>> {
    let mut health = account.balancers.health(&[group.to_owned()]).await?;
    let health = health.remove(group).unwrap_or_default();
    let targets = health.healthy + health.unhealthy + health.initial + health.unused;
    let running = u32::try_from(running).unwrap_or(0);
    Ok((targets > running).then(|| {
        format!(
            "its target group {group} has {targets} targets, and the service has {running} tasks: whatever else is in the group needs one of its own"
        )
    }))
}

fn its_endpoints(
    called: &str,
    owner: &str,
    cluster: &str,
    tags: &BTreeMap<String, String>,
) -> Error {
    let name = tags.get(elb::tags::ENDPOINT).map_or("NAME", String::as_str);
    Error::conflict(format!(
        "{called} belongs to endpoint {owner} already; import that with the id ecs/{cluster}/{name}, from its registry. If a first apply that was to take \
         the service over was cut short, apply again, or run `mlops endpoint repair ecs/{cluster}/{name}`"
    ))
}

fn refused(called: &str, problems: &[String]) -> Error {
    let list: Vec<String> = problems.iter().map(|one| format!("\n  - {one}")).collect();
    Error::invalid(format!(
        "{called} cannot become an endpoint as it is:{}\nChange it, and import again; or create an endpoint of another name beside it",
        list.join("")
    ))
}

#[cfg(test)]
mod tests;
