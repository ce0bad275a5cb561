//! The tags by which an endpoint's own are told from what others made.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::Tag;
use mlops_core::target::{Revision, RevisionName};
use serde::Deserialize as _;
use uuid::Uuid;

use super::Owner;

/// The endpoint's id in its registry: what carries it is the endpoint's, whatever else is called the same.
pub(crate) const ENDPOINT_ID: &str = "mlops:endpoint-id";
/// The endpoint's name, for people.
pub(crate) const ENDPOINT: &str = "mlops:endpoint";
/// The try at a deployment that made it.
pub(crate) const DEPLOYMENT: &str = "mlops:deployment";
/// The revision that it is a part of.
pub(crate) const REVISION: &str = "mlops:revision";
/// That revision's variant.
pub(crate) const VARIANT: &str = "mlops:variant";

/// The keys of all of them.
pub(crate) const ALL: [&str; 5] = [ENDPOINT_ID, ENDPOINT, DEPLOYMENT, REVISION, VARIANT];

/// The tags of one thing, by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// What everything of an endpoint is tagged with; with a revision, what is that revision's.
pub(crate) fn of(owner: &Owner, revision: Option<&Revision>) -> BTreeMap<&'static str, String> {
    let mut tags = BTreeMap::from([
        (ENDPOINT_ID, owner.endpoint.to_string()),
        (ENDPOINT, owner.name.to_string()),
        (DEPLOYMENT, owner.deployment.to_string()),
    ]);
    if let Some(revision) = revision {
        tags.insert(REVISION, revision.name.to_string());
        tags.insert(VARIANT, revision.variant.to_string());
    }
    tags
}

/// The same as Elastic Load Balancing takes them.
pub(super) fn as_list(tags: BTreeMap<&'static str, String>) -> Vec<Tag> {
    let tag = |(key, value): (&str, String)| Tag::builder().key(key).value(value).build();
    tags.into_iter().map(tag).collect()
}

/// Whether a thing with these tags is the endpoint's.
pub(crate) fn are_of(tags: &Tags, endpoint: Uuid) -> bool {
    let id = tags
        .get(ENDPOINT_ID)
        .and_then(|id| Uuid::parse_str(id).ok());
    id == Some(endpoint)
}

/// The endpoint that a thing with these tags belongs to, for messages.
pub(crate) fn owner(tags: &Tags) -> Option<String> {
    let id = tags.get(ENDPOINT_ID)?;
    let name = tags.get(ENDPOINT).map_or("?", String::as_str);
    Some(format!("{name} ({ENDPOINT_ID} = {id})"))
}

/// Whether the owner's deployment itself made it, or what it is a part of.
pub(crate) fn are_made_by(tags: &Tags, owner: &Owner) -> bool {
    are_of(tags, owner.endpoint) && tags.get(DEPLOYMENT) == Some(&owner.deployment.to_string())
}

/// The revision that a thing with these tags is a part of.
pub(crate) fn revision(tags: &Tags) -> Option<RevisionName> {
    let name = serde_json::Value::from(tags.get(REVISION)?.as_str());
    RevisionName::deserialize(name).ok()
}

#[cfg(test)]
mod tests {
    use mlops_core::endpoint::deployment::{DeploymentId, DeploymentRef};
    use mlops_core::names::EndpointName;

    use super::*;

    #[test]
    fn only_what_carries_the_endpoints_id_is_the_endpoints() {
        let owner = |endpoint: u128, attempt| Owner {
            endpoint: Uuid::from_u128(endpoint),
            name: EndpointName::new("fraud").expect("legal"),
            deployment: DeploymentRef {
                id: DeploymentId::new("ecs/fraud", None, 1).expect("JSON"),
                attempt,
            },
        };
        let tags = |owner: &Owner| -> Tags {
            let tags = of(owner, None);
            tags.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
        };
        let ours = tags(&owner(1, 1));
        assert!(are_of(&ours, Uuid::from_u128(1)));
        assert!(!are_of(&ours, Uuid::from_u128(2)));
        assert!(!are_of(&Tags::new(), Uuid::from_u128(1)));
        assert!(are_made_by(&ours, &owner(1, 1)));
        assert!(!are_made_by(&ours, &owner(1, 2)));
        assert!(!are_made_by(&ours, &owner(2, 1)));
    }
}
