//! The format item: who the registry is, which programs may use it, and where it is written.

use aws_sdk_dynamodb::types::AttributeValue;
use mlops_core::records::Key;
use mlops_core::{Error, Result};

use super::item::Attributes;

/// The format that this program writes.
pub(super) const VERSION: u64 = 1;

const UUID: &str = "uuid";
const FORMAT: &str = "version";
const MIN_READER: &str = "min_reader";
const MIN_WRITER: &str = "min_writer";
pub(super) const HOME: &str = "home_region";
pub(super) const FENCE: &str = "fence";
pub(super) const MOVING_TO: &str = "moving_to";
pub(super) const LEFT_FOR: &str = "left_for";
pub(super) const ARRIVING: &str = "arriving";

/// What the item says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) uuid: uuid::Uuid,
    /// What the table is.
    version: u64,
    /// A program whose own format is older than this must not read.
    min_reader: u64,
    /// A program whose own format is older than this must not write.
    min_writer: u64,
    /// The region whose replica is written.
    pub(super) home_region: String,
    /// Greater with each move of the home; a table whose home was never moved need not say it, and has 1.
    pub(super) fence: u64,
    /// Where the home is moving to: nobody writes until it is there.
    pub(super) moving_to: Option<String>,
    /// Where the registry moved, for good: nobody writes here.
    pub(super) left_for: Option<String>,
    /// A registry moves into the table, and is not there yet.
    pub(super) arriving: bool,
}

/// Where the item lies.
pub(super) fn key() -> Key {
    Key::new("registry", "format")
}

impl Format {
    /// A new registry's.
    pub(super) fn new(home_region: &str) -> Self {
        Self {
            uuid: uuid::Uuid::new_v4(),
            version: VERSION,
            min_reader: 1,
            min_writer: 1,
            home_region: home_region.to_owned(),
            fence: 1,
            moving_to: None,
            left_for: None,
            arriving: false,
        }
    }

    /// The attributes that the item is made of, its key apart.
    pub(super) fn attributes(&self) -> Attributes {
        let number = |value: u64| AttributeValue::N(value.to_string());
        let arriving = (self.arriving).then(|| (ARRIVING.to_owned(), AttributeValue::Bool(true)));
        [
            (UUID.to_owned(), AttributeValue::S(self.uuid.to_string())),
            (FORMAT.to_owned(), number(self.version)),
            (MIN_READER.to_owned(), number(self.min_reader)),
            (MIN_WRITER.to_owned(), number(self.min_writer)),
            (HOME.to_owned(), AttributeValue::S(self.home_region.clone())),
            (FENCE.to_owned(), number(self.fence)),
        ]
        .into_iter()
        .chain(arriving)
        .collect()
    }

    /// Reads the item and refuses a table that this program must not read.
    pub(super) fn read(table: &str, item: &Attributes) -> Result<Self> {
        let damaged = |name: &str| {
            Error::corrupt(format!(
                "table {table} is damaged: {name} of its item registry format is missing or unreadable; restore the table to an earlier point in time"
            ))
        };
        let text = |name: &str| {
            let value = item.get(name).and_then(|value| value.as_s().ok());
            value.ok_or_else(|| damaged(name))
        };
        let number = |name| super::item::number(item, name).ok_or_else(|| damaged(name));
        let format = Self {
            uuid: text(UUID)?.parse().map_err(|_| damaged(UUID))?,
            version: number(FORMAT)?,
            min_reader: number(MIN_READER)?,
            min_writer: number(MIN_WRITER)?,
            home_region: text(HOME)?.clone(),
            fence: super::item::number(item, FENCE).unwrap_or(1),
            moving_to: text(MOVING_TO).ok().cloned(),
            left_for: text(LEFT_FOR).ok().cloned(),
            arriving: item.contains_key(ARRIVING),
        };
        format.check(table, format.min_reader, "read")?;
        Ok(format)
    }

    /// Refuses a table that a registry moves into and is not in yet, to all but who fills it.
    pub(super) fn for_use(self, table: &str, fills: bool) -> Result<Self> {
        if !self.arriving || fills {
            return Ok(self);
        }
        Err(Error::denied(format!(
            "a registry is moving to table {table} and is not there yet; finish it with `mlops registry migrate`"
        ))
        .at("registry.table"))
    }

    /// Refuses a table that this program must not write, or not here. `stays`: what is written belongs to processes, and goes on
    /// where the registry was.
    pub(super) fn check_writer(&self, table: &str, region: &str, stays: bool) -> Result<()> {
        self.check(table, self.min_writer, "write")?;
        if let Some(to) = self.left_for.as_ref().filter(|_| !stays) {
            return Err(Error::denied(format!(
                "the registry of table {table} moved to {to}, and is not written here any more: say so in the provider block, or on the command line"
            ))
            .at("registry.table"));
        }
        if let Some(to) = &self.moving_to {
            return Err(Error::denied(format!(
                "the home of table {table} is moving from {} to {to}, and nobody writes until it is there; wait, or finish it with `mlops registry failover --to {to}`",
                self.home_region
            )));
        }
        if self.home_region == region {
            return Ok(());
        }
        Err(Error::denied(format!(
            "table {table} is written in its home region {} only, and this is {region}: replicas take the last write, and versions would be lost; set region to {}, or move the home with `mlops registry failover`",
            self.home_region, self.home_region
        ))
        .at("region"))
    }

    fn check(&self, table: &str, needed: u64, verb: &str) -> Result<()> {
        if needed <= VERSION {
            return Ok(());
        }
        Err(Error::corrupt(format!(
            "table {table} has format {}, and only programs that know format {needed} may {verb} it; this one knows format {VERSION}: upgrade the provider",
            self.version
        )))
    }
}
