//! Sessions that a test lets live and die.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::registry::sessions::{Liveness, SessionInfo, Sessions};

/// A session in a small world of sessions; those that were killed are dead to all the others.
#[derive(Debug, Clone)]
pub struct MemorySessions {
    info: SessionInfo,
    killed: Arc<Mutex<HashSet<uuid::Uuid>>>,
    elsewhere: bool,
}

impl Default for MemorySessions {
    fn default() -> Self {
        Self {
            info: fresh(),
            killed: Arc::default(),
            elsewhere: false,
        }
    }
}

impl MemorySessions {
    /// Another session of the same world.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            info: fresh(),
            killed: Arc::clone(&self.killed),
            elsewhere: self.elsewhere,
        }
    }

    /// The same session on a machine of its own, from which no other one is seen.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        Self {
            elsewhere: true,
            ..self
        }
    }

    /// This session's process is gone.
    pub fn kill(&self) {
        self.killed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.info.id);
    }
}

fn fresh() -> SessionInfo {
    SessionInfo {
        id: uuid::Uuid::new_v4(),
        pid: 1,
        start_time: 0,
        boot_id: "memory".into(),
        host: "memory".into(),
    }
}

impl Sessions for MemorySessions {
    fn current(&self) -> SessionInfo {
        self.info.clone()
    }

    fn liveness(&self, session: &SessionInfo) -> Liveness {
        if self.elsewhere {
            return Liveness::Unknown;
        }
        let killed = self.killed.lock().unwrap_or_else(PoisonError::into_inner);
        if killed.contains(&session.id) {
            Liveness::Dead
        } else {
            Liveness::Alive
        }
    }
}
