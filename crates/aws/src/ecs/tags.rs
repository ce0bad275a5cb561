//! Tags as ECS takes and gives them.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::Tag;
use mlops_core::target::{Revision, RevisionName};
use uuid::Uuid;

use crate::elb::{Owner, tags};

/// The tags of everything that is a revision's.
pub(super) fn list(owner: &Owner, revision: &Revision) -> Vec<Tag> {
    let tag = |(key, value): (&str, String)| Tag::builder().key(key).value(value).build();
    tags::of(owner, Some(revision))
        .into_iter()
        .map(tag)
        .collect()
}

/// The tags of an answer, by key.
pub(super) fn read(tags: &[Tag]) -> BTreeMap<String, String> {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    tags.iter()
        .map(|tag| (text(tag.key()), text(tag.value())))
        .collect()
}

/// Whether a thing with these tags is the endpoint's.
pub(super) fn are_of(tags: &BTreeMap<String, String>, endpoint: Uuid) -> bool {
    tags.get(tags::ENDPOINT_ID)
        .and_then(|id| id.parse::<Uuid>().ok())
        == Some(endpoint)
}

/// Whether a thing with these tags belongs to the server that the owner's deployment brought up.
pub(super) fn are_of_server(tags: &BTreeMap<String, String>, owner: &Owner) -> bool {
    are_of(tags, owner.endpoint)
        && tags.get(tags::DEPLOYMENT) == Some(&owner.deployment.to_string())
}

/// The revision that a thing with these tags is a part of.
pub(super) fn revision(tags: &BTreeMap<String, String>) -> Option<RevisionName> {
    let name = tags.get(tags::REVISION)?;
    serde_json::from_value(serde_json::Value::from(name.as_str())).ok()
}
