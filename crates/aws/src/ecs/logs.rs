//! The log group of an endpoint's servers.

use std::collections::BTreeMap;

use aws_sdk_cloudwatchlogs::types::OrderBy;
use mlops_core::{Error, Result, redact};
use uuid::Uuid;

use super::calls;
use super::tags;
use crate::clients::AwsClients;
use crate::elb::{self, Owner};
use crate::fault::Failure;

/// Streams that are read where nobody knows which one is meant.
const STREAMS: i32 = 4;

/// Makes the group, or finds that it is the endpoint's already.
///
/// # Errors
/// `Conflict` if a group of this name is somebody else's.
pub(super) async fn open(clients: &AwsClients, owner: &Owner, name: &str) -> Result<()> {
    let call = calls::logs("CreateLogGroup", name);
    let client = clients.logs().await?;
    let own = elb::tags::of(owner, None);
    let made = calls::run(clients, &call, || {
        let tags = own
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()));
        Box::pin(
            client
                .create_log_group()
                .log_group_name(name)
                .set_tags(Some(tags.collect()))
                .send(),
        )
    })
    .await;
    match made {
        Ok(_) => return Ok(()),
        Err(failure) if failure.code() == Some("ResourceAlreadyExistsException") => {}
        Err(failure) => return Err(failure.into_error()),
    }
    match find(clients, name).await? {
        Some(found) if tags::are_of(&found, owner.endpoint) => Ok(()),
        Some(_) => Err(Error::conflict(format!(
            "log group {name} is there already and does not carry the tag {} = {}, so it is not this endpoint's; \
             delete or rename it, or call the endpoint something else",
            elb::tags::ENDPOINT_ID,
            owner.endpoint,
        ))),
        None => Err(Error::unavailable(format!(
            "log group {name} was removed while it was made; run the operation again"
        ))),
    }
}

/// Takes the group back if the owner's deployment itself made it.
pub(super) async fn undo(clients: &AwsClients, owner: &Owner, name: &str) -> Result<()> {
    match find(clients, name).await? {
        Some(found) if tags::are_made_by(&found, owner) => delete(clients, name).await,
        _ => Ok(()),
    }
}

/// Deletes the group if it is the endpoint's.
pub(super) async fn close(clients: &AwsClients, endpoint: Uuid, name: &str) -> Result<()> {
    match find(clients, name).await? {
        Some(found) if tags::are_of(&found, endpoint) => delete(clients, name).await,
        _ => Ok(()),
    }
}

/// Whether there is a group of this name.
pub(super) async fn is_there(clients: &AwsClients, name: &str) -> Result<bool> {
    Ok(arn(clients, name).await?.is_some())
}

/// For how many days the group keeps what was written. False if it is gone.
pub(super) async fn keep_for(clients: &AwsClients, name: &str, days: u32) -> Result<bool> {
    let call = calls::logs("PutRetentionPolicy", name);
    let client = clients.logs().await?;
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .put_retention_policy()
                .log_group_name(name)
                .retention_in_days(days)
                .send(),
        )
    })
    .await
    .map(|_| true);
    calls::or_missing(answer, false)
}

/// The last lines of these streams together, oldest first, secrets struck out. What is not there has none.
pub(super) async fn last_lines(
    clients: &AwsClients,
    name: &str,
    streams: &[String],
    lines: usize,
) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for stream in streams {
        all.extend(read(clients, name, stream, lines).await?);
    }
    // Stable: lines of one moment and stream stay in their order.
    all.sort_by_key(|(at, _)| *at);
    let surplus = all.len().saturating_sub(lines);
    let lines = all.into_iter().skip(surplus);
    Ok(lines.map(|(_, line)| redact::text(&line)).collect())
}

/// The streams that were written to last.
pub(super) async fn latest_streams(clients: &AwsClients, name: &str) -> Result<Vec<String>> {
    let call = calls::logs("DescribeLogStreams", name);
    let client = clients.logs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .describe_log_streams()
                .log_group_name(name)
                .order_by(OrderBy::LastEventTime)
                .descending(true)
                .limit(STREAMS)
                .send(),
        )
    })
    .await
    .map(Some);
    let found = calls::or_missing(answer, None)?.and_then(|answer| answer.log_streams);
    let streams = found.unwrap_or_default().into_iter();
    Ok(streams
        .filter_map(|stream| stream.log_stream_name)
        .collect())
}

async fn read(
    clients: &AwsClients,
    name: &str,
    stream: &str,
    lines: usize,
) -> Result<Vec<(i64, String)>> {
    /// The most events of one answer.
    const MOST: usize = 10_000;
    let call = calls::logs("GetLogEvents", name);
    let client = clients.logs().await?;
    let limit = i32::try_from(lines.clamp(1, MOST)).unwrap_or(i32::MAX);
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .get_log_events()
                .log_group_name(name)
                .log_stream_name(stream)
                .start_from_head(false)
                .limit(limit)
                .send(),
        )
    })
    .await
    .map(Some);
    let found = calls::or_missing(answer, None)?.and_then(|answer| answer.events);
    let events = found.unwrap_or_default().into_iter();
    Ok(events
        .filter_map(|event| Some((event.timestamp.unwrap_or_default(), event.message?)))
        .map(|(at, line)| (at, line.trim_end().to_owned()))
        .collect())
}

/// The group's tags, if there is one of this name.
async fn find(clients: &AwsClients, name: &str) -> Result<Option<BTreeMap<String, String>>> {
    let Some(arn) = arn(clients, name).await? else {
        return Ok(None);
    };
    let call = calls::logs("ListTagsForResource", name);
    let client = clients.logs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(client.list_tags_for_resource().resource_arn(&arn).send())
    })
    .await
    .map(Some);
    let answer = calls::or_missing(answer, None)?;
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
}

async fn arn(clients: &AwsClients, name: &str) -> Result<Option<String>> {
    let call = calls::logs("DescribeLogGroups", name);
    let client = clients.logs().await?;
    // In the order of their names, so a group comes before those that its name begins.
    let answer = calls::run(clients, &call, || {
        Box::pin(
            client
                .describe_log_groups()
                .log_group_name_prefix(name)
                .send(),
        )
    })
    .await
    .map_err(Failure::into_error)?;
    let groups = answer.log_groups.unwrap_or_default();
    let group = groups
        .into_iter()
        .find(|group| group.log_group_name() == Some(name));
    Ok(group.and_then(|group| {
        let long = group.arn.map(|arn| arn.trim_end_matches(":*").to_owned());
        group.log_group_arn.or(long)
    }))
}

async fn delete(clients: &AwsClients, name: &str) -> Result<()> {
    let call = calls::logs("DeleteLogGroup", name);
    let client = clients.logs().await?;
    let answer = calls::run(clients, &call, || {
        Box::pin(client.delete_log_group().log_group_name(name).send())
    })
    .await
    .map(|_| ());
    calls::or_missing(answer, ())
}
