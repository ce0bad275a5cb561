//! Which endpoint has which port of a load balancer, and which priority of a listener.
//!
//! A lease in the registry keeps the endpoints of one registry apart, however many processes ask at once. It cannot know of
//! what others made: the load balancer's own answer is the authority, and a slot that somebody else has is passed over.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::endpoint::deployment::DeploymentRef;
use mlops_core::endpoint::spec::{IngressSpec, PortRange, SlotChoice};
use mlops_core::records::{Change, CommitError, Expect, Item, Key, Range, Records, Write};
use mlops_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::Owner;

/// What a front asks for.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    ingress: &'a IngressSpec,
    slots: PortRange,
    /// The slot to try first.
    preferred: Option<u16>,
    /// The deployment of the same endpoint whose front is gone; its lease may be taken over.
    replaces: Option<&'a DeploymentRef>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(
        ingress: &'a IngressSpec,
        preferred: Option<u16>,
        replaces: Option<&'a DeploymentRef>,
    ) -> Self {
        Self {
            ingress,
            slots: choice(ingress).range(),
            preferred,
            replaces,
        }
    }

    /// Every slot once, the preferred one first.
    fn in_order(&self) -> impl Iterator<Item = u16> + use<> {
        let preferred = self.preferred.filter(|slot| self.slots.contains(*slot));
        let rest =
            (self.slots.first..=self.slots.last).filter(move |slot| Some(*slot) != preferred);
        preferred.into_iter().chain(rest)
    }

    /// The attribute at fault if there is no slot.
    fn attribute(&self) -> &'static str {
        match (self.ingress, choice(self.ingress)) {
            (IngressSpec::Listener { .. }, SlotChoice::Fixed(_)) => "ingress.port",
            (IngressSpec::Listener { .. }, SlotChoice::Leased(_)) => "ingress.port_range",
            (IngressSpec::Rule { .. }, SlotChoice::Fixed(_)) => "ingress.priority",
            (IngressSpec::Rule { .. }, SlotChoice::Leased(_)) => "ingress.priority_range",
        }
    }

    /// `port`, or `priority`.
    fn word(&self) -> &'static str {
        match self.ingress {
            IngressSpec::Listener { .. } => "port",
            IngressSpec::Rule { .. } => "priority",
        }
    }
}

fn choice(ingress: &IngressSpec) -> SlotChoice {
    match ingress {
        IngressSpec::Listener { port, .. } => *port,
        IngressSpec::Rule { priority, .. } => *priority,
    }
}

/// What the slots are of: a listener's ports are of its load balancer, a rule's priorities of its listener.
pub(crate) fn parent(ingress: &IngressSpec) -> &str {
    match ingress {
        IngressSpec::Listener {
            load_balancer_arn, ..
        } => load_balancer_arn,
        IngressSpec::Rule { listener_arn, .. } => listener_arn,
    }
}

/// A slot's holder, as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    slot: u16,
    holder: Owner,
    /// The deployment whose front is gone and whose lease this was; it gets it back if the new one is undone.
    #[serde(default)]
    taken_from: Option<Owner>,
}

fn partition(parent: &str) -> String {
    format!("front#{parent}")
}

impl Lease {
    fn put(&self, parent: &str, expect: Expect) -> Result<Write> {
        let not_json = || Error::bug("the lease of a front could not be written as JSON");
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(body)) => Ok(Write {
                key: Key::new(partition(parent), format!("{:05}", self.slot)),
                expect,
                change: Change::Put(body),
            }),
            Ok(_) => Err(not_json()),
            Err(cause) => Err(not_json().because(cause)),
        }
    }
}

/// The slot that `owner` holds already, unless it is in `foreign`: those are known to be somebody else's.
pub(super) async fn held(
    records: &dyn Records,
    owner: &Owner,
    wanted: &Wanted<'_>,
    foreign: &BTreeSet<u16>,
) -> Result<Option<u16>> {
    let leases = leases(records, parent(wanted.ingress)).await?;
    Ok(own(&leases, owner, wanted, foreign))
}

/// Leases a slot that nobody has. `taken` says what the load balancer has in which slot. Called again by the same owner it
/// answers the same, unless that slot is in `foreign`.
pub(super) async fn acquire(
    records: &dyn Records,
    owner: &Owner,
    wanted: &Wanted<'_>,
    foreign: &BTreeSet<u16>,
    taken: &BTreeMap<u16, String>,
) -> Result<u16> {
    loop {
        match attempt(records, owner, wanted, foreign, taken).await? {
            Attempt::Leased(slot) => return Ok(slot),
            // Somebody was faster with one slot. Every turn of this loop is somebody's success.
            Attempt::Outrun => {}
            Attempt::Exhausted(holders) => return Err(exhausted(wanted, &holders)),
        }
    }
}

enum Attempt {
    Leased(u16),
    Outrun,
    Exhausted(Vec<(u16, String)>),
}

