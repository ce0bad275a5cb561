//! A load balancer on moto, and endpoints that want a front on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ProtocolEnum, RuleCondition, Tag, TargetTypeEnum,
};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use mlops_core::endpoint::Period;
use mlops_core::endpoint::deployment::{DeploymentId, DeploymentRef};
use mlops_core::endpoint::spec::{Container, IngressSpec, PortRange, SlotChoice, Workload};
use mlops_core::memory::MemoryRecords;
use mlops_core::names::{EndpointName, ModelName, VariantName};
use mlops_core::target::{Revision, RevisionName};
use serde_json::json;
use uuid::Uuid;

use super::super::calls::Blame;
use super::super::front::of;
use super::super::{Balancers, Front, Opened, Owner, Release, action, tags};
use crate::support::table;
use crate::{AwsClients, AwsSettings, Endpoints, Patience};

/// The range that fronts are leased from.
pub(super) const RANGE: PortRange = PortRange {
    first: 20_000,
    last: 20_059,
};

/// A load balancer of its own with a listener that others use, and records.
pub(super) struct World {
    pub(super) url: String,
    pub(super) records: MemoryRecords,
    pub(super) client: Client,
    pub(super) load_balancer: String,
    pub(super) listener: String,
    pub(super) vpc: String,
}

impl World {
    pub(super) async fn new(url: &str) -> Self {
        let client = clients(url, PATIENCE)
            .elbv2()
            .await
            .expect("a client")
            .clone();
        let name = format!("alb-{}", &Uuid::new_v4().simple().to_string()[..12]);
        let made = client
            .create_load_balancer()
            .name(name)
            .set_subnets(Some(subnets(url).await))
            .send()
            .await
            .expect("a load balancer");
        let made = &made.load_balancers()[0];
        let load_balancer = made.load_balancer_arn().expect("an ARN").to_owned();
        let mut world = Self {
            url: url.to_owned(),
            records: MemoryRecords::default(),
            client,
            load_balancer,
            listener: String::new(),
            vpc: made.vpc_id().expect("a VPC").to_owned(),
        };
        world.listener = world.foreign_listener(80).await;
        world
    }

    /// What one more process of the registry's works with.
    pub(super) fn balancers(&self) -> Balancers {
        self.balancers_by(&self.url)
    }

    /// The same by another way.
    pub(super) fn balancers_by(&self, url: &str) -> Balancers {
        self.balancers_with(clients(url, PATIENCE))
    }

    /// The same with these clients.
    pub(super) fn balancers_with(&self, clients: AwsClients) -> Balancers {
        Balancers::new(clients, Arc::new(self.records.clone()))
    }

    /// A front of its own on the load balancer.
    pub(super) fn a_listener(&self) -> IngressSpec {
        IngressSpec::Listener {
            load_balancer_arn: self.load_balancer.clone(),
            port: SlotChoice::Leased(RANGE),
        }
    }

    /// A rule of its own on the shared listener.
    pub(super) fn a_rule(&self) -> IngressSpec {
        IngressSpec::Rule {
            listener_arn: self.listener.clone(),
            priority: SlotChoice::Leased(RANGE),
            host_headers: vec!["fraud.example.com".to_owned()],
            path_patterns: vec!["/fraud/*".to_owned()],
        }
    }

    /// Somebody else's listener; its ARN.
    pub(super) async fn foreign_listener(&self, port: u16) -> String {
        let made = self
            .client
            .create_listener()
            .load_balancer_arn(&self.load_balancer)
            .protocol(ProtocolEnum::Http)
            .port(i32::from(port))
            .default_actions(nothing())
            .send()
            .await
            .expect("a listener");
        made.listeners()[0]
            .listener_arn()
            .expect("an ARN")
            .to_owned()
    }

    /// Somebody else's rule on the shared listener; its ARN.
    pub(super) async fn foreign_rule(&self, priority: u16) -> String {
        let condition = RuleCondition::builder()
            .field("path-pattern")
            .values("/theirs");
        let made = self
            .client
            .create_rule()
            .listener_arn(&self.listener)
            .priority(i32::from(priority))
            .conditions(condition.build())
            .actions(nothing())
            .send()
            .await
            .expect("a rule");
        made.rules()[0].rule_arn().expect("an ARN").to_owned()
    }

    /// Somebody else's in the slot that an ingress would lease.
    pub(super) async fn foreign(&self, ingress: &IngressSpec, slot: u16) -> String {
        match ingress {
            IngressSpec::Listener { .. } => self.foreign_listener(slot).await,
            IngressSpec::Rule { .. } => self.foreign_rule(slot).await,
        }
    }

    /// Somebody else's target group of this name; its ARN.
    pub(super) async fn foreign_group(&self, name: &str, tags: &[(&str, &str)]) -> String {
        let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build();
        let made = self
            .client
            .create_target_group()
            .name(name)
            .protocol(ProtocolEnum::Http)
            .port(80)
            .vpc_id(&self.vpc)
            .target_type(TargetTypeEnum::Ip)
            .set_tags(
                Some(tags.iter().map(tag).collect()).filter(|tags: &Vec<Tag>| !tags.is_empty()),
            )
            .send()
            .await
            .expect("a target group");
        let arn = made.target_groups()[0].target_group_arn();
        arn.expect("an ARN").to_owned()
    }

    /// What lies in the range's slots, by what an ingress would lease.
    pub(super) async fn slots(&self, ingress: &IngressSpec) -> BTreeMap<u16, String> {
        let mut taken = self.balancers().taken(ingress).await.expect("told");
        taken.retain(|slot, _| RANGE.contains(*slot));
        taken
    }

