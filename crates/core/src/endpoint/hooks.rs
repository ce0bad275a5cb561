//! What the endpoint does beside its steps: the first act of every failure, and the event log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::events::Note;
use super::ports::EndpointPorts;
use super::redact::Redaction;
use super::state::{EndpointState, ServerReader};
use crate::saga::{Hooks, StopKind, StopReason, Told};

/// Lines of the server's log that are kept of a failed deployment.
const LOG_LINES: usize = 200;

/// The longest that giving traffic back may hold up a cancellation.
const GIVE_BACK: Duration = Duration::from_secs(4);

pub(super) struct EndpointHooks {
    ports: Arc<EndpointPorts>,
    server: Option<ServerReader>,
}

impl EndpointHooks {
    pub(super) fn new(ports: &Arc<EndpointPorts>, server: Option<ServerReader>) -> Self {
        Self {
            ports: ports.clone(),
            server,
        }
    }

    async fn weights_back(&self, state: &EndpointState) {
        let before = &state.request.rollout.before;
        // No weight has moved before the rollout began, and a new server has nobody to give it to.
        let began = state.rollout.input.is_some() || state.hand_over.input.is_some();
        if !began || before.is_silent() {
            return;
        }
        let Ok(server) = state.server(self.server) else {
            return;
        };
        match self.ports.target.set_weights(&server, before).await {
            Ok(()) => self.ports.events.tell(Note::new(
                "rollout.given_back",
                "all traffic is with the old revision",
            )),
            Err(error) => self.ports.events.tell(Note::new(
                "rollout.give_back_failed",
                format!(
                    "traffic could not be given back at once, undo tries again: {}",
                    error.chain()
                ),
            )),
        }
    }

    async fn keep_logs(&self, state: &EndpointState) {
        let Ok(server) = state.server(self.server) else {
            return;
        };
        if let Ok(lines) = self.ports.target.last_logs(&server, LOG_LINES).await
            && !lines.is_empty()
        {
            let redaction = redaction(state);
            let lines: Vec<String> = lines.into_iter().map(|line| redaction.text(line)).collect();
            let message = format!("the server's last {} log lines", lines.len());
            self.ports
                .events
                .tell(Note::new("server.log", message).with("lines", lines));
        }
    }
}

fn redaction(state: &EndpointState) -> Redaction {
    let prior = state.request.prior.iter().map(|prior| &prior.spec);
    Redaction::of(prior.chain([&state.request.spec]))
}

#[async_trait]
impl Hooks<EndpointState> for EndpointHooks {
    async fn give_back(&self, state: &EndpointState, stop: &StopReason) {
        tokio::select! {
            biased;
            () = self.weights_back(state) => {}
            () = self.ports.clock.sleep(GIVE_BACK) => {
                tracing::warn!("giving traffic back took too long; undo tries again");
            }
        }
        if matches!(stop.kind, StopKind::Failed | StopKind::TimedOut) {
            tokio::select! {
                biased;
                () = self.keep_logs(state) => {}
                () = self.ports.clock.sleep(GIVE_BACK) => {}
            }
        }
    }

    fn redact(&self, state: &EndpointState, stop: StopReason) -> StopReason {
        let redaction = redaction(state);
        StopReason {
            message: redaction.text(stop.message),
            evidence: stop.evidence.map(|found| redaction.value(found)),
            ..stop
        }
    }

    fn tell(&self, told: Told<'_>) {
        let note = match told {
            Told::Begun(step) => Note::new("step.begun", step),
            Told::Done(step) => Note::new("step.done", step),
            Told::Stopped(stop) => {
                let note = Note::new(
                    "deployment.stopped",
                    format!("{}: {}", stop.step, stop.message),
                );
                note.with("evidence", stop.evidence.clone().unwrap_or_default())
            }
            Told::Undone(step) => Note::new("step.undone", step),
            Told::UndoFailed(stop) => Note::new(
                "step.undo_failed",
                format!("{}: {}", stop.step, stop.message),
            ),
        };
        self.ports.events.tell(note);
    }
}
