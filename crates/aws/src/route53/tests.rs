//! Whose a name is, and what changes for it: by batches on what was seen.

use mlops_core::Class;
use mlops_core::endpoint::deployment::{DeploymentId, DeploymentRef};
use uuid::Uuid;

use super::batch::Change;
use super::records::{Leads, RecordSet};
use super::*;

/// The record of `fraud.example.com` that this attempt of the endpoint makes.
pub(super) fn record(endpoint: &str, attempt: u32) -> Record {
    let id = DeploymentId::new("ecs/prod/digits", None, 0).expect("an id");
    Record {
        zone_id: "Z1".to_owned(),
        name: "fraud.example.com".to_owned(),
        alias: Alias {
            dns_name: "ALB-1.eu-west-1.elb.amazonaws.com".to_owned(),
            zone_id: "Z32O12XQLNTSW2".to_owned(),
            is_dual: false,
        },
        owner: Owner {
            endpoint: Uuid::from_u128(endpoint.len() as u128),
            name: endpoint.parse().expect("a name"),
            deployment: DeploymentRef { id, attempt },
        },
    }
}

fn done(seen: &Seen, changes: &[Change]) -> Seen {
    let mut all: Vec<RecordSet> = seen.addresses.iter().chain(&seen.mark).cloned().collect();
    for change in changes {
        match change {
            Change::Create(new) => {
                let is_there = |one: &RecordSet| one.name == new.name && one.kind == new.kind;
                assert!(!all.iter().any(is_there), "{new:?} is there");
                all.push(new.clone());
            }
            Change::Delete(old) => {
                let at = all.iter().position(|one| one == old);
                all.remove(at.unwrap_or_else(|| panic!("{old:?} is not there")));
            }
        }
    }
    let (mark, addresses) = all.into_iter().partition(|one| one.kind == "TXT");
    let mut mark: Vec<RecordSet> = mark;
    Seen {
        addresses,
        mark: mark.pop(),
    }
}

fn made(record: &Record) -> Seen {
    let nothing = Seen::default();
    let changes = nothing.to_become(record).expect("free");
    done(&nothing, &changes)
}

fn values(kind: &str, name: &str, value: &str) -> RecordSet {
    RecordSet {
        name: name.to_owned(),
        kind: kind.to_owned(),
        leads: Leads::Values {
            ttl: "60".to_owned(),
            values: vec![value.to_owned()],
        },
    }
}

#[test]
fn a_name_is_made_with_its_mark_and_goes_with_it() {
    let mut wanted = record("digits", 1);
    let seen = made(&wanted);
    assert_eq!(seen.addresses.len(), 1);
    assert_eq!(seen.to_become(&wanted).expect("ours"), []);
    assert_eq!(seen.differs(&wanted), None);
    assert_eq!(done(&seen, &seen.to_end()), Seen::default());
    wanted.alias.is_dual = true;
    let both = made(&wanted);
    let kinds: Vec<_> = both.addresses.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["A", "AAAA"]);
    assert_eq!(done(&both, &both.to_end()), Seen::default());
}

#[test]
fn what_others_have_is_left() {
    let wanted = record("digits", 1);
    for kind in ["A", "AAAA", "CNAME"] {
        let seen = Seen {
            addresses: vec![values(kind, &wanted.name, "there")],
            mark: None,
        };
        let error = seen.to_become(&wanted).expect_err("it is taken");
        assert_eq!(error.class(), Class::Conflict);
        assert_eq!(error.attribute(), Some("ingress.domain_name"));
        let text = error.to_string();
        assert!(
            text.contains("zone Z1 has a record of fraud.example.com"),
            "{text}"
        );
        assert!(text.contains(&format!("{kind} (there)")), "{text}");
        assert!(text.contains("delete it, choose another"), "{text}");
        assert_eq!(seen.to_end(), []);
    }
    // What only says that it is somebody's is somebody's, too.
    let text = values("TXT", "_mlops.fraud.example.com", "\"mine\"");
    let seen = Seen {
        addresses: Vec::new(),
        mark: Some(text),
    };
    assert!(seen.to_become(&wanted).is_err());
}

#[test]
fn the_name_of_another_endpoint_is_its_own() {
    let seen = made(&record("other", 1));
    let error = seen
        .to_become(&record("digits", 1))
        .expect_err("it is taken");
    let text = error.to_string();
    assert!(text.contains("endpoint other ("), "{text}");
    assert!(text.contains("_mlops.fraud.example.com"), "{text}");
    let Whose::Endpoints(_, name) = seen.whose() else {
        panic!("{seen:?}")
    };
    assert_eq!(name, "other");
}

#[test]
fn a_later_deployment_makes_the_name_its_own_and_gives_it_back() {
    let (old, mut new) = (record("digits", 1), record("digits", 2));
    let seen = made(&old);
    // On the same load balancer only the mark says so.
    let changes = seen.to_become(&new).expect("ours");
    assert!(
        matches!(changes.as_slice(), [Change::Delete(one), Change::Create(other)] if one.kind == "TXT" && other.kind == "TXT"),
        "{changes:?}"
    );
    new.alias.dns_name = "alb-2.elb.amazonaws.com".to_owned();
    let moved = done(&seen, &seen.to_become(&new).expect("ours"));
    assert!(moved.is_made_by(new.owner.endpoint, &new.owner.deployment));
    assert!(!moved.is_made_by(old.owner.endpoint, &old.owner.deployment));
    assert_eq!(moved.differs(&new), None);
    assert_eq!(done(&moved, &moved.to_become(&old).expect("ours")), seen);
}

#[test]
fn what_is_gone_is_made_again_and_what_was_changed_is_told() {
    let wanted = record("digits", 1);
    let mut seen = made(&wanted);
    let address = seen.addresses.pop().expect("one");
    let why = seen.differs(&wanted).expect("it is gone");
    assert_eq!(why, "the record of fraud.example.com in zone Z1 is gone");
    let again = done(&seen, &seen.to_become(&wanted).expect("ours"));
    assert_eq!(again, made(&wanted));
    // The mark alone: nobody knows any more whose the name is.
    let unmarked = Seen {
        addresses: vec![address],
        mark: None,
    };
    assert!(unmarked.to_become(&wanted).is_err());
    // Somebody led the name elsewhere: neither is that taken from them, nor deleted.
    seen.addresses = vec![values("A", &wanted.name, "10.0.0.1")];
    let error = seen.to_become(&wanted).expect_err("it is changed");
    assert!(
        error
            .to_string()
            .contains("somebody changed the endpoint's record"),
        "{error}"
    );
    let rest = done(&seen, &seen.to_end());
    assert_eq!((rest.addresses.len(), rest.mark), (1, None));
    assert_eq!(
        seen.differs(&wanted).as_deref(),
        Some("the record of fraud.example.com in zone Z1 is somebody else's by now")
    );
}
