//! What is said of services that cannot be made in a world of the tests, or need none.

use aws_sdk_ecs::types::builders::{ServiceBuilder, TaskDefinitionBuilder};
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerDefinition, Deployment, DeploymentRolloutState, LaunchType,
    LoadBalancer, NetworkConfiguration, NetworkMode, PlacementStrategy, ResourceRequirement,
    ResourceType, Service, ServiceConnectConfiguration, TaskDefinition,
    TaskDefinitionPlacementConstraint, TaskDefinitionPlacementConstraintType,
    VpcLatticeConfiguration,
};
use mlops_core::endpoint::spec::GpuType;

use super::{service, task};

fn deployment() -> aws_sdk_ecs::types::builders::DeploymentBuilder {
    Deployment::builder().rollout_state(DeploymentRolloutState::Completed)
}

/// A service that can become an endpoint.
fn sound() -> ServiceBuilder {
    let addresses = AwsVpcConfiguration::builder().subnets("subnet-1");
    let network = NetworkConfiguration::builder()
        .awsvpc_configuration(addresses.build().expect("subnets"))
        .build();
    let balancer = LoadBalancer::builder()
        .target_group_arn("arn:group")
        .container_name("web")
        .container_port(9000);
    Service::builder()
        .status("ACTIVE")
        .desired_count(2)
        .running_count(2)
        .launch_type(LaunchType::Fargate)
        .network_configuration(network)
        .load_balancers(balancer.build())
}

fn problems(service: ServiceBuilder) -> Vec<String> {
    let mut problems = Vec::new();
    let _ = service::shape(&service.build(), &mut problems);
    problems
}

#[test]
fn a_service_is_described_by_what_an_endpoint_says() {
    let mut problems = Vec::new();
    let shape = service::shape(
        &sound().deployments(deployment().build()).build(),
        &mut problems,
    );
    let shape = shape.expect("it has one");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!((shape.port, shape.group_arn.as_str()), (9000, "arn:group"));
    assert_eq!(shape.network.subnets, ["subnet-1"]);
}

#[test]
fn what_surrounds_a_service_and_no_endpoint_is_named() {
    let connect = ServiceConnectConfiguration::builder().enabled(true).build();
    let lattice = VpcLatticeConfiguration::builder()
        .role_arn("arn:role")
        .target_group_arn("arn:lattice")
        .port_name("web");
    let within =
        |one: aws_sdk_ecs::types::builders::DeploymentBuilder| sound().deployments(one.build());
    for (service, part) in [
        (
            within(deployment().service_connect_configuration(connect)),
            "Service Connect",
        ),
        (
            within(deployment().vpc_lattice_configurations(lattice.build().expect("whole"))),
            "VPC Lattice",
        ),
        (sound().launch_type(LaunchType::External), "EXTERNAL"),
        (
            sound().placement_strategy(PlacementStrategy::builder().build()),
            "placement",
        ),
        (sound().platform_version("1.3.0"), "1.3.0"),
        (
            sound().load_balancers(LoadBalancer::builder().target_group_arn("arn:2").build()),
            "several target groups",
        ),
        (
            sound().network_configuration(NetworkConfiguration::builder().build()),
            "awsvpc",
        ),
    ] {
        let found = problems(service);
        assert!(
            found.len() == 1 && found[0].contains(part),
            "{part}: {found:?}"
        );
    }
    assert_eq!(
        problems(sound().platform_version("LATEST")),
        Vec::<String>::new()
    );
}

