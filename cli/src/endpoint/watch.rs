//! `mlops endpoint watch`: the events of one deployment, as they come.

use std::time::Duration;

use mlops_core::Result;
use mlops_core::endpoint::{ClosedAs, ClosedDeployment, Deps, closed_deployments, open_deployment};
use mlops_core::names::EndpointId;
use mlops_core::registry::events::{Event, Subject};
use mlops_core::saga::Phase;

use super::{say, unknown};
use crate::exit::Exit;

/// How often the registry is read.
const POLL: Duration = Duration::from_millis(200);
/// Events read at a time.
const PAGE: usize = 200;

/// Follows the deployment under way; without one, tells how the last one went.
pub(super) async fn follow(deps: &Deps, endpoint: &EndpointId, json: bool) -> Result<Exit> {
    let id = endpoint.to_string();
    let open = open_deployment(&deps.registry, endpoint).await?;
    let deployment = match open {
        Some(open) => open.deployment,
        None => last(deps, &id)
            .await?
            .map(|closed| closed.deployment)
            .ok_or_else(|| unknown(deps, endpoint))?,
    };
    let subject = Subject::Endpoint(id.clone());
    let mut position: Option<String> = None;
    loop {
        // Looked at before the events: what is written in the commit that ends it is still printed.
        let open = open_deployment(&deps.registry, endpoint).await?;
        let open = open.filter(|open| open.deployment == deployment);
        loop {
            let only = deployment.to_string();
            let events = deps
                .registry
                .events(&subject, Some(&only), position.as_deref(), PAGE)
                .await?;
            let Some(newest) = events.last() else { break };
            position = Some(newest.position.clone());
            for stored in &events {
                say(json, &stored.event, &line(&stored.event));
            }
        }
        match open.map(|open| open.phase) {
            None => break,
            Some(Phase::Paused | Phase::Interrupted | Phase::UndoFailed) => {
                return Ok(Exit::NeedsAction);
            }
            Some(Phase::Forward | Phase::Undo) => tokio::time::sleep(POLL).await,
        }
    }
    let closed = closed_deployments(&deps.registry, &id).await?;
    let ended = closed
        .iter()
        .rev()
        .find(|closed| closed.deployment == deployment);
    Ok(match ended.map(|closed| closed.outcome) {
        Some(ClosedAs::Succeeded) => Exit::Ok,
        _ => Exit::Failed,
    })
}

async fn last(deps: &Deps, identity: &str) -> Result<Option<ClosedDeployment>> {
    Ok(closed_deployments(&deps.registry, identity).await?.pop())
}

fn line(event: &Event) -> String {
    format!(
        "{}  {:<28}  {}",
        event.at.strftime("%H:%M:%S"),
        event.kind,
        event.message
    )
}
