//! The state of an endpoint's saga: what was asked for, and a slot per step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deployment::DeploymentRef;
use super::plan::ServerChange;
use super::record::{EndpointRecord, Leftovers};
use super::spec::EndpointSpec;
use super::steps::{
    Announce, Autoscale, CheckHealth, EnsureRevisions, HandOver, Hold, HoldCapacity, MakeRevisions,
    Prove, Retire, Scaled, Teardown,
};
use crate::error::{Error, Result};
use crate::names::{VariantName, VersionId};
use crate::rollout::{Rollout, RolloutPlan, Source};
use crate::saga::Slot;
use crate::serving::SmokeRequest;
use crate::target::{ProvisionRequest, Revision, RevisionName, Server};

/// What a deployment does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentKind {
    /// There was no endpoint.
    Create,
    /// There was one.
    Update,
    /// There shall be none.
    Delete,
}

/// Everything that was decided before the first effect. Fixed once the journal is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeploymentRequest {
    /// What it does.
    pub kind: DeploymentKind,
    /// The endpoint's uuid; minted here on create.
    pub endpoint: uuid::Uuid,
    /// The endpoint's id, `local/digits`.
    pub identity: String,
    /// Which deployment.
    pub deployment: DeploymentRef,
    /// The endpoint revision that it starts from.
    pub base: u64,
    /// What is asked for; of a delete, what is to be deleted.
    pub spec: EndpointSpec,
    /// What ran before.
    pub prior: Option<EndpointRecord>,
    /// What becomes of the server.
    pub server: ServerChange,
    /// What shall run, by variant.
    pub running: BTreeMap<VariantName, Revision>,
    /// What served before and is kept, because nobody waits for what shall run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub standby: BTreeMap<VariantName, Revision>,
    /// What has to be loaded for it.
    pub start: Vec<Revision>,
    /// Golden requests to the candidates.
    pub smoke: Vec<(RevisionName, SmokeRequest)>,
    /// How traffic gets there.
    pub rollout: RolloutPlan,
    /// What is taken away at the end.
    pub retire: Leftovers,
    /// Alarms that had gone off before anything was made, and what they said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aside: BTreeMap<String, String>,
    /// Whether the server gets its name, another one, or none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announces: bool,
    /// Versions that this deployment bound the endpoint to.
    pub bound: Vec<VersionId>,
    /// Who asked, for people.
    pub by: String,
}

/// The saga's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndpointState {
    /// What was asked for.
    pub request: DeploymentRequest,
    /// The target's own steps, if a server has to be brought up.
    pub provision: Option<Value>,
    /// Candidates are loaded.
    #[serde(default)]
    pub ensure: Slot<EnsureRevisions>,
    /// They are made, and nobody waits for them.
    #[serde(default)]
    pub make: Slot<MakeRevisions>,
    /// The server is healthy with them.
    #[serde(default)]
    pub health: Slot<CheckHealth>,
    /// They answer.
    #[serde(default)]
    pub prove: Slot<Prove>,
    /// No capacity is lost while traffic moves.
    #[serde(default)]
    pub hold_capacity: Slot<HoldCapacity>,
    /// They take traffic.
    #[serde(default)]
    pub rollout: Slot<Rollout>,
    /// They take everything, and nobody waits for them.
    #[serde(default)]
    pub hand_over: Slot<HandOver>,
    /// The old ones stand by.
    #[serde(default)]
    pub hold: Slot<Hold>,
    /// Clients find the server by its name.
    #[serde(default)]
    pub announce: Slot<Announce>,
    /// How many instances there are is the autoscaler's to say.
    #[serde(default)]
    pub autoscale: Slot<Autoscale>,
    /// The old ones are taken away.
    #[serde(default)]
    pub retire: Slot<Retire>,
    /// Everything is taken away.
    #[serde(default)]
    pub teardown: Slot<Teardown>,
}

/// How to read the server out of the target's own state.
pub(super) type ServerReader = fn(&Value) -> Result<Option<Server>>;

