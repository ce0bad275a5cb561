//! Journals that an earlier run left open: go on with them, or take them back.

use serde_json::Value;

use super::Run;
use super::end::stopped;
use crate::endpoint::apply::check_sources;
use crate::endpoint::deployment::DeploymentId;
use crate::endpoint::events::Note;
use crate::endpoint::hooks::EndpointHooks;
use crate::endpoint::outcome::Outcome;
use crate::endpoint::saga::{self, EndpointSaga};
use crate::endpoint::spec::OnInterrupt;
use crate::endpoint::state::EndpointState;
use crate::endpoint::store::{self, Afterwards, JournalHandle};
use crate::error::{Error, Result};
use crate::registry::documents::Document;
use crate::saga::{Ending, Journal, Phase};

impl Run {
    /// Deals with a journal that an earlier run left open: goes on with it if it is `wanted` and
    /// was to be resumed, else takes it back. Its outcome, if it was `wanted` or cannot be closed;
    /// `None` once nothing is open any more.
    pub(in crate::endpoint) async fn recover(
        &self,
        wanted: Option<&DeploymentId>,
    ) -> Result<Option<Outcome>> {
        let Some(open) = store::open_journal(&self.deps.registry, &self.identity).await? else {
            return Ok(None);
        };
        let (mut journal, mut handle, saga) = self.reopen(open)?;
        let is_wanted = wanted == Some(&journal.state.request.deployment.id);
        if journal.phase == Phase::UndoFailed {
            return Ok(Some(Outcome::Locked(stopped(&journal))));
        }
        let hooks = EndpointHooks::new(&self.ports, saga.server);
        let executor = self.executor(&saga, &hooks, &journal.state.request);
        let resumes = journal.state.request.spec.rollout.on_interrupt == OnInterrupt::Resume;
        let all_done = executor.is_complete(&journal.state)?;
        store::clear_pause(&self.deps.registry, &self.identity).await?;
        match journal.phase {
            Phase::Forward if all_done || executor.is_past_pivot(&journal.state)? => {}
            Phase::Forward if is_wanted && resumes => {
                self.shift_again(&journal, &saga).await?;
                executor.resume(&mut journal, &mut handle).await?
            }
            Phase::Paused | Phase::Interrupted if is_wanted => {
                self.shift_again(&journal, &saga).await?;
                executor.resume(&mut journal, &mut handle).await?
            }
            Phase::Undo => {}
            _ => {
                let message = "the run that began it ended before it did";
                executor.abandon(&mut journal, &mut handle, message).await?;
            }
        }
        let forward = journal.phase == Phase::Forward;
        let ending = executor.run(&mut journal, &mut handle).await?;
        let goes_on = match ending {
            Ending::Undone => !forward,
            Ending::Complete => !is_wanted,
            _ => false,
        };
        let afterwards = match goes_on {
            true => Afterwards::Keep,
            false => Afterwards::Release,
        };
        let outcome = self
            .finish(&mut handle, &journal, ending, afterwards)
            .await?;
        Ok((!goes_on).then_some(outcome))
    }

    /// Goes on with a paused or interrupted deployment, whichever it is.
    pub(in crate::endpoint) async fn resume(&self) -> Result<Outcome> {
        let open = store::open_journal(&self.deps.registry, &self.identity).await?;
        let open = open.ok_or_else(|| self.nothing_open())?;
        let (mut journal, mut handle, saga) = self.reopen(open)?;
        let hooks = EndpointHooks::new(&self.ports, saga.server);
        let executor = self.executor(&saga, &hooks, &journal.state.request);
        store::clear_pause(&self.deps.registry, &self.identity).await?;
        match journal.phase {
            Phase::UndoFailed => return Ok(Outcome::Locked(stopped(&journal))),
            Phase::Undo => {}
            Phase::Forward | Phase::Paused | Phase::Interrupted => {
                // The journal stays as it is, for somebody who can.
                let rollout = &journal.state.request.spec.rollout;
                check_sources(self.deps.meter.as_ref(), rollout)?;
                self.tell(Note::new(
                    "deployment.resumed",
                    format!("resumed by {}", self.by),
                ));
                self.shift_again(&journal, &saga).await?;
                executor.resume(&mut journal, &mut handle).await?;
            }
        }
        let ending = executor.run(&mut journal, &mut handle).await?;
        self.finish(&mut handle, &journal, ending, Afterwards::Release)
            .await
    }

