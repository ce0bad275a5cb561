//! The server, asked as Terraform asks it.

mod core;
mod failures;
mod lifecycle;
mod named;
mod offers;
mod properties;
mod thing;

use std::sync::{Arc, Mutex};

use tfplugin_proto::tfplugin6::{self as pb, provider_server::Provider as _};
use tonic::Request;

use self::core::proposed_new;
use self::thing::{Knobs, TestProvider};
use super::{ProviderServer, wire};
use crate::resource::{AnyResource, Resource as _};
use crate::schema::Schema;
use crate::stop::StopSignal;
use crate::types::Type;
use crate::value::Value;

/// A served provider and what its one resource is told to do.
struct Bench {
    server: ProviderServer<TestProvider>,
    stop: StopSignal,
    knobs: Arc<Mutex<Knobs>>,
    schema: Schema,
    type_name: &'static str,
}

/// What a plan or an apply answered.
#[derive(Debug)]
struct Answer {
    state: Value,
    private: Vec<u8>,
    diagnostics: Vec<pb::Diagnostic>,
    requires_replace: Vec<String>,
}

impl Answer {
    fn errors(&self) -> Vec<String> {
        self.said(pb::diagnostic::Severity::Error)
    }

    fn warnings(&self) -> Vec<String> {
        self.said(pb::diagnostic::Severity::Warning)
    }

    fn said(&self, severity: pb::diagnostic::Severity) -> Vec<String> {
        let matching = self
            .diagnostics
            .iter()
            .filter(|said| said.severity == i32::from(severity));
        matching
            .map(|said| format!("{}: {}", said.summary, said.detail))
            .collect()
    }

    #[track_caller]
    fn expect(self) -> Self {
        assert!(self.errors().is_empty(), "{:?}", self.errors());
        self
    }
}

fn bench() -> Bench {
    Bench::of(thing::Thing::TYPE, thing::Thing::default().schema(), None)
}

impl Bench {
    fn of(
        type_name: &'static str,
        schema: Schema,
        extra: Option<Arc<dyn AnyResource<()>>>,
    ) -> Self {
        let knobs = Arc::default();
        let stop = StopSignal::new();
        let provider = TestProvider {
            knobs: Arc::clone(&knobs),
            extra,
        };
        Self {
            server: ProviderServer::new(provider, stop.clone()),
            stop,
            knobs,
            schema,
            type_name,
        }
    }

    async fn configured(self) -> Self {
        let config = Value::Object(Default::default());
        let config = Some(wire::dynamic(&config, &Type::Object(Default::default())).unwrap());
        let request = pb::configure_provider::Request {
            terraform_version: "1.11.4".into(),
            config,
            client_capabilities: None,
        };
        let answer = self
            .server
            .configure_provider(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        assert!(answer.diagnostics.is_empty(), "{:?}", answer.diagnostics);
        self
    }

    fn knob(&self, turn: impl FnOnce(&mut Knobs)) {
        turn(&mut self.knobs.lock().unwrap());
    }

    /// A value of the resource's type from some of its attributes, as a configuration has it.
    fn value(&self, fields: &[(&str, Value)]) -> Value {
        self.schema
            .object_type()
            .conform(Value::object(fields.iter().cloned()))
            .unwrap()
    }

    fn encode(&self, value: &Value) -> Option<pb::DynamicValue> {
        Some(wire::dynamic(value, self.schema.object_type()).unwrap())
    }

    fn decode(&self, value: Option<&pb::DynamicValue>) -> Value {
        wire::value(value, self.schema.object_type()).unwrap()
    }

    async fn plan(&self, config: &Value, prior: &Value) -> Answer {
        self.plan_private(config, prior, &[]).await
    }

    async fn plan_private(&self, config: &Value, prior: &Value, private: &[u8]) -> Answer {
        let proposed = proposed_new(self.schema.block(), config, prior);
        let request = pb::plan_resource_change::Request {
            type_name: self.type_name.into(),
            prior_state: self.encode(prior),
            proposed_new_state: self.encode(&proposed),
            config: self.encode(config),
            prior_private: private.to_vec(),
            ..Default::default()
        };
        let answer = self
            .server
            .plan_resource_change(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        Answer {
            state: self.decode(answer.planned_state.as_ref()),
            private: answer.planned_private,
            diagnostics: answer.diagnostics,
            requires_replace: answer
                .requires_replace
                .iter()
                .map(|path| format!("{:?}", path.steps))
                .collect(),
        }
    }

    async fn apply(&self, config: &Value, prior: &Value, planned: &Answer) -> Answer {
        let request = pb::apply_resource_change::Request {
            type_name: self.type_name.into(),
            prior_state: self.encode(prior),
            planned_state: self.encode(&planned.state),
            config: self.encode(config),
            planned_private: planned.private.clone(),
            ..Default::default()
        };
        let answer = self
            .server
            .apply_resource_change(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        Answer {
            state: self.decode(answer.new_state.as_ref()),
            private: answer.private,
            diagnostics: answer.diagnostics,
            requires_replace: Vec::new(),
        }
    }

    /// Plans and applies a create.
    async fn created(&self, config: &Value) -> Answer {
        let planned = self.plan(config, &Value::Null).await.expect();
        self.apply(config, &Value::Null, &planned).await.expect()
    }

    async fn read(&self, state: &Value, private: &[u8]) -> Answer {
        let request = pb::read_resource::Request {
            type_name: self.type_name.into(),
            current_state: self.encode(state),
            private: private.to_vec(),
            ..Default::default()
        };
        let answer = self
            .server
            .read_resource(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        Answer {
            state: self.decode(answer.new_state.as_ref()),
            private: answer.private,
            diagnostics: answer.diagnostics,
            requires_replace: Vec::new(),
        }
    }
}
