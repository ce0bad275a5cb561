//! Which capacity providers the endpoint's cluster has. The whole list is replaced each time, so nobody else may have a part in it.

use mlops_core::Result;
use mlops_core::endpoint::spec::is_fargate;

use super::ATTRIBUTE;
use crate::clients::AwsClients;
use crate::ecs::{calls, clusters, names};
use crate::fault::Kind;

/// Sees to it that the cluster has the provider. False if somebody has to look again.
pub(super) async fn associate(clients: &AwsClients, cluster: &str, name: &str) -> Result<bool> {
    let Some(found) = clusters::find(clients, cluster).await? else {
        return Ok(false);
    };
    let mut providers = found.providers;
    if providers.iter().any(|known| known == name) {
        return Ok(true);
    }
    providers.push(name.to_owned());
    put(clients, cluster, providers).await
}

/// Sees to it that the cluster does not have the provider. False if somebody has to look again: tasks still end on it.
pub(super) async fn dissociate(clients: &AwsClients, cluster: &str, name: &str) -> Result<bool> {
    let Some(found) = clusters::find(clients, cluster).await? else {
        return Ok(true);
    };
    let mut providers = found.providers;
    if !providers.iter().any(|known| known == name) {
        return Ok(true);
    }
    providers.retain(|known| known != name);
    put(clients, cluster, providers).await
}

/// Whether the cluster has providers that are not Fargate's.
pub(super) async fn has_instances(clients: &AwsClients, cluster: &str) -> Result<bool> {
    let found = clusters::find(clients, cluster).await?;
    let mut providers = found.into_iter().flat_map(|found| found.providers);
    Ok(providers.any(|name| !is_fargate(&name)))
}

async fn put(clients: &AwsClients, cluster: &str, providers: Vec<String>) -> Result<bool> {
    let call = calls::ecs(
        "PutClusterCapacityProviders",
        format!("cluster {}", names::cluster(cluster)),
    );
    let client = clients.ecs().await?;
    let put = calls::run(clients, &call, || {
        Box::pin(
            client
                .put_cluster_capacity_providers()
                .cluster(cluster)
                .set_capacity_providers(Some(providers.clone()))
                .set_default_capacity_provider_strategy(Some(Vec::new()))
                .send(),
        )
    })
    .await;
    match put {
        Ok(_) => Ok(true),
        Err(failure) if failure.kind == Kind::Busy => Ok(false),
        Err(failure) if failure.code() == Some("ResourceInUseException") => Ok(false),
        Err(failure) => Err(failure.into_error().at(ATTRIBUTE)),
    }
}
