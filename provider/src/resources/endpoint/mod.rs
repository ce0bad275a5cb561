//! `mlops_endpoint`: one object that owns everything a served model needs, and rolls out and back as
//! one.

mod autoscaling;
mod bind;
mod capacity;
mod cluster;
mod cost;
mod deploy;
mod dns;
mod ecs;
mod foreign;
mod from_record;
pub(crate) mod front;
mod images;
mod machines;
mod model;
mod plan;
mod preflight;
mod region;
mod schema;
mod steady;

use async_trait::async_trait;
use mlops_core::Error;
use mlops_core::endpoint::{self, EndpointRecord};
use mlops_core::names::EndpointId;
use tfplugin::resource::{
    CreateRequest, DeleteRequest, ImportRequest, ImportState, PlanDestroyRequest, PlanRequest,
    ReadRequest, UpdateRequest,
};
use tfplugin::schema::Schema;
use tfplugin::{
    Applied, ApplyContext, ApplyFailed, Diagnostic, Diagnostics, Imported, PlanContext, Planned,
    ReadContext, Refreshed, Resource,
};

use crate::client::{Client, unreadable};
use crate::diagnose;
use crate::resources::shared;
use schema::State;

/// The resource.
pub(crate) struct EndpointResource;

#[async_trait]
impl Resource<Client> for EndpointResource {
    type State = State;
    const TYPE: &'static str = "mlops_endpoint";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn plan(
        &self,
        cx: &PlanContext<Client>,
        request: PlanRequest<State>,
    ) -> Result<Planned<State>, Diagnostics> {
        let client = cx.client();
        if request.prior.is_some() {
            client.expect_registry(&request.private).await?;
        }
        let mut state = request.proposed;
        state.tags_all = client.tags.plan(cx, &state.tags)?;
        if !state.name.is_known() {
            return Ok(Planned::new(state));
        }
        cluster::foretell(&mut state);
        let prior = request.prior.as_ref();
        region::foretell(client, &mut state, prior, &request.config.region).await?;
        let id = id(&state)?;
        // Another name replaces by itself.
        let moves = request
            .prior
            .as_ref()
            .is_some_and(|prior| prior.name == state.name && prior.id != state.id);
        let mut record = None;
        let mut found = None;
        if let Some(prior) = &request.prior {
            foreign::check_stays(client, prior, &state, &request.private).await?;
            if let Some(id) = &id {
                record = recorded(client, id).await?;
                found = foreign::found(client, id, &request.private).await?;
            }
        }
        // What is taken over is what the endpoint changes from.
        let record = record.or(found.clone());
        let bindings = bind::bind(client, &state, record.as_ref()).await?;
        let held = images::Held::new(request.prior.as_ref(), &request.private)?;
        let images = images::resolve(client, &state, &bindings, &held).await?;
        state.target_images = images.target(&state, &bindings);
        let draft = plan::draft(client, &state, &bindings, &images)?;
        if let Some(draft) = &draft {
            plan::allowed(&state, &draft.spec)?;
            plan::reachable(&draft.spec, record.as_ref())?;
            steady::check(&draft.spec, &bindings)?;
            if let Some(found) = &found {
                foreign::check(client, found, &draft.spec)?;
            }
        }
        plan::foretell(
            client,
            &mut state,
            request.prior.as_ref(),
            record.as_ref(),
            &bindings,
        )
        .await?;
        let spec = draft.as_ref().map(|draft| &draft.spec);
        let costly = cost::foretell(
            client,
            &mut state,
            request.prior.as_ref(),
            record.as_ref(),
            spec,
        )?;
        let mut private = request.private;
        let takes_over = found.as_ref().map(|found| foreign::told(found, &private));
        let takes_over = takes_over.transpose()?;
        if let Some(id) = &id {
            private
                .set(BASE, &base(client, id).await?)
                .map_err(unreadable)?;
        }
        let changes = request.prior.as_ref() != Some(&state);
        let own = preflight::own(&state.preflight);
        let mut plan = Planned::new(state).private(private);
        if moves {
            // Another target, or another cluster, is another endpoint.
            plan = plan.requires_replace("id");
        }
        plan.warnings.extend(takes_over);
        plan.warnings
            .extend(bindings.missing.into_iter().map(Diagnostic::into_warning));
        if changes {
            plan.warnings.extend(costly);
        }
        plan.warnings.extend(images.warnings);
        if changes && let Some(draft) = &draft {
            let missing = endpoint::check_sources(client.meter.as_ref(), &draft.spec.rollout);
            // The apply may run elsewhere.
            let missing =
                missing.map_err(|error| diagnose::failed("The apply could not be judged", &error));
            plan.warnings
                .extend(missing.err().map(Diagnostic::into_warning));
        }
        // What is unknown of the block is for the apply.
        if changes && let (Some(draft), Some(own)) = (&draft, own) {
            let preflight = client.preflight.of(own);
            let found = preflight.look(client, &draft.spec, record.as_ref());
            plan.warnings.extend(found.await?);
        }
        if changes && let Some(draft) = draft.filter(|draft| draft.is_bound) {
            plan.warnings
                .extend(plan::last_failure(client, &draft.spec).await?);
        }
        Ok(plan)
    }

    async fn plan_destroy(
        &self,
        cx: &PlanContext<Client>,
        request: PlanDestroyRequest<State>,
    ) -> Result<(), Diagnostics> {
        let id = request.prior.id.as_str().unwrap_or("?");
        let (policy, object) = (&request.prior.deletion_policy, format!("endpoint {id}"));
        shared::check_destroyable(cx.client(), &request.private, policy, &object).await?;
        foreign::check_owned(cx.client(), &request.prior, &request.private).await
    }

    async fn create(
        &self,
        cx: &ApplyContext<Client>,
        request: CreateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let base = request.private.get(BASE).map_err(unreadable)?;
        let wanted = deploy::Wanted {
            planned: &request.planned,
            prior: None,
            private: &request.private,
        };
        let record = deploy::deploy(cx, wanted, base).await?;
        let state = from_record::deployed(&request.planned, &record);
        let state = deploy::settled(cx.client(), state, &record);
        Ok(Applied::new(state).private(images::private(cx.client()).await?))
    }

    async fn read(
        &self,
        cx: &ReadContext<Client>,
        request: ReadRequest<State>,
    ) -> Result<Option<Refreshed<State>>, Diagnostics> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        let id = id(&request.state)?.ok_or_else(shared::unknown_at_apply)?;
        let Some(record) = recorded(client, &id).await? else {
            return foreign::read(client, &id, request.state, &request.private).await;
        };
        let failed = |error| diagnose::failed(format!("Cannot look at endpoint {id}"), &error);
        let seen = client.observe(&record).await.map_err(failed)?;
        let now = client.registry.clock().now();
        let serves = |variant: &_| seen.lacks.is_none() && record.answers(&seen, variant, now);
        let drift = client.autoscaling_drift(&record).await.map_err(failed)?;
        let mut state = from_record::state(&request.state, &record, &client.tags, serves);
        autoscaling::drifted(&mut state, &record, &drift);
        let drift = client.naming_drift(&record).await.map_err(failed)?;
        dns::drifted(&mut state, drift.as_ref());
        state.estimated_monthly_cost_usd = cost::of(client, &record.spec);
        state.arn = front::arn_of(client, &record);
        Ok(Some(Refreshed::new(state)))
    }

    async fn update(
        &self,
        cx: &ApplyContext<Client>,
        request: UpdateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        cx.client().expect_registry(&request.private).await?;
        let base = request.private.get(BASE).map_err(unreadable)?;
        let wanted = deploy::Wanted {
            planned: &request.planned,
            prior: Some(&request.prior),
            private: &request.private,
        };
        let record = deploy::deploy(cx, wanted, base).await?;
        let state = from_record::deployed(&request.planned, &record);
        let state = deploy::settled(cx.client(), state, &record);
        Ok(Applied::new(state).private(images::private(cx.client()).await?))
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Client>,
        request: DeleteRequest<State>,
    ) -> Result<(), ApplyFailed<State>> {
        cx.client().expect_registry(&request.private).await?;
        foreign::check_owned(cx.client(), &request.prior, &request.private).await?;
        if request.prior.deletion_policy.as_str() == Some("ABANDON") {
            return Ok(());
        }
        Ok(deploy::delete(cx, &request.prior).await?)
    }

    fn import(&self) -> Option<&dyn ImportState<Client, State>> {
        Some(self)
    }
}

