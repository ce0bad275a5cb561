//! The conformance suite of records on what speaks DynamoDB's protocol.

use std::sync::Arc;

use crate::support::part::{self, Part};
use crate::support::table;
use mlops_core::records::Records;

struct World(Arc<dyn Records>);

impl World {
    async fn on(part: &Part) -> Self {
        let name = table::create(&part.url).await;
        Self(Arc::new(table::records(&part.url, &name)))
    }

    fn store(&self) -> Arc<dyn Records> {
        self.0.clone()
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
}

mod ministack {
    use super::*;
    mlops_core::records_conformance!(world!(part::ministack()));
}
