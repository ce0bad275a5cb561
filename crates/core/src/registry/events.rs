//! Events: what happened to models, versions, aliases and endpoints, in order.

use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Registry;
use super::documents::{self, Document};
use crate::error::{Error, Result};
use crate::records::{COMMIT_LIMIT, CommitError, Key, Range, Write};

/// Whose events they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A model, its versions and aliases.
    Model(String),
    /// An endpoint, by its id (`local/digits`).
    Endpoint(String),
    /// The registry itself.
    Registry,
}

impl Subject {
    fn partition(&self) -> String {
        match self {
            Self::Model(name) => format!("events#model#{name}"),
            Self::Endpoint(id) => format!("events#endpoint#{id}"),
            Self::Registry => "events#registry".to_owned(),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What, as a dotted word: `version.registered`, `rollout.step.shifted`.
    pub kind: String,
    /// For people, one line or a few.
    pub message: String,
    /// When; set by the registry.
    pub at: Timestamp,
    /// The deployment it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Details for programs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// Seconds since the epoch after which it may be forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// An event to be appended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewEvent {
    /// See [`Event::kind`].
    pub kind: String,
    /// See [`Event::message`].
    pub message: String,
    /// See [`Event::deployment`].
    pub deployment: Option<String>,
    /// See [`Event::by`].
    pub by: Option<String>,
    /// See [`Event::details`].
    pub details: Map<String, Value>,
    /// How long it is kept; `None`: for ever.
    pub ttl: Option<SignedDuration>,
}

impl NewEvent {
    /// An event of this kind with this message.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// A stored event with its place in the order.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Orders the subject's events; pass the last one seen to read on.
    pub position: String,
    /// The event.
    pub event: Event,
}

/// The write that appends an event that happens now, by who has a store and no registry over it.
///
/// # Errors
/// A bug, if it is no document.
pub fn single(subject: &Subject, event: NewEvent, now: Timestamp, id: uuid::Uuid) -> Result<Write> {
    write_at(subject, event, now, now.as_microsecond(), id)
}

fn write_at(
    subject: &Subject,
    event: NewEvent,
    now: Timestamp,
    micros: i64,
    id: uuid::Uuid,
) -> Result<Write> {
    let stored = Event {
        kind: event.kind,
        message: event.message,
        at: now,
        deployment: event.deployment,
        by: event.by,
        details: event.details,
        expires_at: event.ttl.map(|ttl| now.as_second() + ttl.as_secs()),
    };
    let key = Key::new(subject.partition(), format!("{micros:020}#{}", id.simple()));
    documents::create(key, &stored)
}

impl Registry {
    /// The write that appends an event, to ride in a commit with what it tells of. Events of one
    /// process are in the order of these calls; those of several by their clocks.
    pub fn event_write(&self, subject: &Subject, event: NewEvent) -> Result<Write> {
        let inner = &self.inner;
        let now = inner.clock.now();
        let wanted = now.as_microsecond();
        let before = inner
            .last_event
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| {
                Some(wanted.max(last + 1))
            })
            .unwrap_or_else(|last| last);
        let micros = wanted.max(before + 1);
        write_at(subject, event, now, micros, inner.ids.uuid())
    }

    /// Appends an event by itself.
    pub async fn append_event(&self, subject: &Subject, event: NewEvent) -> Result<()> {
        let write = self.event_write(subject, event)?;
        self.commit(vec![write])
            .await
            .map_err(|error| error.into_error("the event could not be appended"))?;
        Ok(())
    }

    /// The subject's events in order, oldest first, after `position`; of one deployment if one
    /// is named. At most `limit`, and expired ones are left out.
    pub async fn events(
        &self,
        subject: &Subject,
        deployment: Option<&str>,
        position: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>> {
        let now = self.inner.clock.now().as_second();
        let mut found = Vec::new();
        let mut after = position.map(str::to_owned);
        while found.len() < limit {
            let range = Range {
                after: after.clone(),
                limit: Some((limit - found.len()).max(64)),
                ..Range::default()
            };
            let page = self
                .query_documents::<Event>(&subject.partition(), range)
                .await?;
            let Some(last) = page.documents.last() else {
                break;
            };
            after = Some(last.key.sort.clone());
            let wanted = |document: &Document<Event>| {
                let event = &document.body;
                event.expires_at.is_none_or(|at| at > now)
                    && deployment.is_none_or(|id| event.deployment.as_deref() == Some(id))
            };
            for document in page.documents.into_iter().filter(wanted) {
                if found.len() == limit {
                    break;
                }
                found.push(StoredEvent {
                    position: document.key.sort,
                    event: document.body,
                });
            }
            if !page.more {
                break;
            }
        }
        Ok(found)
    }

    /// Deletes expired events of the subject, as many as one commit takes, the oldest first; the
    /// number of them. Stores that expire records by themselves need it not.
    pub async fn prune_events(&self, subject: &Subject) -> Result<usize> {
        let now = self.inner.clock.now().as_second();
        let range = Range {
            limit: Some(COMMIT_LIMIT),
            ..Range::default()
        };
        let oldest = self
            .query_documents::<Event>(&subject.partition(), range)
            .await?;
        let expired: Vec<Write> = oldest
            .documents
            .iter()
            .filter(|document| document.body.expires_at.is_some_and(|at| at <= now))
            .map(Document::delete)
            .collect();
        let count = expired.len();
        if count == 0 {
            return Ok(0);
        }
        match self.commit(expired).await {
            Ok(_) => Ok(count),
            // Somebody else is pruning the same ones.
            Err(CommitError::Condition { .. }) => Ok(0),
            Err(CommitError::Store(error)) => {
                Err(Error::new(error.class(), "old events could not be deleted").because(error))
            }
        }
    }
}
