//! Tags as ECS takes and gives them.

use aws_sdk_ecs::types::Tag;
use mlops_core::target::Revision;

pub(super) use crate::elb::tags::{ALL, Tags, are_made_by, are_of, revision};

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
pub(super) fn read(tags: &[Tag]) -> Tags {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    tags.iter()
        .map(|tag| (text(tag.key()), text(tag.value())))
        .collect()
}
