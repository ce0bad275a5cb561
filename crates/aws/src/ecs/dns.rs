//! The name that clients know an endpoint by: a record in a hosted zone of others, which leads to the endpoint's load balancer.

use std::time::Duration;

use mlops_core::endpoint::spec::{DnsSpec, EcsSpec, EndpointSpec, TargetSpec};
use mlops_core::saga::Progress;
use mlops_core::target::{Announcement, Naming, Server};
use mlops_core::{Class, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Account;
use super::handle::Handle;
use crate::elb::Owner;
use crate::route53::{self, Batch, Record, Seen};

/// The name of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    /// The name.
    pub(super) domain_name: String,
    /// The record of it, if the endpoint made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) record: Option<Record>,
}

/// A record that is left when its server has another name: the handle of what is torn down in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeftName {
    left_name: Record,
}

/// How far a name is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct At {
    /// How many batches were sent, or were about to be: from one on, something may be there.
    sent: u32,
    /// The batch that is on its way to the name servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    /// How often it was on its way still.
    #[serde(default)]
    looks: u32,
    /// They know it, and resolvers forget by and by what they said before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_known: bool,
}

/// How long all of it may take. Route 53 is usually done within a minute.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// The first pause between two looks at whether it is done. They double: Route 53 answers five calls a second, to all of an account.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// They grow no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long resolvers keep an alias of a load balancer ("Choosing between alias and non-alias records" in its developer guide).
const KEPT: Duration = Duration::from_secs(60);
/// So many batches may come too late for what was seen. Each time somebody else wrote the same name.
const MOST_BATCHES: u32 = 5;

impl At {
    fn read(checkpoint: Option<&Value>) -> Result<Self> {
        let Some(document) = checkpoint else {
            return Ok(Self::default());
        };
        Self::deserialize(document)
            .map_err(|error| Error::corrupt("the journal's name is not readable").because(error))
    }

    /// How long to wait for the next look.
    fn pause(&self) -> Duration {
        let doubled = self.looks.saturating_sub(1).min(10);
        (FIRST_PAUSE * 2_u32.pow(doubled)).min(LONGEST_PAUSE)
    }

    fn pending<O>(&self, poll_after: Duration) -> Result<Progress<O, Value>> {
        let checkpoint = serde_json::to_value(self)
            .map_err(|error| Error::bug("a name's state is not JSON").because(error))?;
        Ok(Progress::Pending {
            poll_after,
            deadline: LIMIT,
            checkpoint,
        })
    }
}

/// What of a server's name differs from what is asked for.
pub(super) fn naming(spec: &EndpointSpec, server: Option<&Server>) -> Naming {
    let wanted = match &spec.target {
        TargetSpec::Ecs(ecs) => ecs.dns.as_ref(),
        _ => None,
    };
    // What is taken over has no name that an endpoint gave it.
    let named = server.and_then(|server| server.handle::<Handle>().ok()?.dns);
    let record = named.as_ref().and_then(|named| named.record.as_ref());
    let zone = |dns: &DnsSpec| dns.zone_id.clone();
    let is_same = match (wanted, &named) {
        (None, None) => true,
        (Some(wanted), Some(named)) => {
            wanted.domain_name == named.domain_name
                && zone(wanted) == record.map(|record| record.zone_id.clone())
        }
        _ => false,
    };
    let is_left = |record: &&Record| {
        !wanted.is_some_and(|wanted| {
            let zone_id = wanted.zone_id.as_deref().unwrap_or_default();
            record.is_at(zone_id, &wanted.domain_name)
        })
    };
    let left = record.filter(is_left).and_then(|record| {
        let left_name = record.clone();
        let called = format!("the name {}", left_name.name);
        // A record of names and text is always JSON.
        Server::new(called, None, &LeftName { left_name }).ok()
    });
    Naming {
        is_wanted: wanted.is_some(),
        is_same,
        left,
    }
}

