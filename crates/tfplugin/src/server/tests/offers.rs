use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;

use super::*;
use crate::context::{Context, ReadContext};
use crate::convert::{Attr, Secret};
use crate::data_source::DataSource;
use crate::diagnostics::Diagnostics;
use crate::ephemeral::{Ephemeral, Opened, Renewed};
use crate::function::{Arguments, Function, FunctionError, Parameter, Signature};
use crate::private::PrivateState;
use crate::schema::{Attribute, Block};

crate::object! {
    pub(super) struct Found {
        name: Attr<String>,
        size: Attr<i64>,
    }

    pub(super) struct Issued {
        user: Attr<String>,
        token: Attr<Secret<String>>,
    }
}

pub(super) struct Lookup;

#[async_trait]
impl DataSource<()> for Lookup {
    type State = Found;
    const TYPE: &'static str = "test_lookup";

    fn schema(&self) -> Schema {
        Block::new()
            .attribute("name", Attribute::string().required())
            .attribute("size", Attribute::number().computed())
            .into()
    }

    async fn read(&self, _: &ReadContext<()>, mut config: Found) -> Result<Found, Diagnostics> {
        let name = config.name.require("name")?;
        config.size = (name.len() as i64).into();
        Ok(config)
    }
}

pub(super) struct Join;

#[async_trait]
impl Function for Join {
    const NAME: &'static str = "join";

    fn signature(&self) -> Signature {
        Signature::returning(Type::String)
            .parameter(Parameter::new(
                "separator",
                Type::String,
                "What stands between.",
            ))
            .variadic(Parameter::new("parts", Type::String, "What is joined."))
            .describe("Joins texts.", "Joins texts with a separator.")
    }

    async fn call(&self, _: &Context, mut arguments: Arguments) -> Result<Value, FunctionError> {
        let separator: String = arguments.take()?;
        let parts: Vec<String> = arguments.rest()?;
        if parts.is_empty() {
            return Err(FunctionError::new("There is nothing to join.").argument(1));
        }
        Ok(parts.join(&separator).into())
    }
}

pub(super) struct Token;

#[async_trait]
impl Ephemeral<()> for Token {
    type State = Issued;
    const TYPE: &'static str = "test_token";

    fn schema(&self) -> Schema {
        Block::new()
            .attribute("user", Attribute::string().required())
            .attribute("token", Attribute::string().computed().sensitive())
            .into()
    }

    async fn open(
        &self,
        _: &ReadContext<()>,
        mut config: Issued,
    ) -> Result<Opened<Issued>, Diagnostics> {
        config.token = Secret::new("t-1".to_owned()).into();
        let mut private = PrivateState::new();
        private.set("lease", "l-1").unwrap();
        Ok(Opened {
            result: config,
            renew_at: Some(UNIX_EPOCH + Duration::from_secs(60)),
            private,
        })
    }

    async fn renew(
        &self,
        _: &ReadContext<()>,
        private: PrivateState,
    ) -> Result<Renewed, Diagnostics> {
        assert_eq!(
            private.get::<String>("lease").unwrap().as_deref(),
            Some("l-1")
        );
        Ok(Renewed {
            renew_at: None,
            private: None,
        })
    }
}

#[tokio::test]
async fn a_data_source_fills_in_what_it_finds() {
    let bench = bench().configured().await;
    let of = Type::object([("name", Type::String), ("size", Type::Number)]);
    let config = Value::object([("name", "abc".into()), ("size", Value::Null)]);
    let request = pb::read_data_source::Request {
        type_name: "test_lookup".into(),
        config: Some(wire::dynamic(&config, &of).unwrap()),
        ..Default::default()
    };
    let answer = bench
        .server
        .read_data_source(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        wire::value(answer.state.as_ref(), &of)
            .unwrap()
            .field("size"),
        &3_i64.into()
    );
    let request = pb::validate_data_resource_config::Request {
        type_name: "test_lookup".into(),
        config: Some(wire::dynamic(&Value::object([("name", Value::Null)]), &of).unwrap()),
    };
    let answer = bench
        .server
        .validate_data_resource_config(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.diagnostics[0].detail, "name must be set.");
}

