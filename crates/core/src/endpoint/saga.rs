//! The endpoint's saga: which steps, in which order, wired how. Pure in (version, request).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::ServerChange;
use super::ports::EndpointPorts;
use super::prepare::is_unseen;
use super::state::{DeploymentKind, DeploymentRequest, EndpointState, ServerReader};
use super::steps::{
    Announce, Autoscale, AutoscaleInput, CheckHealth, EnsureInput, EnsureRevisions, HandOver,
    HandOverInput, HealthInput, Hold, HoldCapacity, HoldCapacityInput, HoldInput, MakeRevisions,
    Prove, ProveInput, Retire, RetireInput, Scaled, Standby, Teardown, TeardownInput,
};
use crate::error::{Error, Result};
use crate::rollout::{Move, Rollout, RolloutInput};
use crate::saga::{BoxNode, SagaId, lift, wire, wire_pivot};
use crate::target::{Announcement, Provision, RevisionName};

/// The saga's name.
pub(super) const NAME: &str = "endpoint";
/// The newest version that this program reads. Of the second are deployments that wait for nobody, whose steps a program of the first does not know.
pub(super) const VERSION: u32 = 2;

/// What this program writes into the journal of a deployment.
pub(super) fn id(request: &DeploymentRequest) -> SagaId {
    SagaId {
        name: NAME.to_owned(),
        version: match is_unseen(&request.spec, request.server) {
            true => VERSION,
            false => 1,
        },
    }
}

/// The steps of one deployment.
pub(super) struct EndpointSaga {
    pub(super) nodes: Vec<BoxNode<EndpointState>>,
    pub(super) server: Option<ServerReader>,
    /// The target's own state before its first step.
    pub(super) provision: Option<serde_json::Value>,
}

pub(super) fn saga(
    request: &DeploymentRequest,
    ports: &Arc<EndpointPorts>,
) -> Result<EndpointSaga> {
    if request.kind == DeploymentKind::Delete {
        return Ok(EndpointSaga {
            nodes: vec![teardown(ports)],
            server: None,
            provision: None,
        });
    }
    let provision = request
        .provision()
        .map(|wanted| ports.target.steps(&wanted))
        .transpose()?;
    let server = provision.as_ref().map(Provision::server_reader);
    let initial = provision.as_ref().map(Provision::initial);
    let mut nodes: Vec<BoxNode<EndpointState>> = Vec::new();
    let own = provision.map(Provision::into_nodes).unwrap_or_default();
    nodes.extend(own.into_iter().map(provisioned));
    let shifts =
        request.rollout.before != request.rollout.after || request.server != ServerChange::Keep;
    let unseen = is_unseen(&request.spec, request.server);
    if unseen {
        if !request.start.is_empty() {
            nodes.push(make(ports, server));
        }
        if shifts {
            nodes.push(hand_over(ports, server));
        }
    } else {
        nodes.extend(watched(request, ports, server, shifts));
    }
    if request.announces {
        nodes.push(announce(ports, server));
    }
    let mut moves = request.rollout.moves.iter();
    let stands_by = moves.any(|change| change.old.is_some());
    if !unseen && stands_by && !request.spec.rollout.terminate_after.is_zero() {
        nodes.push(hold(ports, server));
    }
    if !request.scaled_after().is_empty() {
        nodes.push(autoscale(ports, server));
    }
    if !request.retire.is_empty() {
        nodes.push(retire(ports, server));
    }
    Ok(EndpointSaga {
        nodes,
        server,
        provision: initial,
    })
}

/// What leads traffic to what shall run, each step once the one before has proved something.
fn watched(
    request: &DeploymentRequest,
    ports: &Arc<EndpointPorts>,
    server: Option<ServerReader>,
    shifts: bool,
) -> Vec<BoxNode<EndpointState>> {
    let mut nodes = Vec::new();
    if !request.start.is_empty() {
        nodes.push(ensure(ports, server));
    }
    let checked_so = request
        .prior
        .as_ref()
        .is_some_and(|prior| prior.spec.health_check == request.spec.health_check);
    if !request.start.is_empty() || shifts || !checked_so {
        nodes.push(check_health(ports, server));
    }
    if !request.start.is_empty() {
        nodes.push(prove(ports, server));
    }
    let (old, new) = moved(request);
    if shifts && old.iter().chain(&new).any(|one| one.wanted.is_some()) {
        nodes.push(hold_capacity(ports, server));
    }
    if shifts {
        nodes.push(rollout(ports, server));
    }
    nodes
}

