//! A revision's life: a target group, a task definition and a service, made one after the other and taken away again.

mod leave;
mod request;
mod scale;

use std::time::{Duration, SystemTime};

use mlops_core::endpoint::spec::{Placement, Workload};
use mlops_core::saga::Progress;
use mlops_core::target::{Revision, RevisionName};
use mlops_core::{Error, Result};

pub(super) use self::leave::{drain, remove};
use self::request::request;
pub(super) use self::scale::scale;
use super::Account;
use super::clusters;
use super::handle::Handle;
use super::logs;
use super::machines;
use super::names;
use super::rounds::Wanted;
use super::services::{Described, Life, Services};
use super::tags;
use super::task_definition::{self, Surroundings};
use super::verdict::{self, Seen, Stopped, Verdict};
use crate::elb::{self, GroupHealth};

/// How often something that takes its time is asked after.
const POLL: Duration = Duration::from_secs(1);
/// How long a service may take to start more tasks, or to end those it has, beyond what was asked for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How often tasks that ended are asked for, at least, where nothing speaks of them and others wait.
pub(super) const ENDED_EVERY: Duration = Duration::from_secs(60);
/// Log lines that a message repeats.
const SHOWN_LINES: usize = 3;

/// Makes the next thing that `revision` lacks; once it lacks nothing, looks how far it is.
pub(super) async fn ensure(
    account: &Account,
    handle: &Handle,
    revision: &Revision,
) -> Result<Progress<()>> {
    match next(account, handle, revision).await? {
        Next::Making(progress) => Ok(progress),
        Next::Made(made) => look(account, handle, revision, &made.service, &made.group).await,
    }
}

/// Makes the next thing that `revision` lacks, and does not look how far it is.
pub(super) async fn make(
    account: &Account,
    handle: &Handle,
    revision: &Revision,
) -> Result<Progress<()>> {
    match next(account, handle, revision).await? {
        Next::Making(progress) => Ok(progress),
        Next::Made(made) => {
            check_stays(revision, &made.service)?;
            Ok(Progress::Done(()))
        }
    }
}

/// A revision that lacks nothing but time.
struct Made {
    service: Described,
    group: String,
}

enum Next {
    Making(Progress<()>),
    Made(Box<Made>),
}

async fn next(account: &Account, handle: &Handle, revision: &Revision) -> Result<Next> {
    let again = Progress::again(Duration::ZERO, revision.patience().duration());
    let placement = revision.placement.as_deref().ok_or_else(|| {
        Error::bug(format!(
            "revision {} was made for another target",
            revision.name
        ))
    })?;
    let mut seen = account.look(handle, &[&revision.name], 0, false).await?;
    let front = seen.attached.ok_or_else(|| handle.gone())?;
    let attached = front.iter().find(|group| group.revision == revision.name);
    let Some(group) = attached.map(|group| group.group_arn.clone()) else {
        // A service is refused whose target group is behind no load balancer: it joins the front first, without weight.
        account
            .balancers
            .ensure_group(&handle.owner, &handle.front, revision)
            .await?;
        return Ok(Next::Making(again));
    };
    let name = names::service(&handle.owner, &revision.name);
    match seen.services.remove(&name) {
        Some(service) => {
            check_ours(handle, &name, &service)?;
            Ok(Next::Made(Box::new(Made { service, group })))
        }
        None => {
            let made = make_service(account, handle, revision, placement, &group).await?;
            Ok(Next::Making(match made {
                Progress::Done(()) => again,
                pending => pending,
            }))
        }
    }
}

/// Refuses what is being taken away.
fn check_stays(revision: &Revision, service: &Described) -> Result<()> {
    match service.life {
        Life::Draining => Err(Error::conflict(format!(
            "revision {} is being taken away; apply again",
            revision.name
        ))),
        _ => Ok(()),
    }
}

/// Registers the task definition; once it is registered, makes the service.
async fn make_service(
    account: &Account,
    handle: &Handle,
    revision: &Revision,
    placement: &Placement,
    group: &str,
) -> Result<Progress<()>> {
    let clients = &account.clients;
    let definition = task_definition::find(clients, &handle.owner, revision).await?;
    let asg = placement.capacity.machines();
    // Somebody may have deleted the cluster since the first deployment.
    if handle.owns_cluster
        && (definition.is_none() || asg.is_some())
        && let pending @ Progress::Pending { .. } =
            clusters::open(clients, &handle.owner, &handle.cluster, true).await?
    {
        return Ok(pending);
    }
    let mut provider = None;
    if let Some(asg) = asg {
        let (name, opened) = machines::open(clients, handle, placement, asg).await?;
        if let Progress::Pending { .. } = opened {
            return Ok(opened);
        }
        provider = Some(name);
    }
    let Some(definition) = definition else {
        let around = Surroundings {
            owner: &handle.owner,
            artifacts: account.artifacts().await?,
            log_group: &handle.log_group,
            region: &handle.region,
        };
        let document = task_definition::document(revision, placement, &around)?;
        let (log, days) = (&handle.log_group, placement.log_retention_days);
        if !logs::keep_for(clients, log, days).await? {
            // Somebody deleted it since the first deployment.
            logs::open(clients, &handle.owner, log).await?;
            return Ok(Progress::Done(()));
        }
        task_definition::register(clients, document).await?;
        return Ok(Progress::Done(()));
    };
    let services = Services::new(clients, &handle.cluster);
    let request = request(handle, revision, placement, &definition, group, provider)?;
    services.create(request).await?;
    Ok(Progress::Done(()))
}

