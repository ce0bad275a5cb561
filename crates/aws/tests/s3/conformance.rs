//! The conformance suite of artifact stores on what speaks S3's protocol.

use std::path::Path;
use std::sync::Arc;

use mlops_core::artifacts::ArtifactStore;

use crate::bucket;
use crate::support::part::{self, Part};

struct World {
    store: Arc<dyn ArtifactStore>,
    scratch: tempfile::TempDir,
}

impl World {
    async fn on(part: &Part) -> Self {
        let name = bucket::create(&part.url).await;
        Self {
            store: Arc::new(bucket::store(&part.url, &name)),
            scratch: tempfile::tempdir().expect("directory"),
        }
    }

    fn store(&self) -> Arc<dyn ArtifactStore> {
        self.store.clone()
    }

    fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}

macro_rules! world {
    ($part:expr) => {
        match $part {
            Some(part) => World::on(part).await,
            None => return,
        }
    };
}

mod versitygw {
    use super::*;
    mlops_core::artifacts_conformance!(world!(part::versitygw()));
}

mod ministack {
    use super::*;
    mlops_core::artifacts_conformance!(world!(part::ministack()));
}
