//! What a plan looks at around an endpoint on ECS, and what comes of what it finds.

use mlops_acceptance::ecs_world::{EcsWorld, server_image};
use mlops_acceptance::stack::ENDPOINT;
use mlops_acceptance::{Workspace, skip};

const SERVICE: &str = "does not let ecs-tasks.amazonaws.com take it on";

/// A plan's workspace; `block` is what the provider's `preflight` says, and `world` is what the endpoint names.
fn workspace(world: &EcsWorld, block: &str) -> Workspace {
    let image = format!("example.com/mlops@sha256:{}", "0".repeat(64));
    let more = format!("{}\n  {block}", server_image(&image));
    let mut work = world.workspace(&more);
    work.config(&format!(
        r#"
resource "mlops_endpoint" "digits" {{
  name     = "digits"
  variants = {{
    main = {{
      image   = "example.com/own@sha256:{}"
      traffic = 100
    }}
  }}
  {}
}}
"#,
        "b".repeat(64),
        world.blocks(&world.own_listener())
    ));
    work
}

fn warnings(work: &mut Workspace) -> String {
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["create"]);
    plan.warnings().join("\n")
}

#[test]
fn what_an_apply_cannot_succeed_with_is_an_error_of_the_plan_unless_the_block_says_otherwise() {
    let name =
        "what_an_apply_cannot_succeed_with_is_an_error_of_the_plan_unless_the_block_says_otherwise";
    let mut world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    assert_eq!(
        warnings(&mut workspace(&world, "")),
        "",
        "all is as it should"
    );

    let right = world.task_role.clone();
    world.task_role = world.role("function", "lambda.amazonaws.com");
    let said = [
        world.task_role.as_str(),
        SERVICE,
        "skip = [\"roles\"]",
        "task_role_arn",
    ];
    workspace(&world, "").plan_fails(&said);
    workspace(&world, "preflight { skip = [\"subnets\"] }").plan_fails(&said);
    let mut warned = workspace(&world, "preflight { mode = \"warn\" }");
    assert!(warnings(&mut warned).contains(SERVICE));
    // The variable stands above the block.
    warned.env("MLOPS_PREFLIGHT_MODE", "error");
    warned.plan_fails(&said);
    warned.env("MLOPS_PREFLIGHT_MODE", "off");
    assert_eq!(warnings(&mut warned), "");
    for quiet in ["mode = \"off\"", "skip = [\"roles\"]"] {
        let mut work = workspace(&world, &format!("preflight {{ {quiet} }}"));
        assert_eq!(warnings(&mut work), "", "{quiet}");
    }
    for (wrong, attribute) in [("mode = \"of\"", "mode"), ("skip = [\"role\"]", "skip")] {
        let mut work = workspace(&world, &format!("preflight {{ {wrong} }}"));
        work.plan_fails(&[attribute]);
    }
    world.task_role = right;

    let elsewhere = world.subnet_elsewhere();
    let both = vec![world.subnets[0].clone(), elsewhere.clone()];
    for (subnets, said) in [
        (both, "tasks of a service have one VPC"),
        (vec![elsewhere], "name subnets of the load balancer's VPC"),
    ] {
        world.subnets = subnets;
        workspace(&world, "").plan_fails(&[said, "skip = [\"subnets\"]"]);
    }
}

#[test]
fn what_does_not_exist_is_a_warning_since_it_may_be_made_before_the_apply() {
    let name = "what_does_not_exist_is_a_warning_since_it_may_be_made_before_the_apply";
    let mut world = match EcsWorld::on_paper() {
        Ok(world) => world,
        Err(why) => return skip(name, &why),
    };
    world.execution_role = world.execution_role.replace("execution", "mock");
    world.subnets.push("subnet-0123456789abcdef0".to_owned());
    world.load_balancer_arn = world.load_balancer_arn.replace("/models/", "/mock/");
    let told = warnings(&mut workspace(&world, ""));
    for said in [
        "role/mock does not exist; make it before the apply",
        "there is no subnet subnet-0123456789abcdef0",
        "/mock/",
    ] {
        assert!(told.contains(said), "{said} is not in {told}");
    }
}
