//! A world in which ECS runs real containers, behind a load balancer whose listeners listen.
//!
//! `scripts/parts/ecs-world` starts it: a dockerd of its own, and ministack on it. [`EcsWorld::start`] makes what a platform team has before the
//! first endpoint: a network, a cluster, a load balancer, roles, a registry. Nothing of what an endpoint is made of is there yet:
//! [`EcsWorld::everything`] is empty.

mod api;
mod docker;
mod images;
mod written;
mod zones;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::builds::{self, Builds};
use crate::part::{self, Part};
use crate::wait;

pub use self::written::{AT_ONCE, MODEL, endpoint, server_image};

/// The world. It ends with the test, and leaves nothing.
#[derive(Debug)]
pub struct EcsWorld {
    /// ministack; its `url` is the API of AWS.
    pub part: Arc<Part>,
    /// Where the platform is.
    pub region: String,
    /// The API of AWS as containers reach it: their `AWS_ENDPOINT_URL`.
    pub containers_url: String,
    /// The socket of dockerd.
    pub docker: PathBuf,
    /// The load balancer.
    pub load_balancer_arn: String,
    /// Where its listeners listen, from here and from containers: an address, which is its DNS name.
    pub load_balancer: String,
    /// The network.
    pub vpc: String,
    /// Two subnets of it.
    pub subnets: Vec<String>,
    /// A security group.
    pub security_group: String,
    /// The cluster's name.
    pub cluster: String,
    /// With which ECS pulls images and writes logs.
    pub execution_role: String,
    /// With which a task asks AWS.
    pub task_role: String,
}

impl EcsWorld {
    /// Starts a world; the reason, where this machine cannot run one.
    ///
    /// # Errors
    /// What is missing.
    ///
    /// # Panics
    /// If it is there and does not start.
    pub fn start() -> Result<Self, String> {
        let mut world = Self::bare(Part::start("ecs-world")?);
        world.furnish();
        Ok(world)
    }

    /// Starts a world that keeps books and runs no container: `scripts/parts/ecs-paper`. The reason, where this machine cannot run it.
    ///
    /// # Errors
    /// What is missing.
    ///
    /// # Panics
    /// If it is there and does not start.
    pub fn on_paper() -> Result<Self, String> {
        let mut world = Self::bare(Part::start("ecs-paper")?);
        world.furnish();
        Ok(world)
    }

    /// The same; nothing if this machine cannot run it, which skips the test of this name.
    ///
    /// # Panics
    /// If it is there and does not start.
    #[must_use]
    pub fn on_paper_for(test: &str) -> Option<Self> {
        Self::on_paper().map_err(|why| crate::skip(test, &why)).ok()
    }

    /// A world that runs, in which nothing has been made, or nothing is known of it.
    #[must_use]
    pub fn bare(part: Part) -> Self {
        // On paper nobody reaches either.
        let told = |what: &str| part.details[what].as_str().unwrap_or_default().to_owned();
        Self {
            containers_url: told("containers"),
            docker: told("docker").trim_start_matches("unix://").into(),
            part: Arc::new(part),
            region: part::REGION.to_owned(),
            load_balancer_arn: String::new(),
            load_balancer: String::new(),
            vpc: String::new(),
            subnets: Vec::new(),
            security_group: String::new(),
            cluster: "models".to_owned(),
            execution_role: String::new(),
            task_role: String::new(),
        }
    }

    /// Makes what is there before the first endpoint.
    ///
    /// # Panics
    /// If the world refuses.
    pub fn furnish(&mut self) {
        self.part.make_registry();
        for (role, place) in [("execution", 0), ("task", 1)] {
            let arn = self.role(role, "ecs-tasks.amazonaws.com");
            *[&mut self.execution_role, &mut self.task_role][place] = arn;
        }
        self.furnish_region();
    }