/// One of the target's own steps, over its part of the state.
fn provisioned(node: BoxNode<serde_json::Value>) -> BoxNode<EndpointState> {
    lift(
        node,
        |state: &EndpointState| {
            state
                .provision
                .clone()
                .ok_or_else(|| Error::corrupt("the journal lacks the target's own state"))
        },
        |state, own| {
            state.provision = Some(own);
            Ok(())
        },
    )
}

fn started(state: &EndpointState, server: Option<ServerReader>) -> Result<EnsureInput> {
    Ok(EnsureInput {
        server: state.server(server)?,
        revisions: state.request.start.clone(),
        drain_seconds: state.request.spec.drain_seconds,
        window: state.request.spec.stabilization_window(),
    })
}

fn ensure(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    wire::<_, EnsureRevisions>(
        ports.clone(),
        move |state| started(state, server),
        |state| &mut state.ensure,
        |state| &state.ensure,
    )
}

fn make(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    wire::<_, MakeRevisions>(
        ports.clone(),
        move |state| started(state, server),
        |state| &mut state.make,
        |state| &state.make,
    )
}

fn hand_over(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    let input = move |state: &EndpointState| {
        let rollout = &state.request.rollout;
        Ok(HandOverInput {
            server: state.server(server)?,
            moves: rollout.moves.clone(),
            before: rollout.before.clone(),
            after: rollout.after.clone(),
        })
    };
    wire::<_, HandOver>(
        ports.clone(),
        input,
        |state| &mut state.hand_over,
        |state| &state.hand_over,
    )
}

fn check_health(
    ports: &Arc<EndpointPorts>,
    server: Option<ServerReader>,
) -> BoxNode<EndpointState> {
    let by_revision = ports.target.probes_revisions();
    let input = move |state: &EndpointState| {
        Ok(HealthInput {
            server: state.server(server)?,
            check: state.request.spec.health_check.clone(),
            mends: by_revision && mends(&state.request),
            counted: by_revision,
        })
    };
    wire::<_, CheckHealth>(
        ports.clone(),
        input,
        |state| &mut state.health,
        |state| &state.health,
    )
}

/// Whether a variant of which nothing serves is started again on a server that runs, or something stood by, whose own health is no reason to keep it.
fn mends(request: &DeploymentRequest) -> bool {
    let ran = |change: &Move| {
        let prior = request.prior.as_ref();
        prior.is_some_and(|prior| prior.running.contains_key(&change.variant))
    };
    request.had_standby()
        || request.server == ServerChange::Keep
            && (request.rollout.moves.iter()).any(|change| change.old.is_none() && ran(change))
}

fn prove(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    let input = move |state: &EndpointState| {
        Ok(ProveInput {
            server: state.server(server)?,
            revisions: state
                .request
                .start
                .iter()
                .map(|revision| revision.name.clone())
                .collect(),
            smoke: state.request.smoke.clone(),
        })
    };
    wire::<_, Prove>(
        ports.clone(),
        input,
        |state| &mut state.prove,
        |state| &state.prove,
    )
}

/// What traffic moves from, and what it moves to, with what the instances of each follow.
fn moved(request: &DeploymentRequest) -> (Vec<Scaled>, Vec<Scaled>) {
    let moves = &request.rollout.moves;
    let gives_way = |name: &RevisionName| moves.iter().any(|one| one.old.as_ref() == Some(name));
    let mut old = request.scaled_by_prior();
    old.retain(|one| gives_way(&one.revision));
    let new = moves.iter().map(|one| Scaled {
        revision: one.new.clone(),
        wanted: request.spec.autoscaling(&one.variant).cloned(),
    });
    (old, new.collect())
}

