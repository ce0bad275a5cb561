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

#[tokio::test]
async fn an_artifact_that_lost_a_file_is_found_and_fails_its_check() {
    let store = MemoryArtifacts::default();
    let artifact = store.put_bytes("model.onnx", b"graph").unwrap();
    store.check(&artifact.digest).await.unwrap();
    store.lose(&artifact.files[0].digest);
    assert_eq!(store.get(&artifact.digest).await.unwrap(), artifact);
    let error = store.check(&artifact.digest).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(error.to_string().contains("\"model.onnx\""), "{error}");
}

#[tokio::test]
async fn a_test_says_when_an_artifact_was_written() {
    let store = MemoryArtifacts::default();
    let artifact = store.put_bytes("model.onnx", b"graph").unwrap();
    let at = jiff::Timestamp::from_second(1_767_225_600).unwrap();
    store.set_modified(&artifact.digest, at);
    assert_eq!(store.list().await.unwrap()[0].modified, at);
}

mod registry {
    use super::*;
    crate::registry_conformance!(World::new());
}

#[tokio::test]
async fn a_registry_moves_out_of_memory_and_into_it() {
    let places: std::sync::Mutex<std::collections::BTreeMap<String, MemoryRecords>> =
        std::sync::Mutex::default();
    crate::conformance::movable::suite(&|name| {
        let mut places = places.lock().unwrap();
        let place = places.entry(name.to_owned());
        std::sync::Arc::new(place.or_insert_with(|| MemoryRecords::named(name)).clone())
    })
    .await;
}
