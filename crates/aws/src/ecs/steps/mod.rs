//! What the ECS target does of its own before a rollout: lease a slot, make the log group, and the cluster if it is the endpoint's own, open the front in
//! the slot.

mod lease_slot;
mod log_group;
mod make_cluster;
mod open_front;

use std::sync::Arc;

use mlops_core::endpoint::deployment::DeploymentRef;
use mlops_core::endpoint::spec::{IngressSpec, TargetSpec};
use mlops_core::saga::{Slot, wire};
use mlops_core::target::{Provision, ProvisionRequest, ProvisionState, Server};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use self::lease_slot::{LeaseSlot, LeaseSlotInput};
use self::log_group::{LogGroup, LogGroupInput};
use self::make_cluster::{MakeCluster, MakeClusterInput};
use self::open_front::{OpenFront, OpenFrontInput};
use super::Account;
use super::handle::Handle;
use super::names;
use crate::elb::{Front, Owner};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Wanted {
    owner: Owner,
    ingress: IngressSpec,
    /// The server that was there before; its slot is tried first.
    previous: Option<Previous>,
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
}

impl ProvisionState for Bringing {
    fn server(&self) -> Option<Server> {
        let opened = self.open_front.output()?;
        let handle = Handle {
            owner: self.wanted.owner.clone(),
            front: opened.front.clone(),
            ingress: self.wanted.ingress.clone(),
            cluster: self.cluster.clone(),
            owns_cluster: self.owns_cluster,
            log_group: self.log_group.clone(),
            region: opened.region.clone(),
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
    let previous = match &request.previous {
        Some(server) => {
            let before: Handle = server.handle()?;
            // A slot is one of its load balancer or listener.
            (before.front.parent == crate::elb::parent(&ecs.ingress)).then_some(Previous {
                front: before.front,
                deployment: before.owner.deployment,
            })
        }
        None => None,
    };
    let state = Bringing {
        wanted: Wanted {
            owner: Owner {
                endpoint: request.endpoint,
                name: request.spec.name.clone(),
                deployment: request.deployment.clone(),
            },
            ingress: ecs.ingress.clone(),
            previous,
        },
        cluster: ecs.cluster.clone(),
        owns_cluster: ecs.creates_cluster,
        log_group: names::log_group(&ecs.cluster, &request.spec.name),
        lease_slot: Slot::default(),
        make_log_group: Slot::default(),
        make_cluster: Slot::default(),
        open_front: Slot::default(),
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
