//! Instances that an endpoint has to itself: a launch template, an Auto Scaling group and a capacity provider of one name, in its own cluster.
//!
//! None of the three is ever changed: another configuration is another name, so a revision is proved on new instances while the old one serves from the old ones.
//! They go once no service uses them. The template is made first and goes last: whatever is there of the others is found by it.
//! Why: `docs/decisions/0032-ecs-own-instances.md`.

mod cluster;
mod group;
mod instances;
mod provider;
mod template;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mlops_core::endpoint::spec::{AsgSpec, NetworkSpec, Placement, is_fargate};
use mlops_core::saga::Progress;
use mlops_core::{Class, Error, Result};

use super::handle::Handle;
use super::services::{Described, Services};
use crate::clients::AwsClients;
use crate::elb::Owner;
use crate::elb::names::{hash, may_be_of};
use crate::elb::tags::{self, Tags};
use crate::query::Service;

/// How EC2 Auto Scaling is called.
pub(crate) const SERVICE: Service = Service {
    name: "EC2 Auto Scaling",
    host: "autoscaling",
    version: "2011-01-01",
};

/// The attribute that all of it comes from.
const ATTRIBUTE: &str = "ecs.asg";
/// How often something that takes its time is looked at.
const POLL: Duration = Duration::from_secs(2);
/// How long a group may take to end its instances, each of which lets its tasks go first.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long IAM may take until all of AWS knows a profile.
const SPREAD: Duration = Duration::from_secs(120);

/// What is asked for.
#[derive(Debug)]
struct Wanted<'a> {
    owner: &'a Owner,
    cluster: &'a str,
    asg: &'a AsgSpec,
    network: &'a NetworkSpec,
    /// Of all three.
    name: String,
}

impl Wanted<'_> {
    fn subnets(&self) -> &[String] {
        or(&self.asg.subnets, &self.network.subnets)
    }

    fn security_groups(&self) -> &[String] {
        or(&self.asg.security_groups, &self.network.security_groups)
    }
}

fn or<'a>(own: &'a [String], others: &'a [String]) -> &'a [String] {
    match own.is_empty() {
        true => others,
        false => own,
    }
}

/// What the three are called: the endpoint's name, and a hash of all that they are made of. Of the same there may be others, by number.
fn name(owner: &Owner, asg: &AsgSpec, network: &NetworkSpec, number: usize) -> Result<String> {
    // How long somebody waits for instances makes no other instances.
    let asg = AsgSpec {
        capacity_timeout: AsgSpec::default_capacity_timeout(),
        ..asg.clone()
    };
    let mut of = serde_json::to_string(&(&asg, &network.subnets, &network.security_groups))
        .map_err(|cause| Error::bug("what instances are made of is no JSON").because(cause))?;
    if number > 0 {
        of.push_str(&number.to_string());
    }
    Ok(format!(
        "mlops-{}-{}",
        owner.name,
        hash(owner.endpoint, &of)
    ))
}

/// Makes what instances of `placement` lack, or finds that all of it is there. Done once services may be made on them; the name of all three.
///
/// A provider leads to one group for as long as it lives, and stays while a service names it. So where somebody deleted the group, the next service gets
/// others of the same kind.
///
/// # Errors
/// `Conflict` if something of its name is somebody else's.
pub(super) async fn open(
    clients: &AwsClients,
    handle: &Handle,
    placement: &Placement,
    asg: &AsgSpec,
) -> Result<(String, Progress<()>)> {
    let mut wanted = Wanted {
        owner: &handle.owner,
        cluster: &handle.cluster,
        asg,
        network: &placement.network,
        name: String::new(),
    };
    let mut number = 0;
    loop {
        wanted.name = name(&handle.owner, asg, &placement.network, number)?;
        let group = group::find(clients, &wanted.name).await?;
        let provider = provider::find(clients, &wanted.name).await?;
        let leads_to = group.as_ref().map(|group| &group.arn);
        match &provider {
            Some(stays) if !stays.is_leaving && leads_to != Some(&stays.group) => {
                check_ours(&wanted, "capacity provider", &stays.tags)?;
                number += 1;
            }
            _ => {
                let opened = make(clients, &wanted, group, provider).await?;
                return Ok((wanted.name, opened));
            }
        }
    }
}

/// Makes the next thing that is not there.
async fn make(
    clients: &AwsClients,
    wanted: &Wanted<'_>,
    group: Option<group::Found>,
    provider: Option<provider::Found>,
) -> Result<Progress<()>> {
    let again = || Ok(Progress::again(Duration::ZERO, PATIENCE));
    let made = match template::find(clients, &wanted.name).await? {
        None => {
            template::create(clients, wanted).await?;
            return again();
        }
        Some(found) => {
            check_ours(wanted, "launch template", &found.tags)?;
            found.made
        }
    };
    let arn = match group {
        None => {
            return match group::create(clients, wanted).await {
                Err(error) if is_on_its_way(&error, made, Timestamp::now()) => {
                    Ok(Progress::again(POLL, PATIENCE))
                }
                made => made.and_then(|()| again()),
            };
        }
        Some(found) if found.is_leaving => return Ok(Progress::again(POLL, PATIENCE)),
        Some(found) => {
            check_ours(wanted, "Auto Scaling group", &found.tags)?;
            found.arn
        }
    };
    match provider {
        None => {
            provider::create(clients, wanted, &arn).await?;
            return again();
        }
        Some(found) if found.is_leaving => return Ok(Progress::again(POLL, PATIENCE)),
        Some(found) => check_ours(wanted, "capacity provider", &found.tags)?,
    }
    match cluster::associate(clients, wanted.cluster, &wanted.name).await? {
        true => Ok(Progress::Done(())),
        false => again(),
    }
}

