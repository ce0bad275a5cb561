//! A record as an item, and back. `docs/decisions/0009-dynamodb-layout.md` has the layout.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use mlops_core::records::{Item, Key};
use mlops_core::{Error, Result};
use serde_json::{Map, Value};

pub(super) const PK: &str = "PK";
pub(super) const SK: &str = "SK";
pub(super) const REV: &str = "rev";
pub(super) const WAS: &str = "was";
pub(super) const DOC: &str = "doc";
pub(super) const EXPIRES_AT: &str = "expires_at";

/// DynamoDB's limit of one item, attribute names included.
const ITEM_LIMIT: usize = 400 * 1024;
/// DynamoDB's limits of keys, in bytes.
const PARTITION_LIMIT: usize = 2048;
const SORT_LIMIT: usize = 1024;
/// What a number takes at most, its name apart.
const NUMBER: usize = 21;

/// An item's attributes.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The attributes that find the record.
pub(super) fn key(key: &Key) -> Attributes {
    HashMap::from([
        (
            PK.to_owned(),
            AttributeValue::S(super::shards::partition(key)),
        ),
        (SK.to_owned(), AttributeValue::S(key.sort.clone())),
    ])
}

/// What changes when a document is written.
pub(super) struct Encoded {
    /// The document as text.
    pub(super) doc: String,
    /// When DynamoDB may forget the item; events only.
    pub(super) expires_at: Option<i64>,
    /// How large the item becomes, as DynamoDB counts.
    pub(super) size: usize,
}

/// Refuses what DynamoDB would not take.
pub(super) fn encode(at: &Key, body: &Map<String, Value>) -> Result<Encoded> {
    check_key(at)?;
    let doc = serde_json::to_string(body).map_err(|error| {
        Error::bug(format!(
            "record {} {} could not be written as JSON; report this",
            at.partition, at.sort
        ))
        .because(error)
    })?;
    let expires_at = at
        .partition
        .starts_with("events#")
        .then(|| body.get(EXPIRES_AT).and_then(Value::as_i64))
        .flatten();
    let size = key_size(at)
        + (REV.len() + NUMBER)
        + (WAS.len() + NUMBER)
        + (DOC.len() + doc.len())
        + expires_at.map_or(0, |_| EXPIRES_AT.len() + NUMBER);
    if size > ITEM_LIMIT {
        return Err(Error::invalid(format!(
            "record {} {} takes {} KB, and an item of DynamoDB takes 400 KB; keep less in it: shorter texts, fewer tags, params or files",
            at.partition,
            at.sort,
            size.div_ceil(1024),
        )));
    }
    Ok(Encoded {
        doc,
        expires_at,
        size,
    })
}

/// How large the key is, as DynamoDB counts.
pub(super) fn key_size(at: &Key) -> usize {
    PK.len() + super::shards::partition(at).len() + SK.len() + at.sort.len()
}

/// Refuses keys that DynamoDB would not take.
pub(super) fn check_key(at: &Key) -> Result<()> {
    let fits = |text: &str, limit| !text.is_empty() && text.len() <= limit;
    if fits(&at.partition, PARTITION_LIMIT - 8) && fits(&at.sort, SORT_LIMIT) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the key {:?} {:?} is empty or too long: DynamoDB takes {SORT_LIMIT} bytes of a sort key; use a shorter name",
        at.partition, at.sort
    )))
}

/// The record in an item of the table.
pub(super) fn decode(table: &str, partition: &str, mut item: Attributes) -> Result<Item> {
    let sort = match item.remove(SK) {
        Some(AttributeValue::S(sort)) => sort,
        _ => return Err(damaged(table, partition, "?", SK)),
    };
    let revision = number(&item, REV).ok_or_else(|| damaged(table, partition, &sort, REV))?;
    let doc = match item.remove(DOC) {
        Some(AttributeValue::S(doc)) => doc,
        _ => return Err(damaged(table, partition, &sort, DOC)),
    };
    let body = serde_json::from_str(&doc)
        .map_err(|error| damaged(table, partition, &sort, DOC).because(error))?;
    Ok(Item {
        key: Key::new(partition, sort),
        revision,
        body,
    })
}

/// A number of an item.
pub(super) fn number(item: &Attributes, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn damaged(table: &str, partition: &str, sort: &str, attribute: &str) -> Error {
    Error::corrupt(format!(
        "record {partition} {sort} in table {table} is damaged: its attribute {attribute} is missing or unreadable; restore the table to an earlier point in time"
    ))
}
