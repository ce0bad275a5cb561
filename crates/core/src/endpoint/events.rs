//! What an endpoint's deployment tells while it runs. `mlops endpoint watch` reads it.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

/// One thing to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// What, as a dotted word: `rollout.shifted`.
    pub kind: &'static str,
    /// For people.
    pub message: String,
    /// For programs.
    pub details: Map<String, Value>,
}

impl Note {
    /// A note of this kind.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            details: Map::new(),
        }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// Notes on their way into the registry: they ride in the next journal write. A kill loses those
/// of the last second, never a journaled fact.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Vec<Note>>);

impl Notes {
    /// Adds one, and logs it.
    pub fn tell(&self, note: Note) {
        tracing::info!(kind = note.kind, "{}", note.message);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(note);
    }

    /// Takes at most `limit` of them, oldest first.
    pub fn take(&self, limit: usize) -> Vec<Note> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = limit.min(notes.len());
        notes.drain(..count).collect()
    }
}