/// Whether the service has started.
async fn look(
    account: &Account,
    handle: &Handle,
    revision: &Revision,
    service: &Described,
    group: &str,
) -> Result<Progress<()>> {
    check_stays(revision, service)?;
    let name = names::service(&handle.owner, &revision.name);
    let machines = machines::has(handle, service);
    // A group of its own grows for tasks that find no place: that is no end.
    let mut told = service.clone();
    told.events
        .retain(|event| !machines || !verdict::is_about_place(event));
    let limit = revision.patience().duration();
    let mut seen = Seen {
        service: &told,
        family: &name,
        runs_server: revision.workload.own_image().is_none(),
        stopped: &[],
        health: None,
        now: SystemTime::now(),
        limit,
    };
    // As long as tasks are missing, their health changes nothing.
    let health = match verdict::are_all_there(service) || verdict::is_late(&seen) {
        true => health_of(account, group).await?,
        false => None,
    };
    seen.health = health.as_ref();
    let stopped = match is_worth_asking(account, &name, &seen) {
        true => stopped(account, handle, &name).await?,
        false => Vec::new(),
    };
    seen.stopped = &stopped;
    let (why, task) = match verdict::judge(&seen) {
        Verdict::Steady => {
            account.rounds.forget(&name);
            return Ok(Progress::Done(()));
        }
        Verdict::Starting => return Ok(Progress::again(POLL, limit)),
        Verdict::Failed { why, task } => (why, task),
    };
    let complaint = match machines && service.running < service.desired {
        true => machines::complaint(&account.clients, handle, service).await,
        false => None,
    };
    let why = match complaint {
        Some(complaint) => format!("{why}; {complaint}"),
        None => why,
    };
    account.rounds.forget(&name);
    let lines = match task {
        Some(task) => {
            let stream = names::log_stream(&task);
            // What could not be read must not hide what is known.
            logs::last_lines(&account.clients, &handle.log_group, &[stream], SHOWN_LINES)
                .await
                .unwrap_or_default()
        }
        None => Vec::new(),
    };
    let log = match lines.is_empty() {
        true => format!("see log group {}", handle.log_group),
        false => format!("its log ends: {}", lines.join(" / ")),
    };
    Err(Error::invalid(format!(
        "{} does not start as revision {} (service {name}): {why}; {log}",
        named(&revision.workload),
        revision.name
    ))
    .at(format!("variants.{}", revision.variant)))
}

async fn health_of(account: &Account, group: &str) -> Result<Option<GroupHealth>> {
    account.rounds.count(1);
    let mut all = account.balancers.health(&[group.to_owned()]).await?;
    Ok(all.remove(group))
}

/// Whether tasks that ended may say why a start takes long. Of a task that was replaced at once the counts say nothing.
fn is_worth_asking(account: &Account, name: &str, seen: &Seen<'_>) -> bool {
    !verdict::is_steady(seen.service, seen.health)
        && (verdict::is_troubled(seen) || account.rounds.may_spare(name, ENDED_EVERY))
}

/// Its tasks that ended, latest first.
pub(super) async fn stopped(
    account: &Account,
    handle: &Handle,
    name: &str,
) -> Result<Vec<Stopped>> {
    let services = Services::new(&account.clients, &handle.cluster);
    account.rounds.count(1);
    let stopped = services.stopped(name).await?;
    // They are described in a call of their own.
    account.rounds.count(usize::from(!stopped.is_empty()));
    Ok(stopped)
}

fn named(workload: &Workload) -> String {
    match workload.own_image() {
        Some(image) => format!("image {image}"),
        None => format!("version {workload}"),
    }
}

/// A service of the right name that somebody else made.
fn check_ours(handle: &Handle, name: &str, service: &Described) -> Result<()> {
    if tags::are_of(&service.tags, handle.owner.endpoint) {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "service {name} of cluster {} does not carry the tag {} = {}, so it is not this endpoint's; delete it, and apply again",
        names::cluster(&handle.cluster),
        elb::tags::ENDPOINT_ID,
        handle.owner.endpoint,
    )))
}

/// The same in its turn, for those who look again and again.
async fn watched_service(
    account: &Account,
    handle: &Handle,
    name: &str,
) -> Result<Option<Described>> {
    let wanted = Wanted {
        cluster: handle.cluster.clone(),
        services: vec![name.to_owned()],
        ..Wanted::default()
    };
    let mut seen = account.rounds.look(wanted).await?;
    let found = seen.services.remove(name);
    Ok(found.filter(|service| tags::are_of(&service.tags, handle.owner.endpoint)))
}

/// The revision's own service, if it is not gone.
pub(super) async fn own_service(
    account: &Account,
    handle: &Handle,
    name: &str,
) -> Result<Option<Described>> {
    let services = Services::new(&account.clients, &handle.cluster);
    let found = services.find(name).await?;
    Ok(found.filter(|service| tags::are_of(&service.tags, handle.owner.endpoint)))
}

/// The error of a call about a revision that does not run.
pub(super) fn missing(handle: &Handle, revision: &RevisionName) -> Error {
    Error::not_found(format!(
        "revision {revision} does not run in cluster {}; apply again",
        names::cluster(&handle.cluster)
    ))
}
