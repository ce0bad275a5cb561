//! Many endpoints that bind one version at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::{canary, succeeded};
use crate::clock::RandomIds;
use crate::conformance::saga::{Bench, spec};
use crate::error::Result;
use crate::memory::MemoryArtifacts;
use crate::records::{
    Change, CommitError, Expect, Identity, Item, Key, Page, Range, Records, Write,
};
use crate::registry::Registry;

/// A store in which others write the version's record before each of so many commits that do.
struct Crowded {
    inner: Arc<dyn Records>,
    others: AtomicU32,
}

#[async_trait]
impl Records for Crowded {
    async fn identity(&self) -> Result<Option<Identity>> {
        self.inner.identity().await
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.inner.get(keys).await
    }

    async fn query(&self, partition: &str, range: Range) -> Result<Page> {
        self.inner.query(partition, range).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Vec<u64>, CommitError> {
        let version = writes
            .iter()
            .find(|write| write.key.sort.starts_with("version#"));
        let left = self.others.load(Ordering::Acquire);
        if let (Some(version), 1..) = (version, left) {
            self.others.store(left - 1, Ordering::Release);
            let found = self.inner.get(std::slice::from_ref(&version.key)).await;
            let found = found.map_err(CommitError::Store)?;
            let item = found.into_iter().flatten().next().expect("a version");
            let again = Write {
                key: item.key,
                expect: Expect::Revision(item.revision),
                change: Change::Put(item.body),
            };
            self.inner.commit(vec![again]).await?;
        }
        self.inner.commit(writes).await
    }
}

#[tokio::test]
async fn an_endpoint_binds_a_version_that_many_others_bind_at_the_same_time() {
    let bench = Bench::new().await.unwrap();
    let mut process = bench.process();
    let crowded = Crowded {
        inner: bench.records.clone(),
        others: AtomicU32::new(25),
    };
    process.deps.registry = Registry::new(
        Arc::new(crowded),
        Arc::new(MemoryArtifacts::default()),
        bench.clock.clone(),
        Arc::new(RandomIds),
    );
    succeeded(process.apply(spec(1, canary()).unwrap()).await.unwrap());
    assert_eq!(bench.target.view().servers.len(), 1);
}