/// Makes the name lead to the server, and waits until the name servers say so: whoever asked them too early would keep their "there is no such name" for
/// as long as the zone allows, which is often a quarter of an hour.
///
/// The first call looks, and the next one changes what was seen: by then the journal says that something may be there.
pub(super) async fn announce(
    account: &Account,
    asked: &Announcement,
    checkpoint: Option<&Value>,
) -> Result<Progress<Server, Value>> {
    let mut handle: Handle = asked.server.handle()?;
    let mut at = At::read(checkpoint)?;
    let dns = ecs(asked)?.dns.as_ref();
    let Some((name, zone_id)) = dns.and_then(DnsSpec::record) else {
        handle.dns = dns.map(|dns| Named {
            domain_name: dns.domain_name.clone(),
            record: None,
        });
        return Ok(Progress::Done(handle.server()?));
    };
    let clients = &account.clients;
    if let Some(change) = &at.change
        && !at.is_known
        && !route53::in_sync(clients, change).await?
    {
        at.looks += 1;
        return at.pending(at.pause());
    }
    let balancer = &handle.front.load_balancer_arn;
    let record = Record {
        zone_id: zone_id.to_owned(),
        name: name.to_owned(),
        alias: account.balancers.alias(balancer).await?,
        owner: announcer(&handle, asked),
    };
    let moves = before(asked)
        .filter(|before| before.is_at(&record.zone_id, &record.name))
        .is_some_and(|before| before.alias.dns_name != record.alias.dns_name);
    if at.change.is_none() {
        let seen = look(account, &record).await?.ok_or_else(|| gone(&record))?;
        if seen.check(&record)? {
            if at.sent == 0 {
                at.sent = 1;
                return at.pending(Duration::ZERO);
            }
            let Record { zone_id, name, .. } = &record;
            match route53::change(clients, zone_id, name, &seen, Some(&record)).await? {
                Batch::Needless => {}
                Batch::Done(change) => {
                    at.change = Some(change);
                    return at.pending(FIRST_PAUSE);
                }
                Batch::Stale(_) if at.sent < MOST_BATCHES => {
                    at.sent += 1;
                    return at.pending(Duration::ZERO);
                }
                Batch::Stale(why) => return Err(refused(&record, &why)),
            }
        }
    }
    // The load balancer that it led to is about to lose the endpoint's front.
    if moves && !at.is_known {
        at.is_known = true;
        return at.pending(KEPT);
    }
    handle.dns = Some(Named {
        domain_name: record.name.clone(),
        record: Some(record),
    });
    Ok(Progress::Done(handle.server()?))
}

/// Makes the name lead where it led before this deployment, which may be nowhere.
pub(super) async fn withdraw(
    account: &Account,
    asked: &Announcement,
    has_begun: bool,
) -> Result<Progress<()>> {
    let handle: Handle = asked.server.handle()?;
    let Some((name, zone_id)) = ecs(asked)?.dns.as_ref().and_then(DnsSpec::record) else {
        return Ok(Progress::Done(()));
    };
    let seen = match route53::look(&account.clients, zone_id, name).await {
        // Whoever may not look did not get beyond looking.
        Err(error) if error.class() == Class::Denied && !has_begun => None,
        seen => seen?,
    };
    let before = before(asked).filter(|before| before.is_at(zone_id, name));
    match seen {
        Some(seen) if seen.is_made_by(handle.owner.endpoint, &asked.deployment) => {
            send(account, (zone_id, name), &seen, before.as_ref()).await
        }
        _ => Ok(Progress::Done(())),
    }
}

/// Takes a server's record away, unless a later deployment of the endpoint made it lead elsewhere. One that is gone is success.
pub(super) async fn close(account: &Account, record: &Record) -> Result<Progress<()>> {
    let Record {
        zone_id,
        name,
        owner,
        ..
    } = record;
    match look(account, record).await? {
        Some(seen) if seen.is_made_by(owner.endpoint, &owner.deployment) => {
            send(account, (zone_id, name), &seen, None).await
        }
        _ => Ok(Progress::Done(())),
    }
}

/// The record of what is torn down, if that is a record and no server.
pub(super) fn left(server: &Server) -> Option<Record> {
    let left: LeftName = server.handle().ok()?;
    Some(left.left_name)
}

/// Why the server's record is not as it was made.
pub(super) async fn unnamed(account: &Account, handle: &Handle) -> Result<Option<String>> {
    let record = handle.dns.as_ref().and_then(|named| named.record.as_ref());
    let Some(record) = record else {
        return Ok(None);
    };
    Ok(match look(account, record).await? {
        Some(seen) => seen.differs(record),
        None => Some(format!("zone {} is gone", record.zone_id)),
    })
}

async fn look(account: &Account, record: &Record) -> Result<Option<Seen>> {
    route53::look(&account.clients, &record.zone_id, &record.name).await
}

async fn send(
    account: &Account,
    (zone_id, name): (&str, &str),
    seen: &Seen,
    wanted: Option<&Record>,
) -> Result<Progress<()>> {
    match route53::change(&account.clients, zone_id, name, seen, wanted).await? {
        Batch::Stale(_) => Ok(Progress::again(FIRST_PAUSE, LIMIT)),
        Batch::Needless | Batch::Done(_) => Ok(Progress::Done(())),
    }
}

fn ecs(asked: &Announcement) -> Result<&EcsSpec> {
    match &asked.target {
        TargetSpec::Ecs(ecs) => Ok(ecs),
        _ => Err(Error::bug("a name on ECS was asked of another target")),
    }
}

/// Whose the record is that `asked` makes.
fn announcer(handle: &Handle, asked: &Announcement) -> Owner {
    Owner {
        deployment: asked.deployment.clone(),
        ..handle.owner.clone()
    }
}

/// The record that the endpoint had before.
fn before(asked: &Announcement) -> Option<Record> {
    let handle: Handle = asked.previous.as_ref()?.handle().ok()?;
    handle.dns?.record
}

fn gone(record: &Record) -> Error {
    Error::invalid(format!(
        "there is no hosted zone {} for {}; name one of this account in zone_id",
        record.zone_id, record.name
    ))
    .at("ingress.zone_id")
}

fn refused(record: &Record, why: &str) -> Error {
    Error::conflict(format!(
        "the record of {} in zone {} could not be made, {MOST_BATCHES} times: {why}",
        record.name, record.zone_id
    ))
    .at("ingress.domain_name")
}
