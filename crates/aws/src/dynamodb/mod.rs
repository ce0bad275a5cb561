//! Records in one DynamoDB table. `docs/decisions/0009-dynamodb-layout.md` says how and why.
//!
//! Nothing is made here: `modules/registry` makes the table, and the first commit writes the item
//! that gives the registry its UUID. Reads are strongly consistent; every write has a condition.

mod format;
mod home;
mod item;
mod moving;
mod read;
mod shards;
mod write;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use mlops_core::records::{
    CommitError, Identity, Item, Key, Page, Range, Records, Write, check_commit,
};
use mlops_core::{Error, Result};

use crate::clients::AwsClients;
use crate::fault::{Call, Failure, Kind};
use format::Format;

pub use home::Home;

/// For so long a writer believes what it read of the table's home. A move of the home waits longer than this, and than one call.
const TRUSTED: Duration = Duration::from_secs(5);

/// The store in one table. Cheap to make and to clone: nothing is called before it is used.
#[derive(Clone)]
pub struct DynamoRecords {
    inner: Arc<Inner>,
}

struct Inner {
    clients: AwsClients,
    table: String,
    location: String,
    trusted: Duration,
    /// Whether this is who fills a table that a registry moves into.
    fills: bool,
    /// Known from the first time it was there: it never goes away.
    known: Mutex<Option<Known>>,
    /// Who reads it; the others wait for the answer.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    format: Arc<Format>,
    /// When it was asked for.
    asked: Instant,
}

impl std::fmt::Debug for DynamoRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoRecords")
            .field("table", &self.inner.table)
            .finish_non_exhaustive()
    }
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
                trusted: TRUSTED,
                fills: false,
                known: Mutex::default(),
                reading: tokio::sync::Mutex::default(),
            }),
        })
    }

    /// The same, by a writer that believes for another time what it read of the table's home: 5 s if this is not called.
    #[must_use]
    pub fn trusting(self, trusted: Duration) -> Self {
        self.again(trusted, self.inner.fills)
    }

    /// Another handle of the same table, that knows nothing yet.
    fn again(&self, trusted: Duration, fills: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                clients: self.inner.clients.clone(),
                table: self.inner.table.clone(),
                location: self.inner.location.clone(),
                trusted,
                fills,
                known: Mutex::default(),
                reading: tokio::sync::Mutex::default(),
            }),
        }
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

    fn known(&self) -> Option<Known> {
        let known = self.inner.known.lock();
        known.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, format: Format, asked: Instant) -> Arc<Format> {
        let format = Arc::new(format);
        let known = Known {
            format: Arc::clone(&format),
            asked,
        };
        *(self.inner.known.lock()).unwrap_or_else(PoisonError::into_inner) = Some(known);
        format
    }

    /// The format, if the registry was made. A reader asks once: what it is to him does not change.
    async fn format(&self) -> Result<Option<Arc<Format>>> {
        if let Some(known) = self.known() {
            return Ok(Some(known.format));
        }
        let _turn = self.inner.reading.lock().await;
        if let Some(known) = self.known() {
            return Ok(Some(known.format));
        }
        let asked = Instant::now();
        let Some(item) = self.read_format().await? else {
            return Ok(None);
        };
        let format = Format::read(self.table(), &item)?;
        let format = format.for_use(self.table(), self.inner.fills)?;
        Ok(Some(self.remember(format, asked)))
    }

    /// Makes the registry if it is not there, and refuses what this program must not write. A writer looks again every few
    /// seconds, before each attempt: the home may have moved.
    async fn writable(&self, writes: &[write::Prepared]) -> Result<()> {
        let stays = writes.iter().all(write::Prepared::stays);
        let region = self.inner.clients.region().await?;
        let trusted = |known: &Known| known.asked.elapsed() < self.inner.trusted;
        if let Some(known) = self.known().filter(trusted) {
            return known.format.check_writer(self.table(), &region, stays);
        }
        let _turn = self.inner.reading.lock().await;
        let known = self.known();
        if let Some(known) = known.as_ref().filter(|known| trusted(known)) {
            return known.format.check_writer(self.table(), &region, stays);
        }
        let asked = Instant::now();
        let found = match self.read_format().await? {
            Some(item) => Format::read(self.table(), &item)?,
            None if known.is_some() => return Err(self.replaced("is gone")),
            None => self.make_format(&region).await?,
        };
        if known.is_some_and(|known| known.format.uuid != found.uuid) {
            return Err(self.replaced("is another one now"));
        }
        let found = found.for_use(self.table(), self.inner.fills)?;
        let format = self.remember(found, asked);
        format.check_writer(self.table(), &region, stays)
    }

    async fn make_format(&self, region: &str) -> Result<Format> {
        let made = Format::new(region);
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
    }

    fn replaced(&self, how: &str) -> Error {
        Error::unavailable(format!(
            "the registry at {} {how}: somebody replaced the table's content while this ran; restore it, then run this again",
            self.inner.location
        ))
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
        let asked = self.writable(&writes).await;
        asked.map_err(CommitError::Store)?;
        self.write_items(writes).await
    }
}
