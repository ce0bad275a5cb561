//! What an endpoint shall be: the domain's form of the configuration, with every reference resolved.

mod autoscaling;
mod capacity;
mod cluster;
mod dns;
mod ecs;
mod efs;
mod gpu;
mod machines;
mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use autoscaling::{
    Autoscaling, ScalingMetric, ScalingPolicy, ScalingSchedule, default_cooldown, default_timezone,
};
pub use capacity::{Capacity, LaunchType, ProviderShare, is_fargate};
pub use cluster::own_cluster;
pub use dns::DnsSpec;
pub use ecs::{
    Compute, EcsSpec, IngressSpec, NetworkSpec, Placement, STABILIZATION_WINDOW_ON_ECS,
    STARTUP_TIMEOUT_ON_ECS, SlotChoice, TERMINATE_AFTER_ON_ECS, default_log_retention_days,
};
pub use efs::EfsSpec;
pub use gpu::GpuType;
pub use machines::{Accelerator, AsgSpec, Machine, MachineImage, RootVolume};
pub use workload::{Architecture, BoundVersion, Container, ModelCache, OwnImage, Workload};

use serde::{Deserialize, Serialize};

use super::arn::region_of_arn;
use super::{Percent, Period};
use crate::names::{EndpointId, EndpointName, VariantName};
use crate::rollout::condition::Condition;
use crate::rollout::source::Source;

/// Everything an apply is asked for. Two equal specifications on the same base are the same deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointSpec {
    /// Its name, unique on its target.
    pub name: EndpointName,
    /// What it serves, by variant.
    pub variants: BTreeMap<VariantName, VariantSpec>,
    /// Where it runs.
    pub target: TargetSpec,
    /// What the server must answer before traffic moves.
    #[serde(default)]
    pub health_check: HealthCheck,
    /// How many instances variants have that do not say it themselves; `None`: one, or as many as somebody else sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How a change reaches traffic.
    #[serde(default)]
    pub rollout: RolloutSpec,
    /// Whether a deployment waits until what it made is healthy. Written only where it is not, so that a deployment keeps its id.
    #[serde(default = "waits", skip_serializing_if = "Clone::clone")]
    pub wait_for_steady_state: bool,
    /// How long a revision that is taken away may finish its requests.
    #[serde(default = "default_drain_seconds")]
    pub drain_seconds: u64,
    /// What destroying the resource does.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// Tags of the endpoint.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl EndpointSpec {
    /// The endpoint's id.
    pub fn id(&self) -> EndpointId {
        let name = self.name.clone();
        match &self.target {
            TargetSpec::Local(_) => EndpointId::local(name),
            TargetSpec::Ecs(ecs) => EndpointId::on_ecs(ecs.region.as_deref(), &ecs.cluster, name),
        }
    }

    /// Variant -> version, of those that run one.
    pub fn versions(&self) -> BTreeMap<VariantName, u64> {
        let variants = self.variants.iter();
        variants
            .filter_map(|(name, variant)| Some((name.clone(), variant.workload.number()?)))
            .collect()
    }

    /// Variant -> image, of those that run one in place of the model server.
    pub fn images(&self) -> BTreeMap<VariantName, String> {
        let variants = self.variants.iter();
        variants
            .filter_map(|(name, variant)| {
                let image = variant.workload.own_image()?;
                Some((name.clone(), image.to_owned()))
            })
            .collect()
    }

    /// How many instances `variant` has, if anything here says it.
    pub fn autoscaling(&self, variant: &VariantName) -> Option<&Autoscaling> {
        let own = self.variants.get(variant)?.autoscaling.as_ref();
        own.or(self.autoscaling.as_ref())
    }

    /// How long a new revision must have been ready without a break before it gets traffic.
    pub fn stabilization_window(&self) -> Period {
        let default = match &self.target {
            TargetSpec::Local(_) => Period::ZERO,
            TargetSpec::Ecs(_) => STABILIZATION_WINDOW_ON_ECS,
        };
        self.health_check.stabilization_window.unwrap_or(default)
    }

    /// What of this is in each revision of `variant`, on a target that has such a thing.
    pub fn placement(&self, variant: &VariantSpec) -> Option<Placement> {
        match &self.target {
            TargetSpec::Local(_) => None,
            TargetSpec::Ecs(ecs) => {
                // Another model server is no change of a variant that does not run it.
                let image = variant.workload.own_image().unwrap_or(&ecs.image);
                let (check, drain) = (&self.health_check, self.drain_seconds);
                Some(Placement::new(ecs, image, check, drain))
            }
        }
    }
}

/// The default of [`EndpointSpec::wait_for_steady_state`].
const fn waits() -> bool {
    true
}

/// The default of [`EndpointSpec::drain_seconds`].
pub const fn default_drain_seconds() -> u64 {
    5
}

