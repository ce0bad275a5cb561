//! What a service is, beside what its tasks are.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    AssignPublicIp, CapacityProviderStrategyItem, DeploymentControllerType, DeploymentRolloutState,
    DeploymentStrategy, LaunchType as EcsLaunchType, SchedulingStrategy, Service,
};
use mlops_core::endpoint::spec::{Capacity, LaunchType, NetworkSpec, ProviderShare};
use mlops_core::{Error, Result};

/// What of a service an endpoint says.
pub(super) struct Shape {
    pub(super) group_arn: String,
    pub(super) container: String,
    pub(super) port: u16,
    pub(super) network: NetworkSpec,
    pub(super) capacity: Capacity,
}

/// Refuses a service that is on its way to be something else.
pub(super) fn check_settled(called: &str, service: &Service) -> Result<()> {
    let busy = |why: String| Err(Error::conflict(format!("{called} {why}")));
    if service.status() != Some("ACTIVE") {
        return busy("is being deleted; wait until it is gone, and create an endpoint".to_owned());
    }
    let deployments = service.deployments();
    let in_progress = deployments
        .iter()
        .any(|one| one.rollout_state() == Some(&DeploymentRolloutState::InProgress));
    if deployments.len() > 1 || in_progress {
        return busy(
            "is being deployed; wait until its deployment is over (aws ecs wait services-stable), and try again".to_owned(),
        );
    }
    if service.running_count() == 0 {
        return busy(format!(
            "runs no task of the {} that it is asked for, so there is nothing to take over; have it run one, or delete it and create an endpoint",
            service.desired_count()
        ));
    }
    Ok(())
}

/// The service in the words of an endpoint; what has none is added to `problems`.
pub(super) fn shape(service: &Service, problems: &mut Vec<String>) -> Option<Shape> {
    whole(service, problems);
    let mut refuse = |what: &str| {
        problems.push(what.to_owned());
        None
    };
    let balancer = match service.load_balancers() {
        [one] => one,
        [] => {
            return refuse(
                "it is behind no load balancer, and an endpoint is reached through one: give it a target group and a rule",
            );
        }
        _ => {
            return refuse(
                "it has several target groups, and an endpoint has one: leave it the one that requests come by",
            );
        }
    };
    if balancer.advanced_configuration().is_some() {
        refuse(
            "ECS shifts its traffic between two target groups (advancedConfiguration), which an endpoint does itself: take it away",
        );
    }
    let Some(group) = balancer.target_group_arn() else {
        return refuse(
            "it is behind a Classic Load Balancer, and an endpoint is behind an Application Load Balancer: give it a target group",
        );
    };
    let network =
        (service.network_configuration()).and_then(|network| network.awsvpc_configuration());
    let Some(network) = network else {
        return refuse(
            "its tasks have no addresses of their own: an endpoint's have the network mode awsvpc",
        );
    };
    let port = u16::try_from(balancer.container_port().unwrap_or(0)).unwrap_or(0);
    Some(Shape {
        group_arn: group.to_owned(),
        container: balancer.container_name().unwrap_or_default().to_owned(),
        port,
        network: NetworkSpec {
            subnets: network.subnets().to_vec(),
            security_groups: network.security_groups().to_vec(),
            assign_public_ip: network.assign_public_ip() == Some(&AssignPublicIp::Enabled),
        },
        capacity: capacity(service),
    })
}

/// What no endpoint has at all.
fn whole(service: &Service, problems: &mut Vec<String>) {
    let mut refuse = |what: String| problems.push(what);
    if service.scheduling_strategy() == Some(&SchedulingStrategy::Daemon) {
        refuse("it has the scheduling strategy DAEMON, and an endpoint REPLICA: make a service of replicas in its place".to_owned());
    }
    let controller = service.deployment_controller().map(|one| one.r#type());
    if let Some(controller) = controller.filter(|one| **one != DeploymentControllerType::Ecs) {
        refuse(format!(
            "it has the deployment controller {}, which decides where its traffic goes, as an endpoint does: have it ECS, by UpdateService or by a new service",
            controller.as_str()
        ));
    }
    let deployment = service.deployment_configuration();
    let strategy = deployment.and_then(|deployment| deployment.strategy());
    if let Some(strategy) = strategy.filter(|one| **one != DeploymentStrategy::Rolling) {
        refuse(format!(
            "ECS deploys it by the strategy {}, and an endpoint rolls out by itself: set ROLLING",
            strategy.as_str()
        ));
    }
    if !service.service_registries().is_empty() {
        refuse("it is registered in Cloud Map (serviceRegistries), where no endpoint is: take that away".to_owned());
    }
    if service.launch_type() == Some(&EcsLaunchType::External) {
        refuse("it has the launch type EXTERNAL, and endpoints have FARGATE or EC2".to_owned());
    }
    if !service.placement_constraints().is_empty() || !service.placement_strategy().is_empty() {
        refuse(
            "it has placement constraints or strategies, which no endpoint has: take them away"
                .to_owned(),
        );
    }
    let platform = service.platform_version().unwrap_or_default();
    if !matches!(platform, "" | "LATEST" | "1.4.0") {
        refuse(format!(
            "it is pinned to the platform version {platform}, and endpoints run on LATEST: unpin it"
        ));
    }
    for one in service.deployments() {
        if (one.service_connect_configuration()).is_some_and(|connect| connect.enabled()) {
            refuse("it takes part in Service Connect, where no endpoint does: take its serviceConnectConfiguration away".to_owned());
        }
        if !one.volume_configurations().is_empty() {
            refuse("it attaches volumes to its tasks (volumeConfigurations), which no endpoint does: take them away".to_owned());
        }
        if !one.vpc_lattice_configurations().is_empty() {
            refuse("it is a target of VPC Lattice, where no endpoint is: take its vpcLatticeConfigurations away".to_owned());
        }
    }
}

fn capacity(service: &Service) -> Capacity {
    let share = |item: &CapacityProviderStrategyItem| {
        let whole = |number: i32| u32::try_from(number).unwrap_or(0);
        let share = ProviderShare {
            base: whole(item.base()),
            weight: whole(item.weight()),
        };
        (item.capacity_provider().to_owned(), share)
    };
    let strategy = service.capacity_provider_strategy();
    match strategy.is_empty() {
        false => Capacity::Providers {
            capacity_providers: strategy.iter().map(share).collect::<BTreeMap<_, _>>(),
        },
        // What ECS takes where nothing is said is EC2.
        true => Capacity::on(match service.launch_type() {
            Some(EcsLaunchType::Fargate) => LaunchType::Fargate,
            _ => LaunchType::Ec2,
        }),
    }
}
