//! Which endpoint has which slot: a port of this machine or of a load balancer, a priority of a listener.
//!
//! A lease in the registry keeps the endpoints of one registry apart, however many processes ask at once. It cannot know of
//! others: whoever has the slots is the authority, and what somebody else took is passed over.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::endpoint::spec::PortRange;
use crate::error::{Error, Result};
use crate::names::EndpointName;
use crate::records::{Change, CommitError, Expect, Item, Key, Range, Records, Write};

/// The slots of one machine, load balancer or listener.
#[derive(Clone, Copy)]
pub struct Slots<'a> {
    /// Where leases are kept.
    pub records: &'a dyn Records,
    /// The partition that has them and nothing else.
    pub partition: &'a str,
    /// One slot, for messages: `port of this machine`.
    pub what: &'a str,
}

/// Who can have a slot.
pub trait Holder: Clone + Serialize + DeserializeOwned + Send + Sync {
    /// Whether it is the same one.
    fn is(&self, other: &Self) -> bool;

    /// The endpoint that it belongs to, for messages.
    fn endpoint(&self) -> &EndpointName;
}

/// Slots that will do.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// All of them.
    pub range: PortRange,
    /// The one to try first.
    pub preferred: Option<u16>,
    /// Those that are known to be somebody else's.
    pub foreign: &'a BTreeSet<u16>,
}

impl Choice<'_> {
    fn has(&self, slot: u16) -> bool {
        self.range.contains(slot) && !self.foreign.contains(&slot)
    }

    /// Every slot once, the preferred one first.
    fn in_order(&self) -> impl Iterator<Item = u16> + use<> {
        let range = self.range;
        let preferred = self.preferred.filter(|slot| range.contains(*slot));
        let rest = (range.first..=range.last).filter(move |slot| Some(*slot) != preferred);
        preferred.into_iter().chain(rest)
    }
}

/// What came of asking for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leased {
    /// This one is leased.
    Slot(u16),
    /// Each is taken, by whom.
    None(Vec<(u16, String)>),
}

/// What happens to leases that were taken over from a holder that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// They end: what had the slot is torn down.
    Free,
    /// They go back: what had the slot is undone, as if it had never been.
    Restore,
}

/// A slot's holder, as the registry keeps it. Its fields are called as when only a machine's ports were leased.
#[derive(Serialize, Deserialize)]
struct Lease<H> {
    #[serde(rename = "port")]
    slot: u16,
    #[serde(rename = "server")]
    holder: H,
    /// The holder that is gone and whose lease this was; it gets it back if the new one is undone.
    #[serde(default = "none")]
    taken_from: Option<H>,
}

/// `#[serde(default)]` would ask for `H: Default`.
fn none<H>() -> Option<H> {
    None
}

type Leases<H> = BTreeMap<u16, (Item, Lease<H>)>;

