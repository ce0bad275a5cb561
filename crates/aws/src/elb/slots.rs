//! Which endpoint has which port of a load balancer, and which priority of a listener: [slots](mlops_core::target::slots) whose
//! authority is the load balancer.

use std::collections::{BTreeMap, BTreeSet};

use mlops_core::endpoint::deployment::DeploymentRef;
use mlops_core::endpoint::spec::{IngressSpec, PortRange, SlotChoice};
use mlops_core::names::EndpointName;
use mlops_core::records::Records;
use mlops_core::target::slots::{self, Choice, Holder, Leased, Release, Slots};
use mlops_core::{Error, Result};

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

    fn choice<'s>(&self, foreign: &'s BTreeSet<u16>) -> Choice<'s> {
        Choice {
            range: self.slots,
            preferred: self.preferred,
            foreign,
        }
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

pub(super) fn choice(ingress: &IngressSpec) -> SlotChoice {
    match ingress {
        IngressSpec::Listener { port, .. } => *port,
        IngressSpec::Rule { priority, .. } => *priority,
    }
}

impl Holder for Owner {
    fn is(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint && self.deployment == other.deployment
    }

    fn endpoint(&self) -> &EndpointName {
        &self.name
    }
}

/// The partition of the leases on `parent`.
fn partition(parent: &str) -> String {
    format!("front#{parent}")
}

fn slots_of<'a>(records: &'a dyn Records, partition: &'a str) -> Slots<'a> {
    Slots {
        records,
        partition,
        what: "slot of a load balancer",
    }
}

/// Who has which slot of `parent`.
pub(super) async fn holders(records: &dyn Records, parent: &str) -> Result<BTreeMap<u16, Owner>> {
    let partition = partition(parent);
    slots_of(records, &partition).holders().await
}

/// The slot that `owner` holds already, unless it is in `foreign`: those are known to be somebody else's.
pub(super) async fn held(
    records: &dyn Records,
    owner: &Owner,
    wanted: &Wanted<'_>,
    foreign: &BTreeSet<u16>,
) -> Result<Option<u16>> {
    let partition = partition(wanted.ingress.parent_arn());
    let slots = slots_of(records, &partition);
    slots.held(owner, wanted.choice(foreign)).await
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
    let partition = partition(wanted.ingress.parent_arn());
    let is_gone = |holder: &Owner| {
        holder.endpoint == owner.endpoint && wanted.replaces == Some(&holder.deployment)
    };
    let leased = slots_of(records, &partition)
        .acquire(owner, wanted.choice(foreign), is_gone, |slot| {
            Ok(taken.get(&slot).cloned())
        })
        .await?;
    match leased {
        Leased::Slot(slot) => Ok(slot),
        Leased::None(holders) => Err(exhausted(wanted, &holders)),
    }
}

/// Ends every lease of `owner` on `parent` but the one on `keep`. Nothing to end is success.
pub(super) async fn release(
    records: &dyn Records,
    owner: &Owner,
    parent: &str,
    keep: Option<u16>,
    how: Release,
) -> Result<()> {
    let partition = partition(parent);
    slots_of(records, &partition)
        .release(owner, keep, how)
        .await
}

pub(super) fn exhausted(wanted: &Wanted<'_>, holders: &[(u16, String)]) -> Error {
    let (word, parent) = (wanted.word(), wanted.ingress.parent_arn());
    let attribute = wanted.attribute();
    if let SlotChoice::Fixed(_) = choice(wanted.ingress) {
        let holder = holders
            .first()
            .map_or("somebody else", |(_, holder)| holder);
        return Error::conflict(format!(
            "{word} {} of {parent} is taken by {holder}; free it, choose another ingress.{word}, or give an ingress.{word}_range",
            wanted.slots.first
        ))
        .at(attribute);
    }
    Error::conflict(format!(
        "every {word} of {} of {parent} is taken ({}); widen ingress.{word}_range, or destroy an endpoint that is not needed",
        wanted.slots,
        slots::named(holders)
    ))
    .at(attribute)
}
