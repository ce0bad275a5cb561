//! From a wholly known plan to a deployment, and from its outcome to what Terraform is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mlops_core::Error;
use mlops_core::endpoint::record::Leftovers;
use mlops_core::endpoint::{self, ApplyRequest, DeleteRequest, Deps, EndpointRecord, Outcome};
use mlops_core::names::{EndpointId, VariantName};
use mlops_core::registry::Smoke;
use mlops_core::serving::SmokeRequest;
use mlops_core::target::Target;
use tfplugin::{ApplyContext, Attr, Diagnostic, Diagnostics, PrivateState};
use tokio_util::sync::CancellationToken;

use super::bind::{self, Bindings};
use super::cost;
use super::foreign;
use super::front;
use super::images;
use super::plan;
use super::preflight;
use super::schema::State;
use super::steady;
use crate::client::{Client, actor};
use crate::resources::shared;
use crate::{diagnose, tags};

/// What an apply is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The plan.
    pub(crate) planned: &'a State,
    /// The state before; none of a create.
    pub(crate) prior: Option<&'a State>,
    /// What the plan left.
    pub(crate) private: &'a PrivateState,
}

/// Makes the endpoint what the plan says. An error leaves it as it was, or says that it could not.
pub(crate) async fn deploy(
    cx: &ApplyContext<Client>,
    wanted: Wanted<'_>,
    base: Option<u64>,
) -> Result<EndpointRecord, Diagnostics> {
    let Wanted {
        planned,
        prior,
        private,
    } = wanted;
    let client = cx.client();
    let id = super::id(planned)?.ok_or_else(shared::unknown_at_apply)?;
    let record = super::recorded(client, &id).await?;
    let bindings = bind::bind(client, planned, record.as_ref()).await?;
    if !bindings.missing.is_empty() {
        return Err(bindings.missing.into_iter().collect());
    }
    let images = images::settle(client, planned, &bindings).await?;
    let mut draft = plan::draft(client, planned, &bindings, &images)?
        .filter(|draft| draft.is_bound)
        .ok_or_else(shared::unknown_at_apply)?;
    let tags = match (prior, &record) {
        (Some(prior), Some(record)) => {
            (client.tags).merged(&record.spec.tags, &prior.tags_all, &planned.tags_all)
        }
        _ => tags::to_set(&planned.tags_all),
    };
    draft.spec.tags = tags.ok_or_else(shared::unknown_at_apply)?;
    let allowed = plan::allowed(planned, &draft.spec)?;
    let own = preflight::own(&planned.preflight).ok_or_else(shared::unknown_at_apply)?;
    let preflight = client.preflight.of(own);
    let found = foreign::found(client, &id, private).await?;
    let before = record.as_ref().or(found.as_ref());
    (preflight.require(client, &draft.spec, before)).await?;
    let target = client.targets.of(&draft.spec.target);
    let deps = deps(client, &id, target)?;
    let request = ApplyRequest {
        smoke: smoke(&bindings)?,
        spec: draft.spec,
        base,
        create: prior.is_none(),
        takes_over: prior.is_some() && foreign::is_marked(private)?,
        by: by(),
        cancel: cx.stop().clone(),
        time_limit: Some(if prior.is_none() {
            allowed.create
        } else {
            allowed.update
        }),
    };
    let outcome = Box::pin(endpoint::apply(&deps, request)).await;
    match outcome.map_err(|error| failed(&id.name, &error))? {
        Outcome::Succeeded {
            record,
            deployed,
            warning,
        } => {
            if let Some(detail) = warning {
                let detail = format!("Endpoint {}: {detail}.", record.identity());
                cx.warn(Diagnostic::warning("Alarms were set aside", detail));
            }
            if let Some(warning) = steady::told(&record).filter(|_| deployed) {
                cx.warn(warning);
            }
            let warning = left_over(&record.identity(), &record.leftovers);
            if let Some(warning) = warning.filter(|_| deployed) {
                cx.warn(warning);
            }
            Ok(*record)
        }
        other => Err(stopped(&other)),
    }
}

/// Takes the endpoint away.
pub(crate) async fn delete(cx: &ApplyContext<Client>, prior: &State) -> Result<(), Diagnostics> {
    let client = cx.client();
    let id = super::id(prior)?.ok_or_else(shared::unknown_at_apply)?;
    let written = prior
        .timeouts
        .known()
        .map_or(Attr::Null, |timeouts| timeouts.delete.clone());
    let allowed = tfplugin::timeouts::of(&written, plan::DEFAULT_TIMEOUT);
    let cancel = cx.stop().child_token();
    let request = DeleteRequest {
        id: id.clone(),
        by: by(),
        cancel: cancel.clone(),
    };
    let target = endpoint::target(&client.registry, &client.targets, &id).await;
    let deps = deps(client, &id, target)?;
    let outcome = within(allowed, cancel, Box::pin(endpoint::delete(&deps, request))).await;
    match outcome.map_err(|error| failed(&id.name, &error))? {
        Outcome::Deleted => Ok(()),
        other => Err(stopped(&other)),
    }
}

/// Cancels once the time is over, and lets the operation end in its own way.
async fn within<T>(
    allowed: Duration,
    cancel: CancellationToken,
    mut operation: impl Future<Output = T> + Unpin,
) -> T {
    tokio::select! {
        done = &mut operation => done,
        () = tokio::time::sleep(allowed) => {
            cancel.cancel();
            operation.await
        }
    }
}