#[tokio::test]
async fn a_function_is_called_before_configuration_and_blames_its_argument() {
    let bench = bench();
    let call = async |arguments: &[Value]| {
        let arguments = arguments
            .iter()
            .map(|value| wire::dynamic(value, &Type::of(value)).unwrap())
            .collect();
        let request = pb::call_function::Request {
            name: "join".into(),
            arguments,
        };
        bench
            .server
            .call_function(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    };
    let joined = call(&["-".into(), "a".into(), "b".into()]).await;
    assert_eq!(
        wire::value(joined.result.as_ref(), &Type::String).unwrap(),
        "a-b".into()
    );
    let error = call(&["-".into()]).await.error.unwrap();
    assert_eq!(
        (error.text.as_str(), error.function_argument),
        ("There is nothing to join.", Some(1))
    );
    assert_eq!(
        call(&["-".into(), 1_i64.into()])
            .await
            .error
            .unwrap()
            .function_argument,
        Some(1)
    );
    assert_eq!(
        call(&[]).await.error.unwrap().text,
        "There are too few arguments."
    );
    let functions = bench
        .server
        .get_functions(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(functions.functions["join"].parameters[0].name, "separator");
}

#[tokio::test]
async fn an_ephemeral_resource_opens_renews_and_closes() {
    let bench = bench().configured().await;
    let of = Type::object([("user", Type::String), ("token", Type::String)]);
    let config = wire::dynamic(&Value::object([("user", "u".into())]), &of).unwrap();
    let request = pb::open_ephemeral_resource::Request {
        type_name: "test_token".into(),
        config: Some(config),
        ..Default::default()
    };
    let opened = bench
        .server
        .open_ephemeral_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(opened.diagnostics.is_empty());
    assert_eq!(
        wire::value(opened.result.as_ref(), &of)
            .unwrap()
            .field("token"),
        &"t-1".into()
    );
    assert_eq!(opened.renew_at.unwrap().seconds, 60);
    let request = pb::renew_ephemeral_resource::Request {
        type_name: "test_token".into(),
        private: opened.private.clone(),
    };
    let renewed = bench
        .server
        .renew_ephemeral_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(renewed.private, opened.private);
    let request = pb::close_ephemeral_resource::Request {
        type_name: "test_token".into(),
        private: renewed.private,
    };
    let closed = bench
        .server
        .close_ephemeral_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(closed.diagnostics.is_empty());
}

#[tokio::test]
async fn metadata_and_schemas_list_everything_and_newer_rpcs_are_unimplemented() {
    let bench = bench();
    let metadata = bench
        .server
        .get_metadata(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(metadata.resources[0].type_name, "test_thing");
    assert_eq!(metadata.data_sources[0].type_name, "test_lookup");
    assert_eq!(metadata.ephemeral_resources[0].type_name, "test_token");
    assert_eq!(metadata.functions[0].name, "join");
    let capabilities = metadata.server_capabilities.unwrap();
    assert!(capabilities.plan_destroy && capabilities.get_provider_schema_optional);

    let schemas = bench
        .server
        .get_provider_schema(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert!(schemas.diagnostics.is_empty(), "{:?}", schemas.diagnostics);
    let thing = &schemas.resource_schemas["test_thing"];
    assert_eq!(thing.version, 2);
    let block = thing.block.as_ref().unwrap();
    let attribute = |name: &str| {
        block
            .attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .unwrap()
    };
    assert_eq!(attribute("name").r#type, br#""string""#);
    assert!(attribute("size").optional && attribute("size").computed);
    assert!(attribute("token").write_only);
    assert_eq!(
        block.block_types[0].nesting,
        i32::from(pb::schema::nested_block::NestingMode::Single)
    );

    let refused = bench
        .server
        .plan_action(Request::new(Default::default()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
}

#[tokio::test]
async fn shutdown_hands_the_client_back_once() {
    let bench = bench().configured().await;
    bench.server.shutdown().await;
    assert_eq!(bench.knobs.lock().unwrap().shutdowns, 1);
}