impl Slots<'_> {
    /// The slot of `choice` that `holder` has already.
    pub async fn held<H: Holder>(self, holder: &H, choice: Choice<'_>) -> Result<Option<u16>> {
        Ok(own(&self.leases().await?, holder, choice))
    }

    /// Leases a slot of `choice` that nobody has. Called again by the same holder it answers the same.
    ///
    /// A lease of a holder that `is_gone` is taken over. `taken` says who has a slot without a lease; it is asked of slots
    /// that are not leased to others.
    pub async fn acquire<H: Holder>(
        self,
        holder: &H,
        choice: Choice<'_>,
        is_gone: impl Fn(&H) -> bool + Send + Sync,
        taken: impl Fn(u16) -> Result<Option<String>> + Send + Sync,
    ) -> Result<Leased> {
        'again: loop {
            let leases = self.leases().await?;
            if let Some(slot) = own(&leases, holder, choice) {
                return Ok(Leased::Slot(slot));
            }
            let mut holders = Vec::new();
            for slot in choice.in_order() {
                let (expect, taken_from) = match leases.get(&slot) {
                    None => (Expect::Absent, None),
                    Some((item, lease)) if is_gone(&lease.holder) => {
                        (Expect::Revision(item.revision), Some(lease.holder.clone()))
                    }
                    Some((_, lease)) if !lease.holder.is(holder) => {
                        let name = lease.holder.endpoint().as_str();
                        holders.push((slot, format!("endpoint {name:?}")));
                        continue;
                    }
                    // Its own lease, of a slot that turned out to be somebody else's.
                    Some((item, _)) => (Expect::Revision(item.revision), None),
                };
                let other = match taken(slot)? {
                    None if choice.foreign.contains(&slot) => Some("somebody else".to_owned()),
                    other => other,
                };
                if let Some(other) = other {
                    holders.push((slot, other));
                    continue;
                }
                let lease = Lease {
                    slot,
                    holder: holder.clone(),
                    taken_from,
                };
                match self.records.commit(vec![self.put(&lease, expect)?]).await {
                    Ok(_) => return Ok(Leased::Slot(slot)),
                    // Somebody was faster with one slot. Every turn of this loop is somebody's success.
                    Err(CommitError::Condition { .. }) => continue 'again,
                    Err(CommitError::Store(error)) => return Err(error),
                }
            }
            return Ok(Leased::None(holders));
        }
    }

    /// Ends every lease of `holder` but the one on `keep`. Nothing to end is success.
    pub async fn release<H: Holder>(
        self,
        holder: &H,
        keep: Option<u16>,
        how: Release,
    ) -> Result<()> {
        loop {
            let mut writes = Vec::new();
            for (item, lease) in self.leases::<H>().await?.into_values() {
                if !lease.holder.is(holder) || Some(lease.slot) == keep {
                    continue;
                }
                let expect = Expect::Revision(item.revision);
                writes.push(match lease.taken_from.filter(|_| how == Release::Restore) {
                    Some(before) => {
                        let lease = Lease {
                            slot: lease.slot,
                            holder: before,
                            taken_from: None,
                        };
                        self.put(&lease, expect)?
                    }
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
            match self.records.commit(writes).await {
                Ok(_) => return Ok(()),
                // Only this holder's own deployment changes its leases; another process of it was here. Look again.
                Err(CommitError::Condition { .. }) => {}
                Err(CommitError::Store(error)) => return Err(error),
            }
        }
    }

    /// Who has which.
    pub async fn holders<H: Holder>(self) -> Result<BTreeMap<u16, H>> {
        let leases = self.leases().await?.into_iter();
        Ok(leases
            .map(|(slot, (_, lease))| (slot, lease.holder))
            .collect())
    }

    async fn leases<H: Holder>(self) -> Result<Leases<H>> {
        let mut all = BTreeMap::new();
        let mut after = None;
        loop {
            let range = Range {
                after: after.take(),
                ..Range::default()
            };
            let page = self.records.query(self.partition, range).await?;
            after = page.items.last().map(|item| item.key.sort.clone());
            for item in page.items {
                let body = serde_json::Value::Object(item.body.clone());
                let lease = Lease::deserialize(body).map_err(|cause| {
                    Error::corrupt(format!(
                        "the lease of {} {} in {} is not readable",
                        self.what,
                        item.key.sort,
                        self.records.location()
                    ))
                    .because(cause)
                })?;
                all.insert(lease.slot, (item, lease));
            }
            if !page.more || after.is_none() {
                return Ok(all);
            }
        }
    }

    fn put<H: Holder>(self, lease: &Lease<H>, expect: Expect) -> Result<Write> {
        let not_json = || {
            Error::bug(format!(
                "the lease of a {} could not be written as JSON",
                self.what
            ))
        };
        match serde_json::to_value(lease) {
            Ok(serde_json::Value::Object(body)) => Ok(Write {
                key: Key::new(self.partition, format!("{:05}", lease.slot)),
                expect,
                change: Change::Put(body),
            }),
            Ok(_) => Err(not_json()),
            Err(cause) => Err(not_json().because(cause)),
        }
    }
}

fn own<H: Holder>(leases: &Leases<H>, holder: &H, choice: Choice<'_>) -> Option<u16> {
    let slots = leases.values().map(|(_, lease)| lease);
    slots
        .filter(|lease| lease.holder.is(holder))
        .map(|lease| lease.slot)
        .find(|slot| choice.has(*slot))
}

/// Slots and who has them, for messages: `20000 by endpoint "fraud"`, ten at most.
pub fn named(holders: &[(u16, String)]) -> String {
    const NAMED: usize = 10;
    let mut named: Vec<String> = holders
        .iter()
        .take(NAMED)
        .map(|(slot, holder)| format!("{slot} by {holder}"))
        .collect();
    if holders.len() > NAMED {
        named.push(format!("and {} more", holders.len() - NAMED));
    }
    named.join(", ")
}
