//! The check `load_balancer`.

use mlops_acceptance::ecs_world::EcsWorld;

use super::{endpoint, provider, warnings};

#[test]
fn a_load_balancer_without_room_is_an_error_with_its_numbers() {
    let name = "a_load_balancer_without_room_is_an_error_with_its_numbers";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let shared = world.listener(8000);
    let taken = world.listener(8001);
    let mut work = world.workspace(&provider(&world, ""));
    let at = |ingress: &str| {
        let text = endpoint(&world, "").replace(&world.own_listener(), ingress);
        assert!(text.contains(ingress), "{text}");
        text
    };
    let own = |port: &str| {
        format!(
            "load_balancer_arn = {:?}\n    {port}",
            world.load_balancer_arn
        )
    };
    let rule = |range: &str| {
        format!("listener_arn = {shared:?}\n    path_patterns = [\"/v2/*\"]\n    {range}")
    };
    work.config(&at(&own("port_range = \"8000-8001\"")));
    work.plan_fails(&[
        "every port of 8000-8001 of",
        "8001 by listener",
        taken.as_str(),
        "port_range",
    ]);
    work.config(&at(&own("port = 8001")));
    work.plan_fails(&["port 8001 of", "is taken by listener", "port"]);
    // One of them would find the other's.
    let twice = at(&own("port = 9000"));
    let other = twice.replace("\"digits\"", "\"letters\"");
    work.config(&format!("{twice}{other}"));
    work.plan_fails(&["another endpoint of this run asks for port 9000"]);

    for priority in 100..199 {
        world.rule(&shared, priority);
    }
    work.config(&at(&rule("priority_range = \"197-198\"")));
    work.plan_fails(&[
        "every priority of 197-198 of",
        "198 by rule",
        "priority_range",
    ]);
    work.config(&at(&rule("priority_range = \"300-301\"")));
    assert_eq!(warnings(&mut work), "", "the hundredth rule");
    world.rule(&taken, 7);
    work.plan_fails(&[
        "has 100 rules, this endpoint needs 1 more, and the account may have 100",
        "listener_arn",
    ]);
    for port in 8002..8050 {
        let _ = world.listener(port);
    }
    work.config(&endpoint(&world, ""));
    work.plan_fails(&[
        "has 50 listeners, this endpoint needs 1 more, and the account may have 50",
        "load_balancer_arn",
    ]);
}
