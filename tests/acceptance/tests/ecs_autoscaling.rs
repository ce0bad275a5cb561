//! `autoscaling` of an endpoint on ECS, where services keep books and run no container: what a plan says, what an apply sets, what stays as
//! others made it.

use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld};
use serde_json::{Value, json};

const ENDPOINT: &str = "mlops_endpoint.fraud";
const SCALED: &str = r#"
  autoscaling {
    min = 2
    max = 10
    policies = {
      cpu      = { metric = "cpu", target = 60, scale_in_cooldown = "10m" }
      requests = { metric = "requests_per_target", target = 1200 }
    }
    schedules = {
      night = { schedule = "cron(0 22 * * ? *)", timezone = "Europe/Zurich", min = 1, max = 2 }
    }
  }
"#;

/// An endpoint with this block, of which a variable tells revisions apart.
fn endpoint(world: &EcsWorld, scaled: &str, revision: u32) -> String {
    let image = world.paper_image("own");
    let runs = format!("image = \"{image}\"\n      environment = {{ REVISION = \"{revision}\" }}");
    world.endpoint("fraud", &runs, &format!("{scaled}\n  {AT_ONCE}"))
}

/// The one service: its name, and how many tasks it is asked for.
#[track_caller]
fn service(world: &EcsWorld) -> (String, u64) {
    let told = world.services();
    assert_eq!(told.len(), 1, "{told:?}");
    let name = told[0]["serviceName"].as_str().expect("a name").to_owned();
    (name, told[0]["desiredCount"].as_u64().expect("a number"))
}

fn resource(world: &EcsWorld) -> Value {
    let (service, _) = service(world);
    json!(format!("service/{}/{service}", world.cluster))
}

fn bounds(world: &EcsWorld) -> (Value, Value) {
    let asked = json!({"ResourceIds": [resource(world)]});
    let told = world.scaling("DescribeScalableTargets", &asked)["ScalableTargets"][0].clone();
    assert_eq!(told["SuspendedState"]["DynamicScalingInSuspended"], false);
    assert_eq!(told["SuspendedState"]["ScheduledScalingSuspended"], false);
    (told["MinCapacity"].clone(), told["MaxCapacity"].clone())
}