impl EndpointState {
    /// Before the first step.
    pub(super) fn new(request: DeploymentRequest, provision: Option<Value>) -> Self {
        Self {
            request,
            provision,
            ensure: Slot::default(),
            make: Slot::default(),
            health: Slot::default(),
            prove: Slot::default(),
            hold_capacity: Slot::default(),
            rollout: Slot::default(),
            hand_over: Slot::default(),
            announce: Slot::default(),
            hold: Slot::default(),
            autoscale: Slot::default(),
            retire: Slot::default(),
            teardown: Slot::default(),
        }
    }

    /// The server that this deployment works on: the one it brought up, else the one that ran; as clients know it by now.
    pub(super) fn server(&self, reader: Option<ServerReader>) -> Result<Server> {
        if let Some(named) = self.announce.output() {
            return Ok(named.clone());
        }
        let server = match (&self.provision, reader) {
            (Some(state), Some(reader)) => reader(state)?,
            _ => self
                .request
                .prior
                .as_ref()
                .map(|prior| prior.server.clone()),
        };
        server.ok_or_else(|| {
            Error::bug("a step needs the server before the target's own steps gave one")
        })
    }
}

impl DeploymentRequest {
    /// What is compared with one another, by revision, where an analysis asks the registry about it.
    pub(super) fn judged_versions(&self) -> BTreeMap<RevisionName, VersionId> {
        let mut analyses = self.spec.rollout.analysis.values();
        if !analyses.any(|analysis| matches!(analysis.source, Source::Registry { .. })) {
            return BTreeMap::new();
        }
        let old = self.prior.iter().flat_map(|prior| prior.running.values());
        old.chain(&self.start)
            .filter_map(|revision| Some((revision.name.clone(), revision.workload.version_id()?)))
            .collect()
    }

    /// What the instances of everything that shall run follow, where that is anything, or was.
    pub(super) fn scaled_after(&self) -> Vec<Scaled> {
        let all = self.running.iter().map(|(variant, revision)| Scaled {
            revision: revision.name.clone(),
            wanted: self.spec.autoscaling(variant).cloned(),
        });
        let before = self.scaled_before();
        let was = |one: &Scaled| before.iter().any(|was| was.revision == one.revision);
        all.filter(|one| one.wanted.is_some() || was(one)).collect()
    }

    /// What the instances of that which goes on running followed before.
    pub(super) fn scaled_before(&self) -> Vec<Scaled> {
        let stays = |name: &RevisionName| self.running.values().any(|one| one.name == *name);
        let mut all = self.scaled_by_prior();
        all.retain(|one| stays(&one.revision));
        all
    }

    /// What the instances of everything that ran before followed, where that was anything.
    pub(super) fn scaled_by_prior(&self) -> Vec<Scaled> {
        let running = self.prior.iter().flat_map(|prior| {
            let spec = &prior.spec;
            let each = prior.running.iter();
            each.map(move |(variant, revision)| (revision, spec.autoscaling(variant)))
        });
        running
            .filter_map(|(revision, wanted)| {
                Some(Scaled {
                    revision: revision.name.clone(),
                    wanted: Some(wanted?.clone()),
                })
            })
            .collect()
    }

    /// Whether anything stood by, because nobody waited for what took over.
    pub(super) fn had_standby(&self) -> bool {
        (self.prior.as_ref()).is_some_and(|prior| !prior.standby.is_empty())
    }

    /// What the target is asked to bring up, if anything.
    pub(super) fn provision(&self) -> Option<ProvisionRequest> {
        (self.server != ServerChange::Keep && self.kind != DeploymentKind::Delete).then(|| {
            ProvisionRequest {
                endpoint: self.endpoint,
                deployment: self.deployment.clone(),
                spec: self.spec.clone(),
                previous: self.prior.as_ref().map(|prior| prior.server.clone()),
                takes_over: (self.prior.as_ref())
                    .filter(|_| self.server == ServerChange::TakeOver)
                    .and_then(|prior| prior.running.values().next().cloned()),
            }
        })
    }
}
