//! One connection to the file.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mlops_core::records::{Item, Key, Page, Range};
use mlops_core::{Error, Result};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};
use serde_json::{Map, Value};

use super::fault::{explain, is_busy};
use super::schema::{self, Format, Head};
use crate::location::Namespace;

/// How long a locked file is tried.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of each connection; negative: KiB (SQLite's `cache_size`). The kernel caches the file too.
const PAGE_CACHE_KIB: i32 = -256;

pub(super) struct Database {
    pub(super) connection: Connection,
    path: PathBuf,
    file: (u64, u64),
    uuid: uuid::Uuid,
    format: Format,
    arriving: bool,
}

impl Database {
    /// Opens the file in `directory`; `None` if there is no registry. Makes nothing.
    pub(super) fn open(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join(super::FILE);
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(super::fault::explain_io(&path, "read", error)),
        };
        if metadata.len() == 0 {
            return Ok(None);
        }
        let connection = open_file(&path)?;
        let found = patiently(&path, || {
            // It reads the file, so it may find it locked.
            connection
                .pragma_update(None, "cache_size", PAGE_CACHE_KIB)
                .map_err(|error| explain(&path, "opened", error))?;
            schema::read(&path, &connection)
        })?;
        let Some(Head {
            uuid,
            format,
            arriving,
        }) = found
        else {
            return Ok(None);
        };
        schema::check_reader(&path, format)?;
        Ok(Some(Self {
            connection,
            file: (metadata.dev(), metadata.ino()),
            path,
            uuid,
            format,
            arriving,
        }))
    }

    /// Refuses a file that a registry moves into, and is not in yet, to all but who fills it.
    pub(super) fn for_use(self, fills: bool) -> Result<Self> {
        if !self.arriving || fills {
            return Ok(self);
        }
        Err(Error::denied(format!(
            "a registry is moving to {} and is not there yet; finish it with `mlops registry migrate`",
            self.path.display()
        )))
    }

    /// Opens it for writing, and makes it if it is missing.
    pub(super) fn create(directory: &Path, fills: bool) -> Result<Self> {
        for _ in 0..2 {
            if let Some(database) = Self::open(directory)? {
                let database = database.for_use(fills)?;
                schema::check_writer(&database.path, database.format)?;
                if database.format.version >= schema::VERSION {
                    let failed = |error| explain(&database.path, "opened", error);
                    database
                        .connection
                        .pragma_update(None, "synchronous", "full")
                        .map_err(failed)?;
                    return Ok(database);
                }
            }
            schema::prepare(directory, &directory.join(super::FILE), None)?;
        }
        Err(Error::conflict(format!(
            "registry {} was removed while it was made; run the operation again",
            directory.display()
        )))
    }

    /// Whether the path still leads to the file that was opened.
    pub(super) fn is_current(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_arriving(&self) -> bool {
        self.arriving
    }

    pub(super) fn uuid(&self) -> uuid::Uuid {
        self.uuid
    }

    /// Runs `attempt` until the file is not locked, for a bounded time.
    pub(super) fn patiently<T>(
        &self,
        attempt: impl Fn() -> Result<T, rusqlite::Error>,
    ) -> Result<T> {
        let started = Instant::now();
        loop {
            match attempt() {
                Err(error) if is_busy(&error) && started.elapsed() < PATIENCE => pause(),
                outcome => return outcome.map_err(|error| explain(&self.path, "read", error)),
            }
        }
    }

    /// All keys as of one moment.
    pub(super) fn get(
        &self,
        namespace: &Namespace,
        keys: &[Key],
    ) -> Result<Vec<Option<Item>>, rusqlite::Error> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut found = Vec::with_capacity(keys.len());
        {
            let mut statement = self.connection.prepare_cached(
                "SELECT revision, body FROM records WHERE namespace = ?1 AND partition = ?2 AND sort = ?3",
            )?;
            for key in keys {
                let row = statement
                    .query_row(
                        params![
                            namespace.of_partition(&key.partition),
                            key.partition,
                            key.sort
                        ],
                        |row| item(key.clone(), row, 0),
                    )
                    .optional()?;
                found.push(row);
            }
        }
        transaction.finish()?;
        Ok(found)
    }

    /// The namespaces that hold anything.
    pub(super) fn namespaces(&self) -> Result<Vec<String>, rusqlite::Error> {
        // The first column of the primary key: SQLite hops from one name to the next.
        let mut statement = self.connection.prepare(
            "WITH RECURSIVE names(name) AS (
                 SELECT min(namespace) FROM records
                 UNION ALL
                 SELECT (SELECT min(namespace) FROM records WHERE namespace > name) FROM names WHERE name IS NOT NULL
             )
             SELECT name FROM names WHERE name IS NOT NULL AND name <> ''",
        )?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect()
    }

    /// Where the namespace moved.
    pub(super) fn left_for(
        &self,
        namespace: &Namespace,
    ) -> Result<Option<String>, rusqlite::Error> {
        self.connection
            .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
            .query_row([schema::left(namespace.as_str())], |row| row.get(0))
            .optional()
    }

    /// A page of all records of a namespace, those that all namespaces share left out.
    pub(super) fn export(
        &self,
        namespace: &Namespace,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT partition, sort, revision, body FROM records
             WHERE namespace = ?1 AND (partition, sort) > (?2, ?3)
             ORDER BY partition, sort LIMIT ?4",
        )?;
        let (partition, sort) = after.map_or(("", ""), |key| (&key.partition, &key.sort));
        let more = i64::try_from(limit.saturating_add(1)).unwrap_or(-1);
        let rows =
            statement.query_map(params![namespace.as_str(), partition, sort, more], |row| {
                item(
                    Key::new(row.get::<_, String>(0)?, row.get::<_, String>(1)?),
                    row,
                    2,
                )
            })?;
        let mut items = rows.collect::<Result<Vec<_>, _>>()?;
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items, more })
    }

    pub(super) fn query(
        &self,
        namespace: &Namespace,
        partition: &str,
        range: &Range,
    ) -> Result<Page, rusqlite::Error> {
        // Bounds rather than LIKE: a prefix is bytes, not a pattern. Text is compared bytewise.
        let order = if range.descending { "DESC" } else { "ASC" };
        let beyond = if range.descending {
            "sort < ?5"
        } else {
            "sort > ?5"
        };
        let sql = format!(
            "SELECT sort, revision, body FROM records
             WHERE namespace = ?1 AND partition = ?2 AND sort >= ?3
               AND (?4 IS NULL OR sort < ?4) AND (?5 IS NULL OR {beyond})
             ORDER BY sort {order} LIMIT ?6"
        );
        let limit = range
            .limit
            .map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![
                namespace.of_partition(partition),
                partition,
                range.prefix,
                successor(&range.prefix),
                range.after,
                // One more tells whether there is more.
                if limit < 0 {
                    -1
                } else {
                    limit.saturating_add(1)
                },
            ],
            |row| item(Key::new(partition, row.get::<_, String>(0)?), row, 1),
        )?;
        let mut items = rows.collect::<Result<Vec<_>, _>>()?;
        let more = range.limit.is_some_and(|limit| items.len() > limit);
        if let Some(limit) = range.limit {
            items.truncate(limit);
        }
        Ok(Page { items, more })
    }
}

