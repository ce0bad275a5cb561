//! What travels between the core and a target.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::endpoint::Period;
use crate::endpoint::deployment::DeploymentRef;
use crate::endpoint::spec::{Compute, Container, Placement, Workload};
use crate::error::{Error, Result};
use crate::names::VariantName;
use crate::serving::{MetricsSnapshot, SmokeRequest, WHOLE};

/// A revision's name: unique per deployment, the metric label `revision`, and a valid name on the
/// server's admin side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionName(String);

impl RevisionName {
    /// `main-v2-1a2b3c4d.1`: variant, version, deployment, attempt.
    pub fn new(variant: &VariantName, version: u64, deployment: &DeploymentRef) -> Self {
        Self(format!("{variant}-v{version}-{deployment}"))
    }

    /// `main-v2-1a2b3c4d.1` for a version, `main-4f53cda1-1a2b3c4d.1` for an image, of whose digest it has the beginning.
    pub fn of(variant: &VariantName, workload: &Workload, deployment: &DeploymentRef) -> Self {
        Self(format!("{variant}-{}-{deployment}", workload.label()))
    }

    /// `main-found-1a2b3c4d.1`: what ran before the endpoint, as the deployment calls it that takes it over.
    pub fn found(variant: &VariantName, deployment: &DeploymentRef) -> Self {
        Self(format!("{variant}-found-{deployment}"))
    }

    /// Whether this try at a deployment made it.
    pub fn is_of(&self, deployment: &DeploymentRef) -> bool {
        self.0.ends_with(&format!("-{deployment}"))
    }

    /// The name of its second copy, which gets copies of requests only.
    #[must_use]
    pub fn shadow(&self) -> Self {
        Self(format!("{}-shadow", self.0))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RevisionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In which state an alarm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// What it watches is as it should be.
    Ok,
    /// It is not.
    Alarm,
    /// Nobody knows.
    InsufficientData,
}

/// An alarm of the target's monitoring, at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its state.
    pub state: AlarmState,
    /// Why it is in that, in its own words; may be empty.
    pub reason: String,
}

/// One model version, or one image, as one deployment runs it. Immutable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Its name.
    pub name: RevisionName,
    /// The variant it belongs to.
    pub variant: VariantName,
    /// What it runs.
    #[serde(flatten)]
    pub workload: Workload,
    /// Environment of what it runs.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What one task of it gets.
    #[serde(default, skip_serializing_if = "Compute::is_default")]
    pub compute: Compute,
    /// How the container of a task is started.
    #[serde(default, skip_serializing_if = "Container::is_default")]
    pub container: Container,
    /// Where its tasks run, and how they are reached and asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Box<Placement>>,
    /// The golden request that it has to answer before it takes any, where the target asks it inside of the server
    /// ([`Target::smokes_at_start`](super::Target::smokes_at_start)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<SmokeRequest>,
    /// How many instances it starts with, on a target that has instances. Later others say how many there are.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub instances: u32,
    /// How long it may take to load.
    pub startup_timeout: Period,
}

impl Revision {
    /// How long it may take to start, and what it runs on before it.
    pub fn patience(&self) -> Period {
        let placement = self.placement.as_deref();
        let machines = placement.map_or(Period::ZERO, |placement| placement.capacity.patience());
        self.startup_timeout.plus(machines)
    }
}

const fn one() -> u32 {
    1
}

fn is_one(count: &u32) -> bool {
    *count == one()
}

/// A running server as its target knows it. Kept in the registry's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Where clients send requests.
    pub invoke_url: String,
    /// The port clients use, where the target has one.
    #[serde(default)]
    pub port: Option<u16>,
    /// What the target needs to find it again and to prove that it is ours. Its own typed document:
    /// see [`Server::new`] and [`Server::handle`].
    handle: serde_json::Value,
}

impl Server {
    /// A server whose target knows it by `handle`.
    pub fn new(
        invoke_url: impl Into<String>,
        port: Option<u16>,
        handle: &impl Serialize,
    ) -> Result<Self> {
        let handle = serde_json::to_value(handle)
            .map_err(|e| Error::bug("a server's handle could not be written as JSON").because(e))?;
        Ok(Self {
            invoke_url: invoke_url.into(),
            port,
            handle,
        })
    }

