//! What an endpoint on Amazon ECS is asked for, beside what every endpoint is.

use serde::{Deserialize, Serialize};

use super::{Capacity, DnsSpec, EfsSpec, GpuType, HealthCheck, PortRange};
use crate::endpoint::Period;

/// The blocks `ecs`, `network` and `ingress`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EcsSpec {
    /// The cluster that tasks run in, by ARN or name. It exists already, unless the endpoint makes it.
    pub cluster: String,
    /// The cluster's region, as the endpoint's id names it; `None` where it was the registry's when the endpoint was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether the cluster is the endpoint's own: made before anything else, and deleted last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub creates_cluster: bool,
    /// What tasks run on.
    #[serde(flatten)]
    pub capacity: Capacity,
    /// The role by which ECS pulls images and writes logs.
    pub execution_role_arn: String,
    /// The role of the model server itself: it reads the model's artifact.
    pub task_role_arn: String,
    /// The image of the model server, `REPOSITORY@sha256:DIGEST`; empty where the provider names none.
    pub image: String,
    /// Whether `aws ecs execute-command` may open a shell in a task.
    #[serde(default)]
    pub enable_execute_command: bool,
    /// How long the log group keeps what the servers wrote.
    #[serde(default = "default_log_retention_days")]
    pub log_retention_days: u32,
    /// What all containers share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efs: Option<EfsSpec>,
    /// Where tasks get their addresses.
    pub network: NetworkSpec,
    /// How clients reach the endpoint.
    pub ingress: IngressSpec,
    /// By which name they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsSpec>,
}

/// The default of [`VariantSpec::startup_timeout`](super::VariantSpec::startup_timeout) on ECS: a task waits for its network
/// interface, its image and its health checks beside the model.
pub const STARTUP_TIMEOUT_ON_ECS: Period = Period::seconds(300);

/// The default of [`RolloutSpec::terminate_after`](super::RolloutSpec::terminate_after) on ECS: the old tasks are warm as
/// long as most faults of a new version take to show.
pub const TERMINATE_AFTER_ON_ECS: Period = Period::seconds(300);

/// The default of [`HealthCheck::stabilization_window`] on ECS: an application load balancer calls a new target healthy after one good answer, whatever
/// the threshold ("Health checks for Application Load Balancer target groups"), so a server that ends some seconds after its start was healthy until then.
pub const STABILIZATION_WINDOW_ON_ECS: Period = Period::seconds(10);

/// The default of [`EcsSpec::log_retention_days`].
pub const fn default_log_retention_days() -> u32 {
    30
}

/// The block `network`: where tasks get their addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Subnets, one or more.
    pub subnets: Vec<String>,
    /// Security groups; none means the VPC's default one.
    #[serde(default)]
    pub security_groups: Vec<String>,
    /// Whether tasks get a public address too.
    #[serde(default)]
    pub assign_public_ip: bool,
}

/// The block `ingress`: how clients reach the endpoint. What it names exists already; the endpoint owns only what it adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressSpec {
    /// A listener of its own on an Application Load Balancer.
    Listener {
        /// The load balancer.
        load_balancer_arn: String,
        /// Where its port comes from.
        port: SlotChoice,
    },
    /// A rule of its own on a listener that others use too.
    Rule {
        /// The listener.
        listener_arn: String,
        /// Where the rule's priority comes from.
        priority: SlotChoice,
        /// Host names that lead here, wildcards allowed.
        #[serde(default)]
        host_headers: Vec<String>,
        /// Paths that lead here, wildcards allowed.
        #[serde(default)]
        path_patterns: Vec<String>,
    },
}

impl IngressSpec {
    /// What the endpoint adds its own part to: the load balancer, or the listener.
    pub fn parent_arn(&self) -> &str {
        match self {
            Self::Listener {
                load_balancer_arn, ..
            } => load_balancer_arn,
            Self::Rule { listener_arn, .. } => listener_arn,
        }
    }

