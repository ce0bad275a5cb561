//! What the command line asks of an endpoint: status, pause, resume, repair.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::deployment::DeploymentRef;
use super::outcome::Outcome;
use super::record::EndpointRecord;
use super::run::{Deps, Run};
use super::store;
use crate::error::{Error, Result};
use crate::names::EndpointId;
use crate::registry::Registry;
use crate::registry::leases::LeaseStatus;
use crate::saga::{Phase, StepEntry, StopReason};
use crate::target::{Observation, Target, Targets};

/// Everything known of an endpoint at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointStatus {
    /// Its id.
    pub identity: String,
    /// What the registry says runs.
    pub record: Option<EndpointRecord>,
    /// What the target sees of it.
    pub observation: Option<Observation>,
    /// The deployment under way, or stopped on the way.
    pub open: Option<OpenDeployment>,
    /// Who deploys now.
    pub lease: Option<LeaseStatus>,
}

/// A deployment whose journal is open.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenDeployment {
    /// Which.
    pub deployment: DeploymentRef,
    /// Where it is.
    pub phase: Phase,
    /// Its steps.
    pub steps: Vec<StepEntry>,
    /// Why it stopped.
    pub stop: Option<StopReason>,
    /// Why it could not be taken back.
    pub undo_failure: Option<StopReason>,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it was last journaled.
    pub updated_at: Timestamp,
}

/// What the registry says runs; asks no target. The first part of a resource's refresh.
pub async fn record(registry: &Registry, id: &EndpointId) -> Result<Option<EndpointRecord>> {
    Ok(store::endpoint(registry, &id.to_string())
        .await?
        .and_then(|stored| stored.body.live))
}

/// What the endpoint runs on: where its record says, or else its id.
pub async fn target(
    registry: &Registry,
    targets: &Targets,
    id: &EndpointId,
) -> Result<Arc<dyn Target>> {
    match record(registry, id).await? {
        Some(record) => targets.of(&record.spec.target),
        None => targets.named(id),
    }
}

/// The endpoint's monotonic revision, which outlives a delete; 0 if there never was one.
pub async fn revision(registry: &Registry, id: &EndpointId) -> Result<u64> {
    Ok(store::endpoint(registry, &id.to_string())
        .await?
        .map_or(0, |stored| stored.body.revision))
}

/// The deployment whose journal is open; asks no target.
pub async fn open_deployment(
    registry: &Registry,
    id: &EndpointId,
) -> Result<Option<OpenDeployment>> {
    open(registry, &id.to_string()).await
}

async fn open(registry: &Registry, identity: &str) -> Result<Option<OpenDeployment>> {
    let Some(found) = store::open_journal(registry, identity).await? else {
        return Ok(None);
    };
    let journal = found.body;
    let deployment = journal
        .state
        .pointer("/request/deployment")
        .cloned()
        .unwrap_or_default();
    let deployment: DeploymentRef = serde_json::from_value(deployment).map_err(|e| {
        Error::corrupt(format!(
            "the journal of endpoint {identity} names no deployment"
        ))
        .because(e)
    })?;
    Ok(Some(OpenDeployment {
        deployment,
        phase: journal.phase,
        steps: journal.steps,
        stop: journal.stop,
        undo_failure: journal.undo_failure,
        opened_at: journal.opened_at,
        updated_at: journal.updated_at,
    }))
}

/// Everything known of the endpoint.
pub async fn status(deps: &Deps, id: &EndpointId) -> Result<EndpointStatus> {
    let identity = id.to_string();
    let record = store::endpoint(&deps.registry, &identity)
        .await?
        .and_then(|stored| stored.body.live);
    let observation = match &record {
        Some(record) => Some(deps.target.observe(&record.server).await?),
        None => None,
    };
    Ok(EndpointStatus {
        record,
        observation,
        open: open(&deps.registry, &identity).await?,
        lease: deps
            .registry
            .lease_status(&store::lease_name(&identity))
            .await?,
        identity,
    })
}

/// Asks the deployment under way to pause at the step it is in; it does within a second, while it
/// bakes. Returns which was asked.
pub async fn pause(deps: &Deps, id: &EndpointId) -> Result<DeploymentRef> {
    let identity = id.to_string();
    let open = open(&deps.registry, &identity)
        .await?
        .filter(|open| open.phase == Phase::Forward);
    let open = open.ok_or_else(|| {
        Error::not_found(format!(
            "endpoint {identity} has no deployment under way; there is nothing to pause"
        ))
    })?;
    store::request_pause(&deps.registry, &identity, open.deployment.clone()).await?;
    Ok(open.deployment)
}

/// Goes on with a paused or interrupted deployment, in this process, to its end.
pub async fn resume(
    deps: &Deps,
    id: &EndpointId,
    by: &str,
    cancel: CancellationToken,
) -> Result<Outcome> {
    let identity = id.to_string();
    let run = match Run::begin(deps, &identity, by, None, cancel, None).await? {
        Ok(run) => run,
        Err(refused) => return Ok(refused),
    };
    let outcome = run.resume().await;
    run.end().await;
    outcome
}

/// Takes back what a failed deployment could not, or what one that was stopped left. With `force`,
/// unlocks the endpoint even if something still cannot be taken back, which then stays behind.
pub async fn repair(deps: &Deps, id: &EndpointId, by: &str, force: bool) -> Result<Outcome> {
    let identity = id.to_string();
    let run = match Run::begin(deps, &identity, by, None, CancellationToken::new(), None).await? {
        Ok(run) => run,
        Err(refused) => return Ok(refused),
    };
    let outcome = run.repair(force).await;
    run.end().await;
    outcome
}
