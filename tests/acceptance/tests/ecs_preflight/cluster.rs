//! The check `cluster`.

use mlops_acceptance::ecs_world::EcsWorld;

use super::{endpoint, warnings, workspace};

#[test]
fn a_cluster_has_the_capacity_providers_that_tasks_run_on() {
    let name = "a_cluster_has_the_capacity_providers_that_tasks_run_on";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let before = world.everything();
    let spot = endpoint(&world, "").replacen(
        "ecs {",
        "ecs {\n    capacity_providers = { FARGATE_SPOT = {} }",
        1,
    );
    let mut work = workspace(&world, "");
    work.config(&spot);
    let said = "cluster models does not have capacity provider FARGATE_SPOT";
    assert!(warnings(&mut work).contains(said));
    let failed = work.apply_fails(&[said, "capacity_providers"]);
    assert!(!failed.errors().concat().contains("rolled back"));
    assert_eq!(world.everything(), before);
    let providers = serde_json::json!({
        "cluster": world.cluster, "capacityProviders": ["FARGATE_SPOT"], "defaultCapacityProviderStrategy": [],
    });
    world.ecs("PutClusterCapacityProviders", &providers);
    assert!(!warnings(&mut work).contains(said));
}
