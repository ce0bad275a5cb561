//! What the ECS target does of its own before a rollout: lease a slot, make the log group, and the cluster if it is the endpoint's own, open the front in
//! the slot; or take over what is there, front and all.

mod lease_slot;
mod log_group;
mod make_cluster;
mod open_front;
mod take_over;

use std::sync::Arc;

use mlops_core::endpoint::deployment::DeploymentRef;
use mlops_core::endpoint::spec::{IngressSpec, TargetSpec};
use mlops_core::saga::{Slot, wire};
use mlops_core::target::{Provision, ProvisionRequest, ProvisionState, Revision, Server};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use self::lease_slot::{LeaseSlot, LeaseSlotInput};
use self::log_group::{LogGroup, LogGroupInput};
use self::make_cluster::{MakeCluster, MakeClusterInput};
use self::open_front::{OpenFront, OpenFrontInput};
use self::take_over::{TakeOver, TakeOverInput};
use super::Account;
use super::foreign::Found;
use super::handle::{FoundRevision, Handle};
use super::names;
use crate::elb::{Front, Owner};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Wanted {
    owner: Owner,
    ingress: IngressSpec,
    /// The server that was there before; its slot is tried first.
    previous: Option<Previous>,
    /// Whether the front of `ingress` is there and becomes the endpoint's. Then `ingress` names its slot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_there: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Previous {
    front: Front,
    /// The deployment that holds its lease.
    deployment: DeploymentRef,
}

impl Wanted {
    /// The slot to try first.
    fn preferred(&self) -> Option<u16> {
        self.previous.as_ref().map(|previous| previous.front.slot)
    }
}

/// The state of the steps in the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Bringing {
    wanted: Wanted,
    cluster: String,
    #[serde(default)]
    owns_cluster: bool,
    log_group: String,
    #[serde(default)]
    lease_slot: Slot<LeaseSlot>,
    #[serde(default)]
    make_log_group: Slot<LogGroup>,
    #[serde(default)]
    make_cluster: Slot<MakeCluster>,
    #[serde(default)]
    open_front: Slot<OpenFront>,
    /// What is taken over, in place of a front of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Taken>,
    #[serde(default)]
    take_over: Slot<TakeOver>,
}

/// What was there before the endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Taken {
    found: Found,
    /// As what the endpoint runs it.
    revision: Revision,
}

impl ProvisionState for Bringing {
    fn server(&self) -> Option<Server> {
        let (front, region, found) = match &self.found {
            None => {
                let opened = self.open_front.output()?;
                (opened.front.clone(), opened.region.clone(), None)
            }
            Some(Taken { found, revision }) => {
                let taken = self.take_over.output()?;
                let as_revision = FoundRevision {
                    revision: revision.name.clone(),
                    service: found.service.clone(),
                    group_arn: found.front.group_arn.clone(),
                };
                (
                    found.front.front.clone(),
                    taken.region.clone(),
                    Some(as_revision),
                )
            }
        };
        let handle = Handle {
            owner: self.wanted.owner.clone(),
            front,
            ingress: self.wanted.ingress.clone(),
            cluster: self.cluster.clone(),
            owns_cluster: self.owns_cluster,
            log_group: self.log_group.clone(),
            region,
            // It gets its name once it serves.
            dns: None,
            found,
        };
        // A handle of names, numbers and text is always JSON.
        handle.server().ok()
    }
}

/// The steps for `request`.
pub(super) fn steps(account: &Arc<Account>, request: &ProvisionRequest) -> Result<Provision> {
    let TargetSpec::Ecs(ecs) = &request.spec.target else {
        return Err(Error::bug(format!(
            "the ECS target was asked to run an endpoint of target {:?}",
            request.spec.target.kind()
        )));
    };
    let found = match (&request.takes_over, &request.previous) {
        (Some(revision), Some(server)) => Some(Taken {
            found: server.handle()?,
            revision: revision.clone(),
        }),
        _ => None,
    };
    let previous = match &request.previous {
        Some(server) if found.is_none() => {
            let before: Handle = server.handle()?;
            // A slot is one of its load balancer or listener.
            (before.front.parent == ecs.ingress.parent_arn()).then_some(Previous {
                front: before.front,
                deployment: before.owner.deployment,
            })
        }
        _ => None,
    };
    let ingress = match &found {
        Some(Taken { found, .. }) => found.front.pinned(&ecs.ingress),
        None => ecs.ingress.clone(),
    };
    let state = Bringing {
        wanted: Wanted {
            owner: Owner {
                endpoint: request.endpoint,
                name: request.spec.name.clone(),
                deployment: request.deployment.clone(),
            },
            ingress,
            previous,
            is_there: found.is_some(),
        },
        cluster: ecs.cluster.clone(),
        owns_cluster: ecs.creates_cluster,
        log_group: names::log_group(&ecs.cluster, &request.spec.name),
        lease_slot: Slot::default(),
        make_log_group: Slot::default(),
        make_cluster: Slot::default(),
        open_front: Slot::default(),
        found,
        take_over: Slot::default(),
    };
    let mut steps = vec![
        wire(
            account.clone(),
            |state: &Bringing| {
                Ok(LeaseSlotInput {
                    wanted: state.wanted.clone(),
                })
            },
            |state| &mut state.lease_slot,
            |state| &state.lease_slot,
        ),
        wire(
            account.clone(),
            |state: &Bringing| {
                Ok(LogGroupInput {
                    owner: state.wanted.owner.clone(),
                    name: state.log_group.clone(),
                })
            },
            |state| &mut state.make_log_group,
            |state| &state.make_log_group,
        ),
    ];
    if ecs.creates_cluster {
        steps.push(wire(
            account.clone(),
            |state: &Bringing| {
                Ok(MakeClusterInput {
                    owner: state.wanted.owner.clone(),
                    cluster: state.cluster.clone(),
                })
            },
            |state| &mut state.make_cluster,
            |state| &state.make_cluster,
        ));
    }
    if state.found.is_some() {
        steps.push(wire(
            account.clone(),
            |state: &Bringing| {
                let taken = state
                    .found
                    .clone()
                    .ok_or_else(|| Error::corrupt("the journal lacks what is taken over"))?;
                Ok(TakeOverInput {
                    owner: state.wanted.owner.clone(),
                    found: taken.found,
                    revision: taken.revision,
                })
            },
            |state| &mut state.take_over,
            |state| &state.take_over,
        ));
        return Provision::new(&state, steps);
    }
    steps.push(wire(
        account.clone(),
        |state: &Bringing| {
            let leased = state
                .lease_slot
                .output()
                .ok_or_else(|| Error::bug("a front was to be opened before its slot was leased"))?;
            Ok(OpenFrontInput {
                wanted: state.wanted.clone(),
                slot: leased.slot,
            })
        },
        |state| &mut state.open_front,
        |state| &state.open_front,
    ));
    Provision::new(&state, steps)
}
