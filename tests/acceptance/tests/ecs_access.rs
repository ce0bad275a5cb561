//! The policy in the guide is what an endpoint on ECS needs, and nothing else: a gate before the emulator enforces it.
//!
//! The emulator's own enforcement is not used: it takes a listener, a rule and a service of any cluster for one resource, and asks for neither
//! `iam:PassRole` nor the permissions for tags.

use std::collections::BTreeSet;

use mlops_acceptance::ecs_world::{self, EcsWorld, MODEL, server_image};
use mlops_acceptance::iam::{Gate, Policy};
use mlops_acceptance::part::registry;
use mlops_acceptance::workspace::free_port;
use mlops_acceptance::{Workspace, http};

/// Registry and models may be anybody's here: `aws_access.rs` is about them.
const REGISTRY: &str =
    r#"{"Statement": [{"Effect": "Allow", "Action": ["dynamodb:*", "s3:*"], "Resource": "*"}]}"#;

/// What the policies of the guide are about; the others are the registry's.
const SERVICES: [&str; 13] = [
    "acm:",
    "application-autoscaling:",
    "autoscaling:",
    "cloudwatch:",
    "ec2:",
    "ecr:",
    "ecs:",
    "elasticloadbalancing:",
    "iam:",
    "logs:",
    "route53:",
    "servicequotas:",
    "ssm:",
];

/// What scales the endpoint on a listener.
const SCALED: &str = r#"autoscaling {
    min       = 1
    max       = 3
    policies  = { cpu = { metric = "cpu", target = 60 }, requests = { metric = "requests_per_target", target = 100 } }
    schedules = { night = { schedule = "cron(0 22 * * ? *)", max = 1 } }
  }"#;
/// The same with less of it.
const RESCALED: &str = r#"autoscaling {
    min      = 1
    max      = 3
    policies = { cpu = { metric = "cpu", target = 60 } }
  }"#;

/// Instances of an endpoint's own.
const MACHINES: &str = r#"asg {
    instance_type    = "m7i.large"
    instance_profile = "instances"
    min_size         = 1
    max_size         = 2
  }"#;

struct World {
    ecs: EcsWorld,
    listener: String,
    gate: Gate,
    /// What the guide says, with this world's account.
    policy: Policy,
    /// The same of instances.
    machines: Policy,
    /// The same of names.
    names: Policy,
    zone: String,
    registry: Policy,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let ecs = EcsWorld::on_paper_for(test)?;
        ecs.alarm("models");
        let certificate = ecs.certificate(&["*.example.com"], "ISSUED", "2100-01-01T00:00:00Z");
        let listener = ecs.https_listener(free_port(), &certificate);
        // Which lies elsewhere, and is asked for there.
        let other = ecs.certificate_in_iam("other", "2100-01-01T00:00:00Z");
        ecs.add_certificate(&listener, &other);
        let zone = ecs.zone("example.com");
        Some(Self {
            listener,
            gate: Gate::before(http::address(&ecs.part.url)),
            policy: Policy::in_guide("policy"),
            machines: Policy::in_guide("policy of instances"),
            names: Policy::in_guide("policy of names").about("Z0123456789ABCDEFGHIJ", &zone),
            zone,
            registry: Policy::read(REGISTRY),
            ecs,
        })
    }

    fn admit(&self, policy: &Policy) {
        self.gate
            .admit(&[policy, &self.machines, &self.names, &self.registry]);
    }

    fn workspace(&self) -> Workspace {
        // By a tag, and for one platform: all that is asked of a registry is asked.
        drop(self.ecs.paper_image("mlops"));
        let image = self.ecs.tagged("mlops", "latest");
        let work = registry::workspace(&self.gate.url, &server_image(&image));
        work.copy_model("digits-v1", "model.onnx");
        work
    }

    fn on_a_listener(&self, environment: &str) -> String {
        let blocks = self.ecs.blocks(&self.ecs.own_listener());
        self.endpoint("listener", &blocks, environment, SCALED)
    }

    /// In a cluster of its own and on instances of its own, too.
    fn on_a_rule(&self, environment: &str) -> String {
        let ingress = format!(
            "listener_arn = \"{}\"\n    domain_name = \"digits.example.com\"\n    zone_id = \"{}\"\n    path_patterns = [\"/v2/*\"]\n    priority_range = \"100-199\"",
            self.listener, self.zone
        );
        let blocks = self.ecs.blocks_with_own_cluster(&ingress);
        let blocks = blocks.replacen("ecs {", &format!("ecs {{\n  {MACHINES}"), 1);
        self.endpoint("rule", &blocks, environment, "")
    }

    fn endpoint(&self, name: &str, blocks: &str, environment: &str, scaled: &str) -> String {
        let runs = format!(
            r#"model         = mlops_model.digits.name
      model_version = mlops_model_version.digits.version
      environment   = {{ {environment} }}"#
        );
        let blocks = format!(
            r#"{blocks}
  {scaled}
  rollout {{
    strategy        = "CANARY"
    steps           = [{{ traffic = 20, bake = "1s" }}, {{ traffic = 100 }}]
    # Asked for once at the beginning; no step is long enough to be measured.
    analysis        = {{ errors = {{ source = "cloudwatch", query = "error_rate", condition = "result < 1", start_after_step = 1 }} }}
    alarms          = ["models"]
    terminate_after = "1s"
  }}"#
        );
        ecs_world::endpoint(name, &runs, &blocks)
    }
}