fn names(world: &EcsWorld, operation: &str, list: &str, name: &str) -> Vec<String> {
    let told = world.scaling(operation, &json!({"ResourceId": resource(world)}));
    let all = told[list].as_array().expect("a list").iter();
    let mut names: Vec<_> = all
        .map(|one| one[name].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    names
}

fn policies(world: &EcsWorld) -> Vec<String> {
    names(
        world,
        "DescribeScalingPolicies",
        "ScalingPolicies",
        "PolicyName",
    )
}

fn schedules(world: &EcsWorld) -> Vec<String> {
    let list = "ScheduledActions";
    names(
        world,
        "DescribeScheduledActions",
        list,
        "ScheduledActionName",
    )
}

/// PAINS: hashicorp/terraform-provider-aws#335, hashicorp/terraform#10308, terraform-aws-modules/terraform-aws-ecs#346,
/// cloudposse/terraform-aws-ecs-alb-service-task#116. Others say how many tasks there are, and Terraform neither shows nor changes it.
#[test]
fn tasks_are_the_autoscalers_and_bounds_and_policies_are_terraforms() {
    let name = "tasks_are_the_autoscalers_and_bounds_and_policies_are_terraforms";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let before = world.everything();
    let mut work = world.workspace("");
    work.config(&endpoint(&world, SCALED, 1));
    work.apply();
    let (first, desired) = service(&world);
    assert_eq!(desired, 2, "a create starts with min");
    assert_eq!(bounds(&world), (json!(2), json!(10)));
    assert_eq!(policies(&world), ["cpu", "requests"]);
    assert_eq!(schedules(&world), ["night"]);
    work.expect_empty_plan();

    // The autoscaler and a schedule do their work.
    let scale = |tasks: u64| {
        let asked = json!({"cluster": world.cluster, "service": first, "desiredCount": tasks});
        world.ecs("UpdateService", &asked);
    };
    scale(7);
    work.expect_empty_plan();
    let scheduled = |min: u64, max: u64| {
        let body = json!({"ResourceId": resource(&world), "MinCapacity": min, "MaxCapacity": max});
        world.scaling("RegisterScalableTarget", &body);
    };
    scheduled(1, 2);
    assert_eq!(service(&world).1, 2);
    work.expect_empty_plan();
    scheduled(2, 10);

    // Other numbers, one policy fewer: in place, and the service is the same.
    let changed = SCALED.replace("max = 10", "max = 12").replace(
        "      requests = { metric = \"requests_per_target\", target = 1200 }\n",
        "",
    );
    work.config(&endpoint(&world, &changed, 1));
    let plan = work.apply();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert_eq!(bounds(&world), (json!(2), json!(12)));
    assert_eq!(policies(&world), ["cpu"]);
    scale(8);
    work.expect_empty_plan();
    assert_eq!(service(&world), (first.clone(), 8));

    // A new revision begins with what the old one had.
    work.config(&endpoint(&world, &changed, 2));
    work.apply();
    let (second, desired) = service(&world);
    assert_ne!(second, first);
    assert_eq!(desired, 8);
    assert_eq!(bounds(&world), (json!(2), json!(12)));

    // Imported, it is what it was.
    work.forget(ENDPOINT);
    work.import(ENDPOINT, &format!("ecs/{}/fraud", world.cluster));
    let state = work.state().object(ENDPOINT);
    assert_eq!(state.number("/autoscaling/max"), 12);
    assert_eq!(
        state.text("/autoscaling/policies/cpu/scale_in_cooldown"),
        "10m"
    );
    assert_eq!(
        state.text("/autoscaling/schedules/night/timezone"),
        "Europe/Zurich"
    );
    let plan = work.plan();
    let changes = plan.after(ENDPOINT);
    assert_eq!(*changes.get("/autoscaling"), *state.get("/autoscaling"));

    // Without the block nothing moves any more, and nothing is moved.
    work.config(&endpoint(&world, "", 2));
    work.apply();
    assert_eq!(service(&world), (second, 8));
    let told = world.scaling("DescribeScalableTargets", &json!({}));
    assert_eq!(told["ScalableTargets"], json!([]));
    work.destroy();
    assert_eq!(world.everything(), before);
}

#[test]
fn what_somebody_changed_is_seen_and_set_again() {
    let Some(world) = EcsWorld::on_paper_for("what_somebody_changed_is_seen_and_set_again") else {
        return;
    };
    let before = world.everything();
    let mut work = world.workspace("");
    work.config(&endpoint(&world, SCALED, 1));
    work.apply();
    let resource = resource(&world);
    let theirs: [(&str, Value); 5] = [
        ("DeleteScalingPolicy", json!({"PolicyName": "cpu"})),
        ("RegisterScalableTarget", json!({"MaxCapacity": 11})),
        (
            "DeleteScheduledAction",
            json!({"ScheduledActionName": "night"}),
        ),
        (
            "PutScheduledAction",
            json!({"ScheduledActionName": "more", "Schedule": "rate(1 day)", "ScalableTargetAction": {"MinCapacity": 2}}),
        ),
        ("DeregisterScalableTarget", json!({})),
    ];
    for (operation, mut body) in theirs {
        body["ResourceId"] = resource.clone();
        world.scaling(operation, &body);
        let plan = work.plan();
        assert_eq!(plan.actions(ENDPOINT), ["update"], "{operation}");
        work.apply();
        assert_eq!(bounds(&world), (json!(2), json!(10)), "{operation}");
        assert_eq!(policies(&world), ["cpu", "requests"], "{operation}");
        assert_eq!(schedules(&world), ["night"], "{operation}");
        work.expect_empty_plan();
    }
    // What is not asked for may be anybody's.
    work.config(&endpoint(&world, "", 1));
    work.apply();
    let body = json!({"ResourceId": resource, "MinCapacity": 2, "MaxCapacity": 4});
    world.scaling("RegisterScalableTarget", &body);
    work.expect_empty_plan();
    work.destroy();
    assert_eq!(world.everything(), before);
}

#[test]
fn what_is_wrong_with_autoscaling_is_an_error_of_the_plan_that_names_its_attribute() {
    let name = "what_is_wrong_with_autoscaling_is_an_error_of_the_plan_that_names_its_attribute";
    let Some(world) = EcsWorld::on_paper_for(name) else {
        return;
    };
    let mut work = world.workspace("");
    let block = |text: &str| format!("autoscaling {{\n {text}\n }}");
    let cpu = "policies = { cpu = { metric = \"cpu\", target = 60 } }";
    let policy = |text: &str| {
        block(&format!(
            "min = 1\n max = 2\n policies = {{ p = {{ {text} }} }}"
        ))
    };
    let schedule = |text: &str| {
        block(&format!(
            "min = 1\n max = 2\n schedules = {{ s = {{ schedule = \"{text}\", min = 2 }} }}"
        ))
    };
    let wrong: [(String, &[&str]); 13] = [
        (
            block(&format!("min = 5\n max = 4\n {cpu}")),
            &["min is 5 and max is 4: raise max, or lower min", "min = 5"],
        ),
        (
            block(&format!("min = 0\n max = 4\n {cpu}")),
            &["min 0 would leave nobody to answer", "min = 0"],
        ),
        (
            block(&format!("min = 1\n max = 0\n {cpu}")),
            &["max is 1 to 5000 instances, not 0", "max = 0"],
        ),
        (
            block("min = 1\n max = 4"),
            &[
                "nothing says when there are more than 1 instances",
                "autoscaling",
            ],
        ),
        (block("min = 1"), &["max"]),
        (
            policy("metric = \"gpu\", target = 60"),
            &["metric", "one of cpu, memory, requests_per_target"],
        ),
        (
            policy("metric = \"cpu\", target = 0"),
            &["percent, above 0 and at most 100, not 0", "target"],
        ),
        (
            policy("metric = \"memory\", target = 101"),
            &["at most 100, not 101", "target"],
        ),
        (
            policy("metric = \"requests_per_target\", target = -1"),
            &["requests of one instance in a minute, above 0, not -1"],
        ),
        (
            policy("metric = \"cpu\", target = 60, scale_in_cooldown = \"soon\""),
            &["scale_in_cooldown"],
        ),
        (
            schedule("cron(0 8 * * *)"),
            &[
                "is not a schedule: a cron has six fields, not 5",
                "schedule",
            ],
        ),
        (
            schedule("at(2026-11-22T08:00:00)"),
            &["at(…) comes once", "schedule"],
        ),
        (
            block(&format!(
                "min = 1\n max = 2\n {cpu}\n schedules = {{ s = {{ schedule = \"rate(1 day)\", min = 3 }} }}"
            )),
            &["from this schedule on min is 3 and max is 2"],
        ),
    ];
    for (block, said) in wrong {
        work.config(&endpoint(&world, &block, 1));
        work.plan_fails(said);
    }
    // Of one variant alone.
    let own = format!("traffic = 100\n      autoscaling = {{ min = 3, max = 2, {cpu} }}");
    let text = endpoint(&world, "", 1);
    work.config(&text.replace("traffic = 100", &own));
    work.plan_fails(&["min is 3 and max is 2"]);
    // Requests of what, without a load balancer?
    let requests = policy("metric = \"requests_per_target\", target = 100");
    let text = endpoint(&world, &requests, 1);
    let (start, rest) = text.split_once("ingress {").expect("a block");
    let (_, end) = rest.split_once('}').expect("its end");
    work.config(&format!("{start}{end}"));
    work.plan_fails(&["needs a block ingress"]);
    // One process is one.
    work.config(&format!(
        "resource \"mlops_endpoint\" \"fraud\" {{\n name = \"fraud\"\n local {{}}\n variants = {{ main = {{ model = \"m\", model_version = 1, traffic = 100 }} }}\n {SCALED} }}"
    ));
    work.plan_fails(&[
        "autoscaling is for the tasks of an endpoint on ECS",
        "leave it out",
    ]);
}