    /// The same platform in another region of this world: all that [`EcsWorld::everything`] tells of it is of that region. Registry and roles are those that are
    /// there.
    ///
    /// # Panics
    /// If the world refuses.
    #[must_use]
    pub fn elsewhere(&self, region: &str) -> Self {
        let mut there = Self {
            part: Arc::clone(&self.part),
            region: region.to_owned(),
            containers_url: self.containers_url.clone(),
            docker: self.docker.clone(),
            execution_role: self.execution_role.clone(),
            task_role: self.task_role.clone(),
            cluster: self.cluster.clone(),
            load_balancer_arn: String::new(),
            load_balancer: String::new(),
            vpc: String::new(),
            subnets: Vec::new(),
            security_group: String::new(),
        };
        there.furnish_region();
        there
    }

    fn furnish_region(&mut self) {
        self.vpc = self.ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16")], "vpcId");
        for zone in ["a", "b"] {
            let third = self.subnets.len();
            let parameters = [
                ("VpcId", self.vpc.as_str()),
                ("CidrBlock", &format!("10.0.{third}.0/24")),
                ("AvailabilityZone", &format!("{}{zone}", self.region)),
            ];
            self.subnets
                .push(self.ec2("CreateSubnet", &parameters, "subnetId"));
        }
        let parameters = [
            ("VpcId", self.vpc.as_str()),
            ("GroupName", "models"),
            ("GroupDescription", "models"),
        ];
        self.security_group = self.ec2("CreateSecurityGroup", &parameters, "groupId");
        self.ecs("CreateCluster", &json!({"clusterName": self.cluster}));
        let parameters = [
            ("Name", "models"),
            ("Scheme", "internal"),
            ("Type", "application"),
            ("Subnets.member.1", &self.subnets[0]),
            ("Subnets.member.2", &self.subnets[1]),
            ("SecurityGroups.member.1", &self.security_group),
        ];
        let made = self.elb("CreateLoadBalancer", &parameters);
        self.load_balancer_arn = api::value(&made, "LoadBalancerArn");
        self.load_balancer = api::value(&made, "DNSName");
    }

