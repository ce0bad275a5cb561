//! Writes. Each has a condition, so each may be sent twice; what became of one whose answer was
//! lost is found out, not guessed.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};
use mlops_core::records::{Change, CommitError, Expect, Key, Write};
use mlops_core::{Error, Result};

use super::DynamoRecords;
use super::format::{self, Format};
use super::item::{self, Attributes, DOC, EXPIRES_AT, PK, REV, WAS};
use crate::fault::{Call, Failure, Kind};

/// DynamoDB's limit of one transaction.
const TRANSACTION_LIMIT: usize = 4 * 1024 * 1024;

/// A write that DynamoDB will take.
pub(super) struct Prepared {
    key: Key,
    expect: Expect,
    change: Prepare,
}

enum Prepare {
    Put(item::Encoded),
    Delete,
    Check,
}

/// The parts of a request that a write becomes.
struct Parts {
    update: String,
    condition: &'static str,
    names: Vec<(&'static str, &'static str)>,
    values: Vec<(&'static str, AttributeValue)>,
}

impl Prepared {
    /// The writes of one commit. Refuses what DynamoDB would not take.
    pub(super) fn all(writes: &[Write]) -> Result<Vec<Self>> {
        let mut size = 0;
        let mut all = Vec::with_capacity(writes.len());
        for write in writes {
            item::check_key(&write.key)?;
            size += item::key_size(&write.key);
            let change = match &write.change {
                Change::Put(body) => {
                    let encoded = item::encode(&write.key, body)?;
                    size += encoded.size;
                    Prepare::Put(encoded)
                }
                Change::Delete => Prepare::Delete,
                Change::Check => Prepare::Check,
            };
            all.push(Self {
                key: write.key.clone(),
                expect: write.expect,
                change,
            });
        }
        if all.len() > 1 && size > TRANSACTION_LIMIT {
            return Err(Error::invalid(format!(
                "a commit of {} records takes {} KB, and a transaction of DynamoDB takes 4096 KB; keep less in them",
                all.len(),
                size.div_ceil(1024)
            )));
        }
        Ok(all)
    }

    /// Whether it goes on in a table that the registry left.
    pub(super) fn stays(&self) -> bool {
        mlops_core::registry::migrate::stays(&self.key.partition)
    }

    fn parts(&self, revision: u64) -> Parts {
        let number = |value: u64| AttributeValue::N(value.to_string());
        let mut names = Vec::new();
        let mut values = Vec::new();
        let condition = match self.expect {
            Expect::Absent => "attribute_not_exists(#pk)",
            Expect::Revision(expected) => {
                values.push((":was", number(expected)));
                "#rev = :was"
            }
        };
        names.push(match self.expect {
            Expect::Absent => ("#pk", PK),
            Expect::Revision(_) => ("#rev", REV),
        });
        let mut update = String::new();
        if let Prepare::Put(encoded) = &self.change {
            if self.expect == Expect::Absent {
                names.push(("#rev", REV));
            }
            names.push(("#doc", DOC));
            values.push((":rev", number(revision)));
            values.push((":doc", AttributeValue::S(encoded.doc.clone())));
            update.push_str("SET #rev = :rev, #doc = :doc");
            if self.expect != Expect::Absent {
                names.push(("#was", WAS));
                update.push_str(", #was = :was");
            }
            if let Some(at) = encoded.expires_at {
                names.push(("#exp", EXPIRES_AT));
                values.push((":exp", AttributeValue::N(at.to_string())));
                update.push_str(", #exp = :exp");
            }
        }
        Parts {
            update,
            condition,
            names,
            values,
        }
    }
}

/// 63 random bits: never the same twice.
fn new_revision() -> u64 {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    // Of the 128 bits six are fixed: four in the middle of the upper half, two atop the lower.
    (high << 16 ^ low ^ high >> 48) & (u64::MAX >> 1)
}

/// What became of a write whose condition is refused after an answer was lost.
enum Fate {
    TookPlace,
    DidNot,
    Unknown,
}

impl DynamoRecords {
    /// Writes all or none.
    pub(super) async fn write_items(&self, writes: Vec<Prepared>) -> Result<Vec<u64>, CommitError> {
        let revision = new_revision();
        match writes.as_slice() {
            [one] if matches!(one.change, Prepare::Put(_)) => self.update(one, revision).await?,
            all => self.transact(all, revision).await?,
        }
        let revisions = writes.iter().map(|write| match write.change {
            Prepare::Put(_) => revision,
            _ => 0,
        });
        Ok(revisions.collect())
    }

