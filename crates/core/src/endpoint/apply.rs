//! Create, update and delete: the whole of one Terraform apply of an endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::deployment::{DeploymentId, DeploymentRef};
use super::drift::autoscaling_drift;
use super::events::Note;
use super::naming::{Renaming, renaming};
use super::outcome::Outcome;
use super::plan::{self, Action, ServerChange, VariantChange};
use super::record::EndpointRecord;
use super::run::{Deps, Run};
use super::spec::{Analysis, DeletionPolicy, EndpointSpec, RolloutSpec};
use super::{prepare, store, take_over, validate};
use crate::error::{Error, Result};
use crate::names::{EndpointId, VariantName};
use crate::rollout::{Meter, Source, alarms};
use crate::serving::SmokeRequest;
use crate::target::Target;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// The specification, references resolved.
    pub spec: EndpointSpec,
    /// The endpoint revision that the plan started from (0: there never was one); another one in
    /// the registry by now is a conflict. `None`: whatever the registry says.
    pub base: Option<u64>,
    /// Whether the caller believes that there is no endpoint. One that exists is then adopted if
    /// an earlier process made it to this very specification and died before it could tell; else
    /// it is a conflict.
    pub create: bool,
    /// Whether the endpoint takes over what runs under its id and is no endpoint's, if the registry knows none of that id.
    pub takes_over: bool,
    /// Golden requests, by variant.
    pub smoke: BTreeMap<VariantName, SmokeRequest>,
    /// Who asks, for people: `terraform apply by ann on build-7`.
    pub by: String,
    /// The caller's wish to stop.
    pub cancel: CancellationToken,
    /// How long it may take; then it is rolled back.
    pub time_limit: Option<Duration>,
}

/// Makes the endpoint what `request` says, and says how that ended.
///
/// What is invalid, changed since the plan, bound to a version that may not be served, or
/// journaled by a newer program is an error, and nothing was done. An error of class
/// `Unavailable` or a lost lease may leave the journal open; the next apply deals with it.
pub async fn apply(deps: &Deps, request: ApplyRequest) -> Result<Outcome> {
    let mut problems = validate::validate(&request.spec);
    problems.extend(validate::unproved(&request.spec, request.smoke.keys()));
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem);
    }
    let identity = request.spec.id().to_string();
    let base = match request.base {
        Some(base) => base,
        None => store::endpoint(&deps.registry, &identity)
            .await?
            .map_or(0, |stored| stored.body.revision),
    };
    let id = DeploymentId::new(&identity, Some(&request.spec), base)?;
    let cancel = request.cancel.clone();
    let run = match Run::begin(
        deps,
        &identity,
        &request.by,
        Some(&id),
        cancel,
        request.time_limit,
    )
    .await?
    {
        Ok(run) => run,
        Err(refused) => return Ok(refused),
    };
    // Boxed: what it holds is large, and every caller holds this.
    let outcome = Box::pin(apply_under_lease(deps, &run, &identity, request, id, base)).await;
    run.end().await;
    outcome
}

async fn apply_under_lease(
    deps: &Deps,
    run: &Run,
    identity: &str,
    request: ApplyRequest,
    id: DeploymentId,
    base: u64,
) -> Result<Outcome> {
    // By it a later process tells whether this one lived to say how it ended.
    deps.registry.open_session().await?;
    if let Some(outcome) = run.recover(Some(&id)).await? {
        return Ok(outcome);
    }
    let stored = run
        .stored()
        .await?
        .map(|stored| stored.body)
        .unwrap_or_default();
    if request.create
        && let Some(live) = &stored.live
    {
        return adopt(deps, identity, live, &request.spec).await;
    }
    if stored.revision != base {
        return Err(Error::conflict(format!(
            "endpoint {identity} changed since the plan: it is at revision {}, the plan started from {base}; plan again",
            stored.revision
        )));
    }
    let takes_over = request.takes_over && stored.live.is_none();
    let prior = match takes_over {
        true => Some(found(deps, identity, &request.spec, &id).await?),
        false => stored.live,
    };
    let seen = match &prior {
        Some(prior) if !takes_over => Some(run.examine(&prior.server).await?),
        _ => None,
    };
    let satisfied = prior
        .as_ref()
        .is_none_or(|prior| deps.target.satisfies(&prior.server, &request.spec));
    let now = deps.registry.clock().now();
    let looked = seen.as_ref().map(|seen| (seen, now));
    let mut plan = plan::plan(&request.spec, prior.as_ref(), looked, satisfied);
    if takes_over {
        plan.server = ServerChange::TakeOver;
    }
    let target = deps.target.as_ref();
    let renaming = renaming(target, &request.spec, prior.as_ref(), plan.server).await?;
    if plan.action == Action::None && renaming.announces {
        plan.action = Action::Update;
    }
    if let (Action::None, Some(record)) = (plan.action, &prior) {
        let drift = autoscaling_drift(deps.target.as_ref(), record).await?;
        if drift.is_empty() {
            return Ok(Outcome::Succeeded {
                record: Box::new(record.clone()),
                deployed: false,
                warning: None,
            });
        }
        plan.action = Action::Update;
    }
    // Before anything is made: a candidate that nobody can judge would only be taken back again.
    check_sources(deps.meter.as_ref(), &request.spec.rollout)?;
    check_store(deps.target.as_ref(), &request.spec.rollout).await?;
    // Nor one that an alarm spoke against already.
    let mut changes = plan.variants.values().copied();
    let mut aside = BTreeMap::new();
    if !plan.stages.is_empty() {
        let replaced = changes.any(|change| change == VariantChange::Shift);
        let watched = &request.spec.rollout.alarms;
        aside = alarms::check(deps.target.as_ref(), watched, replaced).await?;
    }
    if !aside.is_empty() {
        let before = store::last_attempt(&deps.registry, identity, &id).await?;
        let stop = before.as_ref().and_then(|before| before.stop.as_ref());
        alarms::check_again(&aside, stop.and_then(|stop| stop.evidence.as_ref()))?;
        run.tell(Note::new("rollout.alarms_aside", alarms::set_aside(&aside)));
    }
    let who = prepare::Who {
        endpoint: prior
            .as_ref()
            .map_or_else(|| deps.registry.ids().uuid(), |prior| prior.id),
        deployment: DeploymentRef {
            attempt: store::next_attempt(&deps.registry, identity, &id).await?,
            id,
        },
        base,
        by: run.by.clone(),
        smokes_at_start: deps.target.smokes_at_start(),
        aside,
        renaming,
    };
    run.deploy(prepare::deployment(
        &request.spec,
        &plan,
        prior,
        &request.smoke,
        who,
    )?)
    .await
}

