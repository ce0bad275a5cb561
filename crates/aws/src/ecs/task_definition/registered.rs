//! The task definitions of a revision's family that are registered.

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{TaskDefinition, TaskDefinitionField, TaskDefinitionStatus};
use mlops_core::target::Revision;
use mlops_core::{Error, Result};
use uuid::Uuid;

use crate::clients::AwsClients;
use crate::ecs::{calls, names, tags};
use crate::elb::Owner;
use crate::fault::Failure;

/// The registered task definition of the family, if the endpoint's `revision` registered it.
pub(in crate::ecs) async fn find(
    clients: &AwsClients,
    owner: &Owner,
    revision: &Revision,
) -> Result<Option<String>> {
    let family = names::service(owner, &revision.name);
    let found = describe(clients, &family).await?;
    Ok(found
        .filter(|found| found.active && tags::are_of(&found.tags, owner.endpoint))
        .map(|found| found.arn))
}

/// Registers it. Without an answer nobody knows whether it is registered: [`find`] tells, the next time.
pub(in crate::ecs) async fn register(
    clients: &AwsClients,
    document: RegisterTaskDefinitionInputBuilder,
) -> Result<()> {
    let family = document.get_family().clone().unwrap_or_default();
    let call = calls::ecs("RegisterTaskDefinition", format!("family {family}"));
    let client = clients.ecs().await?;
    calls::run_once(clients, &call, || {
        Box::pin(document.clone().send_with(client))
    })
    .await
    .map_err(Failure::into_error)?;
    Ok(())
}

/// Deregisters and deletes every task definition of the family that is the endpoint's.
pub(in crate::ecs) async fn take_away(
    clients: &AwsClients,
    endpoint: Uuid,
    family: &str,
) -> Result<()> {
    let mut ours = Vec::new();
    for status in [TaskDefinitionStatus::Active, TaskDefinitionStatus::Inactive] {
        for arn in list(clients, family, &status).await? {
            let Some(found) = describe(clients, &arn).await? else {
                continue;
            };
            // A listing may go by the beginning of a family's name.
            if found.family != family || !tags::are_of(&found.tags, endpoint) {
                continue;
            }
            if found.active {
                deregister(clients, &arn).await?;
            }
            ours.push(arn);
        }
    }
    // The most that one call takes.
    for arns in ours.chunks(10) {
        delete(clients, family, arns).await?;
    }
    Ok(())
}

/// A task definition as ECS tells of it.
pub(in crate::ecs) async fn tell(clients: &AwsClients, arn: &str) -> Result<TaskDefinition> {
    let call = calls::ecs("DescribeTaskDefinition", arn);
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .describe_task_definition()
                .task_definition(arn)
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    answer.task_definition.ok_or_else(|| {
        Error::unavailable(format!(
            "ECS does not tell of task definition {arn}; try again"
        ))
    })
}

struct Registered {
    arn: String,
    family: String,
    active: bool,
    tags: BTreeMap<String, String>,
}

async fn describe(clients: &AwsClients, which: &str) -> Result<Option<Registered>> {
    let call = calls::ecs("DescribeTaskDefinition", which);
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .describe_task_definition()
                .task_definition(which)
                .include(TaskDefinitionField::Tags)
                .send(),
        )
    })
    .await;
    let answer = match answer {
        Ok(answer) => answer,
        // ECS has no other word for a family of which nothing is active.
        Err(failure) if failure.code() == Some("ClientException") => return Ok(None),
        Err(failure) => return Err(failure.into_error()),
    };
    let tags = tags::read(answer.tags());
    Ok(answer.task_definition.map(|found| Registered {
        active: found.status() == Some(&TaskDefinitionStatus::Active),
        arn: found.task_definition_arn.unwrap_or_default(),
        family: found.family.unwrap_or_default(),
        tags,
    }))
}

async fn list(
    clients: &AwsClients,
    family: &str,
    status: &TaskDefinitionStatus,
) -> Result<Vec<String>> {
    let call = calls::ecs("ListTaskDefinitions", format!("family {family}"));
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .list_task_definitions()
                .family_prefix(family)
                .status(status.clone())
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    // One page: a family has one, and another one for each answer that was lost.
    Ok(answer.task_definition_arns.unwrap_or_default())
}

async fn deregister(clients: &AwsClients, arn: &str) -> Result<()> {
    let call = calls::ecs("DeregisterTaskDefinition", arn);
    let client = clients.ecs().await?;
    calls::run(clients, &call, || {
        Box::pin(
            client
                .deregister_task_definition()
                .task_definition(arn)
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    Ok(())
}

/// ECS forgets it once no task runs it any more.
async fn delete(clients: &AwsClients, family: &str, arns: &[String]) -> Result<()> {
    let call = calls::ecs("DeleteTaskDefinitions", format!("family {family}"));
    let client = clients.ecs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .delete_task_definitions()
                .set_task_definitions(Some(arns.to_vec()))
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    match answer.failures() {
        [] => Ok(()),
        [first, ..] => Err(Error::unavailable(format!(
            "ECS did not delete task definition {}: {}; run the operation again",
            first.arn().unwrap_or(family),
            first
                .detail()
                .or(first.reason())
                .unwrap_or("it gave no reason"),
        ))),
    }
}