#[test]
fn the_policy_in_the_guide_is_what_an_endpoint_on_ecs_needs_and_nothing_else() {
    let name = "the_policy_in_the_guide_is_what_an_endpoint_on_ecs_needs_and_nothing_else";
    let Some(world) = World::start(name) else {
        return;
    };
    let before = world.ecs.everything();
    world.admit(&world.policy);
    let mut work = world.workspace();
    let both = |one: &str, other: &str| {
        let (one, other) = (world.on_a_listener(one), world.on_a_rule(other));
        format!("{MODEL}{one}{other}")
    };
    // A create and a canary, each of which reads again what it made.
    work.config(&both("", ""));
    work.apply();
    work.copy_model("digits-v2", "model.onnx");
    work.apply();
    work.config(&both("", "").replace(SCALED, RESCALED));
    work.apply();
    // One whose server refuses to start, and one that finds no place: the log of a task that ended, and of the latest.
    work.config(&both("UNPLACED = \"1\"", "EXIT_CODE = \"78\""));
    let failed = work.apply_fails(&["was rolled back", "ended with status 78"]);
    assert!(
        failed.story().contains("could not be placed"),
        "{}",
        failed.story()
    );
    work.config(&both("", ""));
    let plan = work.apply();
    assert_eq!(plan.actions("mlops_endpoint.rule"), ["no-op"]);
    work.destroy();
    assert_eq!(world.gate.denied(), Vec::<String>::new());
    assert_eq!(world.ecs.everything(), before);

    let is_asked_for = |action: &String| SERVICES.iter().any(|s| action.starts_with(s));
    let seen: BTreeSet<String> = world
        .gate
        .allowed()
        .into_iter()
        .filter(is_asked_for)
        .collect();
    let mut said = world.policy.actions();
    said.extend(world.machines.actions());
    said.extend(world.names.actions());
    println!(
        "policy of an endpoint on ECS: {} actions, {} seen",
        said.len(),
        seen.len()
    );
    assert_eq!(
        said.difference(&seen).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "the guide names actions that nothing needs"
    );
}

/// Each of these is asked for by a call of another name.
#[test]
fn a_permission_that_another_call_needs_is_named_where_it_is_missing() {
    let name = "a_permission_that_another_call_needs_is_named_where_it_is_missing";
    let Some(world) = World::start(name) else {
        return;
    };
    let before = world.ecs.everything();
    let mut work = world.workspace();
    world.admit(&world.policy);
    work.config(MODEL);
    work.apply();
    work.config(&format!("{MODEL}{}", world.on_a_listener("")));
    for (action, call) in [
        ("elasticloadbalancing:AddTags", "CreateListener"),
        ("logs:TagResource", "CreateLogGroup"),
        ("ecs:TagResource", "RegisterTaskDefinition"),
        ("iam:PassRole", "RegisterTaskDefinition"),
    ] {
        world.admit(&world.policy.without(action));
        work.apply_fails(&["was rolled back", call, action, "to perform"]);
        assert_eq!(world.ecs.everything(), before, "without {action}");
    }
    // Known before anything is made.
    for (action, call) in [
        (
            "cloudwatch:DescribeAlarms",
            "CloudWatch DescribeAlarms on alarm models",
        ),
        (
            "cloudwatch:GetMetricData",
            "CloudWatch GetMetricData on the metrics",
        ),
    ] {
        world.admit(&world.policy.without(action));
        let failed = work.apply_fails(&[call, action]);
        let told = failed.errors().concat();
        assert!(!told.contains("rolled back"), "{told}");
        assert_eq!(world.ecs.everything(), before, "without {action}");
    }
}

