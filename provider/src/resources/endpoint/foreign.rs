//! A service of ECS that no endpoint made, between its import and the first apply, which takes it over. Until then the registry knows nothing of it: private
//! state says that it was imported, and it is read where it runs.

use mlops_core::Error;
use mlops_core::endpoint::take_over;
use mlops_core::endpoint::{self, EndpointRecord, EndpointSpec};
use mlops_core::names::EndpointId;
use mlops_core::target::Foreign;
use serde::{Deserialize, Serialize};
use tfplugin::{Attr, Diagnostic, Diagnostics, Imported, PrivateState, Refreshed};

use super::from_record;
use super::front;
use super::schema::State;
use super::{cost, recorded};
use crate::client::{Client, unreadable};
use crate::diagnose;
use crate::resources::shared;

/// The key in private state under which an import leaves that the service is no endpoint's. A successful apply takes it away.
const FOREIGN: &str = "foreign";

/// What stands there.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mark {
    /// What no revision of the endpoint will have.
    left_behind: Vec<String>,
}

fn mark(private: &PrivateState) -> Result<Option<Mark>, Diagnostics> {
    private.get(FOREIGN).map_err(unreadable)
}

/// Whether the resource was imported from a service that no endpoint made, and not applied since, as far as the state knows.
pub(super) fn is_marked(private: &PrivateState) -> Result<bool, Diagnostics> {
    Ok(mark(private)?.is_some())
}

/// The import of a service that no endpoint made.
pub(super) async fn import(
    client: &Client,
    id: &EndpointId,
) -> Result<Imported<State>, Diagnostics> {
    let found = look(client, id).await;
    let found = shared::import_found(client, "endpoint", id, found.map(Some))?;
    let mut private = match client.registry.identity().await {
        // The first apply makes it.
        Ok(None) => PrivateState::new(),
        _ => client.private().await?,
    };
    let left_behind = found.left_behind.clone();
    private
        .set(FOREIGN, &Mark { left_behind })
        .map_err(unreadable)?;
    Ok(Imported::new(state(client, &found)?).private(private))
}