#[async_trait]
impl ImportState<Client, State> for EndpointResource {
    async fn import_state(
        &self,
        cx: &ReadContext<Client>,
        request: ImportRequest,
    ) -> Result<Imported<State>, Diagnostics> {
        let client = cx.client();
        let id: EndpointId = shared::import_id("endpoint", &request)?;
        let found = endpoint::record(&client.registry, &id).await;
        if let (Ok(None), "ecs") = (&found, id.target()) {
            return foreign::import(client, &id).await;
        }
        let record = shared::import_found(client, "endpoint", &id, found)?;
        let mut state = from_record::imported(&record, &client.tags);
        state.arn = front::arn_of(client, &record);
        Ok(Imported::new(state).private(client.private().await?))
    }
}

/// The key in private state under which a plan leaves the endpoint revision that it started from.
const BASE: &str = "base_revision";

/// The endpoint's id; `None` while it is unknown.
fn id(state: &State) -> Result<Option<EndpointId>, Diagnostics> {
    let id = state.id.as_str().map(str::parse).transpose();
    id.map_err(|error: Error| diagnose::failed("The state has no endpoint's id", &error).into())
}

async fn recorded(client: &Client, id: &EndpointId) -> Result<Option<EndpointRecord>, Diagnostics> {
    let record = endpoint::record(&client.registry, id).await;
    record.map_err(|error| diagnose::failed(format!("Cannot read endpoint {id}"), &error).into())
}

async fn base(client: &Client, id: &EndpointId) -> Result<u64, Diagnostics> {
    let revision = endpoint::revision(&client.registry, id).await;
    revision.map_err(|error| diagnose::failed(format!("Cannot read endpoint {id}"), &error).into())
}