/// Its own cluster is looked for before it is made: an endpoint of which nothing was made is not locked, and holds nothing.
#[test]
fn an_endpoint_that_may_not_look_for_its_own_cluster_is_taken_back_whole() {
    let name = "an_endpoint_that_may_not_look_for_its_own_cluster_is_taken_back_whole";
    let Some(world) = World::start(name) else {
        return;
    };
    let before = world.ecs.everything();
    let mut work = world.workspace();
    work.config(&format!("{MODEL}{}", world.on_a_rule("")));
    world.admit(&world.policy.without("ecs:DescribeClusters"));
    let said = [
        "was rolled back",
        "ECS DescribeClusters on cluster mlops-rule",
        "ecs:DescribeClusters",
        "to perform",
    ];
    work.apply_fails(&said);
    assert_eq!(world.ecs.everything(), before);
    // Nobody has to repair anything.
    world.admit(&world.policy);
    work.apply();
    work.destroy();
    assert_eq!(world.ecs.everything(), before);
}

#[test]
fn the_policy_in_the_guide_leaves_others_alone() {
    let name = "the_policy_in_the_guide_leaves_others_alone";
    let Some(world) = World::start(name) else {
        return;
    };
    world.admit(&world.policy);
    let before = world.ecs.everything();
    let listener = [("ListenerArn", world.listener.as_str())];
    let elb =
        |action, parameters: &[(&str, &str)]| world.ecs.elb_at(&world.gate.url, action, parameters);
    let ecs = |action, body| world.ecs.ecs_at(&world.gate.url, action, &body);
    let group = [
        ("Name", "theirs"),
        ("Protocol", "HTTP"),
        ("Port", "80"),
        ("VpcId", world.ecs.vpc.as_str()),
    ];
    let role = |role: &str| {
        serde_json::json!({"family": "f", "executionRoleArn": role, "taskRoleArn": role, "containerDefinitions": [],
            "tags": [{"key": "mlops:endpoint-id", "value": "1"}]})
    };
    for (what, answer) in [
        (
            "a listener without the tag",
            elb("DeleteListener", &listener),
        ),
        ("its default action", elb("ModifyListener", &listener)),
        (
            "a target group without the tag",
            elb("CreateTargetGroup", &group),
        ),
        (
            "a service of another cluster",
            ecs(
                "CreateService",
                serde_json::json!({"cluster": "other", "serviceName": "s", "tags": [{"key": "mlops:endpoint-id", "value": "1"}]}),
            ),
        ),
        (
            "tasks of another cluster",
            ecs("ListTasks", serde_json::json!({"cluster": "other"})),
        ),
        (
            "what scales a service and is not tagged",
            world.ecs.scaling_at(
                &world.gate.url,
                "RegisterScalableTarget",
                &serde_json::json!({"ResourceId": "service/models/theirs", "MinCapacity": 1, "MaxCapacity": 2}),
            ),
        ),
        (
            "a role of others",
            ecs(
                "RegisterTaskDefinition",
                role("arn:aws:iam::000000000000:role/admin"),
            ),
        ),
    ] {
        assert!(
            [400, 403].contains(&answer.status),
            "{what}: {}",
            answer.text()
        );
        assert!(
            answer.text().contains("is not authorized to perform"),
            "{what}: {}",
            answer.text()
        );
    }
    assert_eq!(world.gate.denied().len(), 7);
    assert_eq!(world.ecs.everything(), before);
}
