//! Reads: by key, and by partition.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::future::BoxFuture;
use futures::stream::{StreamExt as _, TryStreamExt as _};
use mlops_core::records::{Item, Key, Page, Range};
use mlops_core::{Error, Result};

use super::item::{self, Attributes, PK, SK};
use super::{DynamoRecords, format, shards};
use crate::fault::Failure;

/// BatchGetItem's limit.
const BATCH: usize = 100;
/// How many batches of one read are under way at once.
const AT_ONCE: usize = 4;

impl DynamoRecords {
    /// The format item as it lies there. It is the first that is read, so it is here that a table
    /// shows to be missing or another one.
    pub(super) async fn read_format(&self) -> Result<Option<Attributes>> {
        self.get_one(&format::key()).await.map_err(|failure| {
            if failure.code() != Some("ValidationException") {
                return self.explain(failure);
            }
            Error::invalid(format!(
                "table {} does not have the keys of a registry, {PK} and {SK}, both text; make one with modules/registry, and name that in registry.table",
                self.table()
            ))
            .because(failure.into_error())
            .at("registry.table")
        })
    }

    /// One item, as it lies there.
    pub(super) async fn get_one(&self, key: &Key) -> Result<Option<Attributes>, Failure> {
        let call = self.call("GetItem");
        let client = self
            .client()
            .await
            .map_err(|error| Failure::before(&call, error))?;
        let retries = self.inner.clients.retries();
        retries
            .run(|| {
                let request = client
                    .get_item()
                    .table_name(self.table())
                    .set_key(Some(item::key(key)))
                    .consistent_read(true)
                    .send();
                Box::pin(async {
                    let answer = request.await.map_err(|error| Failure::of(&call, error))?;
                    Ok(answer.item)
                })
            })
            .await
    }

