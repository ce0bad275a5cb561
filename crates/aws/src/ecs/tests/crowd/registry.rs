//! The registry's records as a process sees them, with its reads counted.

use std::sync::Arc;

use async_trait::async_trait;
use mlops_core::Result;
use mlops_core::clock::Clock as _;
use mlops_core::memory::MemoryRecords;
use mlops_core::records::{CommitError, Identity, Item, Key, Page, Range, Records, Write};

use super::cloud::{Cloud, LATENCY};
use super::time::Simulated;

pub(super) struct Counted {
    pub(super) records: MemoryRecords,
    pub(super) cloud: Cloud,
    pub(super) clock: Arc<Simulated>,
}

#[async_trait]
impl Records for Counted {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.records.identity().await
    }

    fn location(&self) -> String {
        self.records.location()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.cloud.note("BatchGetItem");
        self.clock.sleep(LATENCY).await;
        self.records.get(keys).await
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        self.cloud.note("Query");
        self.records.query(partition, range).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        self.cloud.note("TransactWriteItems");
        self.records.commit(writes).await
    }
}
