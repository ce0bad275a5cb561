//! Calls into the world in memory: recorded, and going wrong where they are told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::world::State;
use crate::clock::Clock;
use crate::error::{Class, Error, Result};

/// One call that goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The call with this number (from 1) since the fault was set.
    pub call: u64,
    /// How.
    pub at: FaultAt,
}

/// How a call goes wrong.
#[derive(Debug, Clone)]
pub enum FaultAt {
    /// It fails, and nothing happened.
    Before(Class),
    /// It fails, and it happened.
    After(Class),
    /// The caller is cancelled, and the call never answers (unless the caller cannot stop there).
    Cancel(CancellationToken),
}

/// What was called, and what is to go wrong.
#[derive(Default)]
pub(super) struct Script {
    pub(super) calls: Vec<&'static str>,
    pub(super) fault: Option<Fault>,
    /// Calls that always fail, and what they say.
    pub(super) broken: BTreeMap<&'static str, (Class, String)>,
}

impl Script {
    /// Records a call; the fault that strikes it, if one does.
    fn record(&mut self, name: &'static str) -> Option<FaultAt> {
        self.calls.push(name);
        let fault = self.fault.as_mut()?;
        fault.call = fault.call.saturating_sub(1);
        if fault.call > 0 {
            return None;
        }
        self.fault.take().map(|fault| fault.at)
    }
}

/// The world with its time and its script.
pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl World {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State::at(clock.elapsed());
        Self {
            clock,
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: load goes on until now, the effect takes place, faults strike.
    pub(super) async fn call<T>(
        &self,
        name: &'static str,
        effect: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        let now = self.clock.elapsed();
        let (result, hang) = {
            let mut state = self.state();
            state.load_until(now);
            let fault = state.script.record(name);
            if let Some((class, message)) = state.script.broken.get(name) {
                return Err(Error::new(*class, message.clone()));
            }
            match fault {
                None => (effect(&mut state), false),
                Some(FaultAt::Before(class)) => {
                    (Err(Error::new(class, format!("{name} fails here"))), false)
                }
                Some(FaultAt::After(class)) => (
                    effect(&mut state).and(Err(Error::new(
                        class,
                        format!("the answer of {name} is lost"),
                    ))),
                    false,
                ),
                Some(FaultAt::Cancel(cancel)) => {
                    cancel.cancel();
                    // Taking away is past the point where a cancellation drops the call.
                    (
                        effect(&mut state),
                        !matches!(name, "drain" | "remove" | "teardown"),
                    )
                }
            }
        };
        if hang {
            std::future::pending::<()>().await;
        }
        result
    }
}