/// Who deploys, for the event log and for whoever finds the lease taken.
fn by() -> String {
    match actor() {
        Some(name) => format!("terraform apply by {name}"),
        None => "terraform apply".to_owned(),
    }
}

fn deps(
    client: &Client,
    id: &EndpointId,
    target: Result<Arc<dyn Target>, Error>,
) -> Result<Deps, Diagnostics> {
    let target = target.map_err(|error| failed(&id.name, &error))?;
    Ok(Deps::new(client.registry.clone(), target).with_meter(client.meter.clone()))
}

/// The golden requests of the versions that are served.
fn smoke(bindings: &Bindings) -> Result<BTreeMap<VariantName, SmokeRequest>, Diagnostics> {
    let mut requests = BTreeMap::new();
    for (name, version) in &bindings.bound {
        if let Some(smoke) = &version.spec.smoke {
            let variant = name.parse().map_err(|error| failed(name, &error))?;
            requests.insert(
                variant,
                request(smoke).map_err(|error| {
                    let detail = format!(
                        "The smoke request of version {} is not JSON: {error}.",
                        version.id
                    );
                    Diagnostic::error("The version cannot be proved", detail)
                })?,
            );
        }
    }
    Ok(requests)
}

fn request(smoke: &Smoke) -> serde_json::Result<SmokeRequest> {
    let expect = smoke
        .expect
        .as_deref()
        .map(serde_json::from_str)
        .transpose()?;
    Ok(SmokeRequest {
        inputs: serde_json::from_str(&smoke.inputs)?,
        expect,
    })
}

fn failed(name: &impl std::fmt::Display, error: &Error) -> Diagnostics {
    diagnose::failed(format!("Cannot deploy endpoint {name}"), error).into()
}

/// What a deployment that did not succeed is to the user: an error, whatever became of it.
fn stopped(outcome: &Outcome) -> Diagnostics {
    let summary = match outcome {
        Outcome::RolledBack(_) => "The deployment failed and was rolled back",
        Outcome::Paused(_) => "The deployment is paused",
        Outcome::InterruptedRolledBack(_) => "The deployment was interrupted and rolled back",
        Outcome::InterruptedOpen(_) => "The deployment was interrupted",
        Outcome::UndoFailed(_) | Outcome::Locked(_) => "The endpoint is locked",
        Outcome::Refused { .. } => "Somebody else is deploying this endpoint",
        _ => "The deployment did not end as asked",
    };
    let mut detail = format!("{outcome}.");
    let evidence = outcome
        .stopped()
        .and_then(|stopped| stopped.stop.as_ref())
        .and_then(|stop| stop.evidence.as_ref())
        // The message names alarms and says why.
        .filter(|evidence| evidence.get("alarms").is_none());
    if let Some(evidence) = evidence {
        detail.push_str(&format!("\n\nMeasured: {evidence}"));
    }
    Diagnostic::error(summary, detail).into()
}

/// A warning of what the deployment could not take away: it serves, and its capacity is paid for.
fn left_over(endpoint: &str, left: &Leftovers) -> Option<Diagnostic> {
    let revisions = left.revisions.iter().map(|name| format!("revision {name}"));
    let servers = left.servers.iter();
    let servers = servers.map(|server| format!("the server at {}", server.invoke_url));
    let what: Vec<String> = revisions.chain(servers).collect();
    if what.is_empty() {
        return None;
    }
    let detail = format!(
        "Endpoint {endpoint} serves as asked for, but {} of the deployment before could not be taken away: {}. It gets no traffic and still costs what it \
         runs on. Remove the cause; the next deployment of the endpoint tries again, and so does its destroy.",
        what.join(" and "),
        left.why.as_deref().unwrap_or("the reason is in its events"),
    );
    Some(Diagnostic::warning(
        "The old deployment is not gone",
        detail,
    ))
}

/// The state with what a plan had to leave open: a diff that nobody could foretell is empty.
pub(crate) fn settled(client: &Client, state: State, record: &EndpointRecord) -> State {
    let arn = front::settled(client, &state, record);
    let model_diff = Attr::Known(state.model_diff.into_known().unwrap_or_default());
    // A plan that knew it is kept to, whatever the prices are where the apply runs.
    let estimated_monthly_cost_usd = match state.estimated_monthly_cost_usd {
        Attr::Unknown => cost::of(client, &record.spec),
        planned => planned,
    };
    State {
        arn,
        model_diff,
        estimated_monthly_cost_usd,
        ..state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_taken_away_is_a_warning_that_names_it_and_the_cause() {
        assert_eq!(left_over("local/digits", &Leftovers::default()), None);
        let left: Leftovers = serde_json::from_value(serde_json::json!({
            "revisions": ["main-v3-01234567.1"],
            "why": "ecs:DeleteService is denied",
        }))
        .unwrap();
        let warning = left_over("local/digits", &left).unwrap();
        for part in [
            "Endpoint local/digits serves as asked for",
            "but revision main-v3-01234567",
            "ecs:DeleteService is denied",
        ] {
            assert!(warning.detail.contains(part), "{}", warning.detail);
        }
    }
}
