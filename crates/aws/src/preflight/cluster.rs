//! Whether a cluster can have an endpoint's services.

use mlops_core::Error;
use mlops_core::endpoint::spec::EcsSpec;
use mlops_core::names::cluster_name;
use mlops_core::target::{Check, Finding};

use super::{Around, Preflight};
use crate::ecs::clusters::{self, Found};
use crate::elb::tags;

impl Preflight {
    pub(super) async fn look_at_cluster(&self, around: &Around<'_>) -> Vec<Finding> {
        let cluster = &around.ecs.cluster;
        match self.cluster(cluster).await {
            Ok(found) => judge(around.ecs, found.as_ref()).into_iter().collect(),
            Err(error) => vec![Finding::possible(
                Check::Cluster,
                error.at("ecs.cluster_arn"),
            )],
        }
    }

    /// The cluster, asked for once; `None` if there is none.
    pub(super) async fn cluster(&self, cluster: &str) -> Result<Option<Found>, Error> {
        let found = clusters::find(&self.clients, cluster);
        self.clusters.find(cluster, found).await
    }
}

/// What is wrong with the cluster, which is there or not. All of it may be mended before the apply.
pub(super) fn judge(ecs: &EcsSpec, found: Option<&Found>) -> Option<Finding> {
    let name = cluster_name(&ecs.cluster);
    let (attribute, text) = match found {
        // Whose it is, the apply knows: here it is enough that it is an endpoint's.
        Some(found) if ecs.creates_cluster => {
            if found.tags.contains_key(tags::ENDPOINT_ID) {
                return None;
            }
            let text = format!(
                "cluster {name} is there already and no endpoint made it; delete it, call the endpoint something else, or name the cluster in \
                 ecs.cluster_arn in place of ecs.create_cluster"
            );
            ("ecs.create_cluster", text)
        }
        None if ecs.creates_cluster => return None,
        None => {
            let text = format!(
                "cluster {} does not exist in this region and account; make it before the apply, or correct ecs.cluster_arn",
                ecs.cluster
            );
            ("ecs.cluster_arn", text)
        }
        Some(found) => {
            let asked = ecs.capacity.providers()?.keys();
            let lacks = |provider: &&String| !found.providers.contains(provider);
            let missing: Vec<&str> = asked.filter(lacks).map(String::as_str).collect();
            if missing.is_empty() {
                return None;
            }
            let text = format!(
                "cluster {name} does not have capacity provider {}; associate it with the cluster before the apply, or correct ecs.capacity_providers",
                missing.join(", ")
            );
            ("ecs.capacity_providers", text)
        }
    };
    let error = Error::invalid(text).at(attribute);
    Some(Finding::as_it_is(Check::Cluster, error))
}

#[cfg(test)]
mod tests {
    use mlops_core::endpoint::spec::{Capacity, LaunchType, ProviderShare};

    use super::*;

    fn ecs_spec() -> EcsSpec {
        let ecs = serde_json::json!({
            "cluster": "arn:aws:ecs:eu-west-1:111122223333:cluster/models",
            "execution_role_arn": "", "task_role_arn": "", "image": "",
            "network": { "subnets": [] },
            "ingress": { "listener": { "load_balancer_arn": "", "port": { "fixed": 80 } } },
        });
        serde_json::from_value(ecs).expect("blocks")
    }

    fn told(ecs: &EcsSpec, found: Option<&Found>) -> (String, String) {
        let error = judge(ecs, found).map(|finding| finding.error);
        let attribute = error
            .as_ref()
            .and_then(Error::attribute)
            .unwrap_or_default();
        let text = error.as_ref().map(ToString::to_string);
        (attribute.to_owned(), text.unwrap_or_default())
    }

    fn found(providers: &[&str], tags: &[&str]) -> Found {
        Found {
            status: "ACTIVE".to_owned(),
            services: 0,
            providers: providers.iter().map(|name| (*name).to_owned()).collect(),
            tags: tags
                .iter()
                .map(|key| ((*key).to_owned(), String::new()))
                .collect(),
        }
    }

    #[test]
    fn a_cluster_has_to_be_there_with_the_providers_that_are_named() {
        let mut ecs = ecs_spec();
        let (attribute, text) = told(&ecs, None);
        assert_eq!(attribute, "ecs.cluster_arn");
        assert!(text.contains("cluster/models does not exist"), "{text}");
        for launch_type in [LaunchType::Fargate, LaunchType::Ec2] {
            ecs.capacity = Capacity::on(launch_type);
            assert_eq!(told(&ecs, Some(&found(&[], &[]))).1, "");
        }
        let share = ProviderShare { base: 0, weight: 1 };
        let capacity_providers = ["FARGATE", "FARGATE_SPOT"].map(|name| (name.to_owned(), share));
        ecs.capacity = Capacity::Providers {
            capacity_providers: capacity_providers.into(),
        };
        let (attribute, text) = told(&ecs, Some(&found(&["FARGATE"], &[])));
        assert_eq!(attribute, "ecs.capacity_providers");
        assert!(
            text.contains("does not have capacity provider FARGATE_SPOT;"),
            "{text}"
        );
        let both = found(&["FARGATE_SPOT", "FARGATE"], &[]);
        assert_eq!(told(&ecs, Some(&both)).1, "");
    }

    #[test]
    fn a_cluster_of_its_own_is_not_somebody_elses() {
        let mut ecs = ecs_spec();
        ecs.creates_cluster = true;
        assert_eq!(told(&ecs, None).1, "");
        assert_eq!(told(&ecs, Some(&found(&[], &[tags::ENDPOINT_ID]))).1, "");
        let (attribute, text) = told(&ecs, Some(&found(&[], &["team"])));
        assert_eq!(attribute, "ecs.create_cluster");
        assert!(text.contains("no endpoint made it"), "{text}");
    }
}
