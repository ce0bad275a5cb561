//! The cluster that an endpoint makes for itself.

use std::time::Duration;

use aws_sdk_ecs::types::{ClusterField, Tag};
use mlops_core::saga::Progress;
use mlops_core::{Error, Result};

use super::calls;
use super::names;
use super::services::Services;
use super::tags::{self, Tags};
use crate::clients::AwsClients;
use crate::elb::names::may_be_of;
use crate::elb::{self, Owner};
use crate::fault::{Call, Failure};

/// What the cluster has, so that a change of capacity is no change of the cluster.
const PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];
/// How often a cluster that is on its way is looked at.
const POLL: Duration = Duration::from_secs(2);
/// How long it may be on its way, and how long the last tasks in it may take to give their network interfaces back.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// A cluster as ECS describes it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// `ACTIVE`, or on its way to be or not to be.
    pub(crate) status: String,
    /// The capacity providers that it has.
    pub(crate) providers: Vec<String>,
    pub(crate) tags: Tags,
    /// How many services run in it.
    pub(crate) services: u64,
}

/// Makes the cluster once it `may_make` one, or finds that it is the endpoint's already. Done once services may be made in it.
///
/// # Errors
/// `Conflict` if a cluster of this name is somebody else's.
pub(super) async fn open(
    clients: &AwsClients,
    owner: &Owner,
    cluster: &str,
    may_make: bool,
) -> Result<Progress<()>> {
    let Some(found) = find(clients, cluster).await? else {
        if may_make {
            // ECS answers the create of a cluster that is there with that cluster, whosever it is: the next look tells.
            create(clients, owner, cluster).await?;
        }
        return Ok(Progress::again(Duration::ZERO, PATIENCE));
    };
    if !tags::are_of(&found.tags, owner.endpoint) {
        return Err(Error::conflict(format!(
            "cluster {} is there already and does not carry the tag {} = {}, so it is not this endpoint's; delete it, call the \
             endpoint something else, or name the cluster in ecs.cluster_arn in place of ecs.create_cluster",
            names::cluster(cluster),
            elb::tags::ENDPOINT_ID,
            owner.endpoint,
        ))
        .at("ecs.create_cluster"));
    }
    match found.status.as_str() {
        "ACTIVE" => Ok(Progress::Done(())),
        "FAILED" => Err(Error::unavailable(format!(
            "cluster {} could not be made, says ECS; delete it, and apply again",
            names::cluster(cluster)
        ))
        .at("ecs.create_cluster")),
        _ => Ok(Progress::again(POLL, PATIENCE)),
    }
}

/// Takes the cluster back if the owner's deployment itself made it.
pub(super) async fn undo(
    clients: &AwsClients,
    owner: &Owner,
    cluster: &str,
) -> Result<Progress<()>> {
    let is_its = |tags: &Tags| tags::are_made_by(tags, owner);
    remove(clients, owner, cluster, is_its).await
}

/// Deletes the cluster if it is the endpoint's. Nothing of the endpoint's runs in it any more.
pub(super) async fn close(
    clients: &AwsClients,
    owner: &Owner,
    cluster: &str,
) -> Result<Progress<()>> {
    let is_its = |tags: &Tags| tags::are_of(tags, owner.endpoint);
    remove(clients, owner, cluster, is_its).await
}

async fn remove(
    clients: &AwsClients,
    owner: &Owner,
    cluster: &str,
    is_its: impl Fn(&Tags) -> bool,
) -> Result<Progress<()>> {
    match find(clients, cluster).await? {
        Some(found) if is_its(&found.tags) => delete(clients, owner, cluster).await,
        _ => Ok(Progress::Done(())),
    }
}

fn call(operation: &'static str, cluster: &str) -> Call {
    calls::ecs(operation, format!("cluster {}", names::cluster(cluster)))
}

/// `None` if it is not there, or was deleted: ECS tells of such a cluster for a while.
pub(crate) async fn find(clients: &AwsClients, cluster: &str) -> Result<Option<Found>> {
    let call = call("DescribeClusters", cluster);
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .describe_clusters()
                .clusters(cluster)
                .include(ClusterField::Tags)
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    let found = answer.clusters.unwrap_or_default().into_iter().next();
    let found = found.map(|found| Found {
        tags: tags::read(found.tags()),
        services: found.active_services_count().try_into().unwrap_or(0),
        providers: found.capacity_providers.unwrap_or_default(),
        status: found.status.unwrap_or_default(),
    });
    Ok(found.filter(|found| found.status != "INACTIVE"))
}

async fn create(clients: &AwsClients, owner: &Owner, cluster: &str) -> Result<()> {
    let call = call("CreateCluster", cluster);
    let client = clients.ecs().await?;
    let own: Vec<Tag> = elb::tags::of(owner, None)
        .into_iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect();
    let providers = PROVIDERS.map(str::to_owned).to_vec();
    calls::run(clients, &call, || {
        Box::pin(
            client
                .create_cluster()
                .cluster_name(names::cluster(cluster))
                .set_capacity_providers(Some(providers.clone()))
                .set_tags(Some(own.clone()))
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    Ok(())
}

/// Deletes it. ECS itself refuses where something is in it, so nobody can put a service there between a look and the call.
async fn delete(clients: &AwsClients, owner: &Owner, cluster: &str) -> Result<Progress<()>> {
    let call = call("DeleteCluster", cluster);
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(client.delete_cluster().cluster(cluster).send())
    })
    .await
    .map(|_| Progress::Done(()));
    let failure = match answer {
        Err(failure) => failure,
        done => return calls::or_missing(done, Progress::Done(())),
    };
    let holds = match failure.code() {
        Some("ClusterContainsServicesException" | "ClusterContainsTasksException") => {
            let mut others = Services::new(clients, cluster).names().await?;
            others.retain(|name| !may_be_of(&owner.name, name));
            if others.is_empty() {
                // Its own last ones are on their way out.
                return Ok(Progress::again(POLL, PATIENCE));
            }
            format!("services {}", others.join(", "))
        }
        Some("ClusterContainsContainerInstancesException") => "instances".to_owned(),
        Some("ClusterContainsCapacityProviderException") => "capacity providers".to_owned(),
        _ => return calls::or_missing(Err(failure), Progress::Done(())),
    };
    let message = format!(
        "cluster {} was made for endpoint {:?} and is not deleted, because others have {holds} in it; take those away, and run the operation again",
        names::cluster(cluster),
        owner.name.as_str(),
    );
    Err(Error::conflict(message).because(failure.into_error()))
}
