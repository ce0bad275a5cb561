//! Runs a saga: journals, waits, keeps deadlines, stops, undoes.

mod undo;

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::journal::{Journal, JournalStore, Phase, StepEntry, StepStatus, StopKind, StopReason};
use super::node::{BoxNode, Moved, Node};
use super::step::{Data, StepError};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// How a run ended. In every case but the first two the journal stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every step is done. The caller closes the journal in the commit that records the result.
    Complete,
    /// Every step that had begun was taken back. The caller closes the journal.
    Undone,
    /// Stopped at a step until somebody resumes.
    Paused,
    /// Cancelled, to be resumed.
    Interrupted,
    /// A step could not be taken back.
    UndoFailed,
}

/// How patient a run is.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether a cancellation leaves the journal open in place of undoing.
    pub resume_on_interrupt: bool,
    /// How long a step may fail for reasons that may go away.
    pub transient_for: Duration,
    /// How long one step's undo is tried.
    pub undo_for: Duration,
    /// How often the lease is renewed while waiting.
    pub beat_every: Duration,
    /// How long the whole forward direction may take, in this process.
    pub time_limit: Option<Duration>,
    /// What goes wrong on purpose; nothing but in tests.
    pub drill: Drill,
}

/// What the harness makes go wrong, to see that a saga stands it. Kept in the executor so that
/// every saga, on every target, is drilled in the same way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drill {
    /// Forget everything in memory between every two calls, as a restart would: the state goes
    /// through its JSON text.
    pub forget: bool,
    /// Make every call of forward and undo twice, the first answer being lost.
    pub repeat: bool,
    /// Let the step with this index fail.
    pub fail: Option<(usize, FailAt)>,
}

/// When a drilled step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailAt {
    /// After its intent was journaled, before its first call.
    Begin,
    /// After everything was done, its result lost.
    End,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            resume_on_interrupt: false,
            transient_for: Duration::from_secs(60),
            undo_for: Duration::from_secs(300),
            beat_every: Duration::from_secs(10),
            time_limit: None,
            drill: Drill::default(),
        }
    }
}