    /// The records at `keys`, in their order.
    pub(super) async fn get_items(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        if let [key] = keys {
            let found = self
                .get_one(key)
                .await
                .map_err(|failure| self.explain(failure))?;
            let decode = |found| item::decode(self.table(), &key.partition, found);
            return Ok(vec![found.map(decode).transpose()?]);
        }
        let mut seen = HashSet::new();
        let distinct: Vec<&Key> = keys.iter().filter(|key| seen.insert(*key)).collect();
        // What a key is called in the answer, where the index of models has other partitions.
        let partitions: HashMap<(String, &str), &str> = distinct
            .iter()
            .map(|key| {
                let place = (shards::partition(key), key.sort.as_str());
                (place, key.partition.as_str())
            })
            .collect();
        let batches: Vec<Vec<Attributes>> = distinct
            .chunks(BATCH)
            .map(|batch| batch.iter().copied().map(item::key).collect())
            .collect();
        let answers: Vec<Vec<Attributes>> = futures::stream::iter(batches)
            .map(|batch| -> BoxFuture<'_, _> { Box::pin(self.get_batch(batch)) })
            .buffered(AT_ONCE)
            .try_collect()
            .await
            .map_err(|failure: Failure| self.explain(failure))?;
        let mut found: HashMap<Key, Item> = HashMap::new();
        for attributes in answers.into_iter().flatten() {
            let text = |name: &str| {
                let value = attributes.get(name).and_then(|value| value.as_s().ok());
                value.map_or("", String::as_str)
            };
            let Some(partition) = partitions.get(&(text(PK).to_owned(), text(SK))) else {
                continue;
            };
            let item = item::decode(self.table(), partition, attributes.clone())?;
            found.insert(item.key.clone(), item);
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    /// One batch, asked again for what the service left out.
    async fn get_batch(&self, keys: Vec<Attributes>) -> Result<Vec<Attributes>, Failure> {
        let call = self.call("BatchGetItem");
        let client = self
            .client()
            .await
            .map_err(|error| Failure::before(&call, error))?;
        let retries = self.inner.clients.retries();
        let mut found = Vec::with_capacity(keys.len());
        let mut open = keys;
        let mut attempts = retries.attempts();
        loop {
            attempts.permit().await;
            let asked = KeysAndAttributes::builder()
                .set_keys(Some(open.clone()))
                .consistent_read(true)
                .build()
                .map_err(|error| Failure::bug(&call, error))?;
            let request = client.batch_get_item().request_items(self.table(), asked);
            let failure = match Box::pin(request.send()).await {
                Ok(answer) => {
                    let before = found.len();
                    found.extend(
                        answer
                            .responses
                            .into_iter()
                            .flatten()
                            .flat_map(|(_, items)| items),
                    );
                    let left = answer.unprocessed_keys.into_iter().flatten();
                    open = left.flat_map(|(_, left)| left.keys).collect();
                    if open.is_empty() {
                        attempts.succeeded();
                        return Ok(found);
                    }
                    if found.len() > before {
                        // It goes on, so the time begins anew.
                        attempts = retries.attempts();
                    }
                    Failure::inside(
                        &call,
                        "ThrottlingException",
                        Some("the service left keys unprocessed"),
                    )
                }
                Err(error) => Failure::of(&call, error),
            };
            if !attempts.again(failure.kind).await {
                return Err(failure);
            }
        }
    }

    /// A page of one partition of the port.
    pub(super) async fn query_items(&self, partition: &str, range: &Range) -> Result<Page> {
        let Some(after) = start(range) else {
            return Ok(Page::default());
        };
        let places = shards::all(partition);
        let pages = places
            .iter()
            .map(|place| -> BoxFuture<'_, _> { Box::pin(self.query_place(place, range, after)) });
        let pages: Vec<Vec<Attributes>> = futures::future::try_join_all(pages)
            .await
            .map_err(|failure| self.explain(failure))?;
        let sharded = pages.len() > 1;
        let mut items = Vec::new();
        for attributes in pages.into_iter().flatten() {
            items.push(item::decode(self.table(), partition, attributes)?);
        }
        if sharded {
            items.sort_unstable_by(|a, b| match range.descending {
                false => a.key.sort.cmp(&b.key.sort),
                true => b.key.sort.cmp(&a.key.sort),
            });
        }
        let more = range.limit.is_some_and(|limit| items.len() > limit);
        if let Some(limit) = range.limit {
            items.truncate(limit);
        }
        Ok(Page { items, more })
    }

    /// One partition of the table, page by page to the end, or to one more than the limit: that
    /// tells whether there is more.
    async fn query_place(
        &self,
        place: &str,
        range: &Range,
        after: Option<&str>,
    ) -> Result<Vec<Attributes>, Failure> {
        let call = self.call("Query");
        let client = self
            .client()
            .await
            .map_err(|error| Failure::before(&call, error))?;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let wanted = range.limit.map(|limit| limit.saturating_add(1));
        let mut found: Vec<Attributes> = Vec::new();
        let mut next = after
            .map(|sort| HashMap::from([(PK.to_owned(), text(place)), (SK.to_owned(), text(sort))]));
        loop {
            let page = wanted.map(|wanted| i32::try_from(wanted - found.len()).unwrap_or(i32::MAX));
            let answer = self
                .inner
                .clients
                .retries()
                .run(|| {
                    let mut request = client
                        .query()
                        .table_name(self.table())
                        .consistent_read(true)
                        .scan_index_forward(!range.descending)
                        .set_limit(page)
                        .set_exclusive_start_key(next.clone())
                        .expression_attribute_names("#p", PK)
                        .expression_attribute_values(":p", text(place));
                    request = if range.prefix.is_empty() {
                        request.key_condition_expression("#p = :p")
                    } else {
                        request
                            .key_condition_expression("#p = :p AND begins_with(#s, :s)")
                            .expression_attribute_names("#s", SK)
                            .expression_attribute_values(":s", text(&range.prefix))
                    };
                    let sent = request.send();
                    Box::pin(async { sent.await.map_err(|error| Failure::of(&call, error)) })
                })
                .await?;
            found.extend(answer.items.unwrap_or_default());
            next = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if next.is_none() || wanted.is_some_and(|wanted| found.len() >= wanted) {
                return Ok(found);
            }
        }
    }
}

/// Where a query begins; `None` if nothing can follow. DynamoDB refuses a start that the prefix
/// excludes.
fn start(range: &Range) -> Option<Option<&str>> {
    let Some(after) = range.after.as_deref() else {
        return Some(None);
    };
    if after.starts_with(&range.prefix) {
        return Some(Some(after));
    }
    // All that begins with the prefix lies on one side of it.
    let lies_ahead = match range.descending {
        false => after < range.prefix.as_str(),
        true => after > range.prefix.as_str(),
    };
    lies_ahead.then_some(None)
}
