//! What the journal knows of one step.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::step::Step;

/// A step's place in the state of its saga.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Slot<S: Step> {
    /// The version of the step that wrote this.
    #[serde(default)]
    pub version: u32,
    /// What the step was asked for; set, and journaled, before its first effect.
    pub input: Option<S::Input>,
    /// The last checkpoint, of forward or of undo.
    pub checkpoint: Option<S::Checkpoint>,
    /// What it gave; set once it is done.
    pub output: Option<S::Output>,
    /// Whether it is done. Apart from the output, because an output of `()` reads back as nothing.
    #[serde(default)]
    pub done: bool,
    /// When it began (or was resumed, or began to be undone): deadlines count from here.
    pub since: Option<Timestamp>,
    /// Whether it was taken back.
    #[serde(default)]
    pub undone: bool,
}

impl<S: Step> Slot<S> {
    /// The output, if the step is done and was not taken back.
    pub fn output(&self) -> Option<&S::Output> {
        self.output.as_ref().filter(|_| !self.undone)
    }
}

impl<S: Step> Default for Slot<S> {
    fn default() -> Self {
        Self {
            version: S::VERSION,
            input: None,
            checkpoint: None,
            output: None,
            done: false,
            since: None,
            undone: false,
        }
    }
}

impl<S: Step> Clone for Slot<S> {
    fn clone(&self) -> Self {
        Self {
            version: self.version,
            input: self.input.clone(),
            checkpoint: self.checkpoint.clone(),
            output: self.output.clone(),
            done: self.done,
            since: self.since,
            undone: self.undone,
        }
    }
}

impl<S: Step> std::fmt::Debug for Slot<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(S::NAME)
            .field("input", &self.input)
            .field("checkpoint", &self.checkpoint)
            .field("output", &self.output)
            .field("undone", &self.undone)
            .finish_non_exhaustive()
    }
}