/// One variant, its version resolved to a number or its image to a digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantSpec {
    /// What it runs.
    #[serde(flatten)]
    pub workload: Workload,
    /// Share of the endpoint's requests; those of all variants sum to 100 %. Zero for a shadow variant.
    pub traffic: Percent,
    /// Share of the endpoint's requests that are copied to this variant, answers discarded.
    #[serde(default)]
    pub shadow_percentage: Percent,
    /// Environment of what it runs; part of the revision's identity.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What one task of it gets, on a target that runs tasks.
    #[serde(default, skip_serializing_if = "Compute::is_default")]
    pub compute: Compute,
    /// How the container of a task is started, on a target that runs tasks.
    #[serde(default, skip_serializing_if = "Container::is_default")]
    pub container: Container,
    /// How many instances it has, in place of [`EndpointSpec::autoscaling`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How long a revision may take to load.
    #[serde(default = "default_startup_timeout")]
    pub startup_timeout: Period,
}

/// The default of [`VariantSpec::startup_timeout`].
pub const fn default_startup_timeout() -> Period {
    Period::seconds(60)
}

/// Which target serves it, and the target's own attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TargetSpec {
    /// A process on this machine.
    Local(LocalSpec),
    /// Services of Amazon ECS behind an Application Load Balancer.
    Ecs(Box<EcsSpec>),
}

impl TargetSpec {
    /// The target's name, as in an endpoint's id (`local/digits`).
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Local(_) => "local",
            Self::Ecs(_) => "ecs",
        }
    }

    /// The region of its cloud that it is in, where it has regions and tells its own.
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::Local(_) => None,
            Self::Ecs(ecs) => region_of_arn(&ecs.cluster).or(ecs.region.as_deref()),
        }
    }
}

/// Attributes of the `local` block: a fixed port, or a range to take a free one from; neither means
/// [`LocalSpec::DEFAULT_RANGE`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalSpec {
    /// The port, if it is fixed.
    #[serde(default)]
    pub port: Option<u16>,
    /// The range to take one from.
    #[serde(default)]
    pub port_range: Option<PortRange>,
}

impl LocalSpec {
    /// Where a port comes from when the configuration says nothing.
    pub const DEFAULT_RANGE: PortRange = PortRange {
        first: 18080,
        last: 18180,
    };

    /// The ports that satisfy this specification.
    pub fn ports(&self) -> PortRange {
        match self.port {
            Some(port) => PortRange {
                first: port,
                last: port,
            },
            None => self.port_range.unwrap_or(Self::DEFAULT_RANGE),
        }
    }
}

/// Ports from `first` to `last`, both included. Written `18080-18180`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortRange {
    /// Whether `port` lies inside.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl std::str::FromStr for PortRange {
    type Err = crate::Error;
    fn from_str(text: &str) -> crate::Result<Self> {
        let parsed = text.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
        });
        match parsed {
            Some((first, last)) if 0 < first && first <= last => Ok(Self { first, last }),
            _ => Err(crate::Error::invalid(format!(
                "{text:?} is not a range of ports: write FIRST-LAST, such as 18080-18180"
            ))),
        }
    }
}

impl TryFrom<String> for PortRange {
    type Error = crate::Error;
    fn try_from(text: String) -> crate::Result<Self> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// What a server must answer before a deployment moves any traffic on it. Unset fields have the
/// defaults that the methods give.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// Path that is asked on the endpoint's own port.
    pub path: Option<String>,
    /// Time from one probe to the next.
    pub interval: Option<Period>,
    /// Time that one probe may take.
    pub timeout: Option<Period>,
    /// Good probes in a row that make it healthy.
    pub healthy_threshold: Option<u32>,
    /// Bad probes in a row that fail the deployment.
    pub unhealthy_threshold: Option<u32>,
    /// Time from the first probe on in which bad ones do not count.
    pub start_period: Option<Period>,
    /// How long a new revision must have been ready without a break before it gets traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stabilization_window: Option<Period>,
}

impl HealthCheck {
    /// The path by default. It is the server's life and not `/v2/health/ready`, which only answers
    /// once there is traffic.
    pub const DEFAULT_PATH: &'static str = "/v2/health/live";
    /// The path by default of a task that runs the model server: it answers once its model is loaded.
    pub const DEFAULT_PATH_OF_TASK: &'static str = "/v2/health/ready";
    /// The path by default of a task that runs an image of the user's, of which no other path is known.
    pub const DEFAULT_PATH_OF_IMAGE: &'static str = "/";
    /// The longest that one probe may be allowed to take: a step's call ends within 30 s.
    pub const LONGEST_TIMEOUT: Period = Period::seconds(20);

    /// The longest that revisions are watched before they get traffic.
    pub const LONGEST_WINDOW: Period = Period::seconds(3600);