    /// Leases and opens a front for `owner` as a deployment does: past what is somebody else's.
    pub(super) async fn bring_up(
        &self,
        balancers: &Balancers,
        owner: &Owner,
        ingress: &IngressSpec,
    ) -> Front {
        let mut foreign = BTreeSet::new();
        loop {
            let leased = balancers.lease(owner, ingress, None, None, &foreign).await;
            let slot = leased.expect("a slot");
            match balancers
                .open(owner, ingress, slot)
                .await
                .expect("an answer")
            {
                Opened::Front(front) => {
                    let parent = &front.parent;
                    let released = balancers
                        .release(owner, parent, Some(slot), Release::Free)
                        .await;
                    released.expect("released");
                    return front;
                }
                Opened::Foreign => assert!(foreign.insert(slot), "{slot} was leased again"),
            }
        }
    }

    /// Closes the front and ends its leases, as a teardown does.
    pub(super) async fn take_away(&self, owner: &Owner, front: &Front) {
        let balancers = self.balancers();
        let closed = balancers.close(front, owner.endpoint).await;
        closed.expect("closed");
        let released = balancers.release(owner, &front.parent, None, Release::Free);
        released.await.expect("released");
    }

    /// The ARNs of target groups whose names begin with the endpoint's and that carry its id.
    pub(super) async fn groups_of(&self, owner: &Owner) -> Vec<String> {
        let all = self.client.describe_target_groups().send().await;
        let all = all.expect("told").target_groups.unwrap_or_default();
        let arns: Vec<String> = all
            .into_iter()
            .filter(|group| {
                group
                    .target_group_name()
                    .is_some_and(|name| name.starts_with(owner.name.as_str()))
            })
            .filter_map(|group| group.target_group_arn)
            .collect();
        let mut ours = Vec::new();
        for arn in arns {
            let tags = self.balancers().tags(&[&arn], Blame::Nothing).await;
            if tags::are_of(of(&tags.unwrap_or_default(), &arn), owner.endpoint) {
                ours.push(arn);
            }
        }
        ours
    }

    /// Leases in the records.
    pub(super) fn leases(&self) -> usize {
        let all = self.records.dump();
        let is_lease = |item: &&mlops_core::records::Item| item.key.partition.starts_with("front#");
        all.iter().filter(is_lease).count()
    }
}

/// Long enough for a part on a machine that is busy.
pub(super) const PATIENCE: Patience = Patience {
    total: Duration::from_secs(60),
    unreachable: Duration::from_secs(2),
    attempt: Duration::from_secs(20),
};

/// Clients of a process of its own, for a part or a proxy at `url`.
pub(super) fn clients(url: &str, patience: Patience) -> AwsClients {
    let settings = AwsSettings {
        endpoints: Endpoints {
            elbv2: Some(url.to_owned()),
            ..Endpoints::default()
        },
        ..table::settings(url)
    };
    AwsClients::with_patience(settings, patience).expect("settings")
}

fn nothing() -> Action {
    action::idle(Uuid::nil())
}

/// The subnets that an account has from the beginning. There is no client of EC2 here.
async fn subnets(url: &str) -> Vec<String> {
    let request = Request::post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/{}/ec2/aws4_request",
                table::REGION
            ),
        )
        .body(Full::new(Bytes::from_static(
            b"Action=DescribeSubnets&Version=2016-11-15",
        )))
        .expect("a request");
    let client = HttpClient::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.expect("an answer");
    let body = answer.into_body().collect().await.expect("its end");
    let body = String::from_utf8(body.to_bytes().to_vec()).expect("text");
    let ids: BTreeSet<String> = body
        .split("<subnetId>")
        .skip(1)
        .filter_map(|rest| rest.split('<').next())
        .map(str::to_owned)
        .collect();
    assert!(ids.len() >= 2, "{body}");
    ids.into_iter().collect()
}

/// An endpoint of this name with an id of its own.
pub(super) fn owner(name: &str) -> Owner {
    Owner {
        endpoint: Uuid::new_v4(),
        name: EndpointName::new(name).expect("legal"),
        deployment: deployment(1),
    }
}

/// This try at a deployment.
pub(super) fn deployment(attempt: u32) -> DeploymentRef {
    DeploymentRef {
        id: DeploymentId::new("ecs/fraud", None, 1).expect("JSON"),
        attempt,
    }
}

/// This version of a model, as the endpoint's deployment runs it.
pub(super) fn revision(owner: &Owner, version: u64) -> Revision {
    let variant = VariantName::new("main").expect("legal");
    let placement = json!({
        "cluster": "serve",
        "launch_type": "FARGATE",
        "image": "registry.example.com/mlops:1",
        "execution_role_arn": "arn:aws:iam::111122223333:role/execution",
        "task_role_arn": "arn:aws:iam::111122223333:role/task",
        "enable_execute_command": false,
        "log_retention_days": 30,
        "network": {"subnets": ["subnet-1"]},
        "health_check": {},
        "drain_seconds": 45,
    });
    Revision {
        name: RevisionName::new(&variant, version, &owner.deployment),
        variant,
        workload: Workload::version(ModelName::new("fraud").expect("legal"), version, "sha256:0"),
        environment: BTreeMap::new(),
        compute: Default::default(),
        container: Container::default(),
        placement: Some(Box::new(
            serde_json::from_value(placement).expect("a placement"),
        )),
        smoke: None,
        instances: 1,
        startup_timeout: Period::seconds(60),
    }
}
