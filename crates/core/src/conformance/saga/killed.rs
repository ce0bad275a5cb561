//! A store of records as a process sees it that is killed at its n-th commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::records::{CommitError, Identity, Item, Key, Page, Range, Records, Write};

/// On which side of the commit the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The commit does not take place.
    Before,
    /// It does, and nobody hears of it.
    After,
}

/// Passes everything on until the commit with the given number; from then on nothing gets through.
pub struct Killed {
    inner: Arc<dyn Records>,
    left: AtomicU64,
    when: When,
    dead: AtomicBool,
}

impl Killed {
    /// Dies at the commit with this number, from 1.
    pub fn at(inner: Arc<dyn Records>, commit: u64, when: When) -> Self {
        Self {
            inner,
            left: AtomicU64::new(commit),
            when,
            dead: AtomicBool::new(false),
        }
    }

    /// Whether it died yet.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    fn alive(&self) -> Result<()> {
        if self.is_dead() {
            // A class that nothing tries again: a dead process does not.
            return Err(Error::cancelled("the process was killed"));
        }
        Ok(())
    }
}

#[async_trait]
impl Records for Killed {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.alive()?;
        self.inner.identity().await
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.alive()?;
        self.inner.get(keys).await
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        self.alive()?;
        self.inner.query(partition, range).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        self.alive().map_err(CommitError::Store)?;
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return self.inner.commit(writes).await;
        }
        if self.when == When::After {
            self.inner.commit(writes).await?;
        }
        self.dead.store(true, Ordering::Release);
        Err(CommitError::Store(Error::cancelled(
            "the process was killed",
        )))
    }
}
