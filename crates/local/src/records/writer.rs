//! The one thread of a process that writes.

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use mlops_core::records::{Change, CommitError, Expect, Write};
use mlops_core::registry::migrate::stays;
use mlops_core::{Class, Error, Result};
use rusqlite::{OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::database::{Database, while_busy};
use super::fault::explain;
use crate::location::Namespace;

type Outcome = Result<Vec<u64>, CommitError>;

struct Job {
    namespace: Namespace,
    writes: Vec<Write>,
    answer: oneshot::Sender<Outcome>,
}

/// Ends its thread when it is dropped and what was sent is written.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

/// At most so many commits share one transaction.
const SHARED: usize = 64;

impl Writer {
    pub(super) fn spawn(directory: &Path, fills: bool) -> Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let directory = directory.to_owned();
        std::thread::Builder::new()
            .name("mlops-registry".into())
            .spawn(move || run(directory, &queue, fills))
            .map_err(|error| {
                Error::unavailable("the registry's writing thread could not be started")
                    .because(error)
            })?;
        Ok(Self { jobs })
    }

    pub(super) fn send(
        &self,
        namespace: Namespace,
        writes: Vec<Write>,
    ) -> oneshot::Receiver<Outcome> {
        let (answer, receiver) = oneshot::channel();
        // A failed send drops `answer`, which tells the receiver.
        let _ = self.jobs.send(Job {
            namespace,
            writes,
            answer,
        });
        receiver
    }
}

fn run(directory: PathBuf, queue: &mpsc::Receiver<Job>, fills: bool) {
    let mut open: Option<Database> = None;
    while let Ok(first) = queue.recv() {
        let mut jobs = vec![first];
        jobs.extend(queue.try_iter().take(SHARED - 1));
        if open.as_ref().is_some_and(|database| !database.is_current()) {
            open = None;
        }
        let opened = match open.take() {
            Some(database) => Ok(database),
            None => Database::create(&directory, fills),
        };
        match opened {
            Err(error) => refuse(jobs, &error),
            Ok(database) => {
                if write_all(&database, jobs) {
                    open = Some(database);
                }
            }
        }
    }
}

/// Every job gets the same failure; errors cannot be cloned, so the causes become text.
fn refuse(jobs: Vec<Job>, error: &Error) {
    for job in jobs {
        let mut copy = Error::new(error.class(), error.to_string());
        if let Some(cause) = std::error::Error::source(error) {
            copy = copy.because(cause.to_string());
        }
        let _ = job.answer.send(Err(CommitError::Store(copy)));
    }
}

/// Writes the jobs in one transaction and answers them; false if the connection must not be used
/// any more.
fn write_all(database: &Database, jobs: Vec<Job>) -> bool {
    let connection = &database.connection;
    let attempt = || -> Result<Vec<Outcome>, rusqlite::Error> {
        while_busy(|| connection.execute_batch("BEGIN IMMEDIATE"))?;
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in &jobs {
            connection.prepare_cached("SAVEPOINT one")?.execute([])?;
            match write_one(database, job)? {
                Ok(revisions) => outcomes.push(Ok(revisions)),
                Err(refused) => {
                    connection.prepare_cached("ROLLBACK TO one")?.execute([])?;
                    outcomes.push(Err(refused));
                }
            }
            connection.prepare_cached("RELEASE one")?.execute([])?;
        }
        #[cfg(debug_assertions)]
        let drilled = super::drill::Commits::before(
            jobs.iter()
                .zip(&outcomes)
                .filter(|(_, outcome)| outcome.is_ok())
                .map(|(job, _)| job.writes.as_slice()),
        );
        while_busy(|| connection.prepare_cached("COMMIT")?.execute([]))?;
        #[cfg(debug_assertions)]
        drilled.after();
        Ok(outcomes)
    };
    match attempt() {
        Ok(outcomes) => {
            for (job, outcome) in jobs.into_iter().zip(outcomes) {
                let _ = job.answer.send(outcome);
            }
            true
        }
        Err(error) => {
            if !connection.is_autocommit() {
                // What fails here fails again on the next connection, with a message.
                let _ = connection.execute_batch("ROLLBACK");
            }
            let error = explain(database.path(), "written to", error);
            refuse(jobs, &error);
            error.class() == Class::Unavailable && connection.is_autocommit()
        }
    }
}

/// The revisions, or the write whose condition does not hold, or that the registry is not here any more.
fn write_one(database: &Database, job: &Job) -> Result<Outcome, rusqlite::Error> {
    let connection = &database.connection;
    // Looked up in the transaction of the writes, so none is later than the mark.
    if let Some(to) = database.left_for(&job.namespace)?
        && !job.writes.iter().all(|write| stays(&write.key.partition))
    {
        return Ok(Err(CommitError::Store(Error::denied(format!(
            "the registry {} moved to {to}, and is not written here any more: say so in the provider block, or on the command line",
            database.path().display()
        )))));
    }
    let mut find = connection.prepare_cached(
        "SELECT revision FROM records WHERE namespace = ?1 AND partition = ?2 AND sort = ?3",
    )?;
    for (index, write) in job.writes.iter().enumerate() {
        let key = &write.key;
        let found: Option<i64> = find
            .query_row(
                params![
                    job.namespace.of_partition(&key.partition),
                    key.partition,
                    key.sort
                ],
                |row| row.get(0),
            )
            .optional()?;
        let holds = match write.expect {
            Expect::Absent => found.is_none(),
            Expect::Revision(revision) => found == Some(revision.cast_signed()),
        };
        if !holds {
            return Ok(Err(CommitError::Condition { index }));
        }
    }
    let revision: i64 = connection
        .prepare_cached("UPDATE revision SET last = last + 1 RETURNING last")?
        .query_row([], |row| row.get(0))?;
    let mut put = connection.prepare_cached(
        "INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body",
    )?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM records WHERE namespace = ?1 AND partition = ?2 AND sort = ?3",
    )?;
    let mut revisions = Vec::with_capacity(job.writes.len());
    for write in &job.writes {
        let key = &write.key;
        revisions.push(match &write.change {
            Change::Check => 0,
            Change::Delete => {
                delete.execute(params![
                    job.namespace.of_partition(&key.partition),
                    key.partition,
                    key.sort
                ])?;
                0
            }
            Change::Put(body) => {
                let text = serde_json::to_string(body)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                put.execute(params![
                    job.namespace.of_partition(&key.partition),
                    key.partition,
                    key.sort,
                    revision,
                    text
                ])?;
                revision.cast_unsigned()
            }
        });
    }
    Ok(Ok(revisions))
}
