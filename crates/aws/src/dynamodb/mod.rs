//! Records in one DynamoDB table. `docs/decisions/0009-dynamodb-layout.md` says how and why.
//!
//! Nothing is made here: `modules/registry` makes the table, and the first commit writes the item
//! that gives the registry its UUID. Reads are strongly consistent; every write has a condition.

mod format;
mod item;
mod read;
mod shards;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use mlops_core::records::{
    CommitError, Identity, Item, Key, Page, Range, Records, Write, check_commit,
};
use mlops_core::{Error, Result};
use tokio::sync::OnceCell;

use crate::clients::AwsClients;
use crate::fault::{Call, Failure, Kind};
use format::Format;

/// The store in one table. Cheap to make and to clone: nothing is called before it is used.
#[derive(Clone)]
pub struct DynamoRecords {
    inner: Arc<Inner>,
}

struct Inner {
    clients: AwsClients,
    table: String,
    location: String,
    /// Known from the first time it was there: it never goes away.
    format: OnceCell<Format>,
}

impl std::fmt::Debug for DynamoRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoRecords")
            .field("table", &self.inner.table)
            .finish_non_exhaustive()
    }
}

/// Why there is no format.
enum NoFormat {
    Absent,
    Failed(Error),
}

impl DynamoRecords {
    /// The records in `table`, a name or an ARN.
    ///
    /// # Errors
    /// `Invalid` (attribute `registry.table`) for what names no table.
    pub fn new(clients: AwsClients, table: &str) -> Result<Self> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let named = (3..=255).contains(&table.len()) && table.bytes().all(legal);
        let by_arn = table.starts_with("arn:") && table.contains(":table/");
        if !named && !by_arn {
            return Err(Error::invalid(format!(
                "{table:?} names no table: that is 3 to 255 letters, digits, '_', '.' and '-', or an ARN"
            ))
            .at("registry.table"));
        }
        let location = match &clients.settings().region {
            Some(region) => format!("DynamoDB table {table} in {region}"),
            None => format!("DynamoDB table {table}"),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                clients,
                table: table.to_owned(),
                location,
                format: OnceCell::new(),
            }),
        })
    }

    async fn client(&self) -> Result<&Client> {
        self.inner.clients.dynamodb().await
    }

    fn table(&self) -> &str {
        &self.inner.table
    }

    fn call(&self, operation: &'static str) -> Call {
        Call {
            service: "DynamoDB",
            operation,
            resource: format!("table {}", self.table()),
        }
    }

    /// The format, if the registry was made.
    async fn format(&self) -> Result<Option<&Format>> {
        let found = self.inner.format.get_or_try_init(|| async {
            let item = self.read_format().await.map_err(NoFormat::Failed)?;
            let item = item.ok_or(NoFormat::Absent)?;
            Format::read(self.table(), &item).map_err(NoFormat::Failed)
        });
        match found.await {
            Ok(format) => Ok(Some(format)),
            Err(NoFormat::Absent) => Ok(None),
            Err(NoFormat::Failed(error)) => Err(error),
        }
    }

    /// Makes the registry if it is not there, and refuses what this program must not write.
    async fn writable(&self) -> Result<()> {
        let region = self.inner.clients.region().await?;
        let found = self.inner.format.get_or_try_init(|| async {
            if let Some(item) = self.read_format().await? {
                return Format::read(self.table(), &item);
            }
            let made = Format::new(&region);
            if self.write_format(&made).await? {
                return Ok(made);
            }
            let item = self.read_format().await?.ok_or_else(|| {
                Error::conflict(format!(
                    "the item registry format of table {} was removed while it was made; run the operation again",
                    self.table()
                ))
            })?;
            Format::read(self.table(), &item)
        });
        let format = found.await?;
        format.check_writer(self.table(), &region)
    }

    /// What a failed call means to the user of a registry.
    fn explain(&self, failure: Failure) -> Error {
        if failure.kind != Kind::Missing {
            return failure.into_error();
        }
        let because = failure.into_error();
        Error::invalid(format!(
            "{} does not exist, or is still being made; make it with modules/registry, or correct registry.table, region or the credentials",
            self.inner.location
        ))
        .because(because)
        .at("registry.table")
    }
}

#[async_trait]
impl Records for DynamoRecords {
    async fn identity(&self) -> Result<Option<Identity>> {
        let format = self.format().await?;
        Ok(format.map(|format| Identity {
            uuid: format.uuid,
            location: self.location(),
        }))
    }

    fn location(&self) -> String {
        self.inner.location.clone()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        if keys.is_empty() || self.format().await?.is_none() {
            return Ok(vec![None; keys.len()]);
        }
        self.get_items(keys).await
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        if self.format().await?.is_none() {
            return Ok(Page::default());
        }
        self.query_items(partition, &range).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        check_commit(&writes)?;
        let writes = write::Prepared::all(&writes).map_err(CommitError::Store)?;
        self.writable().await.map_err(CommitError::Store)?;
        self.write_items(writes).await
    }
}
