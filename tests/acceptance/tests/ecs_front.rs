//! What clients reach an endpoint by, as AWS names it: `arn`. Nothing runs.

use mlops_acceptance::Workspace;
use mlops_acceptance::ecs_world::{AT_ONCE, EcsWorld};
use mlops_acceptance::stack::ENDPOINT;

/// Configures an endpoint behind `ingress` whose tasks are told `version`.
fn configure(work: &mut Workspace, world: &EcsWorld, ingress: &str, version: &str) {
    let image = world.paper_image("own");
    let blocks = world.blocks(ingress);
    let text = format!(
        r#"
resource "mlops_endpoint" "digits" {{
  name          = "digits"
  drain_seconds = 1
  variants      = {{ main = {{ traffic = 100, image = "{image}", environment = {{ VERSION = "{version}" }} }} }}
  {blocks}
  {AT_ONCE}
}}
"#
    );
    work.config(&text);
}

fn arn(work: &Workspace) -> String {
    work.state().object(ENDPOINT).text("/arn").to_owned()
}

#[test]
fn the_arn_of_a_front_stays_through_rollouts_and_is_another_ones_with_another_front() {
    let test = "the_arn_of_a_front_stays_through_rollouts_and_is_another_ones_with_another_front";
    let Some(world) = EcsWorld::on_paper_for(test) else {
        return;
    };
    let mut work = world.workspace("");
    configure(&mut work, &world, &world.own_listener(), "1");
    assert!(work.plan().unknown(ENDPOINT, "/arn"));
    work.apply();
    let listener = arn(&work);
    assert!(listener.contains(":listener/app/"), "{listener}");
    let there = world.elb(
        "DescribeListeners",
        &[("ListenerArns.member.1", &*listener)],
    );
    assert!(there.contains(&listener), "{there}");

    // A rollout behind the same front: known from the plan on, for whatever hangs on it.
    configure(&mut work, &world, &world.own_listener(), "2");
    let plan = work.plan();
    assert_eq!(plan.actions(ENDPOINT), ["update"]);
    assert!(!plan.unknown(ENDPOINT, "/arn"));
    assert_eq!(plan.after(ENDPOINT).text("/arn"), listener);
    work.apply();
    assert_eq!(arn(&work), listener);

    let mut importer = world.workspace("");
    configure(&mut importer, &world, &world.own_listener(), "2");
    importer.import(ENDPOINT, "ecs/models/digits");
    assert_eq!(arn(&importer), listener);
    let mut reader = world.workspace("");
    reader.config(
        "data \"mlops_endpoint\" \"it\" {\n  name    = \"digits\"\n  cluster = \"models\"\n}\n\
         output \"arn\" {\n  value = data.mlops_endpoint.it.arn\n}\n",
    );
    reader.apply();
    assert_eq!(*reader.state().output("arn"), *listener);

    // Somebody deletes it: the one that the next apply makes is another one.
    world.elb("DeleteListener", &[("ListenerArn", &*listener)]);
    assert!(work.plan().unknown(ENDPOINT, "/arn"));
    work.apply();
    let again = arn(&work);
    assert_ne!(again, listener);
    assert!(again.contains(":listener/app/"), "{again}");

    // Another ingress is another front: the endpoint's rule on a listener of others.
    let shared = world.listener(8443);
    let ingress = format!("listener_arn = \"{shared}\"\n    path_patterns = [\"/v2/*\"]");
    configure(&mut work, &world, &ingress, "2");
    assert!(work.plan().unknown(ENDPOINT, "/arn"));
    work.apply();
    let rule = arn(&work);
    assert!(rule.contains(":listener-rule/app/"), "{rule}");
    let rules = world.elb("DescribeRules", &[("ListenerArn", &*shared)]);
    assert!(rules.contains(&rule), "{rules}");
    work.destroy();
}
