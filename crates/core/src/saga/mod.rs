//! Steps with undo, journaled so that a killed process can be continued or compensated by the next.
//!
//! A [`Step`] is typed: input, output and checkpoint are its own serde types. A saga is one serde
//! state struct with a [`Slot`] per step; [`wire`]'s `&State -> Input` is the only way by
//! which one step's output reaches another. Types are erased in [`Node`] only, which is what the
//! executor sees.
//!
//! Guarantees:
//! * Intent (the step's input) is in the journal before its first effect, its result after it.
//! * A step never waits; the executor does, renewing the lease meanwhile.
//! * Undo runs in reverse over every step that has begun, and does not assume that forward finished.
//!
//! Assumptions: forward and undo are idempotent, and end within 30 s.

mod executor;
mod journal;
mod node;
mod slot;
mod step;

pub use executor::{Drill, Ending, Executor, FailAt, Hooks, Policy, Told};
pub use journal::{
    Journal, JournalStore, Phase, SagaId, StepEntry, StepStatus, StopKind, StopReason,
};
pub use node::{BoxNode, Moved, Node, Wired, as_document, lift, wire, wire_pivot};
pub use slot::Slot;
pub use step::{Progress, Step, StepError, UndoError};
