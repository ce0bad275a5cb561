//! The request that makes a revision's service.

use aws_sdk_ecs::operation::create_service::CreateServiceInput;
use aws_sdk_ecs::operation::create_service::builders::CreateServiceInputBuilder;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, DeploymentCircuitBreaker,
    DeploymentConfiguration, LaunchType as EcsLaunchType, LoadBalancer, NetworkConfiguration,
    PropagateTags,
};
use mlops_core::endpoint::spec::{Capacity, LaunchType, Placement, ProviderShare};
use mlops_core::target::Revision;
use mlops_core::{Error, Result};

use crate::ecs::handle::Handle;
use crate::ecs::names;
use crate::ecs::tags;

/// The request that makes the service of `revision`. `provider` is that of instances of the endpoint's own, if it is to run on them.
pub(super) fn request(
    handle: &Handle,
    revision: &Revision,
    placement: &Placement,
    definition: &str,
    group: &str,
    provider: Option<String>,
) -> Result<CreateServiceInputBuilder> {
    let name = names::service(&handle.owner, &revision.name);
    // ECS takes one of the two.
    let (launch_type, strategy) = match &placement.capacity {
        Capacity::LaunchType {
            launch_type: LaunchType::Fargate,
        } => (Some(EcsLaunchType::Fargate), None),
        Capacity::LaunchType {
            launch_type: LaunchType::Ec2,
        } => (Some(EcsLaunchType::Ec2), None),
        Capacity::Providers { capacity_providers } => {
            let shares = capacity_providers.iter().map(share);
            (None, Some(shares.collect::<Result<Vec<_>>>()?))
        }
        Capacity::Machines { .. } => {
            let name = provider.ok_or_else(|| Error::bug("a service lacks its own instances"))?;
            let all = ProviderShare {
                base: 0,
                weight: ProviderShare::DEFAULT_WEIGHT,
            };
            (None, Some(vec![share((&name, &all))?]))
        }
    };
    let network = &placement.network;
    let groups = (!network.security_groups.is_empty()).then(|| network.security_groups.clone());
    // The instances' own tasks have no say in it.
    let public = (placement.capacity.launch_type() == LaunchType::Fargate).then_some(
        if network.assign_public_ip {
            AssignPublicIp::Enabled
        } else {
            AssignPublicIp::Disabled
        },
    );
    let addresses = AwsVpcConfiguration::builder()
        .set_subnets(Some(network.subnets.clone()))
        .set_security_groups(groups)
        .set_assign_public_ip(public)
        .build()
        .map_err(|cause| Error::bug("a service's network lacks its subnets").because(cause))?;
    let grace = i32::try_from(revision.startup_timeout.duration().as_secs()).unwrap_or(i32::MAX);
    Ok(CreateServiceInput::builder()
        .cluster(&handle.cluster)
        .service_name(&name)
        .client_token(&name)
        .task_definition(definition)
        .desired_count(i32::try_from(revision.instances).unwrap_or(i32::MAX))
        .set_launch_type(launch_type)
        .set_capacity_provider_strategy(strategy)
        .network_configuration(
            NetworkConfiguration::builder()
                .awsvpc_configuration(addresses)
                .build(),
        )
        .load_balancers(
            LoadBalancer::builder()
                .target_group_arn(group)
                .container_name(names::CONTAINER)
                .container_port(i32::from(revision.container.port))
                .build(),
        )
        .health_check_grace_period_seconds(grace)
        // The saga decides what becomes of a revision that does not start; ECS would do it behind its back.
        .deployment_configuration(
            DeploymentConfiguration::builder()
                .deployment_circuit_breaker(
                    DeploymentCircuitBreaker::builder()
                        .enable(false)
                        .rollback(false)
                        .build(),
                )
                .build(),
        )
        .enable_execute_command(placement.enable_execute_command)
        .propagate_tags(PropagateTags::Service)
        .set_tags(Some(tags::list(&handle.owner, revision))))
}

/// A provider's part of the service's tasks.
fn share((name, share): (&String, &ProviderShare)) -> Result<CapacityProviderStrategyItem> {
    let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    CapacityProviderStrategyItem::builder()
        .capacity_provider(name)
        .base(whole(share.base))
        .weight(whole(share.weight))
        .build()
        .map_err(|cause| Error::bug("a share of tasks lacks its provider").because(cause))
}

#[cfg(test)]
mod tests;
