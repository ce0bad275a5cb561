use async_trait::async_trait;

use super::{
    Applied, ApplyFailed, CreateRequest, DeleteRequest, IdentitySchema, ImportRequest, Imported,
    MoveRequest, PlanDestroyRequest, PlanRequest, Planned, RawState, ReadRequest, Refreshed,
    Resource, UpdateRequest,
};
use crate::context::{ApplyContext, Context, PlanContext, ReadContext};
use crate::convert::{FromValue, IntoValue, Shape};
use crate::diagnostics::Diagnostics;
use crate::schema::Schema;
use crate::value::Value;

/// A resource whose Rust types are out of sight, as the server holds it: [`Resource`] over [`Value`]s.
///
/// Made by [`resource`](crate::resource()); not meant to be implemented by hand.
#[async_trait]
#[allow(missing_docs)]
pub trait AnyResource<C: Send + Sync + 'static>: Send + Sync {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> Schema;
    fn shape(&self) -> Shape;
    fn identity_schema(&self) -> Option<IdentitySchema>;
    fn identity_of(&self, state: Value) -> Result<Option<Value>, Diagnostics>;
    fn validate_config(&self, cx: &Context, config: Value, problems: &mut Diagnostics);
    /// `None` if the resource has no such power.
    fn upgrade_state(&self, from: u64, state: &RawState) -> Option<Result<Value, Diagnostics>>;
    fn can_move(&self) -> bool;
    fn move_state(&self, request: &MoveRequest<'_>)
    -> Result<Option<Imported<Value>>, Diagnostics>;
    async fn plan(
        &self,
        cx: &PlanContext<C>,
        request: PlanRequest<Value>,
    ) -> Result<Planned<Value>, Diagnostics>;
    async fn plan_destroy(
        &self,
        cx: &PlanContext<C>,
        request: PlanDestroyRequest<Value>,
    ) -> Result<(), Diagnostics>;
    async fn create(
        &self,
        cx: &ApplyContext<C>,
        request: CreateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>>;
    async fn update(
        &self,
        cx: &ApplyContext<C>,
        request: UpdateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>>;
    async fn delete(
        &self,
        cx: &ApplyContext<C>,
        request: DeleteRequest<Value>,
    ) -> Result<(), ApplyFailed<Value>>;
    async fn read(
        &self,
        cx: &ReadContext<C>,
        request: ReadRequest<Value>,
    ) -> Result<Option<Refreshed<Value>>, Diagnostics>;
    /// `Ok(None)` if the resource has no such power.
    async fn import(
        &self,
        cx: &ReadContext<C>,
        request: ImportRequest,
    ) -> Result<Option<Imported<Value>>, Diagnostics>;
}

/// The bridge from values to a resource's own types.
pub(super) struct Typed<R>(R);

impl<R> Typed<R> {
    pub(super) fn new(resource: R) -> Self {
        Self(resource)
    }
}

fn read<S: FromValue>(value: Value) -> Result<S, Diagnostics> {
    S::from_value(value).map_err(Diagnostics::from)
}

fn untyped<S: IntoValue>(imported: Imported<S>) -> Imported<Value> {
    Imported {
        state: imported.state.into_value(),
        private: imported.private,
    }
}

fn applied<S: IntoValue>(
    result: Result<Applied<S>, ApplyFailed<S>>,
) -> Result<Applied<Value>, ApplyFailed<Value>> {
    match result {
        Ok(Applied {
            state,
            private,
            warnings,
        }) => Ok(Applied {
            state: state.into_value(),
            private,
            warnings,
        }),
        Err(failed) => Err(failure(failed)),
    }
}

fn failure<S: IntoValue>(failed: ApplyFailed<S>) -> ApplyFailed<Value> {
    let ApplyFailed {
        diagnostics,
        state,
        private,
    } = failed;
    ApplyFailed {
        diagnostics,
        state: state.map(|state| Box::new(state.into_value())),
        private,
    }
}

#[async_trait]
impl<C: Send + Sync + 'static, R: Resource<C>> AnyResource<C> for Typed<R> {
    fn type_name(&self) -> &'static str {
        self.0.type_name()
    }

    fn schema(&self) -> Schema {
        self.0.schema()
    }

    fn shape(&self) -> Shape {
        R::State::shape()
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        self.0.identity().map(|identity| identity.identity_schema())
    }

    fn identity_of(&self, state: Value) -> Result<Option<Value>, Diagnostics> {
        let Some(identity) = self.0.identity() else {
            return Ok(None);
        };
        Ok(Some(identity.identity_of(&read(state)?)))
    }

    fn validate_config(&self, cx: &Context, config: Value, problems: &mut Diagnostics) {
        let Some(rules) = self.0.validate_config() else {
            return;
        };
        match read(config) {
            Ok(config) => rules.validate_config(cx, &config, problems),
            Err(unreadable) => problems.extend(unreadable),
        }
    }

    fn upgrade_state(&self, from: u64, state: &RawState) -> Option<Result<Value, Diagnostics>> {
        let upgrader = self.0.upgrade()?;
        Some(
            upgrader
                .upgrade_state(from, state)
                .map(IntoValue::into_value),
        )
    }

    fn can_move(&self) -> bool {
        self.0.move_state().is_some()
    }

    fn move_state(
        &self,
        request: &MoveRequest<'_>,
    ) -> Result<Option<Imported<Value>>, Diagnostics> {
        match self.0.move_state() {
            Some(power) => Ok(power.move_state(request)?.map(untyped)),
            None => Ok(None),
        }
    }

    async fn plan(
        &self,
        cx: &PlanContext<C>,
        request: PlanRequest<Value>,
    ) -> Result<Planned<Value>, Diagnostics> {
        let PlanRequest {
            config,
            prior,
            proposed,
            requires_replace,
            private,
        } = request;
        let request = PlanRequest {
            config: read(config)?,
            prior: prior.map(read).transpose()?,
            proposed: read(proposed)?,
            requires_replace,
            private,
        };
        let Planned {
            state,
            requires_replace,
            private,
            warnings,
            deferred,
        } = self.0.plan(cx, request).await?;
        Ok(Planned {
            state: state.into_value(),
            requires_replace,
            private,
            warnings,
            deferred,
        })
    }

    async fn plan_destroy(
        &self,
        cx: &PlanContext<C>,
        request: PlanDestroyRequest<Value>,
    ) -> Result<(), Diagnostics> {
        let PlanDestroyRequest { prior, private } = request;
        self.0
            .plan_destroy(
                cx,
                PlanDestroyRequest {
                    prior: read(prior)?,
                    private,
                },
            )
            .await
    }

    async fn create(
        &self,
        cx: &ApplyContext<C>,
        request: CreateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>> {
        let CreateRequest {
            config,
            planned,
            private,
        } = request;
        let request = CreateRequest {
            config: read(config)?,
            planned: read(planned)?,
            private,
        };
        applied(self.0.create(cx, request).await)
    }

    async fn update(
        &self,
        cx: &ApplyContext<C>,
        request: UpdateRequest<Value>,
    ) -> Result<Applied<Value>, ApplyFailed<Value>> {
        let UpdateRequest {
            config,
            prior,
            planned,
            private,
        } = request;
        let request = UpdateRequest {
            config: read(config)?,
            prior: read(prior)?,
            planned: read(planned)?,
            private,
        };
        applied(self.0.update(cx, request).await)
    }

    async fn delete(
        &self,
        cx: &ApplyContext<C>,
        request: DeleteRequest<Value>,
    ) -> Result<(), ApplyFailed<Value>> {
        let DeleteRequest { prior, private } = request;
        self.0
            .delete(
                cx,
                DeleteRequest {
                    prior: read(prior)?,
                    private,
                },
            )
            .await
            .map_err(failure)
    }

    async fn read(
        &self,
        cx: &ReadContext<C>,
        request: ReadRequest<Value>,
    ) -> Result<Option<Refreshed<Value>>, Diagnostics> {
        let ReadRequest { state, private } = request;
        let found = self
            .0
            .read(
                cx,
                ReadRequest {
                    state: read(state)?,
                    private,
                },
            )
            .await?;
        Ok(found.map(|Refreshed { state, private }| Refreshed {
            state: state.into_value(),
            private,
        }))
    }

    async fn import(
        &self,
        cx: &ReadContext<C>,
        request: ImportRequest,
    ) -> Result<Option<Imported<Value>>, Diagnostics> {
        match self.0.import() {
            Some(power) => power.import_state(cx, request).await.map(untyped).map(Some),
            None => Ok(None),
        }
    }
}