    /// The attribute that names it.
    pub const fn parent_attribute(&self) -> &'static str {
        match self {
            Self::Listener { .. } => "ingress.load_balancer_arn",
            Self::Rule { .. } => "ingress.listener_arn",
        }
    }
}

/// A listener's port or a rule's priority: a fixed number, or one leased from a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotChoice {
    /// This one.
    Fixed(u16),
    /// The first free one of these.
    Leased(PortRange),
}

impl SlotChoice {
    /// Ports of listeners when the configuration names none.
    pub const PORTS: PortRange = PortRange {
        first: 20000,
        last: 29999,
    };
    /// Priorities of rules when the configuration names none; a listener's priorities end at 50000.
    pub const PRIORITIES: PortRange = PortRange {
        first: 20000,
        last: 39999,
    };

    /// Everything that would do.
    pub const fn range(self) -> PortRange {
        match self {
            Self::Fixed(one) => PortRange {
                first: one,
                last: one,
            },
            Self::Leased(range) => range,
        }
    }
}

/// What one task of a variant gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compute {
    /// CPU units, 1024 of which are one vCPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// GPUs, which the task has to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
    /// Which they are; unset: those that the instances have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_type: Option<GpuType>,
}

impl Compute {
    /// CPU units of a task that says nothing of it.
    pub const DEFAULT_CPU: u32 = 512;
    /// MiB of memory of a task that says nothing of it.
    pub const DEFAULT_MEMORY_MB: u32 = 1024;

    /// CPU units, [`Compute::DEFAULT_CPU`] by default.
    pub fn cpu(self) -> u32 {
        self.cpu.unwrap_or(Self::DEFAULT_CPU)
    }

    /// Memory in MiB, [`Compute::DEFAULT_MEMORY_MB`] by default.
    pub fn memory_mb(self) -> u32 {
        self.memory_mb.unwrap_or(Self::DEFAULT_MEMORY_MB)
    }

    /// Whether nothing was asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What of an endpoint's specification is in each of its revisions on ECS: another one of these makes other revisions, and
/// so a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// [`EcsSpec::cluster`].
    pub cluster: String,
    /// [`EcsSpec::capacity`].
    #[serde(flatten)]
    pub capacity: Capacity,
    /// [`EcsSpec::execution_role_arn`].
    pub execution_role_arn: String,
    /// [`EcsSpec::task_role_arn`].
    pub task_role_arn: String,
    /// The image that its tasks run: [`EcsSpec::image`], or the variant's own.
    pub image: String,
    /// [`EcsSpec::enable_execute_command`].
    pub enable_execute_command: bool,
    /// [`EcsSpec::log_retention_days`].
    pub log_retention_days: u32,
    /// [`EcsSpec::efs`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efs: Option<EfsSpec>,
    /// [`EcsSpec::network`].
    pub network: NetworkSpec,
    /// What a load balancer asks each task.
    pub health_check: HealthCheck,
    /// How long requests in flight may take when a task goes.
    pub drain_seconds: u64,
}

impl Placement {
    pub(super) fn new(
        ecs: &EcsSpec,
        image: &str,
        health_check: &HealthCheck,
        drain_seconds: u64,
    ) -> Self {
        Self {
            cluster: ecs.cluster.clone(),
            capacity: ecs.capacity.clone(),
            execution_role_arn: ecs.execution_role_arn.clone(),
            task_role_arn: ecs.task_role_arn.clone(),
            image: image.to_owned(),
            enable_execute_command: ecs.enable_execute_command,
            log_retention_days: ecs.log_retention_days,
            efs: ecs.efs.clone(),
            network: ecs.network.clone(),
            // Of that no load balancer is told, and another one is no other revision.
            health_check: HealthCheck {
                stabilization_window: None,
                ..health_check.clone()
            },
            drain_seconds,
        }
    }
}