    /// The target's own document. Fails on one that another target (or a newer version) wrote.
    pub fn handle<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.handle).map_err(|e| {
            Error::corrupt(format!(
                "the registry's record of the server at {} is not readable",
                self.invoke_url
            ))
            .because(e)
        })
    }
}

/// The whole routing of an endpoint. Shares are out of [`WHOLE`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// By variant.
    pub variants: BTreeMap<VariantName, VariantRouting>,
}

impl Routing {
    /// Whether no variant takes or copies any request.
    pub fn is_silent(&self) -> bool {
        self.variants
            .values()
            .all(|v| (v.traffic == 0 && v.shadow == 0) || v.weights.values().all(|w| *w == 0))
    }

    /// Share of the endpoint's own requests that `revision` answers, out of `WHOLE * WHOLE`.
    pub fn share_of(&self, revision: &RevisionName) -> u64 {
        self.variants
            .values()
            .filter_map(|v| {
                v.weights
                    .get(revision)
                    .map(|w| u64::from(*w) * u64::from(v.traffic))
            })
            .sum()
    }

    /// Checks that traffic sums to the whole or to nothing, and so do each variant's weights.
    pub fn validate(&self) -> Result<()> {
        let legal = |sum: u64| sum == 0 || sum == u64::from(WHOLE);
        let traffic: u64 = self.variants.values().map(|v| u64::from(v.traffic)).sum();
        let weights = self
            .variants
            .values()
            .map(|v| v.weights.values().map(|w| u64::from(*w)).sum());
        if legal(traffic) && weights.into_iter().all(legal) {
            Ok(())
        } else {
            Err(Error::bug(format!(
                "a routing does not sum to the whole: {self:?}"
            )))
        }
    }
}

/// What one variant gets and how it divides it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantRouting {
    /// Share of the endpoint's requests.
    pub traffic: u32,
    /// Share of the endpoint's requests copied to it, answers discarded.
    #[serde(default)]
    pub shadow: u32,
    /// Share of each revision of what the variant gets.
    pub weights: BTreeMap<RevisionName, u32>,
}

/// What a target sees of an endpoint at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Whether the server that was asked for runs and is ours. Everything else is empty if not.
    pub alive: bool,
    /// Why it is not alive, for messages.
    #[serde(default)]
    pub reason: Option<String>,
    /// Its revisions.
    pub revisions: BTreeMap<RevisionName, RevisionObservation>,
    /// Its routing.
    pub routing: Routing,
    /// Counters that only grow; windows are made by subtracting ([`crate::serving::Window`]).
    #[serde(default)]
    pub metrics: Option<MetricsSnapshot>,
    /// What is gone that nothing needs which runs, and everything that starts: it serves, and would not be replaced if it ended. What comes next makes it
    /// again.
    #[serde(default)]
    pub lacks: Option<String>,
}

impl Observation {
    /// A server that does not run, and why.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::default()
        }
    }

    /// Whether `revision` is loaded and takes requests.
    pub fn serves(&self, revision: &RevisionName) -> bool {
        self.alive
            && self
                .revisions
                .get(revision)
                .is_some_and(|r| r.state == RevisionState::Ready)
    }
}

/// What a target saw for somebody who waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// What it saw.
    pub seen: Observation,
    /// How long before the answer the oldest of it was asked for.
    pub age: Duration,
}

/// One revision in an [`Observation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionObservation {
    /// The variant it belongs to.
    pub variant: VariantName,
    /// Where it is in its life.
    pub state: RevisionState,
    /// Instances that take requests.
    pub instances: u32,
    /// Instances that are asked for.
    #[serde(default)]
    pub wanted: u32,
    /// Requests in it.
    pub in_flight: u64,
    /// Why it failed, if it did; of one that takes requests, why it does not come to have as many instances as are asked for.
    #[serde(default)]
    pub failure: Option<String>,
}

impl RevisionObservation {
    /// Whether as many instances take requests as are asked for. What there is beside them is being replaced, and changes nothing.
    pub fn is_whole(&self) -> bool {
        self.instances >= self.wanted
    }
}

/// What one health check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Whether it was good.
    pub healthy: bool,
    /// What came back, for messages: `status 404`, `no answer within 2s`.
    pub answer: String,
}

/// Where a revision is in its life.
pub use crate::serving::RevisionState;
