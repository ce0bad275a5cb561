//! The provider: what it offers is what its facts say.

use std::sync::Arc;

use tfplugin::data_source::AnyDataSource;
use tfplugin::resource::AnyResource;
use tfplugin::schema::Schema;
use tfplugin::value::Value;
use tfplugin::{Context, Diagnostics, Provider, async_trait};

use crate::account::Account;
use crate::data::StubData;
use crate::error::StubError;
use crate::facts::Facts;
use crate::resource::StubResource;
use crate::transcript::Transcript;

/// A provider made of facts.
#[derive(Debug)]
pub(crate) struct StubProvider {
    name: String,
    facts: Arc<Facts>,
    schema: Schema,
}

impl StubProvider {
    /// The provider of this name.
    ///
    /// # Errors
    /// If the facts about its provider block make no schema.
    pub(crate) fn new(name: String, facts: Facts) -> Result<Self, StubError> {
        let schema = crate::schema::schema("provider", &facts.provider)?;
        let facts = Arc::new(facts);
        Ok(Self {
            name,
            facts,
            schema,
        })
    }

    /// The last part of its address.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait]
impl Provider for StubProvider {
    type Config = Value;
    type Client = Account;

    fn schema(&self) -> Schema {
        self.schema.clone()
    }

    async fn configure(&self, _: &Context, config: Value) -> Result<Arc<Account>, Diagnostics> {
        Ok(Arc::new(Account::of(&config, Transcript::of(&self.name))))
    }

    fn resources(&self) -> Vec<Arc<dyn AnyResource<Account>>> {
        let types = self.facts.resource_schemas.keys();
        types
            .map(|name| tfplugin::resource(StubResource::new(name, Arc::clone(&self.facts))))
            .collect()
    }

    fn data_sources(&self) -> Vec<Arc<dyn AnyDataSource<Account>>> {
        let types = self.facts.data_source_schemas.keys();
        types
            .map(|name| tfplugin::data_source(StubData::new(name, Arc::clone(&self.facts))))
            .collect()
    }
}
