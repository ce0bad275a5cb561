//! `mlops endpoint`: the verbs of [`mlops_core::endpoint`], for a terminal.

mod status;
mod watch;

use mlops_core::endpoint::{self, Deps, Outcome};
use mlops_core::names::EndpointId;
use mlops_core::registry::Registry;
use mlops_core::{Error, Result};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::arguments::{Endpoint, Place};
use crate::exit::Exit;
use crate::place::Open;

/// Runs one verb to its end.
pub(crate) fn run(verb: &Endpoint, open: Open) -> Result<Exit> {
    let place = match verb {
        Endpoint::Status(place)
        | Endpoint::Watch(place)
        | Endpoint::Pause(place)
        | Endpoint::Resume(place) => place,
        Endpoint::Repair(repair) => &repair.place,
    };
    // Endpoint verbs write no artifact, so no key is asked for.
    let id = id(place)?;
    let opened = place.registry.open(open, None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| Error::unavailable("no threads could be started").because(cause))?;
    runtime.block_on(async {
        exists(&opened.registry, place.registry.hint()).await?;
        let target = endpoint::target(&opened.registry, &opened.targets, &id).await?;
        let deps = Deps::new(opened.registry, target).with_meter(opened.meter);
        // What was destroyed can still be watched: how it ended is kept.
        if !matches!(verb, Endpoint::Watch(_)) {
            is_known(&deps, &id).await?;
        }
        match verb {
            Endpoint::Status(_) => status::print(&deps, &id, place.json).await,
            Endpoint::Watch(_) => watch::follow(&deps, &id, place.json).await,
            Endpoint::Pause(_) => {
                let deployment = endpoint::pause(&deps, &id).await?;
                let line = format!("deployment {deployment} was asked to pause");
                say(
                    place.json,
                    &Asked {
                        deployment: deployment.to_string(),
                    },
                    &line,
                );
                Ok(Exit::Ok)
            }
            Endpoint::Resume(_) => {
                let by = by("resume");
                let outcome = endpoint::resume(&deps, &id, &by, interrupted()).await?;
                Ok(tell(place.json, &outcome))
            }
            Endpoint::Repair(repair) => {
                let outcome = endpoint::repair(&deps, &id, &by("repair"), repair.force).await?;
                Ok(tell_repair(place.json, &outcome))
            }
        }
    })
}

/// The endpoint's id; a name alone is that of an endpoint on this machine.
fn id(place: &Place) -> Result<EndpointId> {
    if place.name.contains('/') {
        place.name.parse()
    } else {
        Ok(EndpointId::local(place.name.parse()?))
    }
}

/// Refuses a registry that is not there: an empty answer would say that the endpoint is not.
async fn exists(registry: &Registry, hint: &str) -> Result<()> {
    match registry.identity().await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found(format!(
            "there is no registry at {}; {hint}",
            registry.location()
        ))),
    }
}

/// Refuses an endpoint that the registry does not have. It has no deployment to pause or repair, either, but to say only that would hide a wrong id.
async fn is_known(deps: &Deps, id: &EndpointId) -> Result<()> {
    let is_known = endpoint::record(&deps.registry, id).await?.is_some()
        || endpoint::open_deployment(&deps.registry, id)
            .await?
            .is_some();
    if is_known {
        return Ok(());
    }
    Err(unknown(deps, id))
}

fn unknown(deps: &Deps, id: &EndpointId) -> Error {
    let place = deps.registry.location();
    let name = &id.name;
    Error::not_found(format!(
        "there is no endpoint {id} in the registry at {place}; a name alone is that of one on this machine, and one on ECS is ecs/CLUSTER/{name}, or ecs/REGION/CLUSTER/{name} in another region than the registry's"
    ))
}

#[derive(Serialize)]
struct Asked {
    deployment: String,
}

#[derive(Serialize)]
struct Told<'a> {
    outcome: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Prints how a deployment ended.
fn tell(json: bool, outcome: &Outcome) -> Exit {
    let stopped = outcome.stopped();
    let told = Told {
        outcome: word(outcome),
        message: outcome.to_string(),
        deployment: stopped.map(|stopped| stopped.deployment.to_string()),
        reason: stopped.and_then(|stopped| Some(stopped.stop.as_ref()?.message.as_str())),
    };
    say(json, &told, &told.message);
    Exit::from(outcome)
}

/// As [`tell`]; that the failed deployment is taken back, or closed by force, is what a repair is for.
fn tell_repair(json: bool, outcome: &Outcome) -> Exit {
    match tell(json, outcome) {
        Exit::Failed
            if matches!(
                outcome,
                Outcome::RolledBack(_) | Outcome::InterruptedRolledBack(_) | Outcome::Abandoned(_)
            ) =>
        {
            Exit::Ok
        }
        exit => exit,
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded { .. } => "succeeded",
        Outcome::Deleted => "deleted",
        Outcome::RolledBack(_) | Outcome::InterruptedRolledBack(_) => "rolled_back",
        Outcome::Abandoned(_) => "abandoned",
        Outcome::Paused(_) => "paused",
        Outcome::InterruptedOpen(_) => "interrupted",
        Outcome::UndoFailed(_) | Outcome::Locked(_) => "locked",
        Outcome::Refused { .. } => "refused",
        _ => "failed",
    }
}

/// One answer on standard output.
fn say(json: bool, document: &impl Serialize, text: &str) {
    match serde_json::to_string(document) {
        Ok(line) if json => println!("{line}"),
        _ => println!("{text}"),
    }
}

/// Who does it, for the lease and the events.
fn by(verb: &str) -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "an unnamed user".to_owned());
    format!(
        "mlops endpoint {verb} by {user}, process {}",
        std::process::id()
    )
}

/// Cancelled by Ctrl-C, which then gives traffic back before anything else.
fn interrupted() -> CancellationToken {
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    token
}