fn item(key: Key, row: &Row<'_>, first: usize) -> Result<Item, rusqlite::Error> {
    let text = row.get_ref(first + 1)?.as_str()?;
    let body: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            first + 1,
            rusqlite::types::Type::Text,
            error.into(),
        )
    })?;
    Ok(Item {
        key,
        revision: row.get::<_, i64>(first)?.cast_unsigned(),
        body,
    })
}

/// The least text that is greater than all that begin with `prefix`; none for the empty prefix.
fn successor(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // UTF-8 orders as code points do; the surrogates' gap is no character.
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            _ => char::from_u32(last as u32 + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn open_file(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let writable = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE);
    let connection = match writable {
        Ok(connection) if !is_read_only(path) => connection,
        // In a directory that this user may not write, SQLite can share no lock; the file is
        // read as it lies, which is whole as long as no log of changes lies beside it.
        _ => {
            let log = path.with_extension("sqlite-wal");
            if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
                return Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)
                    .map_err(|error| explain(path, "opened", error));
            }
            let uri = format!("file:{}?immutable=1", uri_path(path));
            Connection::open_with_flags(
                uri,
                flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
            )
            .map_err(|error| explain(path, "opened", error))?
        }
    };
    // We wait ourselves, in random steps; the library's wait would come on top.
    connection
        .busy_timeout(Duration::ZERO)
        .map_err(|error| explain(path, "opened", error))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn is_read_only(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    let directory = path.parent().unwrap_or(path);
    access(path, Access::WRITE_OK).is_err() || access(directory, Access::WRITE_OK).is_err()
}

fn uri_path(path: &Path) -> String {
    let mut uri = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

fn patiently<T>(path: &Path, attempt: impl Fn() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(error) if caused_by_lock(&error) && started.elapsed() < PATIENCE => pause(),
            outcome => {
                return outcome.inspect_err(|error| {
                    tracing::debug!(path = %path.display(), error = %error.chain(), "registry not opened");
                });
            }
        }
    }
}

fn caused_by_lock(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|cause| cause.downcast_ref::<rusqlite::Error>())
        .is_some_and(is_busy)
}

/// Waits a moment of random length, so that processes do not knock in step.
pub(super) fn pause() {
    let noise = uuid::Uuid::new_v4().as_u128() as u64 % 4_000;
    std::thread::sleep(Duration::from_micros(100 + noise));
}

/// Retries `attempt` while the file is locked. The outcome of the last one.
pub(super) fn while_busy<T>(
    attempt: impl Fn() -> Result<T, rusqlite::Error>,
) -> Result<T, rusqlite::Error> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && started.elapsed() < PATIENCE => pause(),
            outcome => return outcome,
        }
    }
}
