//! `mlops_model`: the name under which versions, aliases and promotion rules live.

#[expect(
    clippy::module_inception,
    reason = "each resource's folder has a model.rs, also that of the model"
)]
mod model;
mod schema;

use async_trait::async_trait;
use mlops_core::names::ModelName;
use tfplugin::resource::{
    CreateRequest, DeleteRequest, ImportRequest, ImportState, PlanDestroyRequest, PlanRequest,
    ReadRequest, UpdateRequest,
};
use tfplugin::schema::Schema;
use tfplugin::{
    Applied, ApplyContext, ApplyFailed, Attr, Diagnostic, Diagnostics, Imported, PlanContext,
    Planned, ReadContext, Refreshed, Resource,
};

use crate::client::Client;
use crate::diagnose;
use crate::resources::shared;
use crate::siblings::PlannedModel;
use crate::tags::{AllTags, Held};
use schema::State;

/// The resource.
pub(crate) struct ModelResource;

#[async_trait]
impl Resource<Client> for ModelResource {
    type State = State;
    const TYPE: &'static str = "mlops_model";

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
        state.tags_all = client.tags.plan(cx, &state.tags)?;
        if state.name.is_known() {
            let name = model::name(&state)?;
            if request.prior.is_some() {
                client.expect_registry(&request.private).await?;
                client.note_held(name.as_str()).await?;
            } else {
                client.reach().await?;
            }
            let planned = model::spec(&state);
            if let Some(spec) = &planned {
                spec.validate()
                    .map_err(|error| diagnose::failed("Invalid model", &error))?;
            }
            state.id = name.to_string().into();
            let planned = planned.map_or(PlannedModel::Unknown, |spec| {
                PlannedModel::Known(Box::new(spec))
            });
            client.siblings.plan_model(name, planned);
        }
        Ok(Planned::new(state))
    }

    async fn plan_destroy(
        &self,
        cx: &PlanContext<Client>,
        request: PlanDestroyRequest<State>,
    ) -> Result<(), Diagnostics> {
        let client = cx.client();
        let name = model::name(&request.prior)?;
        let (policy, object) = (&request.prior.deletion_policy, format!("model {name}"));
        shared::check_destroyable(client, &request.private, policy, &object).await?;
        match policy.as_str() {
            Some("ABANDON") => Ok(()),
            _ if request.prior.force_destroy == Attr::Known(true) => {
                warn_of_live_versions(cx, &name).await
            }
            _ => Ok(()),
        }
    }

    async fn create(
        &self,
        cx: &ApplyContext<Client>,
        request: CreateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let client = cx.client();
        let name = model::name(&request.planned)?;
        let spec = model::tagged_spec(&request.planned).ok_or_else(shared::unknown_at_apply)?;
        let created = client.registry.create_model(&name, spec).await;
        let created = created
            .map_err(|error| diagnose::failed(format!("Cannot create model {name}"), &error))?;
        let state = model::state(&created, &request.planned, &client.tags);
        Ok(Applied::new(state).private(client.private().await?))
    }

    async fn read(
        &self,
        cx: &ReadContext<Client>,
        request: ReadRequest<State>,
    ) -> Result<Option<Refreshed<State>>, Diagnostics> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        let name = model::name(&request.state)?;
        let found = client.registry.model(&name).await;
        let found =
            found.map_err(|error| diagnose::failed(format!("Cannot read model {name}"), &error))?;
        Ok(found.map(|model| Refreshed::new(model::state(&model, &request.state, &client.tags))))
    }

    async fn update(
        &self,
        cx: &ApplyContext<Client>,
        request: UpdateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        let name = model::name(&request.planned)?;
        let update = model::update(&request.prior, &request.planned, &client.tags)
            .ok_or_else(shared::unknown_at_apply)?;
        let updated = client.registry.update_model(&name, update).await;
        let updated = updated
            .map_err(|error| diagnose::failed(format!("Cannot update model {name}"), &error))?;
        Ok(Applied::new(model::state(
            &updated,
            &request.planned,
            &client.tags,
        )))
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Client>,
        request: DeleteRequest<State>,
    ) -> Result<(), ApplyFailed<State>> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        if request.prior.deletion_policy.as_str() == Some("ABANDON") {
            return Ok(());
        }
        let name = model::name(&request.prior)?;
        let force = request.prior.force_destroy == Attr::Known(true);
        match client.registry.delete_model(&name, force).await {
            Err(error) if !error.is_not_found() => {
                Err(diagnose::failed(format!("Cannot destroy model {name}"), &error).into())
            }
            _ => Ok(()),
        }
    }

    fn import(&self) -> Option<&dyn ImportState<Client, State>> {
        Some(self)
    }
}

#[async_trait]
impl ImportState<Client, State> for ModelResource {
    async fn import_state(
        &self,
        cx: &ReadContext<Client>,
        request: ImportRequest,
    ) -> Result<Imported<State>, Diagnostics> {
        let client = cx.client();
        let name: ModelName = shared::import_id("model", &request)?;
        let found = client.registry.model(&name).await;
        let found = shared::import_found(client, "model", &name, found)?;
        let Held { tags, tags_all } = client.tags.imported(&found.spec.tags);
        let known = State {
            tags,
            tags_all,
            ..blank()
        };
        Ok(Imported::new(model::state(&found, &known, &client.tags))
            .private(client.private().await?))
    }
}

/// A state in which nothing is known.
fn blank() -> State {
    State {
        id: Attr::Null,
        name: Attr::Null,
        description: Attr::Null,
        owner: Attr::Null,
        task: Attr::Null,
        metrics: Attr::Null,
        signature_compatibility: Attr::Null,
        promotion: Attr::Null,
        retention: Attr::Null,
        deletion_policy: Attr::Null,
        force_destroy: Attr::Null,
        tags: Attr::Null,
        tags_all: AllTags::default(),
        created_at: Attr::Null,
    }
}

/// The warning that a forced destroy takes live versions along, with their names.
async fn warn_of_live_versions(
    cx: &PlanContext<Client>,
    name: &ModelName,
) -> Result<(), Diagnostics> {
    let versions = cx.client().registry.all_versions(name).await;
    let versions = versions.map_err(|error| {
        diagnose::failed(format!("Cannot list the versions of model {name}"), &error)
    })?;
    let names: Vec<_> = versions
        .iter()
        .filter(|version| !version.is_archived())
        .map(|version| version.id.to_string())
        .collect();
    if !names.is_empty() {
        let detail = format!(
            "Model {name} has force_destroy = true, and these versions are live: {}. Those that this run does not archive first \
             are deleted with the model.",
            names.join(", ")
        );
        cx.warn(Diagnostic::warning(
            "Live versions go with the model",
            detail,
        ));
    }
    Ok(())
}
