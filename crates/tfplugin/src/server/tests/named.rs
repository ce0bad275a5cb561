//! A resource whose type and schema are known only when it runs.

use async_trait::async_trait;

use super::*;
use crate::context::{ApplyContext, ReadContext};
use crate::diagnostics::Diagnostics;
use crate::resource::{
    Applied, ApplyFailed, CreateRequest, DeleteRequest, ReadRequest, Refreshed, Resource,
};
use crate::schema::{Attribute, Block, Nesting};

struct Named {
    name: &'static str,
    schema: Schema,
}

#[async_trait]
impl Resource<()> for Named {
    type State = Value;
    const TYPE: &'static str = "";

    fn type_name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> Schema {
        self.schema.clone()
    }

    async fn create(
        &self,
        _: &ApplyContext<()>,
        request: CreateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>> {
        let mut state = request.planned;
        if let Value::Object(fields) = &mut state {
            fields.insert("id".into(), "made".into());
        }
        Ok(Applied::new(state))
    }

    async fn read(
        &self,
        _: &ReadContext<()>,
        request: ReadRequest<Value>,
    ) -> Result<Option<Refreshed<Value>>, Diagnostics> {
        Ok(Some(request.state.into()))
    }

    async fn delete(
        &self,
        _: &ApplyContext<()>,
        _: DeleteRequest<Value>,
    ) -> Result<(), ApplyFailed<Value>> {
        Ok(())
    }
}

fn schema() -> Schema {
    let inner = || Block::new().attribute("path", Attribute::string().optional());
    Block::new()
        .attribute("name", Attribute::string().required())
        .attribute("id", Attribute::string().computed())
        .nested_times("rule", Nesting::List, 1, Some(3), inner())
        .nested_times("tag", Nesting::Set, 0, None, inner())
        .nested_times("settings", Nesting::Single, 1, None, inner())
        .nested_times("label", Nesting::Map, 1, Some(2), inner())
        .into()
}

fn served(name: &'static str) -> Bench {
    let schema = schema();
    let resource = Named {
        name,
        schema: schema.clone(),
    };
    Bench::of(name, schema, Some(crate::resource(resource)))
}

#[tokio::test]
async fn a_resource_goes_by_the_name_that_it_says() {
    let bench = served("test_named_at_run_time").configured().await;
    let rule = Value::object([("path", "/".into())]);
    let config = bench.value(&[
        ("name", "a".into()),
        ("rule", Value::List(vec![rule])),
        ("tag", Value::Set(Vec::new())),
        ("settings", Value::object([("path", Value::Null)])),
        ("label", Value::Map(Default::default())),
    ]);
    let made = bench.created(&config).await;
    assert_eq!(made.state.field("id"), &"made".into());
}

#[tokio::test]
async fn limits_of_nested_blocks_are_told_in_the_protocols_form() {
    let bench = served("test_limited");
    let answer = bench
        .server
        .get_provider_schema(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert!(answer.diagnostics.is_empty(), "{:?}", answer.diagnostics);
    let blocks = answer.resource_schemas["test_limited"].block.as_ref();
    let limits: Vec<_> = blocks
        .unwrap()
        .block_types
        .iter()
        .map(|of| (of.type_name.as_str(), of.min_items, of.max_items))
        .collect();
    assert_eq!(
        limits,
        [
            ("label", 0, 0),
            ("rule", 1, 3),
            ("settings", 1, 1),
            ("tag", 0, 0)
        ]
    );
}
