//! A registry moves out of the file, or into it.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::records::{Key, Movable, Page, Records as _};
use mlops_core::{Error, Result};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::database::Database;
use super::fault::explain;
use super::{FILE, LocalRecords, schema};

/// How many records a page of an export has.
const PAGE: usize = 500;

impl LocalRecords {
    /// Changes what the file says of itself, in a transaction of its own, off the async threads.
    async fn change_head<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<Result<T>, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.inner);
        let task = move || {
            let mut database = Database::open(&inner.directory)?.ok_or_else(|| {
                Error::not_found(format!(
                    "there is no registry at {}",
                    inner.directory.display()
                ))
            })?;
            let path = database.path().to_owned();
            let failed = |error| explain(&path, "written to", error);
            let connection = &mut database.connection;
            // Whoever writes does so for milliseconds.
            (connection.busy_timeout(std::time::Duration::from_secs(30))).map_err(failed)?;
            (connection.pragma_update(None, "synchronous", "full")).map_err(failed)?;
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(failed)?;
            let changed = change(&transaction).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            changed
        };
        tokio::task::spawn_blocking(task).await.map_err(|error| {
            Error::bug("a write to the registry did not end; report this").because(error)
        })?
    }

    fn here(&self) -> String {
        self.inner.directory.display().to_string()
    }
}

#[async_trait]
impl Movable for LocalRecords {
    async fn export(&self, after: Option<&Key>) -> Result<Page> {
        let (after, namespace) = (after.cloned(), self.inner.namespace.clone());
        self.read(Page::default(), move |database| {
            database.export(&namespace, after.as_ref(), PAGE)
        })
        .await
    }

    async fn left_for(&self) -> Result<Option<String>> {
        let namespace = self.inner.namespace.clone();
        self.read(None, move |database| database.left_for(&namespace))
            .await
    }

    async fn leave(&self, to: &str) -> Result<()> {
        let name = schema::left(self.inner.namespace.as_str());
        let (to, here) = (to.to_owned(), self.here());
        self.change_head(move |connection| {
            let left: Option<String> = connection
                .query_row("SELECT value FROM meta WHERE name = ?1", [&name], |row| {
                    row.get(0)
                })
                .optional()?;
            if let Some(left) = left.filter(|left| *left != to) {
                return Ok(Err(Error::conflict(format!(
                    "the registry {here} moved to {left} already"
                ))));
            }
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [&name, &to])?;
            Ok(Ok(()))
        })
        .await
    }

    async fn stay(&self, to: &str) -> Result<()> {
        let name = schema::left(self.inner.namespace.as_str());
        let to = to.to_owned();
        self.change_head(move |connection| {
            connection.execute(
                "DELETE FROM meta WHERE name = ?1 AND value = ?2",
                [name, to],
            )?;
            Ok(Ok(()))
        })
        .await
    }

    async fn arrive(&self, uuid: uuid::Uuid) -> Result<Option<Arc<dyn Movable>>> {
        let inner = Arc::clone(&self.inner);
        let task = move || {
            if Database::open(&inner.directory)?.is_none() {
                schema::prepare(&inner.directory, &inner.directory.join(FILE), Some(uuid))?;
            }
            let database = Database::open(&inner.directory)?.ok_or_else(|| {
                Error::conflict(format!(
                    "registry {} was removed while it was made; run the operation again",
                    inner.directory.display()
                ))
            })?;
            Ok((database.uuid(), database.is_arriving()))
        };
        let task = tokio::task::spawn_blocking(task).await;
        let (found, arriving) = task.map_err(|error| {
            Error::bug("a write to the registry did not end; report this").because(error)
        })??;
        if found != uuid {
            return Err(Error::conflict(format!(
                "registry {found} lies at {}; move to a place that is empty",
                self.here()
            )));
        }
        if arriving {
            let directory = self.inner.directory.clone();
            let filler = Self::with(directory, self.inner.namespace.clone(), true);
            return Ok(Some(Arc::new(filler)));
        }
        if let Some(to) = self.left_for().await? {
            return Err(Error::conflict(format!(
                "the registry was at {} before it moved to {to}, and its old records lie there; move to a place that is empty",
                self.location()
            )));
        }
        Ok(None)
    }

    async fn settle(&self) -> Result<()> {
        self.change_head(|connection| {
            connection.execute("DELETE FROM meta WHERE name = ?1", [schema::ARRIVING])?;
            Ok(Ok(()))
        })
        .await
    }
}
