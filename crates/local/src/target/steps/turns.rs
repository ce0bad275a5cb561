//! One at a time in each server's directory.
//!
//! A step that is interrupted is dropped where it waits, but a start that it waited for goes on, on its own thread: it may
//! still write the intent and start the server. So an undo waits until the start is over; it would find nothing to take
//! back, and the server would stay.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// The turns in each directory, within this process: the start that is to be waited for runs in it.
#[derive(Default)]
pub(in crate::target) struct Turns(Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>);

/// A turn; it ends when this is dropped.
pub(super) struct Turn(#[expect(dead_code, reason = "held, not read")] OwnedMutexGuard<()>);

impl Turns {
    /// Waits for a turn in `directory`.
    pub(super) async fn wait(&self, directory: &Path) -> Turn {
        let turns = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(directory.to_owned())
            .or_default()
            .clone();
        Turn(turns.lock_owned().await)
    }
}
