use super::*;
use crate::ecs::tests::{handle, placement, revision};

fn built(placement: &Placement) -> CreateServiceInput {
    let (handle, revision) = (handle(), revision());
    let request = request(
        &handle,
        &revision,
        placement,
        "arn:definition",
        "arn:group",
        None,
    );
    request.expect("legal").build().expect("complete")
}

#[test]
fn a_service_keeps_one_task_behind_the_revisions_group_and_never_rolls_back_by_itself() {
    let service = built(&placement());
    assert_eq!(service.cluster(), Some(handle().cluster.as_str()));
    assert_eq!(service.service_name(), service.client_token());
    assert!(
        service.client_token().expect("set").len() <= 36,
        "ECS takes no longer one"
    );
    assert_eq!(service.task_definition(), Some("arn:definition"));
    assert_eq!(service.desired_count(), Some(1));
    assert_eq!(service.launch_type(), Some(&EcsLaunchType::Fargate));
    assert_eq!(service.health_check_grace_period_seconds(), Some(60));
    assert_eq!(service.enable_execute_command(), Some(false));
    assert_eq!(service.propagate_tags(), Some(&PropagateTags::Service));
    let breaker = service.deployment_configuration().expect("set");
    let breaker = breaker.deployment_circuit_breaker().expect("set");
    assert!(!breaker.enable() && !breaker.rollback());
    let [behind] = service.load_balancers() else {
        panic!("one group: {service:?}");
    };
    assert_eq!(behind.target_group_arn(), Some("arn:group"));
    assert_eq!(behind.container_name(), Some("server"));
    assert_eq!(behind.container_port(), Some(8080));
    let network = service.network_configuration().expect("set");
    let network = network.awsvpc_configuration().expect("set");
    assert_eq!(network.subnets(), ["subnet-1", "subnet-2"]);
    assert_eq!(network.security_groups(), ["sg-1"]);
    assert_eq!(network.assign_public_ip(), Some(&AssignPublicIp::Disabled));
    assert!(tags::are_of(
        &tags::read(service.tags()),
        handle().owner.endpoint
    ));
}

#[test]
fn a_service_on_the_clusters_own_instances_says_nothing_of_public_addresses() {
    let mut place = placement();
    place.capacity = Capacity::on(LaunchType::Ec2);
    place.network.security_groups.clear();
    let service = built(&place);
    assert_eq!(service.launch_type(), Some(&EcsLaunchType::Ec2));
    let network = service.network_configuration().expect("set");
    let network = network.awsvpc_configuration().expect("set");
    assert_eq!(network.assign_public_ip(), None);
    assert!(network.security_groups().is_empty());
}

#[test]
fn a_service_that_is_divided_among_providers_has_no_launch_type() {
    let share = |name: &str, base, weight| (name.to_owned(), ProviderShare { base, weight });
    let on = |capacity_providers| Placement {
        capacity: Capacity::Providers { capacity_providers },
        ..placement()
    };
    let service = built(&on(
        [share("FARGATE", 1, 1), share("FARGATE_SPOT", 0, 4)].into()
    ));
    assert_eq!(service.launch_type(), None);
    let told = |item: &CapacityProviderStrategyItem| {
        (
            item.capacity_provider().to_owned(),
            item.base(),
            item.weight(),
        )
    };
    let strategy: Vec<_> = service
        .capacity_provider_strategy()
        .iter()
        .map(told)
        .collect();
    let expected = [("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 4)];
    assert_eq!(
        strategy,
        expected.map(|(name, base, weight)| (name.to_owned(), base, weight))
    );
    let network = |service: &CreateServiceInput| {
        let network = service.network_configuration().expect("set");
        network
            .awsvpc_configuration()
            .expect("set")
            .assign_public_ip()
            .cloned()
    };
    assert_eq!(network(&service), Some(AssignPublicIp::Disabled));
    let service = built(&on([share("gpu", 0, 1)].into()));
    assert_eq!(network(&service), None, "instances have no say in it");
}
