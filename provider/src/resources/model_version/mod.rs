//! `mlops_model_version`: an artifact, immutable and numbered once.

mod image;
mod model;
mod review;
mod schema;
mod source;

use std::time::Duration;

use async_trait::async_trait;
use mlops_core::artifacts::{Digest, RemoteTree};
use mlops_core::names::VersionId;
use mlops_core::registry::{Version, was_swept};
use tfplugin::resource::{
    CreateRequest, DeleteRequest, ImportRequest, ImportState, PlanDestroyRequest, PlanRequest,
    ReadRequest, UpdateRequest,
};
use tfplugin::schema::Schema;
use tfplugin::{
    Applied, ApplyContext, ApplyFailed, Attr, Diagnostic, Diagnostics, Imported, Path, PlanContext,
    Planned, ReadContext, Refreshed, Resource, timeouts,
};

use crate::client::Client;
use crate::diagnose;
use crate::resources::{convert, shared};
use crate::tags::{AllTags, Held};
use schema::State;
use source::{Content, Source, Stored};

/// The time for a registration where the configuration names none.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The resource.
pub(crate) struct ModelVersionResource;

#[async_trait]
impl Resource<Client> for ModelVersionResource {
    type State = State;
    const TYPE: &'static str = "mlops_model_version";

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn plan(
        &self,
        cx: &PlanContext<Client>,
        request: PlanRequest<State>,
    ) -> Result<Planned<State>, Diagnostics> {
        let client = cx.client();
        if let Some(prior) = &request.prior {
            client.expect_registry(&request.private).await?;
            if let Some(id) = prior.id.as_str() {
                client.note_held(id).await?;
            }
        }
        let (prior, mut private) = (request.prior.as_ref(), request.private);
        let source = source::look(&request.config, prior, &mut private, client).await?;
        let mut state = request.proposed;
        state.tags_all = client.tags.plan(cx, &state.tags)?;
        let replaced = plan_artifact(&mut state, &request.config, prior, source);
        if (replaced || prior.is_none()) && state.model.is_known() {
            (client.siblings).plan_version(model::model(&state)?, image::planned(&state.image));
        }
        let unchanged = !replaced && prior.is_some_and(|prior| same_but_review(prior, &state));
        let mut plan = Planned::new(state).private(private);
        if replaced {
            plan = plan.requires_replace(Path::attribute("artifact_digest"));
        }
        if let (true, Some(prior)) = (unchanged, prior) {
            plan.state.gate_report = prior.gate_report.clone();
            plan.state.model_diff = prior.model_diff.clone();
            return Ok(plan);
        }
        plan_review(client, &mut plan, prior.is_none() || replaced).await?;
        Ok(plan)
    }

    async fn plan_destroy(
        &self,
        cx: &PlanContext<Client>,
        request: PlanDestroyRequest<State>,
    ) -> Result<(), Diagnostics> {
        let id = request.prior.id.as_str().unwrap_or("?");
        let (policy, object) = (&request.prior.deletion_policy, format!("version {id}"));
        shared::check_destroyable(cx.client(), &request.private, policy, &object).await
    }

    async fn create(
        &self,
        cx: &ApplyContext<Client>,
        request: CreateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let written = request
            .planned
            .timeouts
            .known()
            .map_or(Attr::Null, |timeouts| timeouts.create.clone());
        let allowed = timeouts::of(&written, CREATE_TIMEOUT);
        let registering = tokio::time::timeout(allowed, register(cx.client(), &request.planned));
        let (version, seen) = tokio::select! {
            done = registering => done.map_err(|_| {
                let detail = format!("The registration took longer than timeouts.create allows ({allowed:?}). Nothing was registered.");
                Diagnostic::error("Registering took too long", detail).at(Path::attribute("timeouts").then("create"))
            })??,
            () = cx.stop().cancelled() => {
                let detail = "Terraform was interrupted before the version had a number. Apply again to register it.";
                return Err(Diagnostic::error("Registering was interrupted", detail).into());
            }
        };
        let mut state = model::state(&version, &request.planned, &cx.client().tags);
        if state.gate_report.is_unknown() || state.model_diff.is_unknown() {
            settle_review(cx.client(), &version, &mut state).await?;
        }
        let mut private = cx.client().private().await?;
        if let Some(seen) = seen {
            source::note_seen(&mut private, &seen)?;
        }
        Ok(Applied::new(state).private(private))
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
        let found = client.registry.version(&id).await;
        let found =
            found.map_err(|error| diagnose::failed(format!("Cannot read version {id}"), &error))?;
        // Archiving is how this resource is destroyed: after a kill between the two, the state still has a version that
        // nobody may bind any more. One that is still in use stays, whoever archived it.
        if found.as_ref().is_some_and(Version::is_archived) && !in_use(client, &id).await? {
            return Ok(None);
        }
        Ok(found
            .map(|version| Refreshed::new(model::state(&version, &request.state, &client.tags))))
    }

