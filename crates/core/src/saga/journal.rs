//! The journal of a saga: one document, from which any process can go on or go back.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;

/// Which saga wrote a journal, and in which version. A program that does not know the version
/// leaves the object alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SagaId {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
}

/// Where a saga is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Doing.
    Forward,
    /// Stopped at a step until somebody resumes. Nothing is undone.
    Paused,
    /// Cancelled; to be resumed by the next apply.
    Interrupted,
    /// Taking back.
    Undo,
    /// A step could not be taken back. Locked until repaired.
    UndoFailed,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun.
    Waiting,
    /// Its intent is journaled; it may have had effects.
    Begun,
    /// Done.
    Done,
    /// Taken back.
    Undone,
}

/// A step's line in the journal, readable without knowing the saga's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEntry {
    /// The step's name.
    pub name: String,
    /// The step's version.
    pub version: u32,
    /// How far it is.
    pub status: StepStatus,
}

/// Why a saga left the forward direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StopReason {
    /// What kind of stop.
    pub kind: StopKind,
    /// The step that was running.
    pub step: String,
    /// For a person: the chain of errors, or why it paused.
    pub message: String,
    /// What was measured.
    #[serde(default)]
    pub evidence: Option<Value>,
}

/// Kinds of stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// A step failed.
    Failed,
    /// A step, or the whole, took too long.
    TimedOut,
    /// The caller cancelled.
    Interrupted,
    /// The process that ran it died; a later one took it back.
    Abandoned,
    /// A step asked to stop.
    Paused,
    /// A step could not be taken back.
    UndoFailed,
}

/// A saga's journal over its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journal<State> {
    /// Which saga.
    pub saga: SagaId,
    /// Where it is.
    pub phase: Phase,
    /// Why it is not forward, or was not.
    #[serde(default)]
    pub stop: Option<StopReason>,
    /// Why undo was given up.
    #[serde(default)]
    pub undo_failure: Option<StopReason>,
    /// Its steps, in order.
    pub steps: Vec<StepEntry>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// Everything the steps know.
    pub state: State,
}

/// Where a journal is kept. Every write holds the lease, and renews it.
#[async_trait]
pub trait JournalStore<State: Send + Sync>: Send {
    /// Writes the journal durably. A conflict means that the lease was lost: the caller must stop
    /// at once and leave the world to the new holder.
    async fn save(&mut self, journal: &Journal<State>) -> Result<()>;

    /// Renews the lease alone; same conflict.
    async fn beat(&mut self) -> Result<()>;
}
