//! The model server: Open Inference Protocol v2, MLflow invocations, traffic split, metrics, health.
//!
//! It knows nothing of registries or Terraform: a target starts it with a [`ServerConfig`] and drives it over the admin
//! socket that [`mlops_core::serving`] describes.
//!
//! # Names on the data side
//!
//! `/v2/models/{name}` answers under three kinds of name, looked up in this order: the endpoint (split between its variants
//! by traffic), a variant (split between its revisions by weight, also while it has no traffic), and the name of a registry
//! model (split between the revisions that serve it). `/versions/{v}` narrows any of them to revisions of that version.
//! `/invocations` asks the endpoint. Only requests for the whole endpoint are copied to shadow variants.
//!
//! # Answers
//!
//! Each prediction carries `mlops-variant`, `mlops-version`, `mlops-revision` and `x-request-id`. 4xx is the client's mistake
//! (400 names the input at fault), 429 a full queue, 503 no ready revision or a full server (both with `Retry-After`), 500 a
//! graph that failed, 504 one that was too slow. Only 5xx count as errors of a revision.

mod admin;
mod app;
mod data;
mod drift;
mod engine;
mod error;
mod log;
mod metrics;
mod offline;
mod predict;
mod protocol;
mod revision;
mod router;
mod server;
mod smoke;
mod tensor;

pub use error::{Class, ServeError};
pub use mlops_core::serving::ServerConfig;
pub use offline::Offline;
pub use server::{Server, run, run_prepared};