#[test]
fn a_service_that_is_on_its_way_is_told_from_one_that_is_steady() {
    let check = |service: ServiceBuilder| service::check_settled("it", &service.build());
    assert!(check(sound().deployments(deployment().build())).is_ok());
    // An autoscaler asks for one more.
    assert!(check(sound().desired_count(3)).is_ok());
    let going = deployment().rollout_state(DeploymentRolloutState::InProgress);
    for (service, part) in [
        (sound().deployments(going.build()), "is being deployed"),
        (
            sound()
                .deployments(deployment().build())
                .deployments(deployment().build()),
            "is being deployed",
        ),
        (sound().running_count(0), "runs no task of the 2"),
        (sound().status("DRAINING"), "is being deleted"),
    ] {
        let error = check(service).expect_err(part);
        assert!(
            error.is_conflict() && error.to_string().contains(part),
            "{error}"
        );
    }
}

fn definition(container: ContainerDefinition) -> TaskDefinitionBuilder {
    TaskDefinition::builder()
        .network_mode(NetworkMode::Awsvpc)
        .cpu("1024")
        .memory("4096")
        .container_definitions(container)
}

#[test]
fn gpus_are_said_and_other_resources_are_not() {
    let wanting = |what, value: &str| {
        let wanted = ResourceRequirement::builder().r#type(what).value(value);
        let container = ContainerDefinition::builder().name("web").image("shop:1");
        let container = container.resource_requirements(wanted.build().expect("whole"));
        let mut problems = Vec::new();
        let task = task::read(
            &definition(container.build()).build(),
            Some("web"),
            &mut problems,
        );
        (task.expect("one container").variant.compute, problems)
    };
    let (compute, problems) = wanting(ResourceType::Gpu, "2");
    assert_eq!(
        (compute.gpus, compute.cpu, compute.memory_mb),
        (Some(2), Some(1024), Some(4096))
    );
    assert_eq!(problems, Vec::<String>::new());
    let (_, problems) = wanting(ResourceType::InferenceAccelerator, "one");
    assert!(problems[0].contains("resourceRequirements"), "{problems:?}");
}

#[test]
fn a_kind_of_gpu_is_said_and_no_other_constraint_of_where_tasks_run() {
    let read = |expression: &str, gpus: bool| {
        let wanted = ResourceRequirement::builder()
            .r#type(ResourceType::Gpu)
            .value("1")
            .build()
            .expect("whole");
        let container = ContainerDefinition::builder()
            .name("web")
            .image("shop:1")
            .set_resource_requirements(gpus.then(|| vec![wanted]));
        let constraint = TaskDefinitionPlacementConstraint::builder()
            .r#type(TaskDefinitionPlacementConstraintType::MemberOf)
            .expression(expression)
            .build();
        let mut problems = Vec::new();
        let definition = definition(container.build()).placement_constraints(constraint);
        let task = task::read(&definition.build(), Some("web"), &mut problems);
        (task.expect("one container").variant.compute, problems)
    };
    let v100 =
        "attribute:ecs.instance-type in [p3.2xlarge, p3.8xlarge, p3.16xlarge, p3dn.24xlarge]";
    let (compute, problems) = read(v100, true);
    assert_eq!(
        (compute.gpus, compute.gpu_type),
        (Some(1), Some(GpuType::V100))
    );
    assert_eq!(problems, Vec::<String>::new());
    for (expression, gpus) in [
        (v100, false),
        ("attribute:ecs.instance-type =~ p3.*", true),
        ("attribute:stack == prod", true),
    ] {
        let (compute, problems) = read(expression, gpus);
        assert_eq!(compute.gpu_type, None);
        assert!(
            problems.len() == 1 && problems[0].contains("placementConstraints"),
            "{expression}: {problems:?}"
        );
    }
}

#[test]
fn what_nothing_depends_on_is_left_behind_and_told() {
    let container = ContainerDefinition::builder()
        .name("web")
        .image("shop:1")
        .docker_labels("a", "b")
        .build();
    let mut problems = Vec::new();
    let task = task::read(&definition(container).build(), None, &mut problems).expect("one");
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(task.left_behind, ["its Docker labels"]);
    assert_eq!(
        (
            task.execution_role_arn.as_str(),
            task.task_role_arn.as_str()
        ),
        ("", "")
    );
}
