//! Answers that all who ask share.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use mlops_core::Result;
use tokio::sync::OnceCell;

/// Answers by what was asked for.
pub(crate) struct Once<T>(Mutex<BTreeMap<String, Arc<OnceCell<T>>>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Why nothing is kept: a failure, or nothing there.
enum Not {
    Read(mlops_core::Error),
    There,
}

impl<T: Clone> Once<T> {
    /// The answer to `key`: an earlier one, or that of `ask`. A failure is nobody's but the asker's.
    pub(crate) async fn get(&self, key: &str, ask: impl Future<Output = Result<T>>) -> Result<T> {
        self.cell(key).get_or_try_init(|| ask).await.cloned()
    }

    /// The same of what may not be there: it may be when the next one asks.
    pub(crate) async fn find(
        &self,
        key: &str,
        ask: impl Future<Output = Result<Option<T>>>,
    ) -> Result<Option<T>> {
        let cell = self.cell(key);
        let asked = async { ask.await.map_err(Not::Read)?.ok_or(Not::There) };
        match cell.get_or_try_init(|| asked).await {
            Ok(found) => Ok(Some(found.clone())),
            Err(Not::There) => Ok(None),
            Err(Not::Read(error)) => Err(error),
        }
    }

    fn cell(&self, key: &str) -> Arc<OnceCell<T>> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(key.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::Error;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_shared_and_a_failure_is_not() {
        let once = Once::default();
        let failed = once.get("a", async { Err(Error::unavailable("no")) });
        failed.await.expect_err("it failed");
        assert_eq!(once.get("a", async { Ok(1) }).await.expect("an answer"), 1);
        assert_eq!(once.get("a", async { Ok(2) }).await.expect("an answer"), 1);
        assert_eq!(once.get("b", async { Ok(3) }).await.expect("an answer"), 3);
    }

    #[tokio::test]
    async fn what_is_not_there_is_looked_for_again() {
        let once = Once::default();
        let find = |found| once.find("a", async move { Ok(found) });
        assert_eq!(find(None).await.expect("an answer"), None);
        assert_eq!(find(Some(1)).await.expect("an answer"), Some(1));
        assert_eq!(find(None).await.expect("an answer"), Some(1));
        let failed = once.find("b", async { Err(Error::unavailable("no")) });
        failed.await.expect_err("it failed");
        assert_eq!(once.get("b", async { Ok(2) }).await.expect("an answer"), 2);
    }
}
