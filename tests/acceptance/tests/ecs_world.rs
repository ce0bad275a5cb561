//! The world in which endpoints on ECS are tested does what ECS and its load balancers do, as far as those tests rely on it.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use mlops_acceptance::http::Client;
use mlops_acceptance::{EcsWorld, builds, skip, wait};
use serde_json::{Value, json};

/// Two services behind one listener: version `a` and version `b`.
struct Two {
    world: EcsWorld,
    groups: BTreeMap<&'static str, String>,
    listener: String,
    url: String,
}

const NAMES: [&str; 2] = ["a", "b"];

impl Two {
    fn start() -> Result<Self, String> {
        let world = EcsWorld::start()?;
        assert_eq!(world.everything(), Vec::<String>::new(), "a world is empty");
        let image = world.fixture();
        world.logs("CreateLogGroup", &json!({"logGroupName": "models"}));
        let groups: BTreeMap<_, _> = NAMES
            .map(|name| (name, group(&world, name)))
            .into_iter()
            .collect();
        let mut two = Self {
            listener: String::new(),
            url: String::new(),
            groups,
            world,
        };
        let port = "9001";
        let mut parameters = vec![
            (
                "LoadBalancerArn".to_owned(),
                two.world.load_balancer_arn.clone(),
            ),
            ("Port".to_owned(), port.to_owned()),
            ("Protocol".to_owned(), "HTTP".to_owned()),
        ];
        parameters.extend(two.weights([90, 10]));
        two.listener = value(&two.elb("CreateListener", &parameters), "ListenerArn");
        two.url = format!("http://{}:{port}", two.world.load_balancer);
        for name in NAMES {
            let credentials = "http://169.254.170.2${AWS_CONTAINER_CREDENTIALS_RELATIVE_URI}";
            let environment = [("VERSION", name), ("FETCH", credentials)];
            let definition = two.define(name, &image, &environment);
            two.serve(name, &definition);
        }
        for group in two.groups.values() {
            two.world.until_healthy(group, 1);
        }
        Ok(two)
    }

    /// A forward action with these weights, as parameters of a call.
    fn weights(&self, weights: [u16; 2]) -> Vec<(String, String)> {
        let mut parameters = vec![("DefaultActions.member.1.Type".to_owned(), "forward".into())];
        for (index, (group, weight)) in self.groups.values().zip(weights).enumerate() {
            let prefix = format!(
                "DefaultActions.member.1.ForwardConfig.TargetGroups.member.{}",
                index + 1
            );
            parameters.push((format!("{prefix}.TargetGroupArn"), group.clone()));
            parameters.push((format!("{prefix}.Weight"), weight.to_string()));
        }
        parameters
    }

    fn elb(&self, action: &str, parameters: &[(String, String)]) -> String {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.world.elb(action, &parameters)
    }

    /// Registers a task definition; its ARN.
    fn define(&self, family: &str, image: &str, environment: &[(&str, &str)]) -> String {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let made = self.world.ecs("RegisterTaskDefinition", &json!({
            "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "executionRoleArn": self.world.execution_role, "taskRoleArn": self.world.task_role,
            "containerDefinitions": [{
                "name": "server", "image": image, "environment": environment, "portMappings": [{"containerPort": 8080}],
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": "models", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": family,
                }},
            }],
        }));
        text(&made["taskDefinition"]["taskDefinitionArn"])
    }

    fn serve(&self, name: &'static str, definition: &str) {
        self.world.ecs("CreateService", &json!({
            "cluster": self.world.cluster, "serviceName": name, "taskDefinition": definition, "desiredCount": 1, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": self.world.subnets, "securityGroups": [self.world.security_group]}},
            "loadBalancers": [{"targetGroupArn": self.groups[name], "containerName": "server", "containerPort": 8080}],
        }));
    }

    /// Who answers this many requests: the version, or the status of an error.
    fn who_answers(&self, requests: usize) -> BTreeMap<String, usize> {
        let (mut client, mut who) = (Client::new(&self.url), BTreeMap::new());
        for _ in 0..requests {
            let answer = client.get("/version").expect("the listener answers");
            let name = match answer.status {
                200 => answer.text(),
                status => status.to_string(),
            };
            *who.entry(name).or_default() += 1;
        }
        who
    }
}

