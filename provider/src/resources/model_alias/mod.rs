//! `mlops_model_alias`: a name that points to one version of a model.

mod plan;
mod schema;

use async_trait::async_trait;
use mlops_core::names::AliasId;
use mlops_core::registry::{Alias, SetAlias};
use tfplugin::resource::{
    CreateRequest, DeleteRequest, ImportRequest, ImportState, PlanDestroyRequest, PlanRequest,
    ReadRequest, UpdateRequest,
};
use tfplugin::schema::Schema;
use tfplugin::{
    Applied, ApplyContext, ApplyFailed, Attr, Diagnostics, Imported, PlanContext, Planned,
    ReadContext, Refreshed, Resource,
};

use crate::client::{Client, actor};
use crate::diagnose;
use crate::resources::{convert, shared};
use schema::State;

/// The resource.
pub(crate) struct ModelAliasResource;

#[async_trait]
impl Resource<Client> for ModelAliasResource {
    type State = State;
    const TYPE: &'static str = "mlops_model_alias";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn plan(
        &self,
        cx: &PlanContext<Client>,
        request: PlanRequest<State>,
    ) -> Result<Planned<State>, Diagnostics> {
        let client = cx.client();
        let mut state = request.proposed;
        if request.prior.is_some() {
            client.expect_registry(&request.private).await?;
        }
        if !state.model.is_known() || !state.name.is_known() {
            return Ok(Planned::new(state));
        }
        let id = id(&state)?;
        state.id = id.to_string().into();
        if request.prior.is_some() {
            client.note_held(&id.to_string()).await?;
        }
        let warning = plan::review(client, &id, request.prior.as_ref(), &state).await?;
        client
            .siblings
            .plan_alias(id, plan::target(request.prior.is_none(), &state));
        let mut plan = Planned::new(state);
        plan.warnings.extend(warning);
        Ok(plan)
    }

    async fn plan_destroy(
        &self,
        cx: &PlanContext<Client>,
        request: PlanDestroyRequest<State>,
    ) -> Result<(), Diagnostics> {
        cx.client().expect_registry(&request.private).await
    }

    async fn create(
        &self,
        cx: &ApplyContext<Client>,
        request: CreateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let client = cx.client();
        let id = id(&request.planned)?;
        let planned = &request.planned;
        let version = planned
            .version
            .to_option()
            .or(planned.initial_version.to_option());
        note_before(client, &id).await?;
        let created = client
            .registry
            .create_alias(set(&id, version, planned))
            .await;
        let created = created
            .map_err(|error| diagnose::failed(format!("Cannot create alias {id}"), &error))?;
        Ok(Applied::new(state(&created.alias, planned)).private(client.private().await?))
    }

    async fn read(
        &self,
        cx: &ReadContext<Client>,
        request: ReadRequest<State>,
    ) -> Result<Option<Refreshed<State>>, Diagnostics> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        let id = id(&request.state)?;
        client.note_held(&id.to_string()).await?;
        let found = client.registry.alias(&id).await;
        let found =
            found.map_err(|error| diagnose::failed(format!("Cannot read alias {id}"), &error))?;
        Ok(found.map(|alias| Refreshed::new(state(&alias, &request.state))))
    }

    async fn update(
        &self,
        cx: &ApplyContext<Client>,
        request: UpdateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        let id = id(&request.planned)?;
        note_before(client, &id).await?;
        let moved = client
            .registry
            .move_alias(set(
                &id,
                request.planned.version.to_option(),
                &request.planned,
            ))
            .await;
        let moved =
            moved.map_err(|error| diagnose::failed(format!("Cannot move alias {id}"), &error))?;
        Ok(Applied::new(state(&moved.alias, &request.planned)))
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Client>,
        request: DeleteRequest<State>,
    ) -> Result<(), ApplyFailed<State>> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        let id = id(&request.prior)?;
        note_before(client, &id).await?;
        let deleted = client.registry.delete_alias(&id).await;
        deleted
            .map_err(|error| diagnose::failed(format!("Cannot delete alias {id}"), &error).into())
    }

    fn import(&self) -> Option<&dyn ImportState<Client, State>> {
        Some(self)
    }
}

#[async_trait]
impl ImportState<Client, State> for ModelAliasResource {
    async fn import_state(
        &self,
        cx: &ReadContext<Client>,
        request: ImportRequest,
    ) -> Result<Imported<State>, Diagnostics> {
        let client = cx.client();
        let id: AliasId = shared::import_id("alias", &request)?;
        let found = client.registry.alias(&id).await;
        let found = shared::import_found(client, "alias", &id, found)?;
        let imported = State {
            id: id.to_string().into(),
            model: id.model.to_string().into(),
            name: id.alias.to_string().into(),
            version: found.version.into(),
            initial_version: Attr::Null,
            enforce_promotion: found.enforce_promotion.into(),
            override_reason: found.override_reason.into(),
        };
        Ok(Imported::new(imported).private(client.private().await?))
    }
}

/// Remembers where the alias points, for plans that follow in this run.
async fn note_before(client: &Client, id: &AliasId) -> Result<(), Diagnostics> {
    let alias = client.registry.alias(id).await;
    let alias =
        alias.map_err(|error| diagnose::failed(format!("Cannot read alias {id}"), &error))?;
    let target = alias.and_then(|alias| alias.version);
    client.siblings.note_before(id.clone(), target);
    Ok(())
}

fn id(state: &State) -> Result<AliasId, Diagnostics> {
    Ok(AliasId {
        model: convert::name(&state.model, "model")?,
        alias: convert::name(&state.name, "name")?,
    })
}

fn set(id: &AliasId, version: Option<u64>, planned: &State) -> SetAlias {
    SetAlias {
        model: id.model.clone(),
        name: id.alias.clone(),
        version,
        enforce_promotion: planned.enforce_promotion.to_option().unwrap_or(true),
        override_reason: planned.override_reason.to_option(),
        if_revision: None,
        by: actor(),
    }
}

/// The state for what the registry holds. Where Terraform does not own the pointer, its moves are no
/// drift.
fn state(alias: &Alias, known: &State) -> State {
    State {
        id: alias.id().to_string().into(),
        model: alias.model.to_string().into(),
        name: alias.alias.to_string().into(),
        version: if known.version.is_null() {
            Attr::Null
        } else {
            alias.version.into()
        },
        initial_version: known.initial_version,
        enforce_promotion: alias.enforce_promotion.into(),
        override_reason: known.override_reason.clone(),
    }
}
