//! Who changes a service's number of tasks: Application Auto Scaling, as the endpoint asks for it.
//!
//! What scales a service is found by the service's name, which is the revision's own. All of it belongs to the endpoint: the target, and whatever
//! policies and scheduled actions it has. It outlives its service, so it is taken away before.

mod read;
mod target;

use mlops_core::endpoint::spec::{Autoscaling, ScalingMetric};
use mlops_core::saga::Progress;
use mlops_core::target::RevisionName;
use mlops_core::{Error, Result};

use self::target::{Bounds, Scalable};
use super::Account;
use super::handle::Handle;
use super::names;
use super::revision::{missing, own_service};
use super::services::Life;
use crate::clients::AwsClients;
use crate::elb::{Owner, tags};

impl Account {
    fn scalable(&self, handle: &Handle, revision: &RevisionName) -> Scalable<'_> {
        let service = handle.service(revision);
        Scalable::new(&self.clients, names::cluster(&handle.cluster), &service)
    }

    /// By what requests for the revision's tasks are counted: load balancer and target group.
    async fn label(&self, handle: &Handle, revision: &RevisionName) -> Result<String> {
        let front = self.attached(handle).await?;
        let group = front.iter().find(|group| group.revision == *revision);
        let group = &group.ok_or_else(|| missing(handle, revision))?.group_arn;
        label(&handle.front.load_balancer_arn, group)
            .ok_or_else(|| Error::bug(format!("{group} is not the ARN of a target group")))
    }
}

/// Makes what scales the revision's service as it is `wanted`.
pub(super) async fn follow(
    account: &Account,
    handle: &Handle,
    revision: &RevisionName,
    wanted: Option<&Autoscaling>,
    hold: Option<u32>,
) -> Result<Progress<()>> {
    let Some(wanted) = wanted else {
        forget(account, handle, revision).await?;
        return Ok(Progress::Done(()));
    };
    let name = handle.service(revision);
    let service = own_service(account, handle, &name).await?;
    if service.is_none_or(|service| service.life != Life::Active) {
        return Err(missing(handle, revision));
    }
    let scalable = account.scalable(handle, revision);
    let label = match counts_requests(wanted) {
        true => Some(account.label(handle, revision).await?),
        false => None,
    };
    let found = scalable.find().await?;
    let bounds = bounds(wanted, found, hold);
    if found != Some(bounds) {
        // Tags are taken with the first call only.
        let tags = found.is_none().then(|| {
            let mut tags = tags::of(&handle.owner, None);
            tags.insert(tags::REVISION, revision.to_string());
            tags
        });
        scalable.register(bounds, tags).await?;
    }
    let policies = read::policies(&scalable.policies().await?, label.as_deref());
    for name in policies
        .keys()
        .filter(|name| !wanted.policies.contains_key(*name))
    {
        scalable.delete_policy(name).await?;
    }
    for (name, policy) in &wanted.policies {
        if policies.get(name) != Some(policy) {
            scalable.put_policy(name, policy, label.as_deref()).await?;
        }
    }
    let schedules = scalable.schedules().await?;
    for name in schedules
        .keys()
        .filter(|name| !wanted.schedules.contains_key(*name))
    {
        scalable.delete_schedule(name).await?;
    }
    for (name, schedule) in &wanted.schedules {
        if schedules.get(name) != Some(schedule) {
            scalable.put_schedule(name, schedule).await?;
        }
    }
    Ok(Progress::Done(()))
}

