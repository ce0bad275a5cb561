//! Records that many runs of this process look at again and again, such as requests to pause: whoever looks reads those of the others with his own.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Registry;
use super::documents::Document;
use crate::error::Result;
use crate::records::{Item, Key};

/// For so long after it was asked for, an answer is told to the others. Where many bake, some are looked at every 4.7 seconds, each in three
/// such times: so every other time is served by the one before.
const FRESH: Duration = Duration::from_secs(5);
/// Who has not looked for so long does not look any more.
const GONE: Duration = Duration::from_secs(60);

/// What was seen last. The one who looks holds the lock, and the others wait for what he sees.
#[derive(Default)]
pub(super) struct Together(tokio::sync::Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// What is looked at, and since when no more.
    asked: HashMap<Key, Duration>,
    /// When the last answer was asked for.
    at: Duration,
    /// What nobody was told yet.
    found: HashMap<Key, Option<Item>>,
}

impl Registry {
    /// The record at `key`, as it was five seconds ago or later. Who asks again is told what is new: an answer serves each once.
    pub(crate) async fn glance<T>(&self, key: &Key) -> Result<Option<Document<T>>>
    where
        T: Serialize + DeserializeOwned,
    {
        // By when the caller asked, not when his turn came: a slow store is not asked by one after the other.
        let now = self.inner.clock.elapsed();
        let mut seen = self.inner.together.0.lock().await;
        seen.asked.insert(key.clone(), now);
        if now.saturating_sub(seen.at) >= FRESH || !seen.found.contains_key(key) {
            seen.asked
                .retain(|_, last| now.saturating_sub(*last) < GONE);
            let keys: Vec<Key> = seen.asked.keys().cloned().collect();
            let at = self.inner.clock.elapsed();
            let items = self.inner.records.get(&keys).await?;
            seen.found = keys.into_iter().zip(items).collect();
            seen.at = at;
        }
        let found = seen.found.remove(key).flatten();
        found.map(Document::read).transpose()
    }
}