/// Something to tell while a saga runs.
#[derive(Debug)]
pub enum Told<'a> {
    /// A step begins.
    Begun(&'a str),
    /// A step is done.
    Done(&'a str),
    /// The forward direction ended early.
    Stopped(&'a StopReason),
    /// A step was taken back.
    Undone(&'a str),
    /// A step could not be taken back.
    UndoFailed(&'a StopReason),
}

/// What the owner of a saga does beside its steps.
#[async_trait]
pub trait Hooks<State>: Send + Sync {
    /// The first act after a failure or a cancellation, before anything is journaled or undone:
    /// the one call that gives traffic back. It must end within 5 s and cannot fail: undo, which
    /// follows, does everything again.
    async fn give_back(&self, state: &State, stop: &StopReason);
    /// The reason as it may be journaled, told and shown: without secrets.
    fn redact(&self, state: &State, stop: StopReason) -> StopReason;
    /// Something happened. Must not block.
    fn tell(&self, told: Told<'_>);
}

/// Runs the nodes of a saga in order.
pub struct Executor<'a, State> {
    /// The steps.
    pub nodes: &'a [BoxNode<State>],
    /// Time.
    pub clock: &'a dyn Clock,
    /// The caller's wish to stop.
    pub cancel: &'a CancellationToken,
    /// How patient it is.
    pub policy: Policy,
    /// What the owner does beside the steps.
    pub hooks: &'a dyn Hooks<State>,
}

impl<State: Data> Executor<'_, State> {
    /// Goes on from wherever the journal is. An error means that the journal could not be written
    /// (or, past a pivot, that a step failed): nothing was undone, and it can be run again later.
    pub async fn run(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
    ) -> Result<Ending> {
        let started = self.clock.elapsed();
        loop {
            match journal.phase {
                Phase::Forward => {
                    if let Some(ending) = self.forward(journal, store, started).await? {
                        return Ok(ending);
                    }
                }
                Phase::Undo => {
                    if self.undo(journal, store).await? {
                        return Ok(Ending::Undone);
                    }
                }
                Phase::Paused => return Ok(Ending::Paused),
                Phase::Interrupted => return Ok(Ending::Interrupted),
                Phase::UndoFailed => return Ok(Ending::UndoFailed),
            }
        }
    }

    /// Turns a stopped journal forward again; [`Executor::run`] goes on from there.
    pub async fn resume(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
    ) -> Result<()> {
        for node in self.nodes {
            if node.status(&journal.state)? == StepStatus::Begun {
                node.resume(&mut journal.state, self.clock.now())?;
            }
        }
        journal.phase = Phase::Forward;
        journal.stop = None;
        self.save(journal, store).await
    }

    /// Turns a journal that somebody else left to undo.
    pub async fn abandon(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
        message: &str,
    ) -> Result<()> {
        let step = self.running(&journal.state)?.map_or("", Node::name);
        let stop = StopReason {
            kind: StopKind::Abandoned,
            step: step.to_owned(),
            message: message.to_owned(),
            evidence: None,
        };
        self.stop(journal, store, stop, Phase::Undo).await
    }

    /// Turns a journal whose undo was given up to undo again.
    pub async fn undo_again(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
    ) -> Result<()> {
        if let Some(stop) = &journal.stop {
            self.hooks.give_back(&journal.state, stop).await;
        }
        journal.phase = Phase::Undo;
        self.save(journal, store).await
    }

    /// Whether every step is done.
    pub fn is_complete(&self, state: &State) -> Result<bool> {
        for node in self.nodes {
            if node.status(state)? != StepStatus::Done {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The steps' lines in the journal.
    pub fn entries(&self, state: &State) -> Result<Vec<StepEntry>> {
        entries(self.nodes, state)
    }

    /// Whether a step that is not taken back has begun: then the saga only goes forward.
    pub fn is_past_pivot(&self, state: &State) -> Result<bool> {
        for node in self.nodes.iter().filter(|node| node.is_pivot()) {
            if matches!(node.status(state)?, StepStatus::Begun | StepStatus::Done) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn running(&self, state: &State) -> Result<Option<&dyn Node<State>>> {
        for node in self.nodes {
            if matches!(node.status(state)?, StepStatus::Waiting | StepStatus::Begun) {
                return Ok(Some(node.as_ref()));
            }
        }
        Ok(None)
    }

    /// One step, to its end.
    async fn forward(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
        started: Duration,
    ) -> Result<Option<Ending>> {
        let Some(node) = self.running(&journal.state)? else {
            return Ok(Some(Ending::Complete));
        };
        let name = node.name();
        let held = self.is_past_pivot(&journal.state)?;
        if !held && self.cancel.is_cancelled() {
            self.interrupt(journal, store, name).await?;
            return Ok(None);
        }
        if node.status(&journal.state)? == StepStatus::Waiting {
            node.begin(&mut journal.state, self.clock.now())?;
            self.hooks.tell(Told::Begun(name));
            self.save(journal, store).await?;
        }
        let pivot = held || node.is_pivot();
        let mut troubled_since: Option<Duration> = None;
        let mut pause = Duration::from_millis(200);
        loop {
            self.forget(&mut journal.state)?;
            let called = tokio::select! {
                biased;
                () = self.cancel.cancelled(), if !pivot => None,
                called = self.call(node, &mut journal.state) => Some(called),
            };
            let wait = match called {
                None => {
                    self.interrupt(journal, store, name).await?;
                    return Ok(None);
                }
                Some(Ok(Moved::Done)) => {
                    self.hooks.tell(Told::Done(name));
                    self.save(journal, store).await?;
                    return Ok(None);
                }
                Some(Ok(Moved::Pending {
                    poll_after,
                    deadline,
                    changed,
                })) => {
                    troubled_since = None;
                    if changed {
                        self.save(journal, store).await?;
                    }
                    let since = node.since(&journal.state)?;
                    let late = self.is_past(since, deadline).then_some(("step", deadline));
                    let late =
                        late.or_else(|| self.is_over(started).map(|limit| ("deployment", limit)));
                    if let Some((what, limit)) = late.filter(|_| !pivot) {
                        let message = format!(
                            "step {name:?} was not done when the {what}'s {limit:?} were over"
                        );
                        let stop = StopReason {
                            kind: StopKind::TimedOut,
                            step: name.to_owned(),
                            message,
                            evidence: None,
                        };
                        self.stop(journal, store, stop, Phase::Undo).await?;
                        return Ok(None);
                    }
                    poll_after
                }
                Some(Err(StepError::Paused { reason })) => {
                    let stop = StopReason {
                        kind: StopKind::Paused,
                        step: name.to_owned(),
                        message: reason,
                        evidence: None,
                    };
                    let stop = self.hooks.redact(&journal.state, stop);
                    self.hooks.tell(Told::Stopped(&stop));
                    journal.stop = Some(stop);
                    journal.phase = Phase::Paused;
                    self.save(journal, store).await?;
                    return Ok(None);
                }
                Some(Err(StepError::Failed { error, evidence })) => {
                    let transient = super::step::is_transient(&error);
                    let first = *troubled_since.get_or_insert(self.clock.elapsed());
                    let spent = self.clock.elapsed().saturating_sub(first);
                    if !transient || spent >= self.policy.transient_for {
                        if pivot {
                            return Err(error);
                        }
                        let message = error.chain().to_string();
                        let stop = StopReason {
                            kind: StopKind::Failed,
                            step: name.to_owned(),
                            message,
                            evidence,
                        };
                        self.stop(journal, store, stop, Phase::Undo).await?;
                        return Ok(None);
                    }
                    tracing::warn!(step = name, error = %error.chain(), "step failed for now, trying again");
                    pause = (pause * 2).min(Duration::from_secs(5));
                    self.jittered(pause)
                }
            };
            if self.wait(wait, store, !pivot).await? {
                self.interrupt(journal, store, name).await?;
                return Ok(None);
            }
        }
    }

    async fn call(&self, node: &dyn Node<State>, state: &mut State) -> Result<Moved, StepError> {
        let failing = self.policy.drill.fail.filter(|(index, _)| {
            self.nodes
                .get(*index)
                .is_some_and(|failing| failing.name() == node.name())
        });
        let failed = || {
            StepError::from(Error::invalid(format!(
                "step {:?} fails in this drill",
                node.name()
            )))
        };
        if let Some((_, FailAt::Begin)) = failing {
            return Err(failed());
        }
        if self.policy.drill.repeat {
            // The answer of this call is lost, whatever it was.
            drop(node.forward(&mut state.clone()).await);
        }
        if failing.is_none() {
            return node.forward(state).await;
        }
        let mut lost = state.clone();
        match node.forward(&mut lost).await? {
            Moved::Done => Err(failed()),
            pending @ Moved::Pending { .. } => {
                *state = lost;
                Ok(pending)
            }
        }
    }

    async fn interrupt(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
        step: &str,
    ) -> Result<()> {
        let message = "the run was interrupted".to_owned();
        let stop = StopReason {
            kind: StopKind::Interrupted,
            step: step.to_owned(),
            message,
            evidence: None,
        };
        let phase = if self.policy.resume_on_interrupt {
            Phase::Interrupted
        } else {
            Phase::Undo
        };
        self.stop(journal, store, stop, phase).await
    }

    async fn stop(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
        stop: StopReason,
        phase: Phase,
    ) -> Result<()> {
        let stop = self.hooks.redact(&journal.state, stop);
        self.hooks.give_back(&journal.state, &stop).await;
        self.hooks.tell(Told::Stopped(&stop));
        journal.stop = Some(stop);
        journal.phase = phase;
        self.save(journal, store).await
    }

    async fn save(
        &self,
        journal: &mut Journal<State>,
        store: &mut dyn JournalStore<State>,
    ) -> Result<()> {
        journal.updated_at = self.clock.now();
        journal.steps = entries(self.nodes, &journal.state)?;
        store.save(journal).await
    }

    /// Waits, renewing the lease. True if the caller cancelled meanwhile (and that counts).
    async fn wait(
        &self,
        duration: Duration,
        store: &mut dyn JournalStore<State>,
        cancellable: bool,
    ) -> Result<bool> {
        let until = self.clock.elapsed() + duration;
        loop {
            let rest = until.saturating_sub(self.clock.elapsed());
            let slice = rest.min(self.policy.beat_every);
            tokio::select! {
                biased;
                () = self.cancel.cancelled(), if cancellable => return Ok(true),
                () = self.clock.sleep(slice) => {}
            }
            store.beat().await?;
            if rest <= self.policy.beat_every {
                return Ok(false);
            }
        }
    }

    fn is_past(&self, since: Option<Timestamp>, deadline: Duration) -> bool {
        let deadline = SignedDuration::try_from(deadline).unwrap_or(SignedDuration::MAX);
        since.is_some_and(|since| self.clock.now().duration_since(since) >= deadline)
    }

    fn is_over(&self, started: Duration) -> Option<Duration> {
        self.policy
            .time_limit
            .filter(|limit| self.clock.elapsed().saturating_sub(started) >= *limit)
    }

    /// Half to all of `pause`, so that many who wait for one thing do not come back together.
    fn jittered(&self, pause: Duration) -> Duration {
        let share = f64::from(self.clock.now().subsec_microsecond()) / 2_000.0;
        pause.mul_f64(0.5 + share.clamp(0.0, 0.5))
    }

    fn forget(&self, state: &mut State) -> Result<()> {
        if self.policy.drill.forget {
            let unreadable =
                |e| Error::bug("a saga's state does not survive its own JSON").because(e);
            let text = serde_json::to_string(state).map_err(unreadable)?;
            *state = serde_json::from_str(&text).map_err(unreadable)?;
        }
        Ok(())
    }
}

/// The steps' lines in a journal.
fn entries<State: Send + Sync>(nodes: &[BoxNode<State>], state: &State) -> Result<Vec<StepEntry>> {
    let entry = |node: &BoxNode<State>| {
        Ok(StepEntry {
            name: node.name().to_owned(),
            version: node.version(),
            status: node.status(state)?,
        })
    };
    nodes.iter().map(entry).collect()
}
