//! The conformance suites on SQLite and the content-addressed directory.

use std::path::Path;
use std::sync::Arc;

use mlops_core::artifacts::ArtifactStore;
use mlops_core::records::Records;
use mlops_local::artifacts::LocalArtifacts;
use mlops_local::location::Namespace;
use mlops_local::records::LocalRecords;

struct World {
    directory: tempfile::TempDir,
    scratch: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let fresh = || tempfile::tempdir().expect("temporary directory");
        Self {
            directory: fresh(),
            scratch: fresh(),
        }
    }
    fn records(&self) -> Arc<dyn Records> {
        let directory = self.directory.path().join(".mlops");
        Arc::new(LocalRecords::new(directory, Namespace::default()))
    }
    fn artifacts(&self) -> Arc<dyn ArtifactStore> {
        Arc::new(LocalArtifacts::new(&self.directory.path().join(".mlops")))
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
    mlops_core::records_conformance!(Only(World::new()));
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
    mlops_core::artifacts_conformance!(Only(World::new()));
}

mod registry {
    use super::*;
    mlops_core::registry_conformance!(World::new());
}

#[tokio::test]
async fn a_registry_moves_out_of_a_directory_and_into_it() {
    let directory = tempfile::tempdir().expect("temporary directory");
    mlops_core::conformance::movable::suite(&|name| {
        let place = directory.path().join(name);
        Arc::new(LocalRecords::new(place, Namespace::default()))
    })
    .await;
}
