//! A platform's listener, and services on it that somebody made by calls of the API.

use mlops_acceptance::ecs_world::{self, EcsWorld};
use mlops_acceptance::workspace::free_port;
use serde_json::{Value, json};

/// What differs from a service that can become an endpoint.
pub(super) struct Made {
    pub(super) name: &'static str,
    priority: u16,
    /// The listener of this port and protocol leads there by its default action, in place of a rule.
    pub(super) listener: Option<(u16, &'static str)>,
    /// Of the condition, the action and the target group: parameters of their calls.
    pub(super) rule: Vec<(&'static str, &'static str)>,
    pub(super) group: Vec<(&'static str, &'static str)>,
    /// Members in place of those of the requests.
    pub(super) container: Value,
    pub(super) task: Value,
    pub(super) service: Value,
}

impl Made {
    pub(super) fn new(name: &'static str, priority: u16) -> Self {
        Self {
            name,
            priority,
            listener: None,
            rule: Vec::new(),
            group: Vec::new(),
            container: json!({}),
            task: json!({}),
            service: json!({}),
        }
    }
}

/// A platform's listener, and services on it that somebody made by calls of the API.
pub(super) struct Theirs {
    pub(super) world: EcsWorld,
    port: u16,
    pub(super) listener: String,
    pub(super) image: String,
}

impl Theirs {
    pub(super) fn new(world: EcsWorld, image: String) -> Self {
        let port = free_port();
        let listener = world.listener(port);
        world.logs("CreateLogGroup", &json!({"logGroupName": "theirs"}));
        Self {
            world,
            port,
            listener,
            image,
        }
    }

    pub(super) fn on_paper(test: &str) -> Option<Self> {
        let world = EcsWorld::on_paper_for(test)?;
        let image = world.paper_image("shop");
        Some(Self::new(world, image))
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}:{}", self.world.load_balancer, self.port)
    }

