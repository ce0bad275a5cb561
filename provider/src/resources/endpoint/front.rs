//! What clients reach an endpoint by on AWS: `arn`.

use mlops_core::endpoint::EndpointRecord;
use tfplugin::Attr;
use tfplugin::schema::Attribute;

use super::schema::State;
use crate::client::Client;

/// Declares `arn`.
pub(super) fn arn() -> Attribute {
    Attribute::string().computed().describe(
        "On ECS, the ARN of what clients reach the endpoint by: its listener with `ingress.load_balancer_arn`, its rule with `ingress.listener_arn`. It \
         stays while they do, through every rollout; another `ingress` has another one. Null on this machine.",
    )
}

/// The ARN of what the endpoint has.
pub(crate) fn arn_of(client: &Client, record: &EndpointRecord) -> Attr<String> {
    let target = client.targets.of(&record.spec.target);
    let arn = target.ok().and_then(|target| target.arn(&record.server));
    arn.into()
}

/// What a plan knows of it; with `moves` the endpoint may come to have another one.
pub(super) fn planned(state: &State, prior: Option<&State>, moves: bool) -> Attr<String> {
    if state.ecs.is_null() {
        return Attr::Null;
    }
    match prior.map(|prior| &prior.arn) {
        Some(arn) if arn.is_known() && !moves => arn.clone(),
        // None yet, another one, or a state that is older than the attribute.
        _ => Attr::Unknown,
    }
}

/// What it is after an apply. A plan that knew it is kept to: a front that was made anew because it vanished in between is for the next refresh.
pub(super) fn settled(client: &Client, state: &State, record: &EndpointRecord) -> Attr<String> {
    match &state.arn {
        Attr::Unknown => arn_of(client, record),
        planned => planned.clone(),
    }
}