async fn attempt(
    records: &dyn Records,
    owner: &Owner,
    wanted: &Wanted<'_>,
    foreign: &BTreeSet<u16>,
    taken: &BTreeMap<u16, String>,
) -> Result<Attempt> {
    let parent = parent(wanted.ingress);
    let leases = leases(records, parent).await?;
    if let Some(slot) = own(&leases, owner, wanted, foreign) {
        return Ok(Attempt::Leased(slot));
    }
    let mut holders = Vec::new();
    for slot in wanted.in_order() {
        let (expect, taken_from) = match leases.get(&slot) {
            None => (Expect::Absent, None),
            Some((item, lease)) if is_replaced(&lease.holder, owner, wanted) => {
                let before = Some(lease.holder.clone());
                (Expect::Revision(item.revision), before)
            }
            Some((_, lease)) => {
                let name = lease.holder.name.as_str();
                holders.push((slot, format!("endpoint {name:?}")));
                continue;
            }
        };
        if let Some(holder) = taken.get(&slot) {
            holders.push((slot, holder.clone()));
            continue;
        }
        if foreign.contains(&slot) {
            holders.push((slot, SOMEBODY_ELSE.to_owned()));
            continue;
        }
        let lease = Lease {
            slot,
            holder: owner.clone(),
            taken_from,
        };
        return match records.commit(vec![lease.put(parent, expect)?]).await {
            Ok(_) => Ok(Attempt::Leased(slot)),
            Err(CommitError::Condition { .. }) => Ok(Attempt::Outrun),
            Err(CommitError::Store(error)) => Err(error),
        };
    }
    Ok(Attempt::Exhausted(holders))
}

fn own(
    leases: &BTreeMap<u16, (Item, Lease)>,
    owner: &Owner,
    wanted: &Wanted<'_>,
    foreign: &BTreeSet<u16>,
) -> Option<u16> {
    let slots = leases.values().map(|(_, lease)| lease);
    slots
        .filter(|lease| lease.holder.is(owner) && wanted.slots.contains(lease.slot))
        .map(|lease| lease.slot)
        .find(|slot| !foreign.contains(slot))
}

fn is_replaced(holder: &Owner, owner: &Owner, wanted: &Wanted<'_>) -> bool {
    holder.endpoint == owner.endpoint && wanted.replaces == Some(&holder.deployment)
}

const SOMEBODY_ELSE: &str = "somebody else";

fn exhausted(wanted: &Wanted<'_>, holders: &[(u16, String)]) -> Error {
    const NAMED: usize = 10;
    let (word, parent) = (wanted.word(), parent(wanted.ingress));
    let attribute = wanted.attribute();
    if let SlotChoice::Fixed(_) = choice(wanted.ingress) {
        let holder = holders.first().map_or(SOMEBODY_ELSE, |(_, holder)| holder);
        return Error::conflict(format!(
            "{word} {} of {parent} is taken by {holder}; free it, choose another ingress.{word}, or give an ingress.{word}_range",
            wanted.slots.first
        ))
        .at(attribute);
    }
    let mut named: Vec<String> = holders
        .iter()
        .take(NAMED)
        .map(|(slot, holder)| format!("{slot} by {holder}"))
        .collect();
    if holders.len() > NAMED {
        named.push(format!("and {} more", holders.len() - NAMED));
    }
    Error::conflict(format!(
        "every {word} of {} of {parent} is taken ({}); widen ingress.{word}_range, or destroy an endpoint that is not needed",
        wanted.slots,
        named.join(", ")
    ))
    .at(attribute)
}

/// What happens to leases that were taken over from a deployment whose front is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// They end: the front is torn down.
    Free,
    /// They go back: the front is undone, as if it had never been.
    Restore,
}

/// Ends every lease of `owner` on `parent` but the one on `keep`. Nothing to end is success.
pub(super) async fn release(
    records: &dyn Records,
    owner: &Owner,
    parent: &str,
    keep: Option<u16>,
    how: Release,
) -> Result<()> {
    loop {
        let mut writes = Vec::new();
        for (item, lease) in leases(records, parent).await?.into_values() {
            if !lease.holder.is(owner) || Some(lease.slot) == keep {
                continue;
            }
            let expect = Expect::Revision(item.revision);
            writes.push(match lease.taken_from.filter(|_| how == Release::Restore) {
                Some(before) => Lease {
                    slot: lease.slot,
                    holder: before,
                    taken_from: None,
                }
                .put(parent, expect)?,
                None => Write {
                    key: item.key,
                    expect,
                    change: Change::Delete,
                },
            });
        }
        if writes.is_empty() {
            return Ok(());
        }
        match records.commit(writes).await {
            Ok(_) => return Ok(()),
            // Only this owner's own deployment changes its leases; another process of it was here. Look again.
            Err(CommitError::Condition { .. }) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
    }
}

async fn leases(records: &dyn Records, parent: &str) -> Result<BTreeMap<u16, (Item, Lease)>> {
    let partition = partition(parent);
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let range = Range {
            after: after.take(),
            ..Range::default()
        };
        let page = records.query(&partition, range).await?;
        after = page.items.last().map(|item| item.key.sort.clone());
        for item in page.items {
            let lease = Lease::deserialize(serde_json::Value::Object(item.body.clone())).map_err(
                |cause| {
                    Error::corrupt(format!(
                        "the lease of slot {} of {parent} in {} is not readable",
                        item.key.sort,
                        records.location()
                    ))
                    .because(cause)
                },
            )?;
            all.insert(lease.slot, (item, lease));
        }
        if !page.more || after.is_none() {
            return Ok(all);
        }
    }
}
