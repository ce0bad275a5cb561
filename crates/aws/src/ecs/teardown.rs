//! Takes a server away with everything that is its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use mlops_core::Result;
use mlops_core::saga::Progress;
use mlops_core::target::RevisionName;

use super::Account;
use super::clusters;
use super::dns;
use super::handle::Handle;
use super::logs;
use super::machines;
use super::revision;
use super::services::{Described, Services};
use super::tags;
use crate::elb::Release;
use crate::elb::names::may_be_of;

/// The name before anything, so that it never leads nowhere. Then the front: while it stands, it takes requests that a server in its place could answer. Then every revision, the
/// lease, the log group, and the endpoint's own instances and cluster. A server of the same endpoint that took its place keeps what is its own,
/// the log group and the cluster.
pub(super) async fn teardown(
    account: &Account,
    handle: &Handle,
    drain_seconds: u64,
) -> Result<Progress<()>> {
    let owner = &handle.owner;
    let still = still_leaving(account, handle, drain_seconds).await?;
    if let pending @ Progress::Pending { .. } = still {
        return Ok(pending);
    }
    if let Some(record) = handle.dns.as_ref().and_then(|named| named.record.as_ref())
        && let pending @ Progress::Pending { .. } = dns::close(account, record).await?
    {
        return Ok(pending);
    }
    let services = services_of_endpoint(account, handle).await?;
    let own = |service: &&Described| tags::are_made_by(&service.tags, owner);
    let revisions: BTreeSet<RevisionName> = services
        .iter()
        .filter(own)
        .filter_map(|service| tags::revision(&service.tags))
        .collect();
    let others = services.iter().any(|service| !own(&service));
    // A revision whose service was not made yet never served, and only the front knows of its target group.
    let attached = account
        .balancers
        .look(&handle.front, owner.endpoint)
        .await?;
    let unborn = attached.into_iter().flatten().map(|group| group.revision);
    let unborn: BTreeSet<_> = unborn.filter(|name| !revisions.contains(name)).collect();
    if let pending @ Progress::Pending { .. } =
        take_away(account, handle, &unborn, drain_seconds).await?
    {
        return Ok(pending);
    }
    account
        .balancers
        .close(&handle.front, owner.endpoint)
        .await?;
    if let pending @ Progress::Pending { .. } =
        take_away(account, handle, &revisions, drain_seconds).await?
    {
        leaving(account).insert(handle.front.arn.clone(), revisions);
        return Ok(pending);
    }
    // Only now: a lease that ended earlier could go to another endpoint while this front has the slot.
    account
        .balancers
        .release(owner, &handle.front.parent, None, Release::Free)
        .await?;
    if others {
        return Ok(Progress::Done(()));
    }
    logs::close(&account.clients, owner.endpoint, &handle.log_group).await?;
    if !handle.owns_cluster {
        return Ok(Progress::Done(()));
    }
    if let pending @ Progress::Pending { .. } = machines::sweep(&account.clients, handle).await? {
        return Ok(pending);
    }
    clusters::close(&account.clients, owner, &handle.cluster).await
}

/// What an earlier call waited for. The front is closed by then, so nothing can join; what is left is found anew when they are gone.
async fn still_leaving(
    account: &Account,
    handle: &Handle,
    drain_seconds: u64,
) -> Result<Progress<()>> {
    let revisions = leaving(account).get(&handle.front.arn).cloned();
    let Some(revisions) = revisions else {
        return Ok(Progress::Done(()));
    };
    let progress = take_away(account, handle, &revisions, drain_seconds).await;
    if !matches!(progress, Ok(Progress::Pending { .. })) {
        leaving(account).remove(&handle.front.arn);
    }
    progress
}

fn leaving(account: &Account) -> MutexGuard<'_, HashMap<String, BTreeSet<RevisionName>>> {
    account
        .leaving
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Drains and removes each of `revisions`, as far as one call gets.
async fn take_away(
    account: &Account,
    handle: &Handle,
    revisions: &BTreeSet<RevisionName>,
    drain_seconds: u64,
) -> Result<Progress<()>> {
    let mut wait: Option<(Duration, Duration)> = None;
    for name in revisions {
        let mut progress = revision::drain(account, handle, name, drain_seconds).await?;
        if matches!(progress, Progress::Done(())) {
            progress = revision::remove(account, handle, name).await?;
        }
        if let Progress::Pending {
            poll_after,
            deadline,
            ..
        } = progress
        {
            wait = Some(match wait {
                Some((sooner, later)) => (sooner.min(poll_after), later.max(deadline)),
                None => (poll_after, deadline),
            });
        }
    }
    Ok(match wait {
        Some((poll_after, deadline)) => Progress::again(poll_after, deadline),
        None => Progress::Done(()),
    })
}

/// The services of the endpoint in the cluster, of this server and of others.
async fn services_of_endpoint(account: &Account, handle: &Handle) -> Result<Vec<Described>> {
    let owner = &handle.owner;
    let services = Services::new(&account.clients, &handle.cluster);
    let mut names = services.names().await?;
    // Their tags decide.
    let found = handle.found.as_ref().map(|found| &found.service);
    names.retain(|name| may_be_of(&owner.name, name) || Some(name) == found);
    let found = services.describe(&names).await?;
    let found = found.into_values();
    Ok(found
        .filter(|service| tags::are_of(&service.tags, owner.endpoint))
        .collect())
}