    /// Tries again to take back what could not be; with `force`, takes back everything else and
    /// closes the journal if it still cannot.
    pub(in crate::endpoint) async fn repair(&self, force: bool) -> Result<Outcome> {
        let open = store::open_journal(&self.deps.registry, &self.identity).await?;
        let open = open.ok_or_else(|| self.nothing_open())?;
        let (mut journal, mut handle, saga) = self.reopen(open)?;
        let hooks = EndpointHooks::new(&self.ports, saga.server);
        let executor = self.executor(&saga, &hooks, &journal.state.request);
        if executor.is_complete(&journal.state)? || executor.is_past_pivot(&journal.state)? {
            journal.phase = Phase::Forward;
        } else {
            self.tell(Note::new(
                "deployment.repair",
                format!("repair by {}", self.by),
            ));
            journal.undo_failure = None;
            executor.undo_again(&mut journal, &mut handle).await?;
        }
        let ending = executor.run(&mut journal, &mut handle).await?;
        if ending == Ending::UndoFailed && force {
            executor.undo_rest(&mut journal, &mut handle).await?;
            return self.abandon(&mut handle, &journal).await;
        }
        self.finish(&mut handle, &journal, ending, Afterwards::Release)
            .await
    }

    /// Gives what took over the traffic again: an interrupt after the last shift gave it back, journaled or not, and what comes next takes away who has it.
    /// Before that, the rollout itself shifts again.
    async fn shift_again(
        &self,
        journal: &Journal<EndpointState>,
        saga: &EndpointSaga,
    ) -> Result<()> {
        let state = &journal.state;
        let rollout = &state.rollout;
        let last = rollout.input.as_ref().zip(rollout.checkpoint.as_ref());
        let has_shifted = last.is_some_and(|(input, at)| at.stage >= input.plan.stages.len());
        if !has_shifted && rollout.output().is_none() && state.hand_over.output().is_none() {
            return Ok(());
        }
        let server = state.server(saga.server)?;
        let after = &state.request.rollout.after;
        self.ports.target.set_weights(&server, after).await
    }

    /// Reads an open journal, if this program knows its version.
    fn reopen(
        &self,
        open: Document<Journal<Value>>,
    ) -> Result<(Journal<EndpointState>, JournalHandle, EndpointSaga)> {
        let revision = open.revision;
        let found = open.body;
        if found.saga.name != saga::NAME || found.saga.version > saga::VERSION {
            return Err(Error::corrupt(format!(
                "endpoint {} has a deployment under way that {:?} version {} began, and this program knows {:?} up to {}; finish it with the newer program",
                self.identity,
                found.saga.name,
                found.saga.version,
                saga::NAME,
                saga::VERSION
            )));
        }
        let state: EndpointState = serde_json::from_value(found.state).map_err(|e| {
            Error::corrupt(format!(
                "the journal of endpoint {} is not readable",
                self.identity
            ))
            .because(e)
        })?;
        let saga = saga::saga(&state.request, &self.ports)?;
        let handle = self.handle(&state.request.deployment, Some(revision));
        let journal = Journal {
            saga: found.saga,
            phase: found.phase,
            stop: found.stop,
            undo_failure: found.undo_failure,
            steps: found.steps,
            opened_at: found.opened_at,
            updated_at: found.updated_at,
            state,
        };
        Ok((journal, handle, saga))
    }

    fn nothing_open(&self) -> Error {
        Error::not_found(format!(
            "endpoint {} has no deployment under way; there is nothing to do",
            self.identity
        ))
    }
}
