//! The check `subnets`.

use mlops_acceptance::ecs_world::EcsWorld;

use super::{endpoint, provider, warnings};

#[test]
fn as_many_addresses_have_to_be_free_as_tasks_start() {
    let name = "as_many_addresses_have_to_be_free_as_tasks_start";
    let Some(mut world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    // 256 addresses, five of which are AWS's.
    world.subnets.truncate(1);
    let scaled = |tasks: u32| format!("autoscaling {{\n    min = {tasks}\n    max = {tasks}\n  }}");
    let mut work = world.workspace(&provider(&world, ""));
    work.config(&endpoint(&world, &scaled(252)));
    work.plan_fails(&[
        "the change starts 252 tasks or more",
        "251 free addresses",
        "network.subnets",
    ]);
    work.config(&endpoint(&world, &scaled(251)));
    assert_eq!(warnings(&mut work), "");
}
