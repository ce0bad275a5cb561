//! Records in SQLite: one file, `registry.sqlite`, for all namespaces of a directory.
//!
//! A commit is on the disk when it returns (WAL, `synchronous = FULL`, the directory synced when
//! the file is made). One thread of this process writes and takes what has queued up into one
//! transaction, so that many small commits share one sync; each still stands or falls by itself,
//! in a savepoint of its own. Reads run on blocking threads over a pool of connections. Other
//! processes may do the same at the same time: whoever finds the file locked tries again for a
//! bounded time, with jitter.
//!
//! The file is made by the first commit and by nothing else.

mod database;
#[cfg(debug_assertions)]
mod drill;
mod fault;
mod moving;
mod schema;
mod writer;

pub(crate) use fault::explain_io;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mlops_core::records::{
    CommitError, Identity, Item, Key, Page, Range, Records, Write, check_commit,
};
use mlops_core::{Error, Result};
use tokio::sync::Semaphore;

use crate::location::Namespace;
use database::Database;
use writer::Writer;

/// The name of the file.
pub const FILE: &str = "registry.sqlite";

/// So many reads run at a time; the rest wait. A read takes microseconds, so more gain nothing, while each connection has a
/// page cache and each thread an arena of its own.
const READERS: usize = 2;

/// The store of one namespace in one directory. Cheap to make: nothing is opened before it is
/// used.
#[derive(Clone)]
pub struct LocalRecords {
    inner: Arc<Inner>,
}

struct Inner {
    directory: PathBuf,
    namespace: Namespace,
    /// Whether this is who fills a file that a registry moves into.
    fills: bool,
    /// One permit a connection that may be open for reading.
    reading: Semaphore,
    /// Connections that nobody reads on at the moment.
    readers: Mutex<Vec<Database>>,
    writer: Mutex<Option<Writer>>,
}

impl std::fmt::Debug for LocalRecords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalRecords")
            .field("directory", &self.inner.directory)
            .finish_non_exhaustive()
    }
}

impl LocalRecords {
    /// The records in `directory` (`.mlops`), of one namespace.
    pub fn new(directory: impl Into<PathBuf>, namespace: Namespace) -> Self {
        Self::with(directory.into(), namespace, false)
    }

    fn with(directory: PathBuf, namespace: Namespace, fills: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
                directory: std::path::absolute(&directory).unwrap_or(directory),
                namespace,
                fills,
                reading: Semaphore::new(READERS),
                readers: Mutex::default(),
                writer: Mutex::default(),
            }),
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Runs `read` on a connection, off the async threads; `absent` if there is no registry.
    async fn read<T: Send + 'static>(
        &self,
        absent: T,
        read: impl Fn(&Database) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        let _permit = (self.inner.reading.acquire().await)
            .map_err(|error| Error::bug("the registry's readers are closed").because(error))?;
        let task = move || {
            let pooled = inner
                .readers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            // One that was opened on a file that has been replaced since is thrown away.
            let database = match pooled.filter(Database::is_current) {
                Some(database) => database,
                None => match Database::open(&inner.directory)? {
                    Some(database) => database.for_use(inner.fills)?,
                    None => return Ok(absent),
                },
            };
            let answer = database.patiently(|| read(&database));
            if answer.is_ok() {
                inner
                    .readers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(database);
            }
            answer
        };
        tokio::task::spawn_blocking(task).await.map_err(|error| {
            Error::bug("a read of the registry did not end; report this").because(error)
        })?
    }
}

#[async_trait]
impl Records for LocalRecords {
    async fn identity(&self) -> Result<Option<Identity>> {
        let location = self.location();
        let uuid = self
            .read(None, |database| Ok(Some(database.uuid())))
            .await?;
        Ok(uuid.map(|uuid| Identity { uuid, location }))
    }

    fn location(&self) -> String {
        self.inner.directory.display().to_string()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let absent = vec![None; keys.len()];
        let (keys, namespace) = (keys.to_vec(), self.inner.namespace.clone());
        self.read(absent, move |database| database.get(&namespace, &keys))
            .await
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        let (partition, namespace) = (partition.to_owned(), self.inner.namespace.clone());
        self.read(Page::default(), move |database| {
            database.query(&namespace, &partition, &range)
        })
        .await
    }

    async fn neighbours(&self) -> Result<Vec<Arc<dyn Records>>> {
        let names = self.read(Vec::new(), Database::namespaces).await?;
        let ours = self.inner.namespace.as_str();
        names
            .into_iter()
            .filter(|name| name != ours)
            .map(|name| -> Result<Arc<dyn Records>> {
                Ok(Arc::new(Self::new(
                    &self.inner.directory,
                    Namespace::new(name)?,
                )))
            })
            .collect()
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        check_commit(&writes)?;
        let answer = {
            let mut writer = self
                .inner
                .writer
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let writer = match &mut *writer {
                Some(writer) => writer,
                none => {
                    let spawned = Writer::spawn(&self.inner.directory, self.inner.fills);
                    none.insert(spawned.map_err(CommitError::Store)?)
                }
            };
            writer.send(self.inner.namespace.clone(), writes)
        };
        answer.await.unwrap_or_else(|_| {
            Err(CommitError::Store(Error::bug(
                "the registry's writing thread ended; report this",
            )))
        })
    }
}
