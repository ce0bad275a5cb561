//! Makes what a platform team has before the first endpoint in a world that runs (`scripts/parts/ecs-world`), and asks what is left of
//! endpoints. The demo on ECS runs it.
//!
//! ```text
//! ecs_world furnish WORLD             WORLD is what the world told, as JSON; prints the variables of examples/ecs, as JSON
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
        ["furnish", world] => {
            let mut world = bare(world);
            world.furnish();
            println!("{:#}", variables(&world));
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
            eprintln!("ecs_world: furnish WORLD | left WORLD VARIABLES");
            ExitCode::from(2)
        }
    }
}

fn bare(told: &str) -> EcsWorld {
    let told = serde_json::from_str(told).expect("what a world tells is JSON");
    EcsWorld::bare(Part::of_others(told))
}

fn variables(world: &EcsWorld) -> Value {
    let clusters = world.ecs("DescribeClusters", &json!({ "clusters": [world.cluster] }));
    json!({
        "region": "eu-west-1",
        "registry": { "table": TABLE, "bucket": BUCKET },
        "server_image": world.server(),
        "cluster_arn": clusters["clusters"][0]["clusterArn"],
        "execution_role_arn": world.execution_role,
        "task_role_arn": world.task_role,
        "subnets": world.subnets,
        "security_groups": [world.security_group],
        "load_balancer_arn": world.load_balancer_arn,
    })
}