fn hold_capacity(
    ports: &Arc<EndpointPorts>,
    server: Option<ServerReader>,
) -> BoxNode<EndpointState> {
    let input = move |state: &EndpointState| {
        let (old, new) = moved(&state.request);
        Ok(HoldCapacityInput {
            server: state.server(server)?,
            old,
            new,
        })
    };
    wire::<_, HoldCapacity>(
        ports.clone(),
        input,
        |state| &mut state.hold_capacity,
        |state| &state.hold_capacity,
    )
}

fn autoscale(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    let input = move |state: &EndpointState| {
        Ok(AutoscaleInput {
            server: state.server(server)?,
            after: state.request.scaled_after(),
            before: state.request.scaled_before(),
        })
    };
    wire::<_, Autoscale>(
        ports.clone(),
        input,
        |state| &mut state.autoscale,
        |state| &state.autoscale,
    )
}

fn rollout(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    let input = move |state: &EndpointState| {
        let mut plan = state.request.rollout.clone();
        if plan.stages.is_empty() {
            // Only traffic between variants changes: one shift.
            plan.stages = crate::rollout::stages(&state.request.spec.rollout, false);
        }
        Ok(RolloutInput {
            server: state.server(server)?,
            deployment: state.request.deployment.clone(),
            plan,
            analysis: state.request.spec.rollout.analysis.clone(),
            versions: state.request.judged_versions(),
            alarms: state.request.spec.rollout.alarms.clone(),
            aside: state.request.aside.keys().cloned().collect(),
            on_failure: state.request.spec.rollout.on_failure,
            max_duration: state.request.spec.rollout.max_duration,
        })
    };
    wire::<_, Rollout>(
        ports.clone(),
        input,
        |state| &mut state.rollout,
        |state| &state.rollout,
    )
}

fn announce(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    let input = move |state: &EndpointState| {
        let request = &state.request;
        Ok(Announcement {
            server: state.server(server)?,
            target: request.spec.target.clone(),
            previous: request.prior.as_ref().map(|prior| prior.server.clone()),
            deployment: request.deployment.clone(),
        })
    };
    wire::<_, Announce>(
        ports.clone(),
        input,
        |state| &mut state.announce,
        |state| &state.announce,
    )
}

fn hold(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    let input = move |state: &EndpointState| {
        let request = &state.request;
        let rollout = &request.spec.rollout;
        let mut aside: BTreeSet<String> = request.aside.keys().cloned().collect();
        if let Some(last) = &state.rollout.checkpoint {
            aside = &aside - &last.recovered;
        }
        let watched = Standby {
            server: state.server(server)?,
            moves: request.rollout.moves.clone(),
            alarms: rollout.alarms.clone(),
            aside,
            on_failure: rollout.on_failure,
        };
        Ok(HoldInput {
            terminate_after: rollout.terminate_after,
            watched: Some(watched),
        })
    };
    wire::<_, Hold>(
        ports.clone(),
        input,
        |state| &mut state.hold,
        |state| &state.hold,
    )
}

fn retire(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> BoxNode<EndpointState> {
    let input = move |state: &EndpointState| {
        Ok(RetireInput {
            server: state.server(server)?,
            old: state.request.retire.clone(),
            drain_seconds: state.request.spec.drain_seconds,
        })
    };
    wire_pivot::<_, Retire>(
        ports.clone(),
        input,
        |state| &mut state.retire,
        |state| &state.retire,
    )
}

fn teardown(ports: &Arc<EndpointPorts>) -> BoxNode<EndpointState> {
    let input = |state: &EndpointState| {
        Ok(TeardownInput {
            servers: state.request.retire.servers.clone(),
            drain_seconds: state.request.spec.drain_seconds,
        })
    };
    wire_pivot::<_, Teardown>(
        ports.clone(),
        input,
        |state| &mut state.teardown,
        |state| &state.teardown,
    )
}