/// The service as it is now, or nothing where none is there any more. While a first apply is cut short, what is there is half an endpoint: the next one
/// deals with that, and the state stays.
pub(super) async fn read(
    client: &Client,
    id: &EndpointId,
    known: State,
    private: &PrivateState,
) -> Result<Option<Refreshed<State>>, Diagnostics> {
    if !is_marked(private)? {
        return Ok(None);
    }
    if is_open(client, id).await? {
        return Ok(Some(Refreshed::new(known)));
    }
    match look(client, id).await {
        Ok(found) => Ok(Some(Refreshed::new(state(client, &found)?))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(cannot_look(id, &error).into()),
    }
}

/// What the first apply takes over, as the record of an endpoint. `None` if the registry has the endpoint, or a first apply was cut short.
pub(super) async fn found(
    client: &Client,
    id: &EndpointId,
    private: &PrivateState,
) -> Result<Option<EndpointRecord>, Diagnostics> {
    if !is_marked(private)? || recorded(client, id).await?.is_some() || is_open(client, id).await? {
        return Ok(None);
    }
    let found = look(client, id).await;
    let found = found.map_err(|error| cannot_look(id, &error))?;
    let record = take_over::as_record(&found);
    Ok(Some(record.map_err(|error| cannot_look(id, &error))?))
}

/// Refuses a plan by which the first apply would not take over what was imported.
pub(super) fn check(
    client: &Client,
    found: &EndpointRecord,
    spec: &EndpointSpec,
) -> Result<(), Diagnostics> {
    let target = client.targets.of(&spec.target);
    let checked = target.and_then(|target| take_over::check(target.as_ref(), found, spec));
    checked.map_err(|error| diagnose::failed("The service cannot be taken over so", &error).into())
}

/// Refuses another name or cluster for what is not taken over yet: it would be replaced, and nobody may delete it.
pub(super) async fn check_stays(
    client: &Client,
    prior: &State,
    planned: &State,
    private: &PrivateState,
) -> Result<(), Diagnostics> {
    if planned.id.is_unknown() || prior.id == planned.id || !is_marked(private)? {
        return Ok(());
    }
    let Some(id) = parsed(prior) else {
        return Ok(());
    };
    if recorded(client, &id).await?.is_some() {
        return Ok(());
    }
    let attribute = match prior.name == planned.name {
        true => "ecs",
        false => "name",
    };
    let detail = format!(
        "Service {id} was imported and is not taken over yet, and an endpoint {} is another one. Give the endpoint the service's name and cluster, or take the \
         resource out of the state with a removed block.",
        planned.id.as_str().unwrap_or("of another name")
    );
    Err(
        Diagnostic::error("The service cannot be taken over so", detail)
            .at(tfplugin::Path::attribute(attribute))
            .into(),
    )
}

/// Refuses to delete what is no endpoint's yet.
pub(super) async fn check_owned(
    client: &Client,
    prior: &State,
    private: &PrivateState,
) -> Result<(), Diagnostics> {
    let Some(id) = parsed(prior).filter(|_| is_marked(private).unwrap_or(true)) else {
        return Ok(());
    };
    if recorded(client, &id).await?.is_some() {
        return Ok(());
    }
    let detail = format!(
        "Service {id} was imported and no apply has taken it over, so it is not this endpoint's to delete. Apply first; or leave it running, and take the resource \
         out of the state with a removed block (lifecycle {{ destroy = false }}) or `terraform state rm`."
    );
    Err(Diagnostic::error("The service is not the endpoint's", detail).into())
}

/// What a plan says of the apply that takes over.
pub(super) fn told(
    found: &EndpointRecord,
    private: &PrivateState,
) -> Result<Diagnostic, Diagnostics> {
    let left = mark(private)?
        .map(|mark| mark.left_behind)
        .unwrap_or_default();
    let list: Vec<String> = left.iter().map(|one| format!("\n  - {one}")).collect();
    let left = match list.is_empty() {
        true => String::new(),
        false => format!("\n\nNot taken along:{}", list.join("")),
    };
    let detail = format!(
        "A revision of the endpoint comes up beside service {}, takes its requests by the endpoint's rollout, and the service and its target group are deleted. \
         Listener or rule stay, and are the endpoint's from then on: a destroy deletes them. Until then a failure leaves the service as it is. No other configuration \
         must manage any of them.{left}",
        found.identity()
    );
    Ok(Diagnostic::warning(
        "This apply takes over a service",
        detail,
    ))
}

async fn look(client: &Client, id: &EndpointId) -> Result<Foreign, Error> {
    client.targets.named(id)?.foreign(id).await
}

async fn is_open(client: &Client, id: &EndpointId) -> Result<bool, Diagnostics> {
    let open = endpoint::open_deployment(&client.registry, id).await;
    let open =
        open.map_err(|error| diagnose::failed(format!("Cannot read endpoint {id}"), &error))?;
    Ok(open.is_some())
}

/// The state of a service that is no endpoint's: nothing of it was deployed, so `target_images` is empty, and a plan has something to do.
fn state(client: &Client, found: &Foreign) -> Result<State, Diagnostics> {
    let record = take_over::as_record(found);
    let record = record.map_err(|error| cannot_look(&found.spec.id(), &error))?;
    let mut state = from_record::imported(&record, &client.tags);
    state.ecs = state.ecs.map(|mut ecs| {
        for role in [&mut ecs.execution_role_arn, &mut ecs.task_role_arn] {
            if role.as_str() == Some("") {
                *role = Attr::Null;
            }
        }
        ecs
    });
    state.estimated_monthly_cost_usd = cost::of(client, &record.spec);
    state.arn = front::arn_of(client, &record);
    Ok(state)
}

fn parsed(prior: &State) -> Option<EndpointId> {
    prior.id.as_str()?.parse().ok()
}

fn cannot_look(id: &EndpointId, error: &Error) -> Diagnostic {
    diagnose::failed(format!("Cannot look at endpoint {id}"), error)
}
