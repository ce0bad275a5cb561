//! Managed resources.
//!
//! [`Resource`] is the lifecycle. Everything that a resource may or may not be able to do is a small
//! trait of its own: [`ImportState`], [`ValidateConfig`], [`UpgradeState`], [`MoveState`],
//! [`Identity`]. A resource offers one by returning itself from the method of that name.

mod any;
mod outcome;
mod powers;
mod request;

use std::sync::Arc;

use async_trait::async_trait;

pub use any::AnyResource;
pub use outcome::{Applied, ApplyFailed, Deferred, Imported, Planned, Refreshed};
pub use powers::{
    Identity, IdentityAttribute, IdentitySchema, ImportState, MoveState, RawState, UpgradeState,
    ValidateConfig,
};
pub use request::{
    CreateRequest, DeleteRequest, ImportRequest, MoveRequest, PlanDestroyRequest, PlanRequest,
    ReadRequest, UpdateRequest,
};

use crate::context::{ApplyContext, PlanContext, ReadContext};
use crate::convert::Object;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::private::PrivateState;
use crate::schema::Schema;

/// A managed resource: one API entity with a lifecycle. `C` is the provider's client.
///
/// The framework decodes, applies defaults, marks computed values that may change as unknown, runs
/// plan modifiers, keeps write-only values out of plan and state, and calls the methods below with
/// Rust types. In debug and test builds it also checks every answer against the contract that
/// Terraform core enforces.
#[async_trait]
pub trait Resource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Configuration, plan and state, declared with [`object!`](crate::object).
    type State: Object;

    /// The type name as users write it, the provider's name first: `mlops_model`.
    const TYPE: &'static str;

    /// The type name that this one goes by. A resource whose type is known only when it runs, with
    /// [`Value`](crate::Value) for its state, answers with a name of its own, and `TYPE` is never read.
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    /// The schema. Called once for each process.
    fn schema(&self) -> Schema;

    /// Decides what a create or update will do. It writes nothing.
    ///
    /// `request.proposed` already holds the framework's plan; what is left is to fill in computed
    /// values that can be foretold, to compare with the world, to warn and to refuse. A replacement is
    /// asked for twice: first with the prior state, then, as a create, without.
    ///
    /// Terraform asks again during apply with what is known by then. A value that was planned as known
    /// must come out the same, so it has to be a function of the configuration, the prior state and
    /// facts that nothing in this apply changes; anything else is left unknown.
    ///
    /// The default takes the framework's plan.
    ///
    /// # Errors
    /// Diagnostics for what must not be applied.
    async fn plan(
        &self,
        cx: &PlanContext<C>,
        request: PlanRequest<Self::State>,
    ) -> Result<Planned<Self::State>, Diagnostics> {
        let _ = cx;
        Ok(Planned::new(request.proposed))
    }

    /// Looks at a planned destruction, to warn or to refuse. The default agrees.
    ///
    /// # Errors
    /// Diagnostics for what must not be destroyed.
    async fn plan_destroy(
        &self,
        cx: &PlanContext<C>,
        request: PlanDestroyRequest<Self::State>,
    ) -> Result<(), Diagnostics> {
        let _ = (cx, request);
        Ok(())
    }

    /// Creates.
    ///
    /// # Errors
    /// [`ApplyFailed`] without a state if nothing is left behind: the resource stays absent. With a
    /// state Terraform keeps it, marks it tainted and replaces it next time.
    async fn create(
        &self,
        cx: &ApplyContext<C>,
        request: CreateRequest<Self::State>,
    ) -> Result<Applied<Self::State>, ApplyFailed<Self::State>>;

    /// Reads what is there. `None` if it is gone; Terraform then plans to create it.
    ///
    /// # Errors
    /// Diagnostics if that cannot be told.
    async fn read(
        &self,
        cx: &ReadContext<C>,
        request: ReadRequest<Self::State>,
    ) -> Result<Option<Refreshed<Self::State>>, Diagnostics>;

    /// Updates in place. A resource whose every change replaces it can leave this out.
    ///
    /// # Errors
    /// [`ApplyFailed`] without a state if the prior state holds again (rolled back): Terraform keeps
    /// it. With a state if something in between is left.
    async fn update(
        &self,
        cx: &ApplyContext<C>,
        request: UpdateRequest<Self::State>,
    ) -> Result<Applied<Self::State>, ApplyFailed<Self::State>> {
        let _ = (cx, request);
        let detail = format!(
            "{} cannot be updated in place, but an update was planned.",
            self.type_name()
        );
        Err(Diagnostic::bug(detail).into())
    }

    /// Deletes. What is already gone is a success.
    ///
    /// # Errors
    /// [`ApplyFailed`] without a state if the resource is still there as it was, with a state if part
    /// of it is.
    async fn delete(
        &self,
        cx: &ApplyContext<C>,
        request: DeleteRequest<Self::State>,
    ) -> Result<(), ApplyFailed<Self::State>>;

    /// The power to import by id or identity.
    fn import(&self) -> Option<&dyn ImportState<C, Self::State>> {
        None
    }

    /// Rules over the whole configuration, beyond the schema's.
    fn validate_config(&self) -> Option<&dyn ValidateConfig<Self::State>> {
        None
    }

    /// The power to read states of older schema versions.
    fn upgrade(&self) -> Option<&dyn UpgradeState<Self::State>> {
        None
    }

    /// The power to take over the state of another resource type.
    fn move_state(&self) -> Option<&dyn MoveState<Self::State>> {
        None
    }

    /// The resource's identity, which Terraform 1.12 and later store and import by.
    fn identity(&self) -> Option<&dyn Identity<Self::State>> {
        None
    }
}

/// A resource as [`Provider::resources`](crate::Provider::resources) lists it.
pub fn resource<C: Send + Sync + 'static, R: Resource<C>>(resource: R) -> Arc<dyn AnyResource<C>> {
    Arc::new(any::Typed::new(resource))
}

/// What private state an answer leaves: the one it names, else the one that came with the request.
pub(crate) fn keep(answered: Option<PrivateState>, given: PrivateState) -> PrivateState {
    answered.unwrap_or(given)
}
