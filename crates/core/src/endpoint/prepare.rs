//! From a plan to a deployment's request: names are given here, before the first effect.

use std::collections::{BTreeMap, BTreeSet};

use super::deployment::DeploymentRef;
use super::naming::Renaming;
use super::plan::{EndpointPlan, ServerChange, VariantChange};
use super::record::{EndpointRecord, Leftovers, settled};
use super::spec::{DeletionPolicy, EndpointSpec, Strategy};
use super::state::{DeploymentKind, DeploymentRequest};
use crate::error::{Error, Result};
use crate::names::VariantName;
use crate::rollout::{Move, RolloutPlan};
use crate::serving::SmokeRequest;
use crate::target::{Revision, RevisionName, Routing};

/// Who deploys what.
pub(super) struct Who {
    pub(super) endpoint: uuid::Uuid,
    pub(super) deployment: DeploymentRef,
    pub(super) base: u64,
    pub(super) by: String,
    /// Whether the target has the server ask its golden request itself.
    pub(super) smokes_at_start: bool,
    /// Alarms that it does not go by.
    pub(super) aside: BTreeMap<String, String>,
    /// What becomes of the endpoint's name.
    pub(super) renaming: Renaming,
}

pub(super) fn deployment(
    spec: &EndpointSpec,
    plan: &EndpointPlan,
    prior: Option<EndpointRecord>,
    smoke: &BTreeMap<VariantName, SmokeRequest>,
    who: Who,
) -> Result<DeploymentRequest> {
    let mut running = BTreeMap::new();
    let (mut start, mut asked, mut moves) = (Vec::new(), Vec::new(), Vec::new());
    let mut old_revisions: BTreeSet<RevisionName> = BTreeSet::new();
    let old_of = |name: &VariantName| prior.as_ref().and_then(|prior| prior.running.get(name));
    let same_server = plan.server.keeps_serving();
    let unseen = is_unseen(spec, plan.server);
    let standby_of = |name: &VariantName| prior.as_ref().and_then(|prior| prior.standby.get(name));
    let mut standby: BTreeMap<VariantName, Revision> = BTreeMap::new();
    let mirrors = plan.stages.iter().any(|stage| stage.mirror.shares() > 0);
    for (name, variant) in &spec.variants {
        let change = plan
            .variants
            .get(name)
            .copied()
            .unwrap_or(VariantChange::Start);
        if let (VariantChange::Keep, Some(old)) = (change, old_of(name)) {
            running.insert(name.clone(), old.clone());
            standby.extend(kept(name, standby_of(name), unseen));
            continue;
        }
        if let (VariantChange::Return, Some(back)) = (change, standby_of(name)) {
            running.insert(name.clone(), back.clone());
            old_revisions.extend(old_of(name).map(|old| old.name.clone()));
            continue;
        }
        let revision = Revision {
            name: RevisionName::of(name, &variant.workload, &who.deployment),
            variant: name.clone(),
            workload: variant.workload.clone(),
            environment: variant.environment.clone(),
            compute: variant.compute,
            container: variant.container.clone(),
            placement: spec.placement(variant).map(Box::new),
            smoke: smoke.get(name).filter(|_| who.smokes_at_start).cloned(),
            instances: spec.autoscaling(name).map_or(1, |wanted| wanted.min),
            startup_timeout: variant.startup_timeout,
        };
        if let Some(request) = smoke.get(name) {
            asked.push((revision.name.clone(), request.clone()));
        }
        let shifts = change == VariantChange::Shift;
        let copy = (shifts && mirrors && spec.rollout.strategy == Strategy::Shadow)
            .then(|| shadow_of(&revision, spec))
            .transpose()?;
        // What is left of a start that failed goes; what served before it stays until something serves again.
        let stays = if shifts {
            old_of(name)
        } else {
            standby_of(name)
        };
        standby.extend(kept(name, stays, unseen && same_server));
        if same_server && let Some(old) = old_of(name) {
            old_revisions.insert(old.name.clone());
        }
        moves.push(Move {
            variant: name.clone(),
            old: old_of(name).filter(|_| shifts).map(|old| old.name.clone()),
            new: revision.name.clone(),
            copy: copy
                .as_ref()
                .map(|copy| (copy.variant.clone(), copy.name.clone())),
        });
        if let Some(copy) = copy {
            old_revisions.insert(copy.name.clone());
            start.push(copy);
        }
        running.insert(name.clone(), revision.clone());
        start.push(revision);
    }
    let mut retire = Leftovers::default();
    if let Some(prior) = &prior {
        retire.servers.clone_from(&prior.leftovers.servers);
        if same_server {
            let removed = prior
                .running
                .iter()
                .filter(|(name, _)| !spec.variants.contains_key(*name));
            old_revisions.extend(removed.map(|(_, revision)| revision.name.clone()));
            old_revisions.extend(prior.leftovers.revisions.iter().cloned());
            old_revisions.extend(prior.standby.values().map(|one| one.name.clone()));
        }
        // One that does not answer any more may have left something that runs.
        if matches!(plan.server, ServerChange::Replace | ServerChange::Start) {
            retire.servers.push(prior.server.clone());
        }
    }
    let stays = |name: &RevisionName| {
        running
            .values()
            .chain(standby.values())
            .any(|one| one.name == *name)
    };
    old_revisions.retain(|name| !stays(name));
    retire.revisions.extend(old_revisions);
    retire.servers.extend(who.renaming.left);
    // A server that was just brought up has nothing to be given back.
    let before = prior
        .as_ref()
        .filter(|_| same_server)
        .map_or_else(Routing::default, EndpointRecord::routing);
    let rollout = RolloutPlan {
        before,
        after: settled(spec, &running),
        moves,
        stages: plan.stages.clone(),
    };
    Ok(DeploymentRequest {
        kind: if prior.is_some() {
            DeploymentKind::Update
        } else {
            DeploymentKind::Create
        },
        endpoint: who.endpoint,
        identity: spec.id().to_string(),
        deployment: who.deployment,
        base: who.base,
        spec: spec.clone(),
        prior,
        server: plan.server,
        running,
        standby,
        start,
        smoke: asked,
        rollout,
        retire,
        aside: who.aside,
        announces: who.renaming.announces,
        bound: Vec::new(),
        by: who.by,
    })
}

