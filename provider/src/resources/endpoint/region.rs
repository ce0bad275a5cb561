//! Where an endpoint runs: `region`, and with it `id`.

use mlops_core::endpoint;
use mlops_core::names::{EndpointId, EndpointName};
use tfplugin::schema::Attribute;
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::schema::State;
use crate::client::Client;
use crate::resources::convert;

/// Declares `region`.
pub(super) fn attribute() -> Attribute {
    Attribute::string().optional().computed().describe(
        "On ECS, the region that the endpoint runs in: that of `ecs.cluster_arn`, or with `create_cluster` of the load balancer, and not necessarily the \
         registry's. If it is set, those have to be there, which is an error of the plan otherwise. Changing it replaces the endpoint. Null on this machine.",
    )
}

/// Fills in `region` and `id`, which are of the configuration, so that a plan knows both with the cluster. `configured` is what the configuration says of
/// `region`.
pub(super) async fn foretell(
    client: &Client,
    state: &mut State,
    prior: Option<&State>,
    configured: &Attr<String>,
) -> Result<(), Diagnostics> {
    let name: EndpointName = convert::name(&state.name, "name")?;
    let Attr::Known(ecs) = &state.ecs else {
        if state.ecs.is_null() {
            refuse_here(configured)?;
            state.region = configured.clone();
            state.id = EndpointId::local(name).to_string().into();
        }
        return Ok(());
    };
    let Some(cluster) = ecs.cluster_arn.as_str() else {
        state.region = written_or(configured, Attr::Unknown);
        state.id = Attr::Unknown;
        return Ok(());
    };
    let region = endpoint::region_of_arn(cluster);
    agree(configured, region, cluster)?;
    state.region = written_or(configured, region.map(str::to_owned).into());
    // It keeps its id, whatever region the registry has moved to.
    let same = prior.filter(|prior| prior.name == state.name && cluster_of(prior) == Some(cluster));
    state.id = match same.map(|prior| &prior.id) {
        Some(Attr::Known(id)) => id.clone().into(),
        _ => client.id_on_ecs(cluster, name).await?.to_string().into(),
    };
    Ok(())
}

/// The region that the endpoint's id names; `None` while the id is unknown.
pub(super) fn in_id(state: &State) -> Option<Option<String>> {
    let id: EndpointId = state.id.as_str()?.parse().ok()?;
    Some(id.region().map(str::to_owned))
}

fn cluster_of(state: &State) -> Option<&str> {
    state.ecs.known()?.cluster_arn.as_str()
}

fn written_or(configured: &Attr<String>, computed: Attr<String>) -> Attr<String> {
    match configured {
        Attr::Null => computed,
        written => written.clone(),
    }
}

fn refuse_here(configured: &Attr<String>) -> Result<(), Diagnostics> {
    match configured.as_str() {
        Some(region) => Err(refusal(format!(
            "An endpoint on this machine is in no region, and region is {region:?}. Take it out, or give the endpoint a block ecs in place of local."
        ))),
        None => Ok(()),
    }
}

fn agree(
    configured: &Attr<String>,
    region: Option<&str>,
    cluster: &str,
) -> Result<(), Diagnostics> {
    match (configured.as_str(), region) {
        (Some(written), Some(region)) if written != region => Err(refusal(format!(
            "Region is {written:?}, and the endpoint's cluster {cluster} is in {region}. Name a cluster of {written}, with its subnets and load balancer; or \
             leave region out, and it is the cluster's."
        ))),
        _ => Ok(()),
    }
}

fn refusal(detail: String) -> Diagnostics {
    Diagnostic::error("Invalid endpoint", detail)
        .at(Path::attribute("region"))
        .into()
}