    async fn dynamo(&self, call: &Call) -> Result<&aws_sdk_dynamodb::Client, CommitError> {
        let client = self.client().await;
        client.map_err(|error| self.store(Failure::before(call, error)))
    }

    fn store(&self, failure: Failure) -> CommitError {
        CommitError::Store(self.explain(failure))
    }

    /// One document, under its condition.
    async fn update(&self, write: &Prepared, revision: u64) -> Result<(), CommitError> {
        let call = self.call("UpdateItem");
        let client = self.dynamo(&call).await?;
        let mut attempts = self.inner.clients.retries().attempts();
        let mut lost = false;
        loop {
            attempts.permit().await;
            let parts = write.parts(revision);
            let mut request = client
                .update_item()
                .table_name(self.table())
                .set_key(Some(item::key(&write.key)))
                .update_expression(parts.update)
                .condition_expression(parts.condition);
            for (name, attribute) in parts.names {
                request = request.expression_attribute_names(name, attribute);
            }
            for (name, value) in parts.values {
                request = request.expression_attribute_values(name, value);
            }
            if lost {
                request = request.return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
            }
            let error = match Box::pin(request.send()).await {
                Ok(_) => {
                    attempts.succeeded();
                    return Ok(());
                }
                Err(error) => error,
            };
            let refused = match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    refused.item().cloned()
                }
                _ => None,
            };
            let failure = Failure::of(&call, error);
            if failure.kind == Kind::Condition {
                attempts.succeeded();
                return match self.fate(write, revision, lost, refused).await? {
                    Fate::TookPlace => Ok(()),
                    Fate::DidNot => Err(CommitError::Condition { index: 0 }),
                    Fate::Unknown => Err(self.unknown(&write.key)),
                };
            }
            lost |= failure.kind == Kind::Lost;
            if !attempts.again(failure.kind).await {
                if lost && self.read_back(&write.key, revision).await {
                    return Ok(());
                }
                return Err(self.given_up(failure, lost));
            }
            self.still_writable(std::slice::from_ref(write), lost)
                .await?;
        }
    }

    /// Before another attempt: the table's home may have moved since the first.
    async fn still_writable(&self, writes: &[Prepared], lost: bool) -> Result<(), CommitError> {
        let refused = match self.writable(writes).await {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        Err(CommitError::Store(match lost {
            false => refused,
            true => self.is_unknown().because(refused),
        }))
    }

    fn is_unknown(&self) -> Error {
        Error::unavailable(format!(
            "whether a write to {} took place is unknown: an answer was lost, and later attempts failed; run the operation again",
            self.inner.location
        ))
    }

    async fn fate(
        &self,
        write: &Prepared,
        revision: u64,
        lost: bool,
        refused: Option<Attributes>,
    ) -> Result<Fate, CommitError> {
        if !lost {
            // No earlier attempt can have taken place.
            return Ok(Fate::DidNot);
        }
        let found = match refused {
            Some(found) => Some(found),
            None => {
                let read = self.get_one(&write.key).await;
                read.map_err(|failure| self.given_up(failure, true))?
            }
        };
        let number = |name| found.as_ref().and_then(|found| item::number(found, name));
        let (now, before) = (number(REV), number(WAS));
        Ok(match write.expect {
            _ if now == Some(revision) || before == Some(revision) => Fate::TookPlace,
            // Whoever wrote what lies there replaced what we wanted to replace.
            Expect::Revision(expected) if before == Some(expected) => Fate::DidNot,
            _ => Fate::Unknown,
        })
    }

    /// Whether the write of this revision lies there, after time is up. It takes little more.
    async fn read_back(&self, key: &Key, revision: u64) -> bool {
        let time = self.inner.clients.retries().patience().unreachable;
        let found = tokio::time::timeout(time, self.get_one(key)).await;
        let found = found.ok().and_then(Result::ok).flatten();
        let number = |name| found.as_ref().and_then(|found| item::number(found, name));
        number(REV) == Some(revision) || number(WAS) == Some(revision)
    }

    /// After a lost answer nothing but `Unavailable` is honest, whatever came later.
    fn given_up(&self, failure: Failure, lost: bool) -> CommitError {
        if !lost || failure.kind == Kind::Lost {
            return self.store(failure);
        }
        let because = self.explain(failure);
        CommitError::Store(self.is_unknown().because(because))
    }

    fn unknown(&self, key: &Key) -> CommitError {
        CommitError::Store(Error::unavailable(format!(
            "whether record {} {} was written is unknown: the answer of {} was lost, and others wrote it since; run the operation again",
            key.partition, key.sort, self.inner.location
        )))
    }

    /// Several writes, or a delete, or a check, in one transaction. Its token makes DynamoDB answer
    /// a repetition as it answered the first time.
    async fn transact(&self, writes: &[Prepared], revision: u64) -> Result<(), CommitError> {
        let call = self.call("TransactWriteItems");
        let client = self.dynamo(&call).await?;
        let items: Result<Vec<_>, Failure> = writes
            .iter()
            .map(|write| self.transact_item(write, revision, &call))
            .collect();
        let items = items.map_err(|failure| self.store(failure))?;
        let token = uuid::Uuid::new_v4().simple().to_string();
        let mut attempts = self.inner.clients.retries().attempts();
        let mut lost = false;
        loop {
            attempts.permit().await;
            let request = client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .client_request_token(&token);
            let error = match Box::pin(request.send()).await {
                Ok(_) => {
                    attempts.succeeded();
                    return Ok(());
                }
                Err(error) => error,
            };
            let reasons: Option<Vec<(String, String)>> = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                    let reasons = cancelled.cancellation_reasons().iter();
                    Some(
                        reasons
                            .map(|reason| (text(reason.code()), text(reason.message())))
                            .collect(),
                    )
                }
                _ => None,
            };
            let mut failure = Failure::of(&call, error);
            if let Some(reasons) = reasons {
                match cancelled(&call, &reasons) {
                    Cancelled::Condition(index) => {
                        attempts.succeeded();
                        return Err(CommitError::Condition { index });
                    }
                    Cancelled::Because(reason) => failure = failure.with_reason(reason),
                }
            }
            lost |= failure.kind == Kind::Lost;
            if !attempts.again(failure.kind).await {
                let put = writes
                    .iter()
                    .find(|write| matches!(write.change, Prepare::Put(_)));
                if lost
                    && let Some(put) = put
                    && self.read_back(&put.key, revision).await
                {
                    return Ok(());
                }
                return Err(self.given_up(failure, lost));
            }
            self.still_writable(writes, lost).await?;
        }
    }

    fn transact_item(
        &self,
        write: &Prepared,
        revision: u64,
        call: &Call,
    ) -> Result<TransactWriteItem, Failure> {
        let parts = write.parts(revision);
        let key = Some(item::key(&write.key));
        let names = parts
            .names
            .into_iter()
            .map(|(name, attribute)| (name.to_owned(), attribute.to_owned()))
            .collect();
        let values = parts
            .values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<std::collections::HashMap<_, _>>();
        let values = (!values.is_empty()).then_some(values);
        let built = TransactWriteItem::builder();
        let built = match write.change {
            Prepare::Put(_) => Update::builder()
                .table_name(self.table())
                .set_key(key)
                .update_expression(parts.update)
                .condition_expression(parts.condition)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(values)
                .build()
                .map(|update| built.update(update)),
            Prepare::Delete => Delete::builder()
                .table_name(self.table())
                .set_key(key)
                .condition_expression(parts.condition)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(values)
                .build()
                .map(|delete| built.delete(delete)),
            Prepare::Check => ConditionCheck::builder()
                .table_name(self.table())
                .set_key(key)
                .condition_expression(parts.condition)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(values)
                .build()
                .map(|check| built.condition_check(check)),
        };
        let built = built.map_err(|error| Failure::bug(call, error))?;
        Ok(built.build())
    }

    /// Writes the format item where none is; whether it was surely we who did.
    pub(super) async fn write_format(&self, format: &Format) -> Result<bool> {
        let call = self.call("UpdateItem");
        let client = self.client().await?;
        let attributes = format.attributes();
        let retries = self.inner.clients.retries();
        let written = retries
            .run(|| {
                let mut request = client
                    .update_item()
                    .table_name(self.table())
                    .set_key(Some(item::key(&format::key())))
                    .condition_expression("attribute_not_exists(#pk)")
                    .expression_attribute_names("#pk", PK);
                let mut sets = Vec::new();
                for (number, (name, value)) in attributes.iter().enumerate() {
                    sets.push(format!("#a{number} = :a{number}"));
                    request = request
                        .expression_attribute_names(format!("#a{number}"), name)
                        .expression_attribute_values(format!(":a{number}"), value.clone());
                }
                request = request.update_expression(format!("SET {}", sets.join(", ")));
                let sent = request.send();
                Box::pin(async { sent.await.map_err(|error| Failure::of(&call, error)) })
            })
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind == Kind::Condition => Ok(false),
            Err(failure) => Err(self.explain(failure)),
        }
    }

    /// Changes the format item if the condition holds; whether it did.
    pub(super) async fn change_format(
        &self,
        update: &str,
        condition: &str,
        names: &[(&str, &str)],
        values: &[(&str, AttributeValue)],
    ) -> Result<bool> {
        let call = self.call("UpdateItem");
        let client = self.client().await?;
        let retries = self.inner.clients.retries();
        let written = retries
            .run(|| {
                let mut request = client
                    .update_item()
                    .table_name(self.table())
                    .set_key(Some(item::key(&format::key())))
                    .update_expression(update)
                    .condition_expression(condition);
                for (name, attribute) in names {
                    request = request.expression_attribute_names(*name, *attribute);
                }
                for (name, value) in values {
                    request = request.expression_attribute_values(*name, value.clone());
                }
                let sent = request.send();
                Box::pin(async { sent.await.map_err(|error| Failure::of(&call, error)) })
            })
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind == Kind::Condition => Ok(false),
            Err(failure) => Err(self.explain(failure)),
        }
    }
}

/// Why a transaction was cancelled.
enum Cancelled {
    /// The condition of this write did not hold.
    Condition(usize),
    /// Something that passes, or not.
    Because(Failure),
}

/// A condition that does not hold decides; else the first reason that is one.
fn cancelled(call: &Call, reasons: &[(String, String)]) -> Cancelled {
    let failures: Vec<Option<Failure>> = reasons
        .iter()
        .map(|(code, message)| {
            let is_reason = !code.is_empty() && code != "None";
            is_reason.then(|| Failure::inside(call, code, Some(message)))
        })
        .collect();
    let condition = failures.iter().position(|failure| {
        failure
            .as_ref()
            .is_some_and(|failure| failure.kind == Kind::Condition)
    });
    if let Some(index) = condition {
        return Cancelled::Condition(index);
    }
    // One that does not pass makes the others not matter.
    let mut reasons: Vec<Failure> = failures.into_iter().flatten().collect();
    let lasting = reasons
        .iter()
        .position(|failure| !failure.kind.is_passing());
    let first = lasting.unwrap_or(0);
    Cancelled::Because(if reasons.is_empty() {
        Failure::inside(call, "TransactionConflict", Some("no reason was given"))
    } else {
        reasons.swap_remove(first)
    })
}
