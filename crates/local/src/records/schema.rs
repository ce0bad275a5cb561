//! The file's format: how it is made, checked and migrated.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use mlops_core::{Error, Result};
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::fault::{explain, explain_io};

/// The format that this program writes.
pub(super) const VERSION: u32 = 1;

/// The item `format`: what the file is, and who may touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Format {
    /// What the file is.
    pub(super) version: u32,
    /// A program whose own format is older than this must not read.
    pub(super) min_reader: u32,
    /// A program whose own format is older than this must not write.
    pub(super) min_writer: u32,
}

const CURRENT: Format = Format {
    version: VERSION,
    min_reader: 1,
    min_writer: 1,
};

/// What turns a file of one format into the next; the first makes an empty file one of format 1.
const MIGRATIONS: [&str; VERSION as usize] = ["
    CREATE TABLE meta (
        name  TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE revision (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        last INTEGER NOT NULL
    );
    INSERT INTO revision VALUES (1, 0);
    CREATE TABLE records (
        namespace TEXT NOT NULL,
        partition TEXT NOT NULL,
        sort      TEXT NOT NULL,
        revision  INTEGER NOT NULL,
        body      TEXT NOT NULL,
        PRIMARY KEY (namespace, partition, sort)
    ) WITHOUT ROWID;
"];

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) uuid: uuid::Uuid,
    pub(super) format: Format,
    /// A registry moves into it and is not there yet.
    pub(super) arriving: bool,
}

/// The item that stands in a file for as long as a registry moves into it.
pub(super) const ARRIVING: &str = "arriving";

/// The item that says where a namespace moved.
pub(super) fn left(namespace: &str) -> String {
    format!("left#{namespace}")
}

/// Reads what the file says of itself; `None` for one that was never finished being made.
pub(super) fn read(path: &Path, connection: &Connection) -> Result<Option<Head>> {
    let failed = |error| explain(path, "read", error);
    let tables: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'",
            [],
            |row| row.get(0),
        )
        .map_err(failed)?;
    if tables == 0 {
        return Ok(None);
    }
    let optional = |name: &str| -> Result<Option<String>> {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()
            .map_err(failed)
    };
    let value = |name: &str| optional(name)?.ok_or_else(|| damaged(path, name));
    let uuid = value("uuid")?.parse().map_err(|_| damaged(path, "uuid"))?;
    let format: Format =
        serde_json::from_str(&value("format")?).map_err(|_| damaged(path, "format"))?;
    Ok(Some(Head {
        uuid,
        format,
        arriving: optional(ARRIVING)?.is_some(),
    }))
}

fn damaged(path: &Path, item: &str) -> Error {
    Error::corrupt(format!(
        "registry {} is damaged: its item {item:?} is missing or unreadable; restore it from a copy, or move it away and import what still runs",
        path.display()
    ))
}

/// Refuses a file that a newer program made so that this one must not read it.
pub(super) fn check_reader(path: &Path, format: Format) -> Result<()> {
    check(path, format.version, format.min_reader, "read")
}

/// Refuses a file that a newer program made so that this one must not write it.
pub(super) fn check_writer(path: &Path, format: Format) -> Result<()> {
    check(path, format.version, format.min_writer, "write")
}

fn check(path: &Path, version: u32, needed: u32, verb: &str) -> Result<()> {
    if needed <= VERSION {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "registry {} has format {version}, and only programs that know format {needed} may {verb} it; this one knows format {VERSION}: upgrade the provider",
        path.display()
    )))
}

/// Makes the directory and the file if they are missing, and brings the file to this program's
/// format. Safe from any number of processes at once: a file lock serialises them. A file that is made for the registry of
/// `arriving` says so.
pub(super) fn prepare(directory: &Path, path: &Path, arriving: Option<uuid::Uuid>) -> Result<()> {
    make_directory(directory)?;
    let lock_path = directory.join("registry.lock");
    let private = |path: &Path| {
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| explain_io(path, "opened for writing", error))
    };
    let lock = private(&lock_path)?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|error| explain_io(&lock_path, "locked", error.into()))?;
    // SQLite gives its side files the permissions of this one.
    drop(private(path)?);
    let failed = |error| explain(path, "made", error);
    let mut connection = Connection::open_with_flags(
        path,
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    connection
        .busy_timeout(std::time::Duration::from_secs(30))
        .map_err(failed)?;
    let found = read(path, &connection)?;
    if let Some(Head { format, .. }) = found {
        check_writer(path, format)?;
        if format.version >= VERSION {
            return Ok(());
        }
    } else {
        connection
            .pragma_update(None, "journal_mode", "wal")
            .map_err(failed)?;
    }
    connection
        .pragma_update(None, "synchronous", "full")
        .map_err(failed)?;
    let transaction = connection.transaction().map_err(failed)?;
    let from = found.map_or(0, |head| head.format.version as usize);
    for migration in &MIGRATIONS[from..] {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    let format = serde_json::to_string(&CURRENT).map_err(|error| {
        Error::bug("the format item could not be written; report this").because(error)
    })?;
    let new = || arriving.unwrap_or_else(uuid::Uuid::new_v4);
    let uuid = found.map_or_else(new, |head| head.uuid);
    let mut items = vec![("uuid", uuid.to_string()), ("format", format)];
    if found.is_none() && arriving.is_some() {
        items.push((ARRIVING, "1".to_owned()));
    }
    for (name, value) in items {
        transaction
            .execute(
                "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
                [name, &value],
            )
            .map_err(failed)?;
    }
    #[cfg(debug_assertions)]
    let drilled = super::drill::Commits::before(std::iter::once([].as_slice()));
    transaction.commit().map_err(failed)?;
    #[cfg(debug_assertions)]
    drilled.after();
    connection.close().map_err(|(_, error)| failed(error))?;
    sync_directory(directory)
}

/// Makes the directory for this user alone, and its entry durable.
fn make_directory(directory: &Path) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| explain_io(directory, "made", error))?;
    match directory.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|opened| opened.sync_all())
        .map_err(|error| explain_io(directory, "synced", error))
}
