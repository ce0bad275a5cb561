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

/// Why nothing is kept: a failure, or an answer that may be another one when the next one asks.
enum Passing<R> {
    Failed(mlops_core::Error),
    Told(R),
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
        // Boxed: calls are deep.
        let ask = Box::pin(ask);
        let ask = async { Ok(ask.await?.ok_or(())) };
        Ok(self.kept(key, ask).await?.ok())
    }

    /// The same of what may not be `good` yet, and is told to the asker as it is.
    pub(crate) async fn get_good(
        &self,
        key: &str,
        ask: impl Future<Output = Result<T>>,
        good: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        let ask = Box::pin(ask);
        let ask = async {
            let told = ask.await?;
            Ok(if good(&told) { Ok(told) } else { Err(told) })
        };
        let (Ok(told) | Err(told)) = self.kept(key, ask).await?;
        Ok(told)
    }

    /// Keeps what is told as `Ok`.
    async fn kept<R>(
        &self,
        key: &str,
        ask: impl Future<Output = Result<std::result::Result<T, R>>>,
    ) -> Result<std::result::Result<T, R>> {
        let cell = self.cell(key);
        let asked = async { ask.await.map_err(Passing::Failed)?.map_err(Passing::Told) };
        match cell.get_or_try_init(|| asked).await {
            Ok(kept) => Ok(Ok(kept.clone())),
            Err(Passing::Told(told)) => Ok(Err(told)),
            Err(Passing::Failed(error)) => Err(error),
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
    async fn what_is_not_good_is_told_and_asked_for_again() {
        let once = Once::default();
        let get = |told| once.get_good("a", async move { Ok(told) }, |told| *told > 1);
        assert_eq!(get(1).await.expect("an answer"), 1);
        assert_eq!(get(2).await.expect("an answer"), 2);
        assert_eq!(get(1).await.expect("an answer"), 2);
        let failed = once.get_good("b", async { Err(Error::unavailable("no")) }, |_| true);
        failed.await.expect_err("it failed");
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