/// What scales the revision's service now, if anything does.
pub(super) async fn followed(
    account: &Account,
    handle: &Handle,
    revision: &RevisionName,
) -> Result<Option<Autoscaling>> {
    let scalable = account.scalable(handle, revision);
    let Some(found) = scalable.find().await? else {
        return Ok(None);
    };
    let policies = scalable.policies().await?;
    let mut label = None;
    // Every refresh comes here, and has asked the load balancer enough.
    if read::counts_requests(&policies) {
        label = match account.label(handle, revision).await {
            Ok(label) => Some(label),
            // A front that is gone counts no requests either.
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
    }
    Ok(Some(Autoscaling {
        min: found.min,
        max: found.max,
        policies: read::policies(&policies, label.as_deref()),
        schedules: scalable.schedules().await?,
    }))
}

/// What scales a service that somebody else made, and the ARN of its scalable target; `requests_of` is its load balancer and its target group. What
/// no endpoint can ask for is added to `problems`.
pub(super) async fn of_service(
    clients: &AwsClients,
    (cluster, service): (&str, &str),
    requests_of: Option<(&str, &str)>,
    problems: &mut Vec<String>,
) -> Result<Option<(Autoscaling, String)>> {
    let scalable = Scalable::new(clients, names::cluster(cluster), service);
    let Some((arn, found)) = scalable.tell().await? else {
        return Ok(None);
    };
    if found.held || found.odd {
        problems.push("its scaling is suspended: resume it".to_owned());
    }
    let label = requests_of.and_then(|(balancer, group)| label(balancer, group));
    let policies = read::policies(&scalable.policies().await?, label.as_deref());
    for (name, policy) in &policies {
        if policy.metric == ScalingMetric::Other {
            problems.push(format!(
                "its scaling policy {name} tracks none of cpu, memory and requests_per_target of its own target group: delete it"
            ));
        }
    }
    let scaled = Autoscaling {
        min: found.min,
        max: found.max,
        policies,
        schedules: scalable.schedules().await?,
    };
    Ok(Some((scaled, arn)))
}

/// Makes a scalable target of somebody else that of the owner's revision.
pub(super) async fn take(
    clients: &AwsClients,
    owner: &Owner,
    revision: &RevisionName,
    arn: &str,
) -> Result<()> {
    let mut tags = tags::of(owner, None);
    tags.insert(tags::REVISION, revision.to_string());
    target::tag(clients, arn, tags).await
}

/// Lets go of it. Success if it is gone.
pub(super) async fn let_go(clients: &AwsClients, arn: &str) -> Result<()> {
    target::untag(clients, arn).await
}

/// Takes away what scales the revision's service, whether that is still there or not.
pub(super) async fn forget(
    account: &Account,
    handle: &Handle,
    revision: &RevisionName,
) -> Result<()> {
    let scalable = account.scalable(handle, revision);
    match scalable.find().await? {
        // Policies and scheduled actions go with it.
        Some(_) => scalable.deregister().await,
        None => Ok(()),
    }
}

fn counts_requests(wanted: &Autoscaling) -> bool {
    let mut policies = wanted.policies.values();
    policies.any(|policy| policy.metric == ScalingMetric::RequestsPerTarget)
}

/// Between which numbers the service may move, and what is suspended. What a schedule has set stays.
///
/// Registering a service brings it within its bounds whatever is suspended, so those that hold it are wide enough for what it has.
fn bounds(wanted: &Autoscaling, found: Option<Bounds>, hold: Option<u32>) -> Bounds {
    let now = found.map(|found| Autoscaling {
        min: found.min,
        max: found.max,
        ..wanted.clone()
    });
    let kept = now.filter(|now| wanted.allows(now));
    let (min, max) = kept.map_or((wanted.min, wanted.max), |now| (now.min, now.max));
    Bounds {
        min,
        max: max.max(hold.unwrap_or(0)),
        held: hold.is_some(),
        odd: false,
    }
}

/// `app/BALANCER/ID/targetgroup/GROUP/ID`.
fn label(load_balancer_arn: &str, group_arn: &str) -> Option<String> {
    let (_, balancer) = load_balancer_arn.split_once(":loadbalancer/")?;
    let group = group_arn.rsplit(':').next()?;
    group
        .starts_with("targetgroup/")
        .then(|| format!("{balancer}/{group}"))
}

#[cfg(test)]
mod tests;
