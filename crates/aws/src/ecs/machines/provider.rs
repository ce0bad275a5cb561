//! The capacity provider: by it ECS adds instances for tasks that find no place, and takes those away that have none.

use aws_sdk_ecs::types::{
    AutoScalingGroupProvider, CapacityProviderField, CapacityProviderStatus,
    CapacityProviderUpdateStatus, ManagedDraining, ManagedScaling, ManagedScalingStatus,
    ManagedTerminationProtection, Tag,
};
use mlops_core::{Error, Result};

use super::{ATTRIBUTE, Wanted};
use crate::clients::AwsClients;
use crate::ecs::{calls, tags};
use crate::elb;
use crate::elb::tags::Tags;
use crate::fault::{Call, Failure};

/// A provider that is there.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) tags: Tags,
    /// The Auto Scaling group that it leads to, by ARN.
    pub(super) group: String,
    /// Whether it was deleted a moment ago.
    pub(super) is_leaving: bool,
}

fn call(operation: &'static str, name: &str) -> Call {
    calls::ecs(operation, format!("capacity provider {name}"))
}

/// The provider of this name; `None` if it is not there, or was deleted: ECS tells of such a one for a while.
pub(super) async fn find(clients: &AwsClients, name: &str) -> Result<Option<Found>> {
    let call = call("DescribeCapacityProviders", name);
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .describe_capacity_providers()
                .capacity_providers(name)
                .include(CapacityProviderField::Tags)
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    let mut found = answer.capacity_providers.unwrap_or_default().into_iter();
    let found = found.find(|found| found.name() == Some(name));
    Ok(found
        .filter(|found| found.status() != Some(&CapacityProviderStatus::Inactive))
        .map(|found| Found {
            tags: tags::read(found.tags()),
            group: (found.auto_scaling_group_provider())
                .map(|group| group.auto_scaling_group_arn().to_owned())
                .unwrap_or_default(),
            is_leaving: found.update_status()
                == Some(&CapacityProviderUpdateStatus::DeleteInProgress),
        }))
}

/// Makes it. One that another call made meanwhile is found by the next look.
pub(super) async fn create(clients: &AwsClients, wanted: &Wanted<'_>, group: &str) -> Result<()> {
    let call = call("CreateCapacityProvider", &wanted.name);
    let provider = AutoScalingGroupProvider::builder()
        .auto_scaling_group_arn(group)
        .managed_scaling(
            ManagedScaling::builder()
                .status(ManagedScalingStatus::Enabled)
                .target_capacity(100)
                .build(),
        )
        .managed_termination_protection(ManagedTerminationProtection::Enabled)
        .managed_draining(ManagedDraining::Enabled)
        .build()
        .map_err(|cause| Error::bug("a capacity provider lacks its group").because(cause))?;
    let own: Vec<Tag> = elb::tags::of(wanted.owner, None)
        .into_iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect();
    let client = clients.ecs().await?;
    let made = calls::run(clients, &call, || {
        Box::pin(
            client
                .create_capacity_provider()
                .name(&wanted.name)
                .auto_scaling_group_provider(provider.clone())
                .set_tags(Some(own.clone()))
                .send(),
        )
    })
    .await;
    let Err(failure) = made else {
        return Ok(());
    };
    let error = failure.into_error();
    // ECS has no code of its own for it.
    match error.to_string().contains("already exists") {
        true => Ok(()),
        false => Err(error.at(ATTRIBUTE)),
    }
}

/// Deletes it, once no cluster has it.
pub(super) async fn delete(clients: &AwsClients, name: &str) -> Result<()> {
    let call = call("DeleteCapacityProvider", name);
    let client = clients.ecs().await?;
    let deleted = calls::run(clients, &call, || {
        Box::pin(
            client
                .delete_capacity_provider()
                .capacity_provider(name)
                .send(),
        )
    })
    .await
    .map(drop);
    match deleted {
        // The answer to an earlier call was lost, or the cluster still lets go of it: the next look tells.
        Err(failure) if failure.code() == Some("ResourceInUseException") => Ok(()),
        Err(failure) => {
            let error = failure.into_error();
            let text = error.to_string();
            match text.contains("not found") || text.contains("does not exist") {
                true => Ok(()),
                false => Err(error),
            }
        }
        Ok(()) => Ok(()),
    }
}