    /// What a program finds in its environment, so that it asks this world.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 5] {
        part::environment(&self.part.url)
    }

    /// The image of a server that behaves as its environment says (`scripts/parts/fixture`), by digest.
    #[must_use]
    pub fn fixture(&self) -> String {
        self.image("tests/fixture", "fixture", &[])
    }

    /// The image of the model server that this checkout builds, by digest: as the published one, but for its libraries.
    #[must_use]
    pub fn server(&self) -> String {
        let program = Builds::get().cli.to_string_lossy();
        let arguments = [
            r#"--command=["serve", "--task"]"#,
            "--user=10001",
            "--volume=/models",
            "--directory=/cache",
            // Whoever speaks to AWS needs them, over plain HTTP as well.
            "--with=/etc/ssl/certs/ca-certificates.crt",
        ];
        self.image("mlops/server", &program, &arguments)
    }

    /// An image of a program of this machine, with the libraries that it loads, by digest: `scripts/parts/images.py` says what the arguments are.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn image(&self, name: &str, program: &str, arguments: &[&str]) -> String {
        let made = Command::new("python3")
            .arg(builds::root().join("scripts/parts/images.py"))
            .args([&self.part.details.to_string(), name, program])
            .args(arguments)
            .output()
            .expect("python3 starts");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "no image of {program}: {said}");
        String::from_utf8_lossy(&made.stdout).trim().to_owned()
    }

    /// Makes a listener of the platform's own, which answers with 404; its ARN.
    #[must_use]
    pub fn listener(&self, port: u16) -> String {
        let parameters = [
            ("LoadBalancerArn", self.load_balancer_arn.as_str()),
            ("Protocol", "HTTP"),
            ("Port", &port.to_string()),
            ("DefaultActions.member.1.Type", "fixed-response"),
            (
                "DefaultActions.member.1.FixedResponseConfig.StatusCode",
                "404",
            ),
        ];
        api::value(&self.elb("CreateListener", &parameters), "ListenerArn")
    }

    /// Makes a listener of the platform's own that shows this certificate, by default, and answers with 404; its ARN.
    pub fn https_listener(&self, port: u16, certificate: &str) -> String {
        let parameters = [
            ("LoadBalancerArn", self.load_balancer_arn.as_str()),
            ("Protocol", "HTTPS"),
            ("Port", &port.to_string()),
            ("Certificates.member.1.CertificateArn", certificate),
            ("DefaultActions.member.1.Type", "fixed-response"),
            (
                "DefaultActions.member.1.FixedResponseConfig.StatusCode",
                "404",
            ),
        ];
        api::value(&self.elb("CreateListener", &parameters), "ListenerArn")
    }

    /// Gives a listener another certificate, beside its default one.
    pub fn add_certificate(&self, listener_arn: &str, certificate: &str) {
        let parameters = [
            ("ListenerArn", listener_arn),
            ("Certificates.member.1.CertificateArn", certificate),
        ];
        self.elb("AddListenerCertificates", &parameters);
    }

    /// Makes a rule of the platform's own on a listener, which answers with 404.
    pub fn rule(&self, listener_arn: &str, priority: u16) {
        let parameters = [
            ("ListenerArn", listener_arn),
            ("Priority", &priority.to_string()),
            ("Conditions.member.1.Field", "path-pattern"),
            ("Conditions.member.1.Values.member.1", "/platform/*"),
            ("Actions.member.1.Type", "fixed-response"),
            ("Actions.member.1.FixedResponseConfig.StatusCode", "404"),
        ];
        self.elb("CreateRule", &parameters);
    }

    /// Every resource that an endpoint is made of, in words, sorted: whatever is here and belongs to nobody is an orphan.
    /// Clusters but the platform's own, services, task definitions that are active, tasks and containers that run, target groups, listeners, rules, scalable targets, log groups, capacity
    /// providers but those of AWS, Auto Scaling groups, launch templates, records of hosted zones.
    #[must_use]
    pub fn everything(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut add = |kind: &str, names: Vec<String>| {
            found.extend(names.iter().map(|name| format!("{kind} {name}")));
        };
        for cluster in api::names(&self.ecs("ListClusters", &json!({}))["clusterArns"]) {
            let within = json!({"cluster": cluster});
            add(
                "service",
                api::names(&self.ecs("ListServices", &within)["serviceArns"]),
            );
            add(
                "task",
                api::names(&self.ecs("ListTasks", &within)["taskArns"]),
            );
            if cluster != self.cluster {
                add("cluster", vec![cluster]);
            }
        }
        let definitions = self.ecs("ListTaskDefinitions", &json!({"status": "ACTIVE"}));
        add(
            "task definition",
            api::names(&definitions["taskDefinitionArns"]),
        );
        let groups = self.elb("DescribeTargetGroups", &[]);
        add("target group", api::values(&groups, "TargetGroupName"));
        let listeners = self.elb(
            "DescribeListeners",
            &[("LoadBalancerArn", &self.load_balancer_arn)],
        );
        for arn in api::values(&listeners, "ListenerArn") {
            let rules = self.elb("DescribeRules", &[("ListenerArn", &arn)]);
            let priorities = api::values(&rules, "Priority");
            // The default rule is part of its listener.
            add(
                "rule",
                priorities
                    .into_iter()
                    .filter(|priority| priority != "default")
                    .collect(),
            );
        }
        add("listener", api::values(&listeners, "Port"));
        let targets = self.scaling("DescribeScalableTargets", &json!({}));
        let targets = targets["ScalableTargets"].as_array().cloned();
        let targets = targets.unwrap_or_default();
        add(
            "scalable target",
            targets
                .iter()
                .map(|target| api::text(&target["ResourceId"]))
                .collect(),
        );
        let groups = self.logs("DescribeLogGroups", &json!({}));
        let groups = groups["logGroups"].as_array().cloned().unwrap_or_default();
        add(
            "log group",
            groups
                .iter()
                .map(|group| api::text(&group["logGroupName"]))
                .collect(),
        );
        let told = self.ecs("DescribeCapacityProviders", &json!({}));
        let told = told["capacityProviders"].as_array().cloned();
        let names = told.into_iter().flatten();
        let names = names.map(|provider| api::text(&provider["name"]));
        add(
            "capacity provider",
            names.filter(|name| !name.starts_with("FARGATE")).collect(),
        );
        let told = self.groups("DescribeAutoScalingGroups", &[]);
        add(
            "Auto Scaling group",
            api::values(&told, "AutoScalingGroupName"),
        );
        let told = self.instances("DescribeLaunchTemplates", &[]);
        add("launch template", api::values(&told, "launchTemplateName"));
        add("record", self.all_records());
        add(
            "container",
            self.containers()
                .into_iter()
                .map(|container| container.task)
                .collect(),
        );
        found.sort();
        found
    }

    /// The listeners of the load balancer: port and ARN.
    #[must_use]
    pub fn listeners(&self) -> Vec<(String, String)> {
        let all = [("LoadBalancerArn", &*self.load_balancer_arn)];
        let told = self.elb("DescribeListeners", &all);
        let ports = api::values(&told, "Port").into_iter();
        ports.zip(api::values(&told, "ListenerArn")).collect()
    }

    /// The rules of a listener, without the one that it ends with: priority and ARN.
    #[must_use]
    pub fn rules(&self, listener: &str) -> Vec<(String, String)> {
        let told = self.elb("DescribeRules", &[("ListenerArn", listener)]);
        let all = api::values(&told, "Priority").into_iter();
        let all = all.zip(api::values(&told, "RuleArn"));
        all.filter(|(priority, _)| priority != "default").collect()
    }

    /// What ECS tells of each service of the cluster.
    #[must_use]
    pub fn services(&self) -> Vec<Value> {
        let cluster = json!({ "cluster": self.cluster });
        let listed = self.ecs("ListServices", &cluster)["serviceArns"].clone();
        let asked = json!({ "cluster": self.cluster, "services": listed });
        let told = self.ecs("DescribeServices", &asked)["services"].clone();
        told.as_array().cloned().unwrap_or_default()
    }

    /// The task definition that a service runs.
    #[must_use]
    pub fn task_definition(&self, service: &Value) -> Value {
        let asked = json!({ "taskDefinition": service["taskDefinition"] });
        self.ecs("DescribeTaskDefinition", &asked)["taskDefinition"].clone()
    }

    /// The ARNs of the tasks of a service that are to run.
    #[must_use]
    pub fn tasks(&self, service: &str) -> Vec<String> {
        let asked = json!({"cluster": self.cluster, "serviceName": service});
        let listed = self.ecs("ListTasks", &asked);
        let arns = listed["taskArns"].as_array().cloned().unwrap_or_default();
        arns.iter().map(api::text).collect()
    }

    /// What ECS tells about a task.
    #[must_use]
    pub fn task(&self, arn: &str) -> Value {
        let asked = json!({"cluster": self.cluster, "tasks": [arn]});
        self.ecs("DescribeTasks", &asked)["tasks"][0].clone()
    }

    /// The states of a group's targets: `healthy`, `unhealthy`, `initial`, `unused`.
    #[must_use]
    pub fn health(&self, group_arn: &str) -> Vec<String> {
        let told = self.elb("DescribeTargetHealth", &[("TargetGroupArn", group_arn)]);
        api::values(&told, "State")
    }

    /// Waits until as many targets of the group are there, and all are healthy.
    #[track_caller]
    pub fn until_healthy(&self, group_arn: &str, targets: usize) {
        wait::until("all targets are healthy", Duration::from_secs(90), || {
            let health = self.health(group_arn);
            health.len() == targets && health.iter().all(|state| state == "healthy")
        });
    }
}
