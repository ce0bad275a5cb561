//! The record beside a name that says whose the name is.

use uuid::Uuid;

use super::records::{Leads, RecordSet};
use super::{Record, Seen};

/// What its name has before the name that it is about. A name of its own, since the name itself may have texts of others, such as those of mail.
const PREFIX: &str = "_mlops.";

/// How long resolvers may keep it. Nobody resolves it.
const TTL: &str = "300";

/// By which all such texts begin, after the convention of ExternalDNS.
const HERITAGE: &str = "heritage=mlops";

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) endpoint_id: Uuid,
    pub(crate) endpoint: String,
    pub(crate) deployment: String,
    /// The name of the load balancer that the name leads to.
    pub(crate) target: String,
}

/// What the mark of this name is called.
pub(super) fn name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// The mark of a record.
pub(super) fn of(record: &Record) -> RecordSet {
    let owner = &record.owner;
    // A string ends at 255 characters; the second one is for the load balancer's name.
    let text = format!(
        "\"{HERITAGE},mlops/endpoint-id={},mlops/endpoint={},mlops/deployment={}\" \"mlops/target={}\"",
        owner.endpoint, owner.name, owner.deployment, record.alias.dns_name
    );
    RecordSet {
        name: name(&record.name),
        kind: "TXT".to_owned(),
        leads: Leads::Values {
            ttl: TTL.to_owned(),
            values: vec![text],
        },
    }
}

impl Seen {
    /// What the mark says; `None` for none, and for a text of others.
    pub(crate) fn marked(&self) -> Option<Mark> {
        let Leads::Values { values, .. } = &self.mark.as_ref()?.leads else {
            return None;
        };
        let [text] = values.as_slice() else {
            return None;
        };
        read(text)
    }
}

fn read(text: &str) -> Option<Mark> {
    let parts: Vec<&str> = text.split(['"', ',', ' ']).collect();
    let of = |key: &str| {
        let mut found = parts
            .iter()
            .filter_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        found.next()
    };
    parts.contains(&HERITAGE).then_some(())?;
    Some(Mark {
        endpoint_id: Uuid::parse_str(of("mlops/endpoint-id")?).ok()?,
        endpoint: of("mlops/endpoint")?.to_owned(),
        deployment: of("mlops/deployment")?.to_owned(),
        target: of("mlops/target")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    #[test]
    fn a_mark_says_what_it_was_made_for() {
        let record = record("digits", 1);
        let seen = Seen {
            addresses: Vec::new(),
            mark: Some(of(&record)),
        };
        let mark = seen.marked().expect("it is ours");
        assert_eq!(mark.endpoint_id, record.owner.endpoint);
        assert_eq!(mark.endpoint, "digits");
        assert_eq!(mark.target, record.alias.dns_name);
        assert!(seen.is_made_by(record.owner.endpoint, &record.owner.deployment));
        let Some(RecordSet { name, .. }) = seen.mark else {
            panic!("it is there")
        };
        assert_eq!(name, "_mlops.fraud.example.com");
    }

    #[test]
    fn a_text_of_others_says_nothing() {
        for text in [
            "\"heritage=external-dns,external-dns/owner=a\"",
            "\"v=spf1 -all\"",
            "\"heritage=mlops\"",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
