//! Whose a name is, and what has to change for it to lead to an endpoint, or nowhere.

use mlops_core::Error;
use uuid::Uuid;

use super::mark;
use super::records::{Leads, RecordSet};
use super::{Alias, Record, Seen};

/// Whose a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Nobody's: nothing is there.
    Nobodys,
    /// An endpoint's, by its id and name.
    Endpoints(Uuid, String),
    /// Somebody else's; what is there, in words.
    Others(String),
}

/// A part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// Never in place of what is there.
    Create(RecordSet),
    /// Only if it is just this.
    Delete(RecordSet),
}

impl Change {
    pub(super) fn xml(&self) -> String {
        let (action, record) = match self {
            Self::Create(record) => ("CREATE", record),
            Self::Delete(record) => ("DELETE", record),
        };
        format!("<Change><Action>{action}</Action>{}</Change>", record.xml())
    }
}

fn addresses(record: &Record) -> Vec<RecordSet> {
    let Record { name, alias, .. } = record;
    let of = |kind: &str| RecordSet {
        name: name.clone(),
        kind: kind.to_owned(),
        leads: to(alias),
    };
    let four = of("A");
    match alias.is_dual {
        true => vec![four, of("AAAA")],
        false => vec![four],
    }
}

fn to(alias: &Alias) -> Leads {
    Leads::Alias {
        zone_id: alias.zone_id.clone(),
        dns_name: super::records::plain(&alias.dns_name),
        // There is nowhere else that the name could lead to.
        evaluates: false,
    }
}

impl Seen {
    /// Whose the name is.
    pub(crate) fn whose(&self) -> Whose {
        match (self.marked(), &self.mark, self.addresses.as_slice()) {
            (Some(mark), ..) => Whose::Endpoints(mark.endpoint_id, mark.endpoint),
            (None, None, []) => Whose::Nobodys,
            (None, Some(text), []) => Whose::Others(told([text])),
            (None, _, addresses) => Whose::Others(told(addresses)),
        }
    }

    /// Whether anything has to change for the name to be `wanted`.
    ///
    /// # Errors
    /// `Conflict` at `ingress.domain_name` if the name is somebody else's, or was made to lead elsewhere.
    pub(crate) fn check(&self, wanted: &Record) -> Result<bool, Error> {
        Ok(!self.to_become(wanted)?.is_empty())
    }

    /// What has to change for the name to be `wanted`; nothing if it is.
    ///
    /// # Errors
    /// `Conflict` at `ingress.domain_name` if the name is somebody else's, or was made to lead elsewhere.
    pub(super) fn to_become(&self, wanted: &Record) -> Result<Vec<Change>, Error> {
        match self.whose() {
            Whose::Nobodys => {}
            Whose::Endpoints(id, _) if id == wanted.owner.endpoint => {}
            Whose::Endpoints(id, name) => {
                return Err(theirs(wanted, &format!("endpoint {name} ({id}) has it")));
            }
            Whose::Others(there) => return Err(foreign(&wanted.zone_id, &wanted.name, &there)),
        }
        let new = addresses(wanted);
        let strange = |one: &&RecordSet| !new.contains(one) && !self.is_as_made(one);
        let strange: Vec<&RecordSet> = self.addresses.iter().filter(strange).collect();
        if !strange.is_empty() {
            return Err(changed(wanted, &told(strange)));
        }
        let mark = mark::of(wanted);
        let is_marked = self.mark.as_ref() == Some(&mark);
        let old = self.addresses.iter().filter(|one| !new.contains(one));
        let mut changes: Vec<Change> = old.cloned().map(Change::Delete).collect();
        let missing = new.iter().filter(|one| !self.addresses.contains(one));
        changes.extend(missing.cloned().map(Change::Create));
        if !is_marked {
            changes.extend(self.mark.clone().map(Change::Delete));
            changes.push(Change::Create(mark));
        }
        Ok(changes)
    }

    /// What has to go of what an endpoint made. What somebody changed since is no more its own, and stays.
    pub(super) fn to_end(&self) -> Vec<Change> {
        let own = self.addresses.iter().filter(|one| self.is_as_made(one));
        own.chain(&self.mark).cloned().map(Change::Delete).collect()
    }

    /// Why this is not what `wanted` says, if it is not.
    pub(crate) fn differs(&self, wanted: &Record) -> Option<String> {
        let Record { name, zone_id, .. } = wanted;
        let what = match self.to_become(wanted) {
            Ok(changes) if changes.is_empty() => return None,
            Ok(_) if self.addresses.is_empty() => "is gone",
            Ok(_) => "is not whole",
            Err(_) => "is somebody else's by now",
        };
        Some(format!("the record of {name} in zone {zone_id} {what}"))
    }

    /// Whether an address is what the mark says.
    fn is_as_made(&self, address: &RecordSet) -> bool {
        let Some(mark) = self.marked() else {
            return false;
        };
        match &address.leads {
            Leads::Alias {
                dns_name,
                evaluates,
                ..
            } => !evaluates && *dns_name == super::records::plain(&mark.target),
            Leads::Values { .. } | Leads::Divided(_) => false,
        }
    }
}

fn told<'a>(records: impl IntoIterator<Item = &'a RecordSet>) -> String {
    let all: Vec<String> = records.into_iter().map(RecordSet::told).collect();
    all.join(" and ")
}

/// That a name is somebody else's, who is no endpoint.
pub(crate) fn foreign(zone_id: &str, name: &str, there: &str) -> Error {
    Error::conflict(format!(
        "zone {zone_id} has a record of {name} that no endpoint made: {there}; delete it, choose another domain_name, or leave zone_id out if it leads \
         to the endpoint's load balancer already"
    ))
    .at("ingress.domain_name")
}

fn theirs(wanted: &Record, who: &str) -> Error {
    Error::conflict(format!(
        "the record of {} in zone {} cannot be made: {who}, as the text at {} says; give that endpoint another name or destroy it, or choose another \
         domain_name",
        wanted.name,
        wanted.zone_id,
        mark::name(&wanted.name)
    ))
    .at("ingress.domain_name")
}

fn changed(wanted: &Record, there: &str) -> Error {
    Error::conflict(format!(
        "somebody changed the endpoint's record of {} in zone {}, which is now {there}; delete that, and apply again",
        wanted.name, wanted.zone_id
    ))
    .at("ingress.domain_name")
}
