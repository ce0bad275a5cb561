//! Instances that the cluster still knows after their group is gone.

use mlops_core::Result;

use crate::clients::AwsClients;
use crate::ecs::{calls, names};
use crate::fault::{Failure, Kind};

/// The most instances of one call.
const BATCH: i32 = 100;

/// How many the cluster knows, of the first so many.
pub(super) async fn known(clients: &AwsClients, cluster: &str) -> Result<usize> {
    let about = format!("instances of cluster {}", names::cluster(cluster));
    let call = calls::ecs("ListContainerInstances", about);
    let client = clients.ecs().await?;
    let listed = calls::run(clients, &call, || {
        Box::pin(client.list_container_instances().cluster(cluster).send())
    })
    .await
    .map_err(Failure::into_error)?;
    Ok(listed.container_instance_arns().len())
}

/// Lets the cluster forget those of the provider of this name.
pub(super) async fn deregister(clients: &AwsClients, cluster: &str, provider: &str) -> Result<()> {
    let about = || format!("instances of cluster {}", names::cluster(cluster));
    let client = clients.ecs().await?;
    let mut next = None;
    loop {
        let call = calls::ecs("ListContainerInstances", about());
        let listed = calls::run(clients, &call, || {
            Box::pin(
                client
                    .list_container_instances()
                    .cluster(cluster)
                    .max_results(BATCH)
                    .set_next_token(next.clone())
                    .send(),
            )
        })
        .await
        .map(Some);
        let Some(page) = calls::or_missing(listed, None)? else {
            return Ok(());
        };
        let arns = page.container_instance_arns.unwrap_or_default();
        if !arns.is_empty() {
            let call = calls::ecs("DescribeContainerInstances", about());
            let told = calls::run(clients, &call, || {
                Box::pin(
                    client
                        .describe_container_instances()
                        .cluster(cluster)
                        .set_container_instances(Some(arns.clone()))
                        .send(),
                )
            })
            .await
            .map_err(Failure::into_error)?;
            for instance in told.container_instances() {
                if let (Some(found), Some(arn)) = (
                    instance.capacity_provider_name(),
                    instance.container_instance_arn(),
                ) && found == provider
                {
                    forget(clients, cluster, arn).await?;
                }
            }
        }
        next = page.next_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(());
        }
    }
}

async fn forget(clients: &AwsClients, cluster: &str, arn: &str) -> Result<()> {
    let call = calls::ecs(
        "DeregisterContainerInstance",
        format!("instance {}", names::last(arn)),
    );
    let client = clients.ecs().await?;
    let gone = calls::run(clients, &call, || {
        Box::pin(
            client
                .deregister_container_instance()
                .cluster(cluster)
                .container_instance(arn)
                .force(true)
                .send(),
        )
    })
    .await;
    match gone {
        // ECS forgot it by itself meanwhile, and says so in several ways.
        Err(failure) if matches!(failure.kind, Kind::Missing | Kind::Refused) => Ok(()),
        gone => gone.map(drop).map_err(Failure::into_error),
    }
}