/// Whether nobody waits for what a deployment makes. Another front, or a service that is taken over, is waited for all the same: clients would be led to where
/// nobody answers, and what answered would be gone.
pub(super) fn is_unseen(spec: &EndpointSpec, server: ServerChange) -> bool {
    !spec.wait_for_steady_state && matches!(server, ServerChange::Keep | ServerChange::Start)
}

/// What stands by for a variant.
fn kept(
    name: &VariantName,
    one: Option<&Revision>,
    keeps: bool,
) -> Option<(VariantName, Revision)> {
    one.filter(|_| keeps).map(|one| (name.clone(), one.clone()))
}

/// The request of a delete.
pub(super) fn deletion(prior: EndpointRecord, who: Who) -> DeploymentRequest {
    let mut servers = Vec::new();
    if prior.spec.deletion_policy != DeletionPolicy::Abandon {
        servers.clone_from(&prior.leftovers.servers);
        servers.push(prior.server.clone());
    }
    DeploymentRequest {
        kind: DeploymentKind::Delete,
        endpoint: who.endpoint,
        identity: prior.identity(),
        deployment: who.deployment,
        base: who.base,
        spec: prior.spec.clone(),
        server: ServerChange::Keep,
        running: BTreeMap::new(),
        standby: BTreeMap::new(),
        start: Vec::new(),
        smoke: Vec::new(),
        rollout: RolloutPlan {
            before: prior.routing(),
            after: Routing::default(),
            moves: Vec::new(),
            stages: Vec::new(),
        },
        retire: Leftovers {
            servers,
            ..Leftovers::default()
        },
        prior: Some(prior),
        aside: BTreeMap::new(),
        announces: false,
        bound: Vec::new(),
        by: who.by,
    }
}

/// The second copy of a candidate, in a variant of its own that gets copies of requests only.
fn shadow_of(revision: &Revision, spec: &EndpointSpec) -> Result<Revision> {
    let name = format!("{}-shadow", revision.variant);
    let variant = VariantName::new(name)?;
    if spec.variants.contains_key(&variant) {
        return Err(Error::invalid(format!(
            "strategy SHADOW needs the variant name {variant:?} for the copy of {:?}; rename that variant",
            revision.variant.as_str()
        ))
        .at(format!("variants.{variant}")));
    }
    let name = revision.name.shadow();
    Ok(Revision {
        name,
        variant,
        ..revision.clone()
    })
}
