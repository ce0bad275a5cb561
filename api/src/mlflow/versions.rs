//! `model-versions`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use mlops_core::names::VersionId;
use mlops_core::registry::{Lineage, NewPending, Origin, PendingUpdate, Registry, VersionUpdate};

use super::shelf::Entry;
use super::tags::Meant;
use super::wire::{DownloadUriAnswer, ModelVersionAnswer};
use super::{name, no_model};
use crate::answer::{Answer, Json, Refusal};
use crate::api::Inner;
use crate::artifacts;
use crate::input::Input;
use crate::sources::Source;

/// The version's id that a request must have.
pub(super) fn id(input: &Input) -> Result<VersionId, Refusal> {
    let model = name(input)?;
    let text = input.required("version")?;
    let version = text.parse().map_err(|_| {
        Refusal::invalid(format!(
            "Parameter 'version' must be an integer, got '{text}'."
        ))
    })?;
    Ok(VersionId { model, version })
}

/// Gives the next number to what lies at `source`, and has it ingested.
pub(super) async fn create(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let (tags, metrics) = Meant::all(&input.tags()?)?.set();
    let said = |name| -> Result<Option<String>, Refusal> {
        Ok(input
            .text(name)?
            .filter(|text| !text.is_empty())
            .map(str::to_owned))
    };
    let asked = NewPending {
        model: name(&input)?,
        origin: Origin {
            source: input.required("source")?.to_owned(),
            run_link: said("run_link")?,
        },
        description: said("description")?,
        lineage: said("run_id")?.map(|run_id| Lineage {
            run_id: Some(run_id),
            ..Lineage::default()
        }),
        metrics,
        tags,
    };
    let entry = register(&api, asked).await?;
    answer(&api.registry, entry).await
}

/// Registers a version by the URI of its source, if that is one this server may read. A copy is ready
/// at once, as its artifact is in the store: clients do not wait for one.
pub(crate) async fn register(api: &Inner, mut asked: NewPending) -> Result<Entry, Refusal> {
    let registry = &api.registry;
    if registry.model(&asked.model).await?.is_none() {
        return Err(no_model(&asked.model));
    }
    let source = asked.origin.source.parse()?;
    api.settings.sources.admit(&source)?;
    let source = match source {
        Source::Files(_) | Source::Remote(_) => None,
        Source::Version(id) => Some(id),
        Source::Alias(id) => {
            let target = registry.alias(&id).await?.and_then(|alias| alias.target());
            Some(target.ok_or_else(|| {
                Refusal::missing(format!(
                    "source alias {id} does not exist, or points nowhere"
                ))
            })?)
        }
    };
    if let Some(id) = &source {
        let Entry::Ready(version) = Entry::find(registry, id).await? else {
            return Err(Refusal::invalid(format!(
                "source version {id} is not READY; wait until it is"
            )));
        };
        // The alias may move before the artifact is taken.
        asked.origin.source = format!("models:/{id}");
        // What was measured of the artifact holds for its copy.
        for (name, value) in version.metrics {
            asked.metrics.entry(name).or_insert(value);
        }
    }
    let pending = registry.reserve_version(asked).await?;
    if source.is_some() && api.attempt(&pending.id).await.is_ok() {
        return Entry::find(registry, &pending.id).await;
    }
    // If nobody ingests here, the next server that does takes it up.
    let _ = api.asked.send(pending.id.clone());
    Ok(Entry::Pending(Box::new(pending)))
}

pub(super) async fn get(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let entry = Entry::find(&api.registry, &id(&input)?).await?;
    answer(&api.registry, entry).await
}

/// Changes the description; an empty one removes it, none leaves it alone.
pub(super) async fn update(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let id = id(&input)?;
    let registry = &api.registry;
    let Some(text) = input.text("description")? else {
        return answer(registry, Entry::find(registry, &id).await?).await;
    };
    let description = Some(text.to_owned()).filter(|text| !text.is_empty());
    let update = PendingUpdate {
        description: Some(description.clone()),
        ..PendingUpdate::default()
    };
    if let Some(pending) = registry.update_pending(&id, &update).await? {
        return answer(registry, Entry::Pending(Box::new(pending))).await;
    }
    Entry::find(registry, &id).await?;
    let version = registry.describe_version(&id, description).await?;
    answer(registry, Entry::Ready(Box::new(version))).await
}

/// Deletes a version; refused while an alias points to it or an endpoint serves it.
pub(super) async fn delete(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let id = id(&input)?;
    let registry = &api.registry;
    if registry.discard_pending(&id).await? {
        return Ok(Json::empty());
    }
    Entry::find(registry, &id).await?;
    registry.delete_version(&id).await?;
    Ok(Json::empty())
}

pub(super) async fn set_tag(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let value = input.text("value")?.unwrap_or_default();
    tag(&api.registry, &input, Some(value)).await
}

/// A tag that does not exist is success.
pub(super) async fn delete_tag(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    tag(&api.registry, &input, None).await
}

async fn tag(registry: &Registry, input: &Input, value: Option<&str>) -> Answer {
    let id = id(input)?;
    let Meant { tags, metrics } = Meant::of(input.required("key")?, value)?;
    let pending = PendingUpdate {
        description: None,
        tags: tags.clone(),
        metrics: metrics.clone(),
    };
    if registry.update_pending(&id, &pending).await?.is_some() {
        return Ok(Json::empty());
    }
    Entry::find(registry, &id).await?;
    let update = VersionUpdate {
        metrics,
        tags,
        ..VersionUpdate::default()
    };
    registry.update_version(&id, update).await?;
    Ok(Json::empty())
}

/// Where the artifact can be downloaded, verified on the way: from this server.
pub(super) async fn download_uri(
    State(api): State<Arc<Inner>>,
    headers: HeaderMap,
    input: Input,
) -> Answer {
    let id = id(&input)?;
    let Entry::Ready(version) = Entry::find(&api.registry, &id).await? else {
        return Err(Refusal::invalid(format!(
            "version {id} is not READY, so there is nothing to download"
        )));
    };
    let base = match &api.settings.public_url {
        Some(url) => url.clone(),
        None => {
            let host = headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok());
            let host = host.ok_or_else(|| Refusal::invalid("the request has no Host header"))?;
            format!("http://{host}")
        }
    };
    Json::of(&DownloadUriAnswer {
        artifact_uri: artifacts::uri(&base, version.digest()),
    })
}

async fn answer(registry: &Registry, entry: Entry) -> Answer {
    let aliases = match &entry {
        Entry::Pending(_) => Vec::new(),
        Entry::Ready(version) => registry.list_aliases(&version.id.model).await?,
    };
    Json::of(&ModelVersionAnswer {
        model_version: entry.wire(&aliases),
    })
}
