//! A provider with one resource that does what its knobs say.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::context::{ApplyContext, Context, PlanContext, ReadContext};
use crate::convert::{Attr, Secret};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::private::PrivateState;
use crate::provider::Provider;
use crate::resource::*;
use crate::schema::{Attribute, Block, Schema};
use crate::types::Type;
use crate::value::Value;

crate::object! {
    pub(super) struct Local {
        pub(super) port: Attr<u16>,
    }

    pub(super) struct State {
        pub(super) name: Attr<String>,
        pub(super) size: Attr<i64>,
        pub(super) id: Attr<String>,
        pub(super) etag: Attr<String>,
        pub(super) token: Attr<Secret<String>>,
        pub(super) local: Attr<Local>,
    }
}

type Planning = Result<Planned<State>, Diagnostics>;
type Applying = Result<Applied<State>, ApplyFailed<State>>;
type Deleting = Result<(), ApplyFailed<State>>;
type Reading = Result<Option<Refreshed<State>>, Diagnostics>;

/// How the resource behaves.
#[derive(Default)]
pub(super) struct Knobs {
    pub(super) plan: Option<fn(Planned<State>) -> Planning>,
    pub(super) create: Option<fn(State) -> Applying>,
    pub(super) update: Option<fn(State, State) -> Applying>,
    pub(super) delete: Option<fn() -> Deleting>,
    pub(super) read: Option<fn(State) -> Reading>,
    pub(super) wait_for_stop: bool,
    pub(super) config_token: Option<String>,
    pub(super) destroys_planned: usize,
    pub(super) shutdowns: usize,
}

#[derive(Default)]
pub(super) struct Thing {
    knobs: Arc<Mutex<Knobs>>,
}

fn finished(mut planned: State) -> State {
    if planned.id.is_unknown() {
        planned.id = "id-1".into();
    }
    if planned.etag.is_unknown() {
        planned.etag = "etag".into();
    }
    if let Some(local) = planned.local.known_mut()
        && local.port.is_unknown()
    {
        local.port = 8080.into();
    }
    planned
}

#[async_trait]
impl Resource<()> for Thing {
    type State = State;
    const TYPE: &'static str = "test_thing";

    fn schema(&self) -> Schema {
        let block = Block::new()
            .attribute(
                "name",
                Attribute::string()
                    .required()
                    .requires_replace()
                    .validate(crate::validate::length(1..=8)),
            )
            .attribute("size", Attribute::number().default(5))
            .attribute("id", Attribute::string().computed().use_state_for_unknown())
            .attribute("etag", Attribute::string().computed())
            .attribute("token", Attribute::string().optional().write_only())
            .single(
                "local",
                Block::new().attribute("port", Attribute::number().optional().computed()),
            );
        Schema::new(block).with_version(2)
    }

    async fn plan(
        &self,
        cx: &PlanContext<()>,
        request: PlanRequest<State>,
    ) -> Result<Planned<State>, Diagnostics> {
        assert_eq!(cx.terraform_version(), "1.11.4");
        let plan = self.knobs.lock().unwrap().plan;
        let planned = Planned::new(request.proposed);
        plan.map_or(Ok(planned.clone()), |plan| plan(planned))
    }

    async fn plan_destroy(
        &self,
        cx: &PlanContext<()>,
        _: PlanDestroyRequest<State>,
    ) -> Result<(), Diagnostics> {
        cx.warn(Diagnostic::warning("going", "away"));
        self.knobs.lock().unwrap().destroys_planned += 1;
        Ok(())
    }

    async fn create(
        &self,
        cx: &ApplyContext<()>,
        request: CreateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let (create, wait) = {
            let mut knobs = self.knobs.lock().unwrap();
            knobs.config_token = request
                .config
                .token
                .known()
                .map(|token| token.expose().clone());
            (knobs.create, knobs.wait_for_stop)
        };
        if wait {
            cx.stop().cancelled().await;
            return Err(Diagnostic::error("Interrupted", "undone").into());
        }
        let planned = request.planned;
        create.map_or_else(
            || Ok(Applied::new(finished(planned.clone()))),
            |create| create(planned.clone()),
        )
    }

    async fn read(
        &self,
        _: &ReadContext<()>,
        request: ReadRequest<State>,
    ) -> Result<Option<Refreshed<State>>, Diagnostics> {
        let read = self.knobs.lock().unwrap().read;
        read.map_or_else(
            || Ok(Some(request.state.clone().into())),
            |read| read(request.state.clone()),
        )
    }

    async fn update(
        &self,
        _: &ApplyContext<()>,
        request: UpdateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let update = self.knobs.lock().unwrap().update;
        match update {
            Some(update) => update(request.prior, request.planned),
            None => Ok(Applied::new(finished(request.planned))),
        }
    }

