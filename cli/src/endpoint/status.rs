//! `mlops endpoint status`.

use std::collections::BTreeMap;

use mlops_core::Result;
use mlops_core::endpoint::{self, Deps, EndpointStatus, OpenDeployment, Percent};
use mlops_core::names::EndpointId;
use mlops_core::saga::Phase;
use mlops_core::target::Observation;
use serde::Serialize;

use super::say;
use crate::exit::Exit;

/// What `--json` prints; fields are added, never changed.
#[derive(Debug, Serialize)]
struct Report {
    endpoint: String,
    /// `serving`, `not_serving`, `deploying`, `paused`, `interrupted`, `rolling_back` or `locked`.
    status: &'static str,
    revision: Option<u64>,
    invoke_url: Option<String>,
    serving: bool,
    reason: Option<String>,
    variants: BTreeMap<String, Variant>,
    deployment: Option<Deployment>,
}

#[derive(Debug, Serialize)]
struct Variant {
    /// Of a variant that runs a model.
    model: Option<String>,
    version: Option<u64>,
    /// Of a variant that runs an image.
    image: Option<String>,
    serving: bool,
    traffic_percent: f64,
    revisions: BTreeMap<String, Revision>,
}

#[derive(Debug, Serialize)]
struct Revision {
    state: mlops_core::target::RevisionState,
    weight_percent: f64,
    in_flight: u64,
}

#[derive(Debug, Serialize)]
struct Deployment {
    id: String,
    phase: Phase,
    step: Option<String>,
    since: String,
    reason: Option<String>,
    holder: Option<String>,
}

pub(super) async fn print(deps: &Deps, id: &EndpointId, json: bool) -> Result<Exit> {
    let status = endpoint::status(deps, id).await?;
    let report = report(&status);
    say(json, &report, &text(&report));
    Ok(exit(&report))
}

fn exit(report: &Report) -> Exit {
    match report.status {
        "paused" | "interrupted" | "locked" => Exit::NeedsAction,
        _ if report.serving => Exit::Ok,
        // An endpoint that is being created is as it should be.
        "deploying" if report.revision.is_none() => Exit::Ok,
        _ => Exit::Failed,
    }
}

fn report(status: &EndpointStatus) -> Report {
    let seen = status.observation.as_ref();
    let record = status.record.as_ref();
    let variants = record.map(|record| {
        let variants = record.running.iter().map(|(name, running)| {
            let bound = running.workload.bound();
            let variant = Variant {
                model: bound.map(|bound| bound.model.to_string()),
                version: bound.map(|bound| bound.version),
                image: running.workload.own_image().map(str::to_owned),
                serving: seen.is_some_and(|seen| seen.serves(&running.name)),
                traffic_percent: seen
                    .and_then(|seen| seen.routing.variants.get(name))
                    .map_or(0.0, |routing| Percent::of_shares(routing.traffic).into()),
                revisions: seen.map_or_else(BTreeMap::new, |seen| revisions(seen, name.as_str())),
            };
            (name.to_string(), variant)
        });
        variants.collect::<BTreeMap<_, _>>()
    });
    let variants = variants.unwrap_or_default();
    let serving = !variants.is_empty() && variants.values().all(|variant| variant.serving);
    Report {
        endpoint: status.identity.clone(),
        status: match status.open.as_ref().map(|open| open.phase) {
            None if serving => "serving",
            None => "not_serving",
            Some(Phase::Forward) => "deploying",
            Some(Phase::Paused) => "paused",
            Some(Phase::Interrupted) => "interrupted",
            Some(Phase::Undo) => "rolling_back",
            Some(Phase::UndoFailed) => "locked",
        },
        revision: record.map(|record| record.revision),
        invoke_url: record.map(|record| record.server.invoke_url.clone()),
        serving,
        reason: seen.and_then(|seen| seen.reason.clone()),
        variants,
        deployment: status.open.as_ref().map(|open| {
            let lease = status.lease.as_ref().filter(|lease| !lease.is_free);
            let holder = lease.and_then(|lease| Some(lease.holder.as_ref()?.description.clone()));
            deployment(open, holder)
        }),
    }
}

fn revisions(seen: &Observation, variant: &str) -> BTreeMap<String, Revision> {
    let all = seen
        .revisions
        .iter()
        .filter(|(_, revision)| revision.variant.as_str() == variant);
    let report = all.map(|(name, revision)| {
        let weights = seen.routing.variants.get(&revision.variant);
        let weight = weights
            .and_then(|routing| routing.weights.get(name))
            .copied();
        let revision = Revision {
            state: revision.state,
            weight_percent: Percent::of_shares(weight.unwrap_or(0)).into(),
            in_flight: revision.in_flight,
        };
        (name.to_string(), revision)
    });
    report.collect()
}

fn deployment(open: &OpenDeployment, holder: Option<String>) -> Deployment {
    use mlops_core::saga::StepStatus;
    let begun = open
        .steps
        .iter()
        .rev()
        .find(|step| step.status == StepStatus::Begun);
    Deployment {
        id: open.deployment.to_string(),
        phase: open.phase,
        step: begun.map(|step| step.name.clone()),
        since: open.opened_at.to_string(),
        reason: open
            .undo_failure
            .as_ref()
            .or(open.stop.as_ref())
            .map(|stop| stop.message.clone()),
        holder,
    }
}

fn text(report: &Report) -> String {
    use std::fmt::Write as _;
    let mut out = format!(
        "endpoint    {}\nstatus      {}",
        report.endpoint, report.status
    );
    // Writing to a string does not fail.
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = write!(out, "\n{name:<12}{value}");
    };
    if let Some(reason) = &report.reason {
        line("reason", reason);
    }
    if let Some(url) = &report.invoke_url {
        line("url", url);
    }
    if let Some(revision) = report.revision {
        line("revision", &revision);
    }
    for (name, variant) in &report.variants {
        let serving = if variant.serving {
            "serves"
        } else {
            "does not serve"
        };
        let what = match (&variant.model, variant.version, &variant.image) {
            (Some(model), Some(version), _) => format!("{model}/{version}"),
            (_, _, image) => image.clone().unwrap_or_default(),
        };
        line(
            "variant",
            &format!(
                "{name}: {what} {serving}, {} % of the traffic",
                variant.traffic_percent
            ),
        );
        for (name, revision) in &variant.revisions {
            let state = format!("{:?}", revision.state).to_lowercase();
            line(
                "",
                &format!(
                    "{name}: {state}, {} % of the variant, {} in flight",
                    revision.weight_percent, revision.in_flight
                ),
            );
        }
    }
    if let Some(deployment) = &report.deployment {
        let step = deployment.step.as_deref().unwrap_or("between steps");
        line(
            "deployment",
            &format!("{} since {}, at {step}", deployment.id, deployment.since),
        );
        if let Some(reason) = &deployment.reason {
            line("", reason);
        }
        if let Some(holder) = &deployment.holder {
            line("by", holder);
        }
    }
    out
}
