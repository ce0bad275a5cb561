//! A data source of any type that the facts know.

mod archive;
mod aws;
mod ecr;

use std::sync::{Arc, OnceLock};

use tfplugin::schema::Schema;
use tfplugin::value::Value;
use tfplugin::{DataSource, Diagnostics, ReadContext, async_trait};

use crate::account::Account;
use crate::facts::Facts;
use crate::fake::Faker;
use crate::resource::unwritten;

/// A data source that finds what it is asked for.
pub(crate) struct StubData {
    name: &'static str,
    kind: String,
    facts: Arc<Facts>,
    schema: OnceLock<Schema>,
}

impl StubData {
    /// The data source of this type.
    pub(crate) fn new(name: &str, facts: Arc<Facts>) -> Self {
        Self {
            // A process serves one provider and names each of its types once, so this is never given back.
            name: Box::leak(name.to_owned().into_boxed_str()),
            kind: format!("data.{name}"),
            facts,
            schema: OnceLock::new(),
        }
    }

    fn schema(&self) -> &Schema {
        self.schema.get_or_init(|| {
            let entry = &self.facts.data_source_schemas[self.name];
            // What makes no schema is a mistake in a file of this crate; the framework tells Terraform.
            crate::schema::schema(self.name, entry).unwrap_or_else(|error| panic!("{error}"))
        })
    }
}

#[async_trait]
impl DataSource<Account> for StubData {
    type State = Value;
    const TYPE: &'static str = "";

    fn type_name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> Schema {
        self.schema().clone()
    }

    async fn read(&self, cx: &ReadContext<Account>, config: Value) -> Result<Value, Diagnostics> {
        let (account, block) = (cx.client(), self.schema().block());
        let mut object = config;
        if let Value::Object(fields) = &mut object {
            for (name, attribute) in block.attributes() {
                if attribute.is_computed() && fields.get(name).is_none_or(Value::is_null) {
                    fields.insert(name.to_owned(), Value::Unknown);
                }
            }
            match self.name {
                "archive_file" => archive::write(fields)?,
                _ => aws::find(account, self.name, fields)?,
            }
        }
        let found = Faker::new(account, &self.kind, &object).fill(block, object);
        let recorded = account
            .transcript
            .record("read", &self.kind, block, &found, None);
        recorded.map_err(|error| unwritten(&error))?;
        Ok(found)
    }
}
