//! Endpoints on ECS in another region than the registry's.

use std::collections::BTreeMap;

use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld, MODEL, endpoint, server_image};
use mlops_acceptance::part::registry;
use mlops_acceptance::skip;
use mlops_acceptance::stack::{ENDPOINT, who_answers};

const THERE: &str = "mlops_endpoint.there";
const IN_THERE: &str = "region = \"us-east-1\"";

/// An endpoint `digits` that is called so in the configuration.
fn digits(address: &str, runs: &str, blocks: &str) -> String {
    let text = endpoint("digits", runs, &format!("{blocks}\n  {AT_ONCE}"));
    text.replacen("\"digits\"", &format!("\"{address}\""), 2)
        .replacen(
            &format!("name          = \"{address}\""),
            "name = \"digits\"",
            1,
        )
}

/// One registry, and in each of two regions a cluster of one name with an endpoint of one name: real containers, whose model lies in the registry's region.
#[test]
fn endpoints_of_one_name_run_in_two_regions_from_one_registry() {
    let name = "endpoints_of_one_name_run_in_two_regions_from_one_registry";
    let here = match EcsWorld::start() {
        Ok(world) => world,
        Err(reason) => return skip(name, &reason),
    };
    let there = here.elsewhere("us-east-1");
    let mut work = here.workspace(&server_image(&here.server()));
    work.copy_model("digits-v1", "model.onnx");
    let runs =
        "model = mlops_model.digits.name\n      model_version = mlops_model_version.digits.version";
    let at = |address: &str, world: &EcsWorld, more: &str| {
        let blocks = format!("{more}\n  {}", world.blocks(&world.own_listener()));
        digits(address, runs, &blocks)
    };
    work.config(&format!(
        "{MODEL}{}{}",
        at("digits", &here, ""),
        at("there", &there, IN_THERE)
    ));
    // It ends with a plan, which has to be empty.
    work.apply();
    let state = work.state();
    for (address, id, region) in [
        (ENDPOINT, "ecs/models/digits", "eu-west-1"),
        (THERE, "ecs/us-east-1/models/digits", "us-east-1"),
    ] {
        let object = state.object(address);
        assert_eq!((object.text("/id"), object.text("/region")), (id, region));
        assert!(object.text("/arn").contains(region), "{object:?}");
        let url = work.invoke_url(address);
        assert_eq!(who_answers(&url, 5), BTreeMap::from([(1, 5)]));
    }
    for world in [&here, &there] {
        let services = world.services();
        let [service] = &services[..] else {
            panic!("{services:?}")
        };
        let definition = world.task_definition(service);
        let container = &definition["containerDefinitions"][0];
        let logs = &container["logConfiguration"]["options"]["awslogs-region"];
        assert_eq!(logs, &*world.region);
        let variables = container["environment"].as_array().expect("variables");
        let own = variables.iter().find(|one| one["name"] == "AWS_REGION");
        assert_eq!(own.expect("a region")["value"], *world.region);
        let task = variables.iter().find(|one| one["name"] == "MLOPS_TASK");
        let task: serde_json::Value = task
            .and_then(|task| serde_json::from_str(task["value"].as_str()?).ok())
            .expect("a task");
        assert_eq!(task["artifacts"]["region"], "eu-west-1", "{task}");
    }

    // Whoever has the id alone finds it.
    let mut reader = here.workspace("");
    let (arn, by_name) = (there.cluster_arn(), "models");
    let ask = |kind: &str| {
        format!(
            "data \"mlops_{kind}\" \"it\" {{\n  for_each = toset([{arn:?}, {by_name:?}])\n  name = \"digits\"\n  cluster = each.key\n}}\n\
             output \"{kind}\" {{\n  value = data.mlops_{kind}.it\n}}\n"
        )
    };
    reader.config(&format!("{}{}", ask("endpoint"), ask("endpoint_status")));
    reader.apply();
    let told = reader.state();
    for (cluster, id) in [
        (&*arn, "ecs/us-east-1/models/digits"),
        (by_name, "ecs/models/digits"),
    ] {
        assert_eq!(told.output("endpoint")[cluster]["id"], id);
        let status = &told.output("endpoint_status")[cluster];
        assert_eq!(status["healthy"], true, "{status}");
    }
    for (name, value) in here.environment() {
        reader.env(name, &value);
    }
    let asked = [
        "endpoint",
        "status",
        "ecs/us-east-1/models/digits",
        "--json",
    ];
    let ended = reader.mlops(asked.iter().chain(&registry::OPTIONS));
    let story = ended.story();
    assert!(story.contains(r#""status":"serving""#), "{story}");

    // A rollout there is none here.
    work.copy_model("digits-v2", "model.onnx");
    let plan = work.apply();
    assert_eq!(plan.actions(THERE), ["update"]);
    assert_eq!(
        who_answers(&work.invoke_url(THERE), 5),
        BTreeMap::from([(2, 5)])
    );
    work.destroy();
    assert_eq!(here.everything(), [""; 0]);
    assert_eq!(there.everything(), [""; 0]);
}

#[test]
fn a_region_is_the_clusters_and_what_disagrees_is_refused_at_plan() {
    let name = "a_region_is_the_clusters_and_what_disagrees_is_refused_at_plan";
    let Some(here) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let there = here.elsewhere("us-east-1");
    let runs = format!("image = {:?}", here.paper_image("own"));
    let mut work = here.workspace("");
    let with = |blocks: &str| digits("digits", &runs, blocks);

    work.config(&with(&format!(
        "{IN_THERE}\n  {}",
        here.blocks(&here.own_listener())
    )));
    work.plan_fails(&[
        "Region is \"us-east-1\"",
        "cluster/models is in eu-west-1",
        "region = \"us-east-1\"",
    ]);
    work.config(&with(&there.blocks(&here.own_listener())));
    work.plan_fails(&["is in eu-west-1, and the cluster of ecs.cluster_arn in us-east-1"]);
    work.config(&digits(
        "digits",
        "model = \"digits\"\n      model_version = 1",
        &format!("{IN_THERE}\n  local {{}}"),
    ));
    work.plan_fails(&["An endpoint on this machine is in no region"]);

    // Nobody need say it; and another region is another endpoint.
    let before = (here.everything(), there.everything());
    work.config(&with(&here.blocks(&here.own_listener())));
    work.apply();
    let first = here.everything();
    assert_ne!(first, before.0);
    work.config(&with(&there.blocks(&there.own_listener())));
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["delete", "create"]);
    let state = work.state();
    assert_eq!(
        state.object(ENDPOINT).text("/id"),
        "ecs/us-east-1/models/digits"
    );
    assert_eq!(state.object(ENDPOINT).text("/region"), "us-east-1");
    assert_eq!(here.everything(), before.0);

    // An import knows it by its id.
    let mut importer = here.workspace("");
    importer.config(&with(&there.blocks(&there.own_listener())));
    importer.import(ENDPOINT, "ecs/us-east-1/models/digits");
    let theirs = importer.state();
    for attribute in ["/id", "/region", "/arn"] {
        assert_eq!(
            theirs.object(ENDPOINT).text(attribute),
            state.object(ENDPOINT).text(attribute)
        );
    }
    work.destroy();
    assert_eq!((here.everything(), there.everything()), before);

    // A cluster of its own is where its load balancer is.
    let own = there.blocks_with_own_cluster(&there.own_listener());
    work.config(&with(&format!("{IN_THERE}\n  {own}")));
    work.apply();
    assert_eq!(
        work.state().object(ENDPOINT).text("/id"),
        "ecs/us-east-1/mlops-digits/digits"
    );
    assert!(
        there
            .everything()
            .contains(&"cluster mlops-digits".to_owned())
    );
    assert_eq!(here.everything(), before.0);
    work.destroy();
    assert_eq!((here.everything(), there.everything()), before);
}
