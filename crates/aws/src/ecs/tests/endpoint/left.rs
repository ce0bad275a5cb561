//! What is left of an endpoint, in the words of those who kept it.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_applicationautoscaling::types::ServiceNamespace;
use mlops_core::clock::{Clock as _, SystemClock};

use super::super::left::listed;
use super::Endpoint;
use crate::ecs::names;
use crate::query::{Asked, Form};

impl Endpoint {
    /// Everything of the endpoint's that AWS knows, in words, and its leases of ports.
    pub(in super::super) async fn left(&self) -> BTreeSet<String> {
        let is_own = |text: &str| text.contains(self.name.as_str());
        let mut left = listed(&self.direct, &self.cluster, &self.load_balancer, is_own).await;
        if self.owns_cluster {
            let ecs = self.direct.ecs().await.expect("a client");
            let found = ecs.describe_clusters().clusters(&self.cluster).send().await;
            let found = found.expect("told").clusters.unwrap_or_default();
            let named = found.iter().filter_map(|found| found.cluster_name());
            left.extend(named.map(|name| format!("cluster {name}")));
        }
        left.extend(self.scaled().await);
        left.extend(self.machines().await);
        left.extend(self.in_zone().await);
        let leases = self.records.dump().into_iter();
        let leases = leases.filter(|item| item.key.partition.starts_with("front#"));
        left.extend(leases.map(|item| format!("lease {:?}", item.key)));
        left
    }

    /// The same once it is `wanted`, or after a while: tasks of a service that is gone end by and by.
    pub(in super::super) async fn until_left(&self, wanted: &BTreeSet<String>) -> BTreeSet<String> {
        let clock = SystemClock::default();
        loop {
            let left = self.left().await;
            if left == *wanted || clock.elapsed() > Duration::from_secs(30) {
                return left;
            }
            clock.sleep(Duration::from_millis(200)).await;
        }
    }

    /// What its instances are made of, in words.
    async fn machines(&self) -> Vec<String> {
        let mut all = Vec::new();
        let own = format!("mlops-{}-", self.name);
        let (retries, all_of_them) = (self.direct.retries(), Form::default());
        let ec2 = self.direct.ec2().await.expect("a client");
        let told = ec2.ask(retries, "DescribeLaunchTemplates", &all_of_them, "all");
        let told = told.await.expect("told");
        let names = told.items("launchTemplates");
        let names = names.filter_map(|one| one.text("launchTemplateName"));
        all.extend(names.map(|name| format!("launch template {name}")));
        let groups = self.direct.autoscaling().await.expect("a client");
        let told = groups.ask(retries, "DescribeAutoScalingGroups", &all_of_them, "all");
        let told = told.await.expect("told");
        let result = told.child("DescribeAutoScalingGroupsResult").into_iter();
        let names = result.flat_map(|result| result.members("AutoScalingGroups"));
        let names = names.filter_map(|one| one.text("AutoScalingGroupName"));
        all.extend(names.map(|name| format!("group {name}")));
        let ecs = self.direct.ecs().await.expect("a client");
        let told = ecs
            .describe_capacity_providers()
            .send()
            .await
            .expect("told");
        let names = told
            .capacity_providers()
            .iter()
            .filter_map(|one| one.name());
        all.extend(names.map(|name| format!("provider {name}")));
        all.retain(|one| one.contains(&own));
        all
    }

    /// What scales services of the cluster, in words.
    async fn scaled(&self) -> Vec<String> {
        let client = self.direct.scaling().await.expect("a client");
        let targets = client
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Ecs);
        let targets = targets.send().await.expect("told").scalable_targets;
        let own = format!("service/{}/", names::cluster(&self.cluster));
        let mut scaled = Vec::new();
        for target in targets.unwrap_or_default() {
            let resource = target.resource_id();
            if !resource.starts_with(&own) {
                continue;
            }
            let suspended = target.suspended_state();
            let held = suspended.and_then(|state| state.dynamic_scaling_in_suspended());
            scaled.push(format!(
                "scalable target {resource}: {} to {}{}",
                target.min_capacity(),
                target.max_capacity(),
                if held == Some(true) { ", held" } else { "" }
            ));
            let policies = client
                .describe_scaling_policies()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(resource);
            let policies = policies.send().await.expect("told");
            let policies = policies.scaling_policies().iter();
            scaled
                .extend(policies.map(|one| format!("policy {} of {resource}", one.policy_name())));
            let actions = client
                .describe_scheduled_actions()
                .service_namespace(ServiceNamespace::Ecs)
                .resource_id(resource);
            let actions = actions.send().await.expect("told");
            let actions = actions.scheduled_actions().iter();
            scaled.extend(
                actions
                    .map(|one| format!("schedule {} of {resource}", one.scheduled_action_name())),
            );
        }
        scaled
    }

    /// What is in its zone beside what every zone has, in words.
    pub(super) async fn in_zone(&self) -> Vec<String> {
        let Some(zone) = &self.zone else {
            return Vec::new();
        };
        let asked = Asked {
            path: format!("/2013-04-01/hostedzone/{zone}/rrset"),
            body: None,
        };
        let client = self.direct.route53().await.expect("a client");
        let told = client.ask(self.direct.retries(), "ListResourceRecordSets", asked, zone);
        let told = told.await.expect("told");
        let sets = told.listed("ResourceRecordSets", "ResourceRecordSet");
        let sets = sets.filter_map(|set| Some((set.text("Type")?, set.text("Name")?)));
        let own = sets.filter(|(kind, _)| !["NS", "SOA"].contains(kind));
        own.map(|(kind, name)| format!("record {kind} of {name}"))
            .collect()
    }
}
