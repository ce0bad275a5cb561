//! Makes what a platform team has before the first endpoint in a world that runs (`scripts/parts/ecs-world`), and asks what is left of
//! endpoints. The demo on ECS and the benches run it.
//!
//! ```text
//! ecs_world platform WORLD            WORLD is what the world told, as JSON; prints what was made, as variables of examples/ecs, as JSON
//! ecs_world furnish WORLD             the same, with the variable of the model server's image
//! ecs_world left WORLD VARIABLES      what an endpoint is made of and is there, one thing a line; VARIABLES is the file of them
//! ```

use std::process::ExitCode;
use std::{env, fs};

use mlops_acceptance::part::registry::{BUCKET, TABLE};
use mlops_acceptance::{EcsWorld, Part};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["platform", world] => {
            println!("{:#}", platform(&furnished(world)));
            ExitCode::SUCCESS
        }
        ["furnish", world] => {
            let world = furnished(world);
            let mut variables = platform(&world);
            variables["server_image"] = world.server().into();
            println!("{variables:#}");
            ExitCode::SUCCESS
        }
        ["left", world, variables] => {
            let mut world = bare(world);
            let text = fs::read_to_string(variables)
                .unwrap_or_else(|error| panic!("cannot read {variables}: {error}"));
            let variables: Value = serde_json::from_str(&text).expect("variables are JSON");
            let load_balancer = variables["load_balancer_arn"].as_str();
            load_balancer
                .expect("load_balancer_arn")
                .clone_into(&mut world.load_balancer_arn);
            for thing in world.everything() {
                println!("{thing}");
            }
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("ecs_world: platform WORLD | furnish WORLD | left WORLD VARIABLES");
            ExitCode::from(2)
        }
    }
}

fn bare(told: &str) -> EcsWorld {
    let told = serde_json::from_str(told).expect("what a world tells is JSON");
    EcsWorld::bare(Part::of_others(told))
}

fn furnished(told: &str) -> EcsWorld {
    let mut world = bare(told);
    world.furnish();
    world
}

fn platform(world: &EcsWorld) -> Value {
    let clusters = world.ecs("DescribeClusters", &json!({ "clusters": [world.cluster] }));
    json!({
        "region": "eu-west-1",
        "registry": { "table": TABLE, "bucket": BUCKET },
        "cluster_arn": clusters["clusters"][0]["clusterArn"],
        "execution_role_arn": world.execution_role,
        "task_role_arn": world.task_role,
        "subnets": world.subnets,
        "security_groups": [world.security_group],
        "load_balancer_arn": world.load_balancer_arn,
    })
}
