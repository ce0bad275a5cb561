//! A revision that goes: its requests end, and what it was made of is taken away.

use std::time::Duration;

use mlops_core::Result;
use mlops_core::saga::Progress;
use mlops_core::target::RevisionName;

use super::{PATIENCE, POLL, watched_service};
use crate::ecs::handle::Handle;
use crate::ecs::services::{Life, Services};
use crate::ecs::{Account, machines, scaling, task_definition};

/// Lets what is in flight end: the service's tasks leave the target group, which waits for their requests.
pub(in crate::ecs) async fn drain(
    account: &Account,
    handle: &Handle,
    revision: &RevisionName,
    drain_seconds: u64,
) -> Result<Progress<()>> {
    let endpoint = handle.owner.endpoint;
    let balancers = &account.balancers;
    let name = handle.service(revision);
    if let Some(service) = watched_service(account, handle, &name).await?
        && service.life == Life::Active
    {
        if service.desired > 0 {
            let front = balancers.look(&handle.front, endpoint).await?;
            let attached = front.unwrap_or_default();
            let group = attached.iter().find(|group| group.revision == *revision);
            if group.is_some_and(|group| group.weight > 0) {
                balancers.detach(&handle.front, endpoint, revision).await?;
            }
            // An autoscaler would ask for tasks again.
            scaling::forget(account, handle, revision).await?;
            let services = Services::new(&account.clients, &handle.cluster);
            services.ask_for(&name, 0).await?;
        }
        if service.desired > 0 || service.running > 0 || service.pending > 0 {
            let limit = Duration::from_secs(drain_seconds) + PATIENCE;
            return Ok(Progress::again(POLL, limit));
        }
    }
    // Only now: targets of a group that is behind no load balancer are dropped without waiting for their requests.
    balancers.detach(&handle.front, endpoint, revision).await?;
    Ok(Progress::Done(()))
}

/// Takes away what a revision was made of. The service goes last: it is what a teardown that was killed is found by.
pub(in crate::ecs) async fn remove(
    account: &Account,
    handle: &Handle,
    revision: &RevisionName,
) -> Result<Progress<()>> {
    let (clients, owner) = (&account.clients, &handle.owner);
    let name = handle.service(revision);
    let service = watched_service(account, handle, &name).await?;
    account
        .balancers
        .detach(&handle.front, owner.endpoint, revision)
        .await?;
    let found = handle.found(revision);
    let deleted = match found {
        Some(found) => {
            let group = &found.group_arn;
            (account.balancers.delete_found_group(owner.endpoint, group)).await?
        }
        None => account.balancers.delete_group(owner, revision).await?,
    };
    if let Progress::Pending { .. } = deleted {
        // What told that it is still held: the front and its tags, the target group and its tags, and the attempt.
        account.rounds.count(5);
        return Ok(deleted);
    }
    // Of what was found here others may use the family: its task definitions stay.
    if found.is_none() {
        task_definition::take_away(clients, owner.endpoint, &name).await?;
    }
    // What scales a service outlives it.
    scaling::forget(account, handle, revision).await?;
    let Some(service) = service else {
        return rest(account, handle).await;
    };
    if service.life == Life::Active {
        let services = Services::new(clients, &handle.cluster);
        services.delete(&name).await?;
    }
    // A service without tasks ends by itself.
    match service.running + service.pending {
        0 => rest(account, handle).await,
        _ => Ok(Progress::again(POLL, PATIENCE)),
    }
}

/// Takes away instances that no revision uses any more.
async fn rest(account: &Account, handle: &Handle) -> Result<Progress<()>> {
    match handle.owns_cluster {
        true => machines::sweep(&account.clients, handle).await,
        false => Ok(Progress::Done(())),
    }
}
