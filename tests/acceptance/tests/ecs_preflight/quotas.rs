//! The check `quotas`.

use mlops_acceptance::ecs_world::EcsWorld;
use mlops_acceptance::http;
use mlops_acceptance::iam::Gate;
use mlops_acceptance::part::registry;

use super::{endpoint, looks, provider, warnings};

#[test]
fn what_the_account_may_not_have_is_told_with_its_numbers() {
    let name = "what_the_account_may_not_have_is_told_with_its_numbers";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let mut work = world.workspace(&provider(&world, ""));
    let policies = "{ cpu = { metric = \"cpu\", target = 60 } }";
    let scaled =
        &format!("autoscaling {{\n    min = 2\n    max = 3\n    policies = {policies}\n  }}");
    work.config(&endpoint(&world, scaled));
    assert_eq!(warnings(&mut work), "");

    world.quota("ecs", "Services per cluster", 0.0);
    let said = [
        "cluster models has 0 services, this change needs 1 more, and the account may have 0",
        "cluster_arn",
        "skip = [\"quotas\"]",
    ];
    work.plan_fails(&said);
    let gate = Gate::before(http::address(&world.part.url));
    gate.admit(&[&looks().without("servicequotas:ListServiceQuotas")]);
    let mut unread = registry::workspace(&gate.url, &provider(&world, ""));
    unread.config(&endpoint(&world, scaled));
    assert_eq!(warnings(&mut unread), "", "AWS's own quota is not reached");
    world.quota("ecs", "Services per cluster", 5000.0);

    world.quota("ecs", "Tasks per service", 2.0);
    let told = warnings(&mut work);
    assert!(
        told.contains("variant main asks for up to 3 tasks"),
        "{told}"
    );
    world.quota("ecs", "Tasks per service", 1.0);
    work.plan_fails(&[
        "asks for at least 2 tasks",
        "the account may have 1;",
        "autoscaling",
    ]);
    world.quota("ecs", "Tasks per service", 5000.0);

    // Half a vCPU each, by default.
    world.quota("fargate", "Fargate On-Demand vCPU resource count", 0.5);
    work.plan_fails(&[
        "need at least 1 vCPUs, and the account may have 0.5 in this region",
        "skip = [\"quotas\"]",
    ]);
    world.quota("fargate", "Fargate On-Demand vCPU resource count", 1.5);
    assert_eq!(warnings(&mut work), "");
    world.quota("fargate", "Fargate On-Demand vCPU resource count", 1.0);
    let told = warnings(&mut work);
    assert!(told.contains("the endpoint needs 1.5 vCPUs"), "{told}");
}
