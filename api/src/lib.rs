//! The registry over REST: MLflow's model registry API on the core's ports.
//!
//! [`Api`] answers requests, with or without a server: [`Api::answer`] takes one and gives its
//! response, [`Api::serve`] does so on an address until it is told to stop. It knows no adapter:
//! whoever makes it hands it a [`Registry`](mlops_core::registry::Registry).
//!
//! | path | what |
//! |---|---|
//! | `/api/2.0/mlflow/registered-models/…` | models, their tags and aliases |
//! | `/api/2.0/mlflow/model-versions/…` | versions, their tags and stages |
//! | `/api/2.0/mlflow-artifacts/artifacts` | files of artifacts, by the artifact's digest |
//! | `/model-registry`, `/list-registry` | the same registry in the words of a pipeline that has no client |
//! | `/health` | `OK` |
//!
//! A version is registered by the URI of its source. It has its number at once and is
//! `PENDING_REGISTRATION` until [`Api::ingest`] has taken the source into the store.

mod access;
mod answer;
mod api;
mod artifacts;
mod ingest;
mod input;
mod mlflow;
mod pipeline;
mod request;
mod serve;
mod sources;

pub use access::Token;
pub use api::{Api, Settings};
pub use request::{Request, Response};
pub use sources::Sources;