    async fn update(
        &self,
        cx: &ApplyContext<Client>,
        request: UpdateRequest<State>,
    ) -> Result<Applied<State>, ApplyFailed<State>> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        let id = id(&request.prior)?;
        let update = model::update(&request.prior, &request.planned, &client.tags)
            .ok_or_else(shared::unknown_at_apply)?;
        let updated = client.registry.update_version(&id, update).await;
        let updated = updated
            .map_err(|error| diagnose::failed(format!("Cannot update version {id}"), &error))?;
        let mut state = model::state(&updated, &request.planned, &client.tags);
        if state.gate_report.is_unknown() || state.model_diff.is_unknown() {
            settle_review(client, &updated, &mut state).await?;
        }
        Ok(Applied::new(state))
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Client>,
        request: DeleteRequest<State>,
    ) -> Result<(), ApplyFailed<State>> {
        let client = cx.client();
        client.expect_registry(&request.private).await?;
        let id = id(&request.prior)?;
        let done = match request.prior.deletion_policy.as_str() {
            Some("ABANDON") => Ok(()),
            Some("DELETE") => client.registry.delete_version(&id).await,
            _ => client.registry.archive_version(&id).await,
        };
        match done {
            Err(error) if !error.is_not_found() => {
                Err(diagnose::failed(format!("Cannot destroy version {id}"), &error).into())
            }
            _ => Ok(()),
        }
    }

    fn import(&self) -> Option<&dyn ImportState<Client, State>> {
        Some(self)
    }
}

#[async_trait]
impl ImportState<Client, State> for ModelVersionResource {
    async fn import_state(
        &self,
        cx: &ReadContext<Client>,
        request: ImportRequest,
    ) -> Result<Imported<State>, Diagnostics> {
        let client = cx.client();
        let id: VersionId = shared::import_id("version", &request)?;
        let found = client.registry.version(&id).await;
        let found = shared::import_found(client, "version", &id, found)?;
        // Nothing is managed yet: everything that is there becomes Terraform's.
        let metrics = if found.metrics.is_empty() {
            Attr::Null
        } else {
            convert::elements(found.metrics.clone()).into()
        };
        let Held { tags, tags_all } = client.tags.imported(&found.tags);
        let image = found.spec.image.as_ref();
        let known = State {
            image: image
                .map(|image| image::state(image, image.uri.clone().into()))
                .into(),
            tags,
            tags_all,
            metrics,
            ..model::blank()
        };
        Ok(Imported::new(model::state(&found, &known, &client.tags))
            .private(client.private().await?))
    }
}

/// Fills in what the source says, and whether it replaces the version.
fn plan_artifact(state: &mut State, config: &State, prior: Option<&State>, source: Source) -> bool {
    match (source, prior) {
        (Source::Unchanged, Some(prior)) => {
            // The same bytes: the number and all that was read of them stay, and so does the path
            // that they came from.
            if !prior.source.is_null() {
                state.source = prior.source.clone();
            }
            if !prior.image.is_null() {
                state.image = prior.image.clone();
            }
            keep_artifact(state, config, prior);
            false
        }
        (Source::Read(read), prior) => {
            let (artifact, content) = *read;
            state.artifact_digest = artifact.digest.to_string().into();
            state.artifact_size_bytes = content.size(&artifact).into();
            state.artifact_uri = Attr::Unknown;
            if config.framework.is_null() {
                state.framework = content.framework().into();
            }
            if config.signature.is_null() {
                state.signature = content.signature().map(model::signature_text).into();
            }
            if let Content::Image(found) = &content {
                let written = (state.image.known()).map_or(Attr::Null, |image| image.uri.clone());
                state.image = Attr::Known(image::state(found, written));
            }
            prior.is_some()
        }
        (Source::Unknown | Source::Unchanged, prior) => {
            state.artifact_digest = Attr::Unknown;
            state.artifact_size_bytes = Attr::Unknown;
            state.artifact_uri = Attr::Unknown;
            state.image = image::unknown(&config.image);
            let was_image = prior.is_some_and(|prior| !prior.image.is_null());
            if config.framework.is_null() && (was_image || !config.image.is_null()) {
                state.framework = Attr::Unknown;
            }
            if config.signature.is_null() {
                state.signature = Attr::Unknown;
            }
            prior.is_some()
        }
    }
}