/// Whether what a group cannot be made of may only be too new for EC2 to know it: a profile that the same run made.
fn is_on_its_way(error: &Error, template: Option<Timestamp>, now: Timestamp) -> bool {
    let age = template.map(|made| now.duration_since(made).unsigned_abs());
    age.is_some_and(|age| age < SPREAD)
        && error.to_string().contains("Invalid IAM Instance Profile")
}

fn check_ours(wanted: &Wanted<'_>, what: &str, tags: &Tags) -> Result<()> {
    let (name, endpoint) = (&wanted.name, wanted.owner.endpoint);
    if tags::are_of(tags, endpoint) {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "{what} {name} is there already and does not carry the tag {} = {endpoint}, so it is not this endpoint's; delete it, or call the endpoint \
         something else",
        tags::ENDPOINT_ID
    ))
    .at(ATTRIBUTE))
}

/// Whether tasks of the service run on instances of the endpoint's own.
pub(super) fn has(handle: &Handle, service: &Described) -> bool {
    handle.owns_cluster && service.providers.iter().any(|name| !is_fargate(name))
}

/// Why tasks of the service find no instance: the last failure that its group tells of, or that instances run and no cluster knows them.
pub(super) async fn complaint(
    clients: &AwsClients,
    handle: &Handle,
    service: &Described,
) -> Option<String> {
    let name = service.providers.iter().find(|name| !is_fargate(name))?;
    // What could not be read must not hide what is known.
    if let Ok(Some(said)) = group::last_failure(clients, name).await {
        let said = said.trim_end_matches('.');
        return Some(format!("Auto Scaling group {name} says: {said}"));
    }
    let run = group::find(clients, name).await.ok()??.instances;
    let known = instances::known(clients, &handle.cluster).await.ok()?;
    (run > 0 && known == 0).then(|| {
        format!(
            "{run} instances of Auto Scaling group {name} run, and none has registered with the cluster: give their subnets a way to ECS (NAT, or \
             endpoints for ecs, ecs-agent and ecs-telemetry), and the role of ecs.asg.instance_profile the policy \
             AmazonEC2ContainerServiceforEC2Role"
        )
    })
}

/// Takes away what instances of the endpoint no service uses.
pub(super) async fn sweep(clients: &AwsClients, handle: &Handle) -> Result<Progress<()>> {
    let owner = &handle.owner;
    let made = match template::of_endpoint(clients, owner).await {
        // Whoever may not ask for them has made none, unless somebody else did.
        Err(error) if error.class() == Class::Denied => {
            return match cluster::has_instances(clients, &handle.cluster).await? {
                true => Err(error),
                false => Ok(Progress::Done(())),
            };
        }
        made => made?,
    };
    if made.is_empty() {
        return Ok(Progress::Done(()));
    }
    let services = Services::new(clients, &handle.cluster);
    let mut names = services.names().await?;
    names.retain(|name| may_be_of(&owner.name, name));
    let used = used(services.describe(&names).await?.into_values());
    let mut left = Progress::Done(());
    for name in made.difference(&used) {
        if let pending @ Progress::Pending { .. } =
            take_away(clients, &handle.cluster, name).await?
        {
            left = pending;
        }
    }
    Ok(left)
}

/// The providers of services that run or may run tasks.
fn used(services: impl Iterator<Item = Described>) -> BTreeSet<String> {
    use super::services::Life;
    let is_alive =
        |service: &Described| service.life == Life::Active || service.running + service.pending > 0;
    services
        .filter(is_alive)
        .flat_map(|service| service.providers)
        .collect()
}

/// Each only once what uses it is gone, and the template last.
async fn take_away(clients: &AwsClients, cluster: &str, name: &str) -> Result<Progress<()>> {
    let wait = || Ok(Progress::again(POLL, PATIENCE));
    if !cluster::dissociate(clients, cluster, name).await? {
        return wait();
    }
    match provider::find(clients, name).await? {
        None => {}
        Some(found) => {
            if !found.is_leaving {
                provider::delete(clients, name).await?;
            }
            return wait();
        }
    }
    match group::find(clients, name).await? {
        None => {}
        Some(found) => {
            if !found.is_leaving {
                group::delete(clients, name).await?;
            }
            return wait();
        }
    }
    // A cluster is not deleted while instances that are gone are still known in it.
    instances::deregister(clients, cluster, name).await?;
    template::delete(clients, name).await?;
    Ok(Progress::Done(()))
}