fn group(world: &EcsWorld, name: &str) -> String {
    let parameters = [
        ("Name", name),
        ("Protocol", "HTTP"),
        ("Port", "8080"),
        ("VpcId", &world.vpc),
        ("TargetType", "ip"),
        ("HealthCheckPath", "/v2/health/ready"),
        ("HealthCheckIntervalSeconds", "5"),
        ("HealthCheckTimeoutSeconds", "2"),
        ("UnhealthyThresholdCount", "2"),
    ];
    value(
        &world.elb("CreateTargetGroup", &parameters),
        "TargetGroupArn",
    )
}

fn value(xml: &str, field: &str) -> String {
    let rest = xml.split_once(&format!("<{field}>")).expect(field).1;
    rest.split_once('<').expect(field).0.to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn a_listener_sends_requests_to_containers_by_its_weights_until_nothing_is_left() {
    let two = match Two::start() {
        Ok(two) => two,
        Err(reason) => {
            return skip(
                "a_listener_sends_requests_to_containers_by_its_weights_until_nothing_is_left",
                &reason,
            );
        }
    };
    let world = &two.world;

    // 20 of 200 are expected; less than 5 or more than 45 in one of ten million runs.
    let who = two.who_answers(200);
    let few = who.get("b").copied().unwrap_or_default();
    assert!((5..=45).contains(&few), "{who:?}");
    assert_eq!(who.get("a"), Some(&(200 - few)), "{who:?}");

    let mut shifted = two.weights([0, 100]);
    shifted.push(("ListenerArn".to_owned(), two.listener.clone()));
    two.elb("ModifyListener", &shifted);
    assert_eq!(two.who_answers(100), [("b".to_owned(), 100)].into());

    // What containers say is in the log, under the name of their task; and they reach the credentials of their role, as SDKs look for them.
    let task = world.tasks("b").remove(0);
    let stream = format!("b/server/{}", task.rsplit('/').next().expect("an id"));
    let asked = json!({"logGroupName": "models", "logStreamName": stream});
    let mut lines = Vec::new();
    wait::until("the log has two lines", Duration::from_secs(10), || {
        let events = world.logs("GetLogEvents", &asked);
        let events = events["events"].as_array().cloned().unwrap_or_default();
        lines = events.iter().map(|event| text(&event["message"])).collect();
        lines.len() == 2
    });
    assert_eq!(lines, ["fetched 200", "version \"b\" listens on port 8080"]);

    // A container that crashes is replaced, and takes requests again once it is healthy.
    world.kill_container(&task);
    wait::until(
        "ECS sees that the task ended",
        Duration::from_secs(30),
        || world.task(&task)["lastStatus"] == "STOPPED",
    );
    let ended = world.task(&task);
    assert_eq!(ended["stopCode"], "EssentialContainerExited", "{ended}");
    assert_eq!(ended["containers"][0]["exitCode"], 137, "{ended}");
    wait::until(
        "another task takes its place",
        Duration::from_secs(60),
        || !world.tasks("b").is_empty(),
    );
    assert_ne!(world.tasks("b"), [task]);
    world.until_healthy(&two.groups["b"], 1);
    assert_eq!(two.who_answers(20), [("b".to_owned(), 20)].into());

    for service in NAMES {
        world.ecs(
            "DeleteService",
            &json!({"cluster": world.cluster, "service": service, "force": true}),
        );
        world.ecs(
            "DeregisterTaskDefinition",
            &json!({"taskDefinition": format!("{service}:1")}),
        );
    }
    assert_eq!(
        world.everything(),
        [
            "listener 9001",
            "log group models",
            "target group a",
            "target group b"
        ]
    );
    world.elb("DeleteListener", &[("ListenerArn", &two.listener)]);
    for group in two.groups.values() {
        world.elb("DeleteTargetGroup", &[("TargetGroupArn", group)]);
    }
    world.logs("DeleteLogGroup", &json!({"logGroupName": "models"}));
    assert_eq!(world.everything(), Vec::<String>::new());
    Client::new(&two.url)
        .get("/version")
        .expect_err("nobody listens any more");
}

#[test]
fn what_ministack_lacks_is_patched() {
    let name = "what_ministack_lacks_is_patched";
    let script = r#"set -e; . "$ROOT/scripts/tools.sh"; need_ministack; exec "$MINISTACK/bin/python" -B -m unittest discover --start-directory "$ROOT/scripts/parts/ecs" --pattern '*_test.py' --top-level-directory "$ROOT/scripts/parts""#;
    let done = Command::new("bash")
        .args(["-c", script])
        .env("ROOT", builds::root())
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&done.stderr);
    if done.status.code() == Some(3) {
        return skip(name, said.lines().next().unwrap_or_default());
    }
    assert!(done.status.success(), "{said}");
    assert!(!said.contains("Ran 0 tests"), "{said}");
}
