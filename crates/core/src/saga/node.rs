//! A step wired into a saga's state, with its types erased. Nothing but the executor calls it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::journal::StepStatus;
use super::slot::Slot;
use super::step::{Progress, Step, StepError, UndoError};
use crate::error::{Error, Result};

/// A boxed node.
pub type BoxNode<State> = Box<dyn Node<State>>;

/// What one call changed in the state.
#[derive(Debug)]
pub enum Moved {
    /// The step is done (or taken back).
    Done,
    /// Call again.
    Pending {
        /// After so long.
        poll_after: Duration,
        /// Unless so long has passed since the step began.
        deadline: Duration,
        /// Whether the state differs from before the call, so that it has to be journaled.
        changed: bool,
    },
}

/// A step of a saga over `State`.
#[async_trait]
pub trait Node<State: Send + Sync>: Send + Sync {
    /// The step's name.
    fn name(&self) -> &'static str;
    /// The step's version.
    fn version(&self) -> u32;
    /// Whether a cancellation stops it. A step that cannot be taken back says no: once it has
    /// begun, the saga only goes forward.
    fn is_pivot(&self) -> bool;
    /// How far it is; fails if the state was written by a newer version of the step.
    fn status(&self, state: &State) -> Result<StepStatus>;
    /// When it began.
    fn since(&self, state: &State) -> Result<Option<Timestamp>>;
    /// Fixes its input.
    fn begin(&self, state: &mut State, now: Timestamp) -> Result<()>;
    /// Restarts its clock, and lets it choose the checkpoint to go on with.
    fn resume(&self, state: &mut State, now: Timestamp) -> Result<()>;
    /// Starts counting the time of its undo.
    fn begin_undo(&self, state: &mut State, now: Timestamp) -> Result<()>;
    /// One call of forward; on `Ok` the state holds what it gave.
    async fn forward(&self, state: &mut State) -> Result<Moved, StepError>;
    /// One call of undo; on `Ok` the state holds what it gave.
    async fn undo(&self, state: &mut State) -> Result<Moved, UndoError>;
}

/// How a step reads its input out of a state.
type InputOf<State, S> = Box<dyn Fn(&State) -> Result<<S as Step>::Input> + Send + Sync>;

/// A step wired into a state: where its input comes from, and where its slot lies.
pub struct Wired<State, S: Step> {
    ports: Arc<S::Ports>,
    input: InputOf<State, S>,
    slot: fn(&mut State) -> &mut Slot<S>,
    peek: fn(&State) -> &Slot<S>,
    pivot: bool,
}

/// Wires a step: its ports, its input from the state (the only way in), and its slot twice, to
/// write and to read.
pub fn wire<State: Send + Sync + 'static, S: Step>(
    ports: Arc<S::Ports>,
    input: impl Fn(&State) -> Result<S::Input> + Send + Sync + 'static,
    slot: fn(&mut State) -> &mut Slot<S>,
    peek: fn(&State) -> &Slot<S>,
) -> BoxNode<State> {
    Box::new(Wired {
        ports,
        input: Box::new(input),
        slot,
        peek,
        pivot: false,
    })
}

/// Wires a step that cannot be taken back: see [`Node::is_pivot`].
pub fn wire_pivot<State: Send + Sync + 'static, S: Step>(
    ports: Arc<S::Ports>,
    input: impl Fn(&State) -> Result<S::Input> + Send + Sync + 'static,
    slot: fn(&mut State) -> &mut Slot<S>,
    peek: fn(&State) -> &Slot<S>,
) -> BoxNode<State> {
    Box::new(Wired {
        ports,
        input: Box::new(input),
        slot,
        peek,
        pivot: true,
    })
}

impl<State, S: Step> Wired<State, S> {
    fn input_of(&self, state: &State) -> Result<S::Input> {
        (self.peek)(state).input.clone().ok_or_else(|| {
            Error::bug(format!(
                "step {:?} was called before its intent was journaled",
                S::NAME
            ))
        })
    }
}

