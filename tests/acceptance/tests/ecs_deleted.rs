//! Somebody deletes by hand what an endpoint on ECS is made of: the next plan tells, and the next apply makes it again.

use mlops_acceptance::ecs_world::{self, AT_ONCE, EcsWorld};
use mlops_acceptance::part::registry;
use mlops_acceptance::workspace::free_port;
use serde_json::{Value, json};

/// What is deleted, each of an endpoint of that name, and what the next plan does about it.
const DELETED: [(&str, &str); 9] = [
    ("service", "update"),
    ("group", "update"),
    ("listener", "update"),
    ("rule", "update"),
    ("logs", "update"),
    // Tasks of a definition that is deregistered run on, and start.
    ("definition", "no-op"),
    ("scaled", "update"),
    ("provider", "update"),
    ("machines", "update"),
];

struct World {
    ecs: EcsWorld,
    image: String,
    listener: String,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let ecs = EcsWorld::on_paper_for(test)?;
        let image = ecs.paper_image("own");
        let listener = ecs.listener(free_port());
        Some(Self {
            ecs,
            image,
            listener,
        })
    }

    fn text(&self, name: &str, version: u32) -> String {
        let runs = format!(
            "image       = {:?}\n      environment = {{ VERSION = \"{version}\" }}",
            self.image
        );
        let ingress = match name {
            "rule" => format!(
                "listener_arn = {:?}\n    path_patterns = [\"/rule/*\"]",
                self.listener
            ),
            _ => self.ecs.own_listener(),
        };
        let blocks = match owns_cluster(name) {
            true => self.ecs.blocks_with_own_cluster(&ingress).replacen(
                "ecs {",
                "ecs {\n  asg {\n    instance_type = \"m7i.large\"\n    instance_profile = \"instances\"\n    max_size = 4\n  }",
                1,
            ),
            false => self.ecs.blocks(&ingress),
        };
        let scaled = match name {
            "scaled" => {
                "autoscaling {\n    min = 1\n    max = 3\n    policies = { cpu = { metric = \"cpu\", target = 60 } }\n  }"
            }
            _ => "",
        };
        ecs_world::endpoint(name, &runs, &format!("{blocks}\n  {scaled}\n  {AT_ONCE}"))
    }

    fn cluster(&self, name: &str) -> String {
        match owns_cluster(name) {
            true => format!("mlops-{name}"),
            false => self.ecs.cluster.clone(),
        }
    }

    /// The one service of an endpoint.
    fn service(&self, name: &str) -> Value {
        let cluster = self.cluster(name);
        let listed =
            self.ecs.ecs("ListServices", &json!({ "cluster": cluster }))["serviceArns"].clone();
        let asked = json!({ "cluster": cluster, "services": listed });
        let told = self.ecs.ecs("DescribeServices", &asked)["services"].clone();
        let all = told.as_array().cloned().unwrap_or_default();
        let own = all.into_iter().filter(|one| {
            let called = one["serviceName"].as_str().unwrap_or_default();
            called.starts_with(&format!("{name}-")) && one["status"] == "ACTIVE"
        });
        let own: Vec<_> = own.collect();
        assert_eq!(own.len(), 1, "{name}: {own:?}");
        own[0].clone()
    }

    fn listener_of(&self, url: &str) -> String {
        let listeners = self.ecs.listeners();
        let found = listeners
            .iter()
            .find(|(port, _)| url.ends_with(&format!(":{port}")));
        found.expect("a listener").1.clone()
    }

    /// Deletes what `name` says of the endpoint that is called so, which answers at `url`.
    fn delete(&self, name: &str, url: &str) {
        let (ecs, service) = (&self.ecs, self.service(name));
        let group = service["loadBalancers"][0]["targetGroupArn"].as_str();
        let group = group.expect("a target group");
        match name {
            "service" => {
                let asked = json!({"cluster": ecs.cluster, "service": service["serviceName"], "force": true});
                ecs.ecs("DeleteService", &asked);
            }
            "group" => {
                // No group is deleted that a listener leads to.
                let listener = self.listener_of(url);
                let parameters = [
                    ("ListenerArn", listener.as_str()),
                    ("DefaultActions.member.1.Type", "fixed-response"),
                    (
                        "DefaultActions.member.1.FixedResponseConfig.StatusCode",
                        "503",
                    ),
                ];
                ecs.elb("ModifyListener", &parameters);
                ecs.elb("DeleteTargetGroup", &[("TargetGroupArn", group)]);
            }
            "listener" => {
                let listener = self.listener_of(url);
                ecs.elb("DeleteListener", &[("ListenerArn", &listener)]);
            }
            "rule" => {
                let rules = ecs.rules(&self.listener);
                let [(_, rule)] = &rules[..] else {
                    panic!("{rules:?}")
                };
                ecs.elb("DeleteRule", &[("RuleArn", rule)]);
            }
            "logs" => {
                let group = format!("/mlops/endpoints/{}/{name}", ecs.cluster);
                ecs.logs("DeleteLogGroup", &json!({ "logGroupName": group }));
            }
            "definition" => {
                let asked = json!({ "taskDefinition": service["taskDefinition"] });
                ecs.ecs("DeregisterTaskDefinition", &asked);
            }
            "scaled" => {
                let called = service["serviceName"].as_str().expect("a name");
                let resource = format!("service/{}/{called}", ecs.cluster);
                ecs.scaling(
                    "DeregisterScalableTarget",
                    &json!({ "ResourceId": resource }),
                );
            }
            "provider" => {
                // None goes that a service names.
                let cluster = self.cluster(name);
                let asked =
                    json!({"cluster": cluster, "service": service["serviceName"], "force": true});
                ecs.ecs("DeleteService", &asked);
                let asked = json!({"cluster": cluster, "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []});
                ecs.ecs("PutClusterCapacityProviders", &asked);
                let asked = json!({ "capacityProvider": provider(&service) });
                ecs.ecs("DeleteCapacityProvider", &asked);
            }
            "machines" => {
                let group = provider(&service);
                let parameters = [("AutoScalingGroupName", &*group), ("ForceDelete", "true")];
                ecs.groups("DeleteAutoScalingGroup", &parameters);
            }
            other => panic!("{other} is not deleted here"),
        }
    }
}

fn owns_cluster(name: &str) -> bool {
    matches!(name, "provider" | "machines")
}

#[test]
fn what_somebody_deleted_of_an_endpoint_is_told_by_the_plan_and_made_again_by_the_apply() {
    let name =
        "what_somebody_deleted_of_an_endpoint_is_told_by_the_plan_and_made_again_by_the_apply";
    let Some(world) = World::start(name) else {
        return;
    };
    let before = world.ecs.everything();
    let mut work = registry::workspace(&world.ecs.part.url, "");
    work.config(&DELETED.map(|(name, _)| world.text(name, 1)).concat());
    work.apply();
    let (state, whole) = (work.state(), kinds(&world));
    let machines = provider(&world.service("machines"));
    for (name, _) in DELETED {
        let endpoint = state.object(&format!("mlops_endpoint.{name}"));
        world.delete(name, endpoint.text("/invoke_url"));
    }
    assert_ne!(kinds(&world), whole);
    let plan = work.plan();
    for (name, expected) in DELETED {
        let actions = plan.actions(&format!("mlops_endpoint.{name}"));
        assert_eq!(actions, [expected], "{name}");
    }

    // One that is changed at the same time, and lacks nothing that a new revision needs.
    let text = DELETED.map(|(name, _)| world.text(name, if name == "definition" { 2 } else { 1 }));
    work.config(&text.concat());
    work.apply();
    work.expect_empty_plan();
    assert_eq!(kinds(&world), whole, "{:#?}", world.ecs.everything());
    for (name, _) in DELETED {
        let service = world.service(name);
        let group = service["loadBalancers"][0]["targetGroupArn"].as_str();
        let health = world.ecs.health(group.expect("a target group"));
        assert_eq!(health, ["healthy"], "{name}");
    }
    let now = provider(&world.service("machines"));
    assert_ne!(now, machines, "the old one leads to a group that is gone");
    work.destroy();
    assert_eq!(world.ecs.everything(), before);
}

/// What is there, each in as many words as say what it is.
fn kinds(world: &World) -> Vec<String> {
    let all = world.ecs.everything();
    let kind = |one: &String| {
        one.rsplit_once(' ')
            .expect("a kind and a name")
            .0
            .to_owned()
    };
    let mut kinds: Vec<_> = all.iter().map(kind).collect();
    // In the order of the names a task stands before or behind the task definitions, as its identifier falls.
    kinds.sort_unstable();
    kinds
}

/// The capacity provider of a service on instances of its endpoint's own.
fn provider(service: &Value) -> String {
    let named = &service["capacityProviderStrategy"][0]["capacityProvider"];
    named.as_str().expect("one").to_owned()
}