fn keep_artifact(state: &mut State, config: &State, prior: &State) {
    state.artifact_digest = prior.artifact_digest.clone();
    state.artifact_size_bytes = prior.artifact_size_bytes;
    state.artifact_uri = prior.artifact_uri.clone();
    if config.framework.is_null() {
        state.framework = prior.framework.clone();
    }
    if config.signature.is_null() {
        state.signature = prior.signature.clone();
    }
}

/// Whether a plan changes nothing that a review looks at.
fn same_but_review(prior: &State, planned: &State) -> bool {
    let unreviewed = |state: &State| State {
        gate_report: Attr::Null,
        model_diff: Attr::Null,
        tags: Attr::Null,
        tags_all: AllTags::default(),
        timeouts: Attr::Null,
        ..state.clone()
    };
    unreviewed(prior) == unreviewed(planned)
}

async fn plan_review(
    client: &Client,
    plan: &mut Planned<State>,
    creates: bool,
) -> Result<(), Diagnostics> {
    let state = &mut plan.state;
    (state.gate_report, state.model_diff) = (Attr::Unknown, Attr::Unknown);
    if !state.model.is_known() {
        return Ok(());
    }
    let name = model::model(state)?;
    let (reviewed, warning) = review::planned_model(client, &name).await?;
    plan.warnings.extend(warning);
    if let Some(reviewed) = reviewed {
        review::check_metrics(&reviewed, state)?;
        review::review(client, &reviewed, state).await?;
        if creates {
            review::check_signature(client, &reviewed, state).await?;
        }
    }
    Ok(())
}

/// What a plan had to leave open, now that everything is known.
async fn settle_review(
    client: &Client,
    version: &Version,
    state: &mut State,
) -> Result<(), Diagnostics> {
    let found = client.registry.model(&version.id.model).await;
    let found = found.map_err(|error| diagnose::failed("Cannot read the registry", &error))?;
    let report = match found {
        Some(found) => review::settle(client, found, state).await,
        None => Ok(()),
    };
    report.map_err(|error| diagnose::failed("Cannot read the registry", &error).into())
}

/// How often an artifact is stored that sweeps remove before a version names it. One sweep comes once; who sweeps without a rest and without
/// a time of grace comes again, and then it is luck who is first.
const STORED: u32 = 10;

/// The version, and what its source looked like if that lies elsewhere.
async fn register(
    client: &Client,
    planned: &State,
) -> Result<(Version, Option<RemoteTree>), Diagnostics> {
    let name = model::model(planned)?;
    let fail = |error: mlops_core::Error| {
        diagnose::failed(format!("Cannot register a version of model {name}"), &error)
    };
    let digest = planned.artifact_digest.as_str().map(str::parse::<Digest>);
    let digest = digest.transpose().map_err(fail)?;
    let mut times = 1;
    loop {
        let stored = match &planned.image {
            Attr::Known(image) => image::store(image, digest.as_ref(), planned, client).await,
            _ => {
                let source = planned.source.require(Path::attribute("source"))?;
                source::store(source, digest.as_ref(), client).await
            }
        };
        let Stored {
            artifact,
            content,
            seen,
        } = stored.map_err(|error| {
            if error.is_conflict() {
                diagnose::failed("The source changed", &error)
            } else {
                fail(error)
            }
        })?;
        let registration = model::registration(name.clone(), planned, artifact, content)
            .ok_or_else(shared::unknown_at_apply)?;
        match client.registry.register_version(registration).await {
            // A sweep of the artifacts passed between the two steps.
            Err(error) if times < STORED && was_swept(&error) => {
                tracing::info!(%error, times, "the artifact is stored once more");
                times += 1;
            }
            outcome => return Ok((outcome.map_err(fail)?, seen)),
        }
    }
}

fn id(state: &State) -> Result<VersionId, Diagnostics> {
    model::id(state)
        .ok_or_else(|| Diagnostic::bug("The state of a version has no legal id.").into())
}

/// Whether an endpoint or an alias needs the version.
async fn in_use(client: &Client, id: &VersionId) -> Result<bool, Diagnostics> {
    let users = client.registry.users_of(id).await;
    let users =
        users.map_err(|error| diagnose::failed(format!("Cannot read version {id}"), &error))?;
    Ok(!users.is_empty())
}