    /// The path, [`HealthCheck::DEFAULT_PATH`] by default.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(Self::DEFAULT_PATH)
    }

    /// The path that a load balancer asks a task that runs `workload`.
    pub fn path_of_task(&self, workload: &Workload) -> &str {
        self.path.as_deref().unwrap_or(match workload.own_image() {
            None => Self::DEFAULT_PATH_OF_TASK,
            Some(_) => Self::DEFAULT_PATH_OF_IMAGE,
        })
    }

    /// Time from one probe to the next, a second by default.
    pub fn interval(&self) -> Period {
        self.interval.unwrap_or(Period::seconds(1))
    }

    /// Time that one probe may take, two seconds by default.
    pub fn timeout(&self) -> Period {
        self.timeout.unwrap_or(Period::seconds(2))
    }

    /// Good probes in a row that make it healthy, one by default.
    pub fn healthy_threshold(&self) -> u32 {
        self.healthy_threshold.unwrap_or(1)
    }

    /// Bad probes in a row that fail the deployment, three by default.
    pub fn unhealthy_threshold(&self) -> u32 {
        self.unhealthy_threshold.unwrap_or(3)
    }

    /// Time from the first probe on in which bad ones do not count, none by default.
    pub fn start_period(&self) -> Period {
        self.start_period.unwrap_or(Period::ZERO)
    }
}

/// What destroying the resource does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeletionPolicy {
    /// Take the endpoint down.
    #[default]
    Delete,
    /// Leave it running and forget it.
    Abandon,
    /// Refuse, at plan.
    Prevent,
}

/// How a change reaches traffic. See [`crate::rollout`] for what each strategy does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RolloutSpec {
    /// The shape of the shift.
    pub strategy: Strategy,
    /// The shift's steps, ascending, the last at 100 %.
    pub steps: Vec<RolloutStep>,
    /// What must hold of the candidate while it bakes.
    pub analysis: BTreeMap<String, Analysis>,
    /// The alarms that must not go off meanwhile, by name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub alarms: BTreeSet<String>,
    /// What a failed analysis, or an alarm, does.
    pub on_failure: OnFailure,
    /// What Ctrl-C does.
    pub on_interrupt: OnInterrupt,
    /// The longest that shifting and baking may take.
    pub max_duration: Period,
    /// How long the old revision is kept after the last shift, ready to take traffic back.
    pub terminate_after: Period,
}

impl Default for RolloutSpec {
    fn default() -> Self {
        Self {
            strategy: Strategy::AllAtOnce,
            steps: Vec::new(),
            analysis: BTreeMap::new(),
            alarms: BTreeSet::new(),
            on_failure: OnFailure::Rollback,
            on_interrupt: OnInterrupt::Rollback,
            max_duration: Period::seconds(3600),
            terminate_after: Period::ZERO,
        }
    }
}

/// The shape of a shift.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Strategy {
    /// One shift to 100 %.
    #[default]
    AllAtOnce,
    /// One replica after the other; a target with one replica does it in one shift.
    Rolling,
    /// One shift to 100 %, then `steps[0].bake` of proof while the old revision stands by.
    BlueGreen,
    /// The given steps.
    Canary,
    /// The one given step, repeated up to 100 %.
    Linear,
    /// Copies of requests first, then one shift to 100 %.
    Shadow,
}

impl Strategy {
    /// The name in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllAtOnce => "ALL_AT_ONCE",
            Self::Rolling => "ROLLING",
            Self::BlueGreen => "BLUE_GREEN",
            Self::Canary => "CANARY",
            Self::Linear => "LINEAR",
            Self::Shadow => "SHADOW",
        }
    }
}

/// One step of a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutStep {
    /// The candidate's share of each changed variant's own share.
    pub traffic: Percent,
    /// How long the step is watched before the next.
    #[serde(default)]
    pub bake: Period,
    /// Whether to stop after the bake until somebody resumes.
    #[serde(default)]
    pub pause: bool,
}

/// One thing that must hold of the candidate while it bakes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Who is asked, and what.
    #[serde(flatten)]
    pub source: Source,
    /// What must hold of the answer.
    pub condition: Condition,
    /// Length of a window.
    #[serde(default = "default_interval")]
    pub interval: Period,
    /// Windows per step; unset: as many as fit into the bake.
    #[serde(default)]
    pub count: Option<u32>,
    /// Windows per step that may fail.
    #[serde(default)]
    pub failure_limit: u32,
    /// Steps (from the first) that are not analysed.
    #[serde(default)]
    pub start_after_step: u32,
    /// How long a source that is waited for may say nothing: while it does not answer, and after a bake in which it had no
    /// number. Written only where it is not the default, so that a deployment keeps its id.
    #[serde(
        default = "default_max_wait",
        skip_serializing_if = "is_default_max_wait"
    )]
    pub max_wait: Period,
}

/// The interval of an analysis that an earlier program wrote without one.
const fn default_interval() -> Period {
    Period::seconds(1)
}

/// The default of [`Analysis::max_wait`].
pub const fn default_max_wait() -> Period {
    Period::seconds(300)
}

fn is_default_max_wait(period: &Period) -> bool {
    *period == default_max_wait()
}

/// What a failed analysis does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Give traffic back and undo.
    #[default]
    Rollback,
    /// Stay at this step until somebody resumes or repairs.
    Pause,
}

/// What Ctrl-C does, after traffic went back to the old revision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInterrupt {
    /// Undo.
    #[default]
    Rollback,
    /// Leave the journal open; the next apply goes on.
    Resume,
}
