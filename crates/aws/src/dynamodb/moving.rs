//! A registry moves out of the table, or into it.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use mlops_core::records::{Key, Movable, Page, Records as _};
use mlops_core::{Error, Result};

use super::format::{self, ARRIVING, Format, HOME, LEFT_FOR};
use super::item::{self, Attributes, PK};
use super::{DynamoRecords, shards};
use crate::fault::Failure;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

impl DynamoRecords {
    /// A page of the table, as it lies there; whether more follow.
    async fn scan(
        &self,
        after: Option<Attributes>,
    ) -> Result<(Vec<Attributes>, Option<Attributes>)> {
        let call = self.call("Scan");
        let client = self.client().await?;
        let retries = self.inner.clients.retries();
        let scanned = retries
            .run(|| {
                let request = client
                    .scan()
                    .table_name(self.table())
                    .consistent_read(true)
                    .set_exclusive_start_key(after.clone())
                    .send();
                Box::pin(async { request.await.map_err(|error| Failure::of(&call, error)) })
            })
            .await;
        let page = scanned.map_err(|failure| self.explain(failure))?;
        let next = page.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((page.items.unwrap_or_default(), next))
    }

    async fn current(&self) -> Result<Option<Format>> {
        let found = self.read_format().await?;
        found
            .map(|item| Format::read(self.table(), &item))
            .transpose()
    }
}

#[async_trait]
impl Movable for DynamoRecords {
    async fn export(&self, after: Option<&Key>) -> Result<Page> {
        if self.format().await?.is_none() {
            return Ok(Page::default());
        }
        let mut next = after.map(item::key);
        loop {
            let (found, more) = self.scan(next).await?;
            let mut items = Vec::with_capacity(found.len());
            for attributes in found {
                let place = attributes.get(PK).and_then(|value| value.as_s().ok());
                let place = place.map_or("", String::as_str);
                if place == format::key().partition {
                    continue;
                }
                let partition = shards::port_partition(place).to_owned();
                items.push(item::decode(self.table(), &partition, attributes)?);
            }
            // A page that says that more follow names the record to go on after.
            if !items.is_empty() || more.is_none() {
                return Ok(Page {
                    items,
                    more: more.is_some(),
                });
            }
            next = more;
        }
    }

    async fn left_for(&self) -> Result<Option<String>> {
        Ok(self.current().await?.and_then(|format| format.left_for))
    }

    async fn leave(&self, to: &str) -> Result<()> {
        let region = self.inner.clients.region().await?;
        let marked = self
            .change_format(
                "SET #left = :to",
                "#home = :home AND (attribute_not_exists(#left) OR #left = :to) AND attribute_not_exists(#arriving)",
                &[("#left", LEFT_FOR), ("#home", HOME), ("#arriving", ARRIVING)],
                &[(":to", text(to)), (":home", text(&region))],
            )
            .await?;
        if !marked {
            let seen = self.current().await?;
            return Err(match seen.and_then(|format| format.left_for) {
                Some(left) if left != to => Error::conflict(format!(
                    "the registry of table {} moved to {left} already",
                    self.table()
                )),
                _ => Error::conflict(format!(
                    "the registry of table {} can be moved in its home region only, and {region} is not it; set region to the home",
                    self.table()
                ))
                .at("region"),
            });
        }
        // Whoever read the item before has ended by then, also if it was an earlier call of this that marked it.
        tokio::time::sleep(self.until_writers_know()).await;
        Ok(())
    }

    async fn stay(&self, to: &str) -> Result<()> {
        self.change_format(
            "REMOVE #left",
            "#left = :to",
            &[("#left", LEFT_FOR)],
            &[(":to", text(to))],
        )
        .await?;
        Ok(())
    }

    async fn arrive(&self, uuid: uuid::Uuid) -> Result<Option<Arc<dyn Movable>>> {
        let mut found = self.current().await?;
        if found.is_none() {
            let region = self.inner.clients.region().await?;
            let mut made = Format::new(&region);
            made.uuid = uuid;
            made.arriving = true;
            self.write_format(&made).await?;
            found = self.current().await?;
        }
        let found = found.ok_or_else(|| {
            Error::conflict(format!(
                "the item registry format of table {} was removed while it was made; run the operation again",
                self.table()
            ))
        })?;
        if found.uuid != uuid {
            return Err(Error::conflict(format!(
                "registry {} lies in {}; move to a table that is empty",
                found.uuid,
                self.location()
            )));
        }
        if found.arriving {
            return Ok(Some(Arc::new(self.again(self.inner.trusted, true))));
        }
        if let Some(to) = found.left_for {
            return Err(Error::conflict(format!(
                "the registry was in {} before it moved to {to}, and its old records lie there; move to a table that is empty",
                self.location()
            )));
        }
        Ok(None)
    }

    async fn settle(&self) -> Result<()> {
        self.change_format(
            "REMOVE #arriving",
            "attribute_exists(#arriving)",
            &[("#arriving", ARRIVING)],
            &[],
        )
        .await?;
        Ok(())
    }
}