    async fn delete(
        &self,
        _: &ApplyContext<()>,
        _: DeleteRequest<State>,
    ) -> Result<(), ApplyFailed<State>> {
        let delete = self.knobs.lock().unwrap().delete;
        delete.map_or(Ok(()), |delete| delete())
    }

    fn import(&self) -> Option<&dyn ImportState<(), State>> {
        Some(self)
    }

    fn upgrade(&self) -> Option<&dyn UpgradeState<State>> {
        Some(self)
    }

    fn move_state(&self) -> Option<&dyn MoveState<State>> {
        Some(self)
    }

    fn identity(&self) -> Option<&dyn Identity<State>> {
        Some(self)
    }

    fn validate_config(&self) -> Option<&dyn ValidateConfig<State>> {
        Some(self)
    }
}

fn named(name: impl Into<String>) -> State {
    State {
        name: name.into().into(),
        size: 5.into(),
        id: "id-1".into(),
        etag: Attr::Null,
        token: Attr::Null,
        local: Attr::Null,
    }
}

#[async_trait]
impl ImportState<(), State> for Thing {
    async fn import_state(
        &self,
        _: &ReadContext<()>,
        request: ImportRequest,
    ) -> Result<Imported<State>, Diagnostics> {
        let name = match &request {
            ImportRequest::Id(id) => id.clone(),
            ImportRequest::Identity(identity) => identity
                .field("name")
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        };
        if name.contains('/') {
            return Err(
                Diagnostic::error("Invalid import id", "The id is the thing's name.").into(),
            );
        }
        let mut private = PrivateState::new();
        private.set("imported", &true).unwrap();
        Ok(Imported::new(named(name)).private(private))
    }
}

impl UpgradeState<State> for Thing {
    fn upgrade_state(&self, from: u64, state: &RawState) -> Result<State, Diagnostics> {
        if from != 1 {
            return Err(Diagnostics::error(
                "Too old",
                "Version 0 was never released.",
            ));
        }
        let of = Type::object([("title", Type::String)]);
        let old = state
            .decode(&of)
            .map_err(|error| Diagnostics::error("Broken state", error.to_string()))?;
        Ok(named(old.field("title").as_str().unwrap_or_default()))
    }
}

impl MoveState<State> for Thing {
    fn move_state(
        &self,
        request: &MoveRequest<'_>,
    ) -> Result<Option<Imported<State>>, Diagnostics> {
        if request.source_type != "old_thing" {
            return Ok(None);
        }
        let of = Type::object([("label", Type::String)]);
        let old = request
            .source
            .decode(&of)
            .map_err(|error| Diagnostics::error("Broken state", error.to_string()))?;
        Ok(Some(Imported::new(named(
            old.field("label").as_str().unwrap_or_default(),
        ))))
    }
}

impl Identity<State> for Thing {
    fn identity_schema(&self) -> IdentitySchema {
        IdentitySchema::new()
            .with_version(1)
            .required("name", Type::String, "The thing's name.")
    }

    fn identity_of(&self, state: &State) -> Value {
        match &state.name {
            Attr::Known(name) => Value::object([("name", name.as_str().into())]),
            _ => Value::Null,
        }
    }
}

impl ValidateConfig<State> for Thing {
    fn validate_config(&self, _: &Context, config: &State, problems: &mut Diagnostics) {
        if config.name.as_str() == Some("evil") {
            problems.push(Diagnostic::error("No evil", "Choose another name.").at("name"));
        }
    }
}

pub(super) struct TestProvider {
    pub(super) knobs: Arc<Mutex<Knobs>>,
    pub(super) extra: Option<Arc<dyn AnyResource<()>>>,
}

#[async_trait]
impl Provider for TestProvider {
    type Config = ();
    type Client = ();

    fn schema(&self) -> Schema {
        Schema::new(Block::new())
    }

    async fn configure(&self, _: &Context, (): ()) -> Result<Arc<()>, Diagnostics> {
        Ok(Arc::new(()))
    }

    fn resources(&self) -> Vec<Arc<dyn AnyResource<()>>> {
        let mut resources = vec![crate::resource(Thing {
            knobs: Arc::clone(&self.knobs),
        })];
        resources.extend(self.extra.clone());
        resources
    }

    fn data_sources(&self) -> Vec<Arc<dyn crate::data_source::AnyDataSource<()>>> {
        vec![crate::data_source(super::offers::Lookup)]
    }

    fn functions(&self) -> Vec<Arc<dyn crate::function::AnyFunction>> {
        vec![crate::function(super::offers::Join)]
    }

    fn ephemerals(&self) -> Vec<Arc<dyn crate::ephemeral::AnyEphemeral<()>>> {
        vec![crate::ephemeral(super::offers::Token)]
    }

    async fn shutdown(&self, client: Option<Arc<()>>) {
        assert!(client.is_some());
        self.knobs.lock().unwrap().shutdowns += 1;
    }
}
