//! The conformance suites of records and of the registry on what speaks DynamoDB's protocol.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::support::part::{self, Part};
use crate::support::table;
use mlops_core::artifacts::ArtifactStore;
use mlops_core::memory::MemoryArtifacts;
use mlops_core::records::Records;

struct World {
    records: Arc<dyn Records>,
    artifacts: Arc<MemoryArtifacts>,
    scratch: tempfile::TempDir,
}

impl World {
    async fn on(part: &Part) -> Self {
        let name = table::create(&part.url).await;
        Self {
            records: Arc::new(table::records(&part.url, &name)),
            artifacts: Arc::default(),
            scratch: tempfile::tempdir().expect("directory"),
        }
    }

    fn store(&self) -> Arc<dyn Records> {
        self.records.clone()
    }

    fn records(&self) -> Arc<dyn Records> {
        self.records.clone()
    }

    fn artifacts(&self) -> Arc<dyn ArtifactStore> {
        self.artifacts.clone()
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

mod dynamodb_local {
    use super::*;
    mlops_core::records_conformance!(world!(part::dynamodb_local()));
    mlops_core::registry_conformance!(world!(part::dynamodb_local()));
}

mod ministack {
    use super::*;
    mlops_core::records_conformance!(world!(part::ministack()));
    mlops_core::registry_conformance!(world!(part::ministack()));
}

async fn moves(part: Option<&'static Part>) {
    let Some(part) = part else { return };
    let (here, there) = (
        table::create(&part.url).await,
        table::create(&part.url).await,
    );
    mlops_core::conformance::movable::suite(&|name| {
        let place = if name == "here" { &here } else { &there };
        let records = table::records(&part.url, place);
        // Writers look again soon, so that a move has to wait for little.
        Arc::new(records.trusting(Duration::from_millis(50)))
    })
    .await;
}

#[tokio::test]
async fn a_registry_moves_out_of_a_table_and_into_it() {
    moves(part::dynamodb_local()).await;
}

#[tokio::test]
async fn a_registry_moves_out_of_a_table_and_into_it_on_ministack() {
    moves(part::ministack()).await;
}
