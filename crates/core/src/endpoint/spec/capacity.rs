//! What tasks of an endpoint on ECS run on: a launch type, capacity providers of the cluster, or instances of the endpoint's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::AsgSpec;
use crate::endpoint::Period;

/// Who provides the machines. A record holds its fields beside those of the block `ecs`, as records did before there were providers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Capacity {
    /// Providers of the cluster, among which a service divides its tasks.
    Providers {
        /// By name.
        capacity_providers: BTreeMap<String, ProviderShare>,
    },
    /// Instances that nobody else has.
    Machines {
        /// Which.
        asg: AsgSpec,
    },
    /// One kind of machine for all tasks.
    LaunchType {
        /// Which.
        #[serde(default)]
        launch_type: LaunchType,
    },
}

impl Capacity {
    /// All tasks on one kind of machine.
    pub const fn on(launch_type: LaunchType) -> Self {
        Self::LaunchType { launch_type }
    }

    /// What a task has to be fit for. Of providers only those of Fargate have names that are known.
    pub fn launch_type(&self) -> LaunchType {
        match self {
            Self::LaunchType { launch_type } => *launch_type,
            Self::Machines { .. } => LaunchType::Ec2,
            Self::Providers { capacity_providers } => {
                let mut names = capacity_providers.keys();
                match names.all(|name| is_fargate(name)) {
                    true => LaunchType::Fargate,
                    false => LaunchType::Ec2,
                }
            }
        }
    }

    /// The providers, if there are any.
    pub fn providers(&self) -> Option<&BTreeMap<String, ProviderShare>> {
        match self {
            Self::Providers { capacity_providers } => Some(capacity_providers),
            Self::LaunchType { .. } | Self::Machines { .. } => None,
        }
    }

    /// The instances of the endpoint's own, if it has any.
    pub fn machines(&self) -> Option<&AsgSpec> {
        match self {
            Self::Machines { asg } => Some(asg),
            Self::Providers { .. } | Self::LaunchType { .. } => None,
        }
    }

    /// How much longer than its tasks a revision may take to start, because what they run on has to start first.
    pub fn patience(&self) -> Period {
        self.machines()
            .map_or(Period::ZERO, |asg| asg.capacity_timeout)
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self::on(LaunchType::default())
    }
}

/// Whether a capacity provider of this name is one of AWS, which every account has.
pub fn is_fargate(provider: &str) -> bool {
    matches!(provider, "FARGATE" | "FARGATE_SPOT")
}

/// A provider's part of a service's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderShare {
    /// So many tasks before any are divided.
    pub base: u32,
    /// Its part of all others, of the sum of weights.
    pub weight: u32,
}

impl ProviderShare {
    /// The default of [`ProviderShare::weight`]: providers without any share alike.
    pub const DEFAULT_WEIGHT: u32 = 1;
}

/// Who provides the machines that tasks run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LaunchType {
    /// AWS.
    #[default]
    Fargate,
    /// The cluster's own instances.
    Ec2,
}

impl LaunchType {
    /// The name in a configuration and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fargate => "FARGATE",
            Self::Ec2 => "EC2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EcsSpec, Placement};
    use super::*;

    /// Blocks as they were written before there were providers.
    const BEFORE: &str = r#"{"cluster":"prod","launch_type":"EC2","execution_role_arn":"e","task_role_arn":"t","image":"i","enable_execute_command":false,"log_retention_days":30,"network":{"subnets":["s"],"security_groups":[],"assign_public_ip":false},"ingress":{"rule":{"listener_arn":"l","priority":{"fixed":7},"host_headers":["h"],"path_patterns":[]}}}"#;
    const PLACED_BEFORE: &str = r#"{"cluster":"prod","launch_type":"FARGATE","execution_role_arn":"e","task_role_arn":"t","image":"i","enable_execute_command":false,"log_retention_days":30,"network":{"subnets":["s"],"security_groups":[],"assign_public_ip":false},"health_check":{"path":null,"interval":"5s","timeout":null,"healthy_threshold":null,"unhealthy_threshold":null,"start_period":null},"drain_seconds":5}"#;

    fn providers(shares: &[(&str, u32, u32)]) -> Capacity {
        let share = |&(name, base, weight): &(&str, u32, u32)| {
            (name.to_owned(), ProviderShare { base, weight })
        };
        Capacity::Providers {
            capacity_providers: shares.iter().map(share).collect(),
        }
    }

    #[test]
    fn blocks_that_were_written_before_there_were_providers_are_read_and_written_in_the_same_bytes()
    {
        let spec: EcsSpec = serde_json::from_str(BEFORE).unwrap();
        assert_eq!(spec.capacity, Capacity::on(LaunchType::Ec2));
        // A deployment is known by a hash of these bytes.
        assert_eq!(serde_json::to_string(&spec).unwrap(), BEFORE);
        let placed: Placement = serde_json::from_str(PLACED_BEFORE).unwrap();
        assert_eq!(placed.capacity, Capacity::on(LaunchType::Fargate));
        assert_eq!(serde_json::to_string(&placed).unwrap(), PLACED_BEFORE);
    }

    #[test]
    fn providers_take_the_place_of_a_launch_type_and_are_read_as_they_were_written() {
        let mut spec: EcsSpec = serde_json::from_str(BEFORE).unwrap();
        spec.capacity = providers(&[("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 4)]);
        let text = serde_json::to_value(&spec).unwrap();
        assert!(text.get("launch_type").is_none(), "{text}");
        assert_eq!(text["capacity_providers"]["FARGATE_SPOT"]["weight"], 4);
        let again: EcsSpec = serde_json::from_value(text).unwrap();
        assert_eq!(again, spec);
    }

    #[test]
    fn instances_of_its_own_are_read_as_they_were_written_and_say_only_what_is_not_the_default() {
        let mut spec: EcsSpec = serde_json::from_str(BEFORE).unwrap();
        let asg = serde_json::json!({
            "instance_type": "m7i.large", "instance_profile": "instances", "min_size": 0, "max_size": 4,
        });
        spec.capacity = Capacity::Machines {
            asg: serde_json::from_value(asg.clone()).unwrap(),
        };
        let text = serde_json::to_value(&spec).unwrap();
        assert!(text.get("launch_type").is_none(), "{text}");
        assert_eq!(text["asg"], asg);
        let again: EcsSpec = serde_json::from_value(text).unwrap();
        assert_eq!(again, spec);
        assert_eq!(again.capacity.launch_type(), LaunchType::Ec2);
        assert_eq!(again.capacity.patience(), Period::seconds(600));
        assert_eq!(Capacity::default().patience(), Period::ZERO);
    }

    #[test]
    fn what_a_task_has_to_be_fit_for_follows_from_the_names_of_providers() {
        for (capacity, expected) in [
            (Capacity::default(), LaunchType::Fargate),
            (Capacity::on(LaunchType::Ec2), LaunchType::Ec2),
            (
                providers(&[("FARGATE", 0, 1), ("FARGATE_SPOT", 0, 1)]),
                LaunchType::Fargate,
            ),
            (providers(&[("gpu", 0, 1)]), LaunchType::Ec2),
            (
                providers(&[("FARGATE", 0, 1), ("gpu", 0, 1)]),
                LaunchType::Ec2,
            ),
        ] {
            assert_eq!(capacity.launch_type(), expected, "{capacity:?}");
        }
    }
}
