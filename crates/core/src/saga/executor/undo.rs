//! The way back.

use std::time::Duration;

use super::{Executor, Told};
use crate::error::Result;
use crate::saga::journal::{Journal, JournalStore, Phase, StepStatus, StopKind, StopReason};
use crate::saga::node::{Moved, Node};
use crate::saga::step::Data;

impl<State: Data> Executor<'_, State> {
    /// Takes back every step that has begun, in reverse. True when all are; false when one could
    /// not be, which locks the object. A cancellation does not stop it: what the caller asked for
    /// by cancelling is this.
    pub(super) async fn undo(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
    ) -> Result<bool> {
        for node in self.nodes.iter().rev() {
            if !matches!(
                node.status(&journal.state)?,
                StepStatus::Begun | StepStatus::Done
            ) {
                continue;
            }
            if let Some(failure) = self.undo_step(node.as_ref(), journal, store).await? {
                let failure = self.hooks.redact(&journal.state, failure);
                self.hooks.tell(Told::UndoFailed(&failure));
                journal.undo_failure = Some(failure);
                journal.phase = Phase::UndoFailed;
                self.save(journal, store).await?;
                return Ok(false);
            }
            self.hooks.tell(Told::Undone(node.name()));
            self.save(journal, store).await?;
        }
        Ok(true)
    }

    /// Takes back what is left after a step whose undo was given up, past every further step that
    /// cannot be. What stays behind is then in [`Journal::undo_failure`].
    pub async fn undo_rest(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
    ) -> Result<()> {
        for node in self.nodes.iter().rev() {
            let known = journal.undo_failure.as_ref().map(|failure| &failure.step);
            let begun = matches!(
                node.status(&journal.state)?,
                StepStatus::Begun | StepStatus::Done
            );
            if !begun || known.is_some_and(|step| step == node.name()) {
                continue;
            }
            match self.undo_step(node.as_ref(), journal, store).await? {
                None => self.hooks.tell(Told::Undone(node.name())),
                Some(failure) => {
                    let failure = self.hooks.redact(&journal.state, failure);
                    self.hooks.tell(Told::UndoFailed(&failure));
                    match &mut journal.undo_failure {
                        Some(first) => {
                            let more = format!("; {}: {}", failure.step, failure.message);
                            first.message.push_str(&more);
                        }
                        none => *none = Some(failure),
                    }
                }
            }
            self.save(journal, store).await?;
        }
        Ok(())
    }

    /// One step's undo, until it is done or its time is over.
    async fn undo_step(
        &self,
        node: &dyn Node<State>,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
    ) -> Result<Option<StopReason>> {
        node.begin_undo(&mut journal.state, self.clock.now())?;
        let started = self.clock.elapsed();
        let mut pause = Duration::from_millis(200);
        loop {
            self.forget(&mut journal.state)?;
            let given_up = |message: String| StopReason {
                kind: StopKind::UndoFailed,
                step: node.name().to_owned(),
                message,
                evidence: None,
            };
            if self.policy.drill.repeat {
                drop(node.undo(&mut journal.state.clone()).await);
            }
            let spent = self.clock.elapsed().saturating_sub(started);
            let wait = match node.undo(&mut journal.state).await {
                Ok(Moved::Done) => return Ok(None),
                Ok(Moved::Pending {
                    poll_after,
                    deadline,
                    changed,
                }) => {
                    if spent >= deadline.max(self.policy.undo_for) {
                        return Ok(Some(given_up(format!(
                            "its undo was still under way after {spent:?}"
                        ))));
                    }
                    if changed {
                        self.save(journal, store).await?;
                    }
                    poll_after
                }
                Err(error) if error.is_transient() && spent < self.policy.undo_for => {
                    tracing::warn!(step = node.name(), error = %error.0.chain(), "undo failed for now, trying again");
                    pause = (pause * 2).min(Duration::from_secs(10));
                    self.jittered(pause)
                }
                Err(error) => return Ok(Some(given_up(error.0.chain().to_string()))),
            };
            self.wait(wait, store, false).await?;
        }
    }
}
