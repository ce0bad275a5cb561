//! MLflow's model registry API, version 2.0, as servers of MLflow 3 speak it.
//!
//! What an MLflow registry and this one mean by the same words differs in places; the guide
//! `docs/guides/mlflow.md` lists them.

mod aliases;
mod filter;
mod models;
mod order;
mod page;
mod search;
mod shelf;
mod stages;
mod tags;
mod tokens;
mod versions;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, patch, post};
use mlops_core::names::ModelName;

use crate::answer::Refusal;
use crate::api::Inner;
use crate::input::Input;

pub(crate) use shelf::{Entry, Shelf};
pub(crate) use versions::register;
pub(crate) use wire::Status;

pub(crate) fn routes() -> Router<Arc<Inner>> {
    let models = Router::new()
        .route("/create", post(models::create))
        .route("/get", get(models::get))
        .route("/update", patch(models::update))
        .route("/delete", delete(models::delete))
        .route("/rename", post(models::rename))
        .route("/search", get(search::models))
        .route(
            "/get-latest-versions",
            get(models::latest_versions).post(models::latest_versions),
        )
        .route("/set-tag", post(models::set_tag))
        .route("/delete-tag", delete(models::delete_tag))
        .route(
            "/alias",
            post(aliases::set).get(aliases::get).delete(aliases::delete),
        );
    let versions = Router::new()
        .route("/create", post(versions::create))
        .route("/get", get(versions::get))
        .route("/update", patch(versions::update))
        .route("/delete", delete(versions::delete))
        .route("/search", get(search::versions))
        .route("/set-tag", post(versions::set_tag))
        .route("/delete-tag", delete(versions::delete_tag))
        .route("/get-download-uri", get(versions::download_uri))
        .route("/transition-stage", post(stages::transition));
    Router::new()
        .nest("/registered-models", models)
        .nest("/model-versions", versions)
}

/// The model's name that a request must have.
fn name(input: &Input) -> Result<ModelName, Refusal> {
    Ok(input.required("name")?.parse()?)
}

fn no_model(name: &ModelName) -> Refusal {
    Refusal::missing(format!(
        "Registered Model with name={name} not found; create it first, or correct the name"
    ))
}
