//! The conformance suites on the stores in memory.

use std::path::Path;
use std::sync::Arc;

use super::{MemoryArtifacts, MemoryRecords};
use crate::artifacts::ArtifactStore;
use crate::records::Records;

struct World {
    scratch: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self {
            scratch: tempfile::tempdir().unwrap(),
        }
    }
    fn records(&self) -> Arc<dyn Records> {
        Arc::new(MemoryRecords::default())
    }
    fn artifacts(&self) -> Arc<dyn ArtifactStore> {
        Arc::new(MemoryArtifacts::default())
    }
    fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}

mod records {
    use super::*;
    struct Only(World);
    impl Only {
        fn store(&self) -> Arc<dyn Records> {
            self.0.records()
        }
    }
    crate::records_conformance!(Only(World::new()));
}

mod artifacts {
    use super::*;
    struct Only(World);
    impl Only {
        fn store(&self) -> Arc<dyn ArtifactStore> {
            self.0.artifacts()
        }
        fn scratch(&self) -> &Path {
            self.0.scratch()
        }
    }
    crate::artifacts_conformance!(Only(World::new()));
}

mod registry {
    use super::*;
    crate::registry_conformance!(World::new());
}