    /// Makes a service with its target group and its rule; the target group.
    pub(super) fn make(&self, made: &Made) -> String {
        let world = &self.world;
        let mut parameters = vec![
            ("Name", made.name),
            ("Protocol", "HTTP"),
            ("Port", "8080"),
            ("VpcId", &world.vpc),
            ("TargetType", "ip"),
            ("HealthCheckPath", "/"),
            ("HealthCheckIntervalSeconds", "5"),
            ("HealthCheckTimeoutSeconds", "2"),
            ("HealthyThresholdCount", "2"),
            ("UnhealthyThresholdCount", "3"),
            ("Matcher.HttpCode", "200"),
        ];
        replace(&mut parameters, &made.group);
        let group = first(
            &world.elb("CreateTargetGroup", &parameters),
            "TargetGroupArn",
        );
        match made.listener {
            Some(listener) => drop(self.lead_by_default(listener, &group)),
            None => self.lead_by_rule(made, &group),
        }
        let container = merged(
            json!({
                "name": "web", "image": self.image, "essential": true, "portMappings": [{"containerPort": 8080}],
                "environment": [{"name": "VERSION", "value": "1"}],
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": "theirs", "awslogs-region": world.region, "awslogs-stream-prefix": made.name,
                }},
            }),
            &made.container,
        );
        let task = merged(
            json!({
                "family": format!("by-hand-{}", made.name), "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
                "cpu": "256", "memory": "512", "executionRoleArn": world.execution_role, "taskRoleArn": world.task_role,
                "containerDefinitions": [container],
            }),
            &made.task,
        );
        let registered = world.ecs("RegisterTaskDefinition", &task);
        let service = merged(
            json!({
                "cluster": world.cluster, "serviceName": made.name, "desiredCount": 2, "launchType": "FARGATE",
                "taskDefinition": registered["taskDefinition"]["taskDefinitionArn"],
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": world.subnets, "securityGroups": [world.security_group]}},
                "loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
            }),
            &made.service,
        );
        world.ecs("CreateService", &service);
        group
    }

    fn lead_by_rule(&self, made: &Made, group: &str) {
        let (priority, path) = (made.priority.to_string(), path(made.name));
        let mut parameters = vec![
            ("ListenerArn", self.listener.as_str()),
            ("Priority", &priority),
            ("Conditions.member.1.Field", "path-pattern"),
            ("Conditions.member.1.Values.member.1", &path),
            ("Actions.member.1.Type", "forward"),
            ("Actions.member.1.TargetGroupArn", group),
        ];
        replace(&mut parameters, &made.rule);
        self.world.elb("CreateRule", &parameters);
    }

    /// Makes a listener that sends everything to the group; its ARN.
    fn lead_by_default(&self, (port, protocol): (u16, &str), group: &str) -> String {
        let port = port.to_string();
        let mut parameters = vec![
            ("LoadBalancerArn", self.world.load_balancer_arn.as_str()),
            ("Protocol", protocol),
            ("Port", &port),
            ("DefaultActions.member.1.Type", "forward"),
            ("DefaultActions.member.1.TargetGroupArn", group),
        ];
        let certificate;
        if protocol == "HTTPS" {
            certificate =
                (self.world).certificate(&["example.com"], "ISSUED", "2099-01-01T00:00:00Z");
            parameters.push(("Certificates.member.1.CertificateArn", &certificate));
        }
        first(
            &self.world.elb("CreateListener", &parameters),
            "ListenerArn",
        )
    }

    /// What an endpoint says that is as such a service.
    pub(super) fn endpoint(&self, made: &Made, variables: &str, more: &str) -> String {
        let ingress = match made.listener {
            Some((port, _)) => format!(
                "load_balancer_arn = {:?}\n    port = {port}",
                self.world.load_balancer_arn
            ),
            None => format!(
                "listener_arn  = \"{}\"\n    path_patterns = [\"{}\"]\n    priority      = {}",
                self.listener,
                path(made.name),
                made.priority
            ),
        };
        let runs = format!(
            "image       = {:?}\n      cpu         = 256\n      memory_mb   = 512\n      environment = {{ {variables} }}",
            self.image
        );
        let blocks = format!("{}\n  {more}", self.world.blocks(&ingress));
        ecs_world::endpoint(made.name, &runs, &blocks)
    }

    /// The ARN of the listener of this port.
    pub(super) fn listener_at(&self, port: u16) -> String {
        let listeners = self.world.listeners();
        let found = listeners
            .into_iter()
            .find(|(at, _)| *at == port.to_string());
        found.expect("a listener").1
    }

    /// How many tags a thing of the load balancer has.
    pub(super) fn tags(&self, arn: &str) -> usize {
        let told = [("ResourceArns.member.1", arn)];
        self.world
            .elb("DescribeTags", &told)
            .matches("<Key>")
            .count()
    }

    /// The services of the cluster, by name.
    pub(super) fn services(&self) -> Vec<String> {
        let services = self.world.services();
        let active = services.iter().filter(|one| one["status"] == "ACTIVE");
        let names = active.filter_map(|one| one["serviceName"].as_str());
        names.map(str::to_owned).collect()
    }
}

fn path(name: &str) -> String {
    match name {
        "shop" => "/v2/*".to_owned(),
        other => format!("/{other}/*"),
    }
}

fn merged(mut whole: Value, part: &Value) -> Value {
    for (name, value) in part.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    whole
}

/// Those of the same name are replaced; one without a value is taken away.
fn replace<'a>(parameters: &mut Vec<(&'a str, &'a str)>, by: &[(&'a str, &'a str)]) {
    parameters.retain(|(name, _)| !by.iter().any(|(other, _)| name == other));
    parameters.extend(by.iter().filter(|(_, value)| !value.is_empty()));
}

fn first(xml: &str, field: &str) -> String {
    let rest = xml.split_once(&format!("<{field}>")).expect(field).1;
    rest.split_once('<').expect(field).0.to_owned()
}