/// What runs and is no endpoint's, as the record of the endpoint that takes it over. Looked at only now: nobody else deploys, and nothing is open.
async fn found(
    deps: &Deps,
    identity: &str,
    spec: &EndpointSpec,
    id: &DeploymentId,
) -> Result<EndpointRecord> {
    let found = deps.target.foreign(&spec.id()).await?;
    let deployment = DeploymentRef {
        attempt: store::next_attempt(&deps.registry, identity, id).await?,
        id: id.clone(),
    };
    let (registry, uuid) = (&deps.registry, deps.registry.ids().uuid());
    let record = take_over::record(&found, uuid, deployment, registry.clock().now());
    take_over::check(deps.target.as_ref(), &record, spec)?;
    Ok(record)
}

/// Whether the analyses' sources can be asked from this process.
pub fn check_sources(meter: &dyn Meter, rollout: &RolloutSpec) -> Result<()> {
    for (name, analysis) in &rollout.analysis {
        let Some(source) = analysis.source.over_http() else {
            continue;
        };
        meter.check(source).map_err(|error| {
            let attribute = error.attribute().unwrap_or("source").to_owned();
            error.at(format!("rollout.analysis.{name}.{attribute}"))
        })?;
    }
    Ok(())
}

/// Whether the target's metrics store may be asked, where an analysis does.
async fn check_store(target: &dyn Target, rollout: &RolloutSpec) -> Result<()> {
    let asks = |analysis: &Analysis| matches!(analysis.source, Source::Cloudwatch { .. });
    let Some((name, _)) = (rollout.analysis.iter()).find(|(_, analysis)| asks(analysis)) else {
        return Ok(());
    };
    let may = target.can_measure().await;
    may.map_err(|error| error.at(format!("rollout.analysis.{name}.source")))
}

/// A create that meets an endpoint: ours, from a process that died before it could tell, or not.
/// One whose process ended in good order is in somebody's state.
async fn adopt(
    deps: &Deps,
    identity: &str,
    live: &EndpointRecord,
    spec: &EndpointSpec,
) -> Result<Outcome> {
    let is_abandoned = match live.session {
        Some(session) => deps.registry.is_abandoned(session).await?,
        None => false,
    };
    if live.spec == *spec && is_abandoned {
        return Ok(Outcome::Succeeded {
            record: Box::new(live.clone()),
            deployed: false,
            warning: None,
        });
    }
    Err(Error::conflict(format!(
        "endpoint {identity} exists already; import it with the id {identity}, or choose another name"
    ))
    .at("name"))
}

/// What is to be deleted.
#[derive(Debug, Clone)]
pub struct DeleteRequest {
    /// Which.
    pub id: EndpointId,
    /// Who asks, for people.
    pub by: String,
    /// The caller's wish to stop; honoured until the server begins to go.
    pub cancel: CancellationToken,
}

/// Takes the endpoint away, whatever state an earlier deployment left it in. One that does not
/// exist is deleted. A delete that fails is an error, is not taken back, and goes on with the next.
pub async fn delete(deps: &Deps, request: DeleteRequest) -> Result<Outcome> {
    let identity = request.id.to_string();
    let stored = store::endpoint(&deps.registry, &identity).await?;
    let base = stored.map_or(0, |stored| stored.body.revision);
    let id = DeploymentId::new(&identity, None, base)?;
    let cancel = request.cancel.clone();
    let run = match Run::begin(deps, &identity, &request.by, Some(&id), cancel, None).await? {
        Ok(run) => run,
        Err(refused) => return Ok(refused),
    };
    let outcome = delete_under_lease(deps, &run, &identity).await;
    run.end().await;
    outcome
}

async fn delete_under_lease(deps: &Deps, run: &Run, identity: &str) -> Result<Outcome> {
    if let Some(outcome) = run.recover(None).await? {
        return Ok(outcome);
    }
    let stored = run
        .stored()
        .await?
        .map(|stored| stored.body)
        .unwrap_or_default();
    let Some(prior) = stored.live else {
        return Ok(Outcome::Deleted);
    };
    if prior.spec.deletion_policy == DeletionPolicy::Prevent {
        return Err(Error::invalid(format!(
            "endpoint {identity} has deletion_policy = \"PREVENT\"; apply it with \"DELETE\" or \"ABANDON\" first"
        ))
        .at("deletion_policy"));
    }
    let id = DeploymentId::new(identity, None, stored.revision)?;
    let who = prepare::Who {
        endpoint: prior.id,
        deployment: DeploymentRef {
            attempt: store::next_attempt(&deps.registry, identity, &id).await?,
            id,
        },
        base: stored.revision,
        by: run.by.clone(),
        smokes_at_start: false,
        aside: BTreeMap::new(),
        renaming: Renaming::default(),
    };
    run.deploy(prepare::deletion(prior, who)).await
}