#[async_trait]
impl<State: Send + Sync + 'static, S: Step> Node<State> for Wired<State, S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn version(&self) -> u32 {
        S::VERSION
    }

    fn is_pivot(&self) -> bool {
        self.pivot
    }

    fn status(&self, state: &State) -> Result<StepStatus> {
        let slot = (self.peek)(state);
        if slot.version > S::VERSION {
            return Err(Error::corrupt(format!(
                "step {:?} was journaled in version {}, this program knows {}: use the newer program",
                S::NAME,
                slot.version,
                S::VERSION
            )));
        }
        Ok(match slot {
            _ if slot.undone => StepStatus::Undone,
            Slot { done: true, .. } => StepStatus::Done,
            Slot { input: Some(_), .. } => StepStatus::Begun,
            _ => StepStatus::Waiting,
        })
    }

    fn since(&self, state: &State) -> Result<Option<Timestamp>> {
        Ok((self.peek)(state).since)
    }

    fn begin(&self, state: &mut State, now: Timestamp) -> Result<()> {
        let input = (self.input)(state)?;
        *(self.slot)(state) = Slot {
            input: Some(input),
            since: Some(now),
            ..Slot::default()
        };
        Ok(())
    }

    fn resume(&self, state: &mut State, now: Timestamp) -> Result<()> {
        let slot = (self.slot)(state);
        slot.since = Some(now);
        slot.checkpoint = slot.checkpoint.take().map(S::resume);
        Ok(())
    }

    fn begin_undo(&self, state: &mut State, now: Timestamp) -> Result<()> {
        (self.slot)(state).since = Some(now);
        Ok(())
    }

    async fn forward(&self, state: &mut State) -> Result<Moved, StepError> {
        let input = self.input_of(state)?;
        let before = (self.peek)(state).checkpoint.clone();
        let progress = S::forward(&self.ports, input, before.clone()).await?;
        let slot = (self.slot)(state);
        Ok(match progress {
            Progress::Done(output) => {
                slot.output = Some(output);
                slot.done = true;
                Moved::Done
            }
            Progress::Pending {
                poll_after,
                deadline,
                checkpoint,
            } => {
                let changed = differs(before.as_ref(), &checkpoint)?;
                slot.checkpoint = Some(checkpoint);
                Moved::Pending {
                    poll_after,
                    deadline,
                    changed,
                }
            }
        })
    }

    async fn undo(&self, state: &mut State) -> Result<Moved, UndoError> {
        let input = self.input_of(state)?;
        let slot = (self.peek)(state);
        let (output, before) = (slot.output.clone(), slot.checkpoint.clone());
        let progress = S::undo(&self.ports, input, output, before.clone()).await?;
        let slot = (self.slot)(state);
        Ok(match progress {
            Progress::Done(()) => {
                slot.undone = true;
                Moved::Done
            }
            Progress::Pending {
                poll_after,
                deadline,
                checkpoint,
            } => {
                let changed = differs(before.as_ref(), &checkpoint)?;
                slot.checkpoint = Some(checkpoint);
                Moved::Pending {
                    poll_after,
                    deadline,
                    changed,
                }
            }
        })
    }
}

/// Whether a checkpoint has to be journaled. Compared as JSON, because that is what is stored.
fn differs<C: Serialize>(before: Option<&C>, after: &C) -> Result<bool> {
    let json = |value: Option<&C>| {
        serde_json::to_value(value)
            .map_err(|e| Error::bug("a checkpoint could not be written as JSON").because(e))
    };
    Ok(json(before)? != json(Some(after))?)
}

/// A node over typed state `S` as a node over its document.
pub fn as_document<S>(node: BoxNode<S>) -> BoxNode<Value>
where
    S: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    Box::new(Embedded {
        node,
        read: |value: &Value| {
            S::deserialize(value).map_err(|e| {
                Error::corrupt("a target's state in the journal is not readable").because(e)
            })
        },
        write: |value: &mut Value, state: S| {
            *value = serde_json::to_value(state).map_err(|e| {
                Error::bug("a target's state could not be written as JSON").because(e)
            })?;
            Ok(())
        },
    })
}

/// A node over `Inner` as a node over a state that holds an `Inner`.
pub fn lift<Outer, Inner>(
    node: BoxNode<Inner>,
    read: fn(&Outer) -> Result<Inner>,
    write: fn(&mut Outer, Inner) -> Result<()>,
) -> BoxNode<Outer>
where
    Outer: Send + Sync + 'static,
    Inner: Send + Sync + 'static,
{
    Box::new(Embedded { node, read, write })
}

struct Embedded<Outer, Inner> {
    node: BoxNode<Inner>,
    read: fn(&Outer) -> Result<Inner>,
    write: fn(&mut Outer, Inner) -> Result<()>,
}

impl<Outer, Inner: Send + Sync> Embedded<Outer, Inner> {
    fn change(
        &self,
        outer: &mut Outer,
        change: impl FnOnce(&mut Inner) -> Result<()>,
    ) -> Result<()> {
        let mut inner = (self.read)(outer)?;
        change(&mut inner)?;
        (self.write)(outer, inner)
    }
}

#[async_trait]
impl<Outer, Inner> Node<Outer> for Embedded<Outer, Inner>
where
    Outer: Send + Sync + 'static,
    Inner: Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.node.name()
    }

    fn version(&self) -> u32 {
        self.node.version()
    }

    fn is_pivot(&self) -> bool {
        self.node.is_pivot()
    }

    fn status(&self, state: &Outer) -> Result<StepStatus> {
        self.node.status(&(self.read)(state)?)
    }

    fn since(&self, state: &Outer) -> Result<Option<Timestamp>> {
        self.node.since(&(self.read)(state)?)
    }

    fn begin(&self, state: &mut Outer, now: Timestamp) -> Result<()> {
        self.change(state, |inner| self.node.begin(inner, now))
    }

    fn resume(&self, state: &mut Outer, now: Timestamp) -> Result<()> {
        self.change(state, |inner| self.node.resume(inner, now))
    }

    fn begin_undo(&self, state: &mut Outer, now: Timestamp) -> Result<()> {
        self.change(state, |inner| self.node.begin_undo(inner, now))
    }

    async fn forward(&self, state: &mut Outer) -> Result<Moved, StepError> {
        let mut inner = (self.read)(state)?;
        let moved = self.node.forward(&mut inner).await?;
        (self.write)(state, inner)?;
        Ok(moved)
    }

    async fn undo(&self, state: &mut Outer) -> Result<Moved, UndoError> {
        let mut inner = (self.read)(state)?;
        let moved = self.node.undo(&mut inner).await?;
        (self.write)(state, inner)?;
        Ok(moved)
    }
}
