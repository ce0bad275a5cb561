//! The registry in the words of a deployment pipeline that has an HTTP call and no client:
//! `POST /model-registry` registers versions of a model, `GET /list-registry` lists all.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use mlops_core::names::ModelName;
use mlops_core::registry::{ModelSpec, NewPending, Origin};
use serde::Serialize;
use serde_json::Value;

use crate::answer::{Answer, Json, Refusal};
use crate::api::Inner;
use crate::input::Input;
use crate::mlflow::{self, Entry, Shelf, Status};

/// Models that are listed at once.
const PAGE: usize = 500;

pub(crate) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/model-registry", post(register))
        .route("/list-registry", get(list))
}

/// A model with its versions. The spelling of `Accurecy` is that of the bodies which pipelines send.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(rename = "registry-name")]
    name: String,
    versions: Vec<ListedVersion>,
}

#[derive(Debug, Serialize)]
struct ListedVersion {
    version: String,
    s3_location: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    #[serde(rename = "Accurecy", skip_serializing_if = "BTreeMap::is_empty")]
    metrics: BTreeMap<String, f64>,
}

#[derive(Debug, Serialize)]
struct Listing {
    models: Vec<Listed>,
}

/// Registers each of `versions`, in their order, and makes the model if it is missing. All of the
/// body is understood before anything is registered.
async fn register(State(api): State<Arc<Inner>>, input: Input) -> Answer {
    let model: ModelName = input.required("registry-name")?.parse()?;
    let asked = versions(&input, &model)?;
    for one in &asked {
        api.settings.sources.admit(&one.origin.source.parse()?)?;
    }
    match api
        .registry
        .create_model(&model, ModelSpec::default())
        .await
    {
        Ok(_) => {}
        Err(error) if error.is_conflict() => {}
        Err(error) => return Err(error.into()),
    }
    let mut versions = Vec::with_capacity(asked.len());
    for one in asked {
        let entry = mlflow::register(&api, one).await?;
        versions.push(listed(&entry));
    }
    Json::of(&Listed {
        name: model.to_string(),
        versions,
    })
}

fn versions(input: &Input, model: &ModelName) -> Result<Vec<NewPending>, Refusal> {
    let versions = match input.raw("versions") {
        Some(Value::Array(versions)) if !versions.is_empty() => versions,
        _ => {
            return Err(Refusal::invalid(
                "versions must be a list of one version or more",
            ));
        }
    };
    let of = |(index, version): (usize, &Value)| {
        let at = |what: &str| Refusal::invalid(format!("versions[{index}].{what}"));
        let source = version.get("s3_location").and_then(Value::as_str);
        let source = source.filter(|source| !source.is_empty());
        let source = source.ok_or_else(|| at("s3_location must be the URI of the model"))?;
        let mut metrics = BTreeMap::new();
        match version.get("Accurecy") {
            None | Some(Value::Null) => {}
            Some(Value::Object(all)) => {
                for (name, value) in all {
                    let number = match value {
                        Value::String(text) => text.trim().parse().ok(),
                        value => value.as_f64(),
                    };
                    let number = number.filter(|number: &f64| number.is_finite());
                    let number =
                        number.ok_or_else(|| at(&format!("Accurecy.{name} must be a number")))?;
                    metrics.insert(name.clone(), number);
                }
            }
            Some(_) => return Err(at("Accurecy must be an object of numbers")),
        }
        Ok(NewPending {
            model: model.clone(),
            origin: Origin {
                source: source.to_owned(),
                run_link: None,
            },
            description: None,
            lineage: None,
            metrics,
            tags: BTreeMap::new(),
        })
    };
    versions.iter().enumerate().map(of).collect()
}

/// All models with all their versions.
async fn list(State(api): State<Arc<Inner>>) -> Answer {
    let registry = &api.registry;
    let (mut models, mut after) = (Vec::new(), None);
    loop {
        let (page, more) = registry.list_models(after.as_ref(), PAGE).await?;
        after = page.last().map(|model| model.name.clone());
        for model in page {
            let shelf = Shelf::of(registry, model).await?;
            models.push(Listed {
                name: shelf.model.name.to_string(),
                versions: shelf.entries.iter().map(listed).collect(),
            });
        }
        if !more || after.is_none() {
            return Json::of(&Listing { models });
        }
    }
}

fn listed(entry: &Entry) -> ListedVersion {
    let version = entry.id().version.to_string();
    match entry {
        Entry::Ready(ready) => ListedVersion {
            version,
            s3_location: ready.origin.as_ref().map_or_else(
                || ready.artifact_uri.clone(),
                |origin| origin.source.clone(),
            ),
            status: Status::Ready,
            status_message: None,
            metrics: ready.metrics.clone(),
        },
        Entry::Pending(pending) => ListedVersion {
            version,
            s3_location: pending.origin.source.clone(),
            status: match pending.failure {
                None => Status::PendingRegistration,
                Some(_) => Status::FailedRegistration,
            },
            status_message: pending.failure.clone(),
            metrics: pending.metrics.clone(),
        },
    }
}
