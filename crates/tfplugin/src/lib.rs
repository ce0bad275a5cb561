//! A thin framework for Terraform providers over plugin protocol 6.
//!
//! It knows the protocol and what Terraform core demands of a provider; it knows nothing about what a
//! provider is for. An author implements [`Provider`] and, for each thing the provider offers,
//! [`Resource`], [`DataSource`], [`Function`] or [`Ephemeral`].

pub mod context;
pub mod contract;
pub mod convert;
pub mod data_source;
pub mod diagnostics;
pub mod ephemeral;
pub mod error;
pub mod function;
mod json;
pub mod logging;
pub mod msgpack;
mod number;
pub mod path;
mod planning;
pub mod private;
pub mod provider;
pub mod resource;
pub mod schema;
pub mod server;
pub mod stop;
pub mod timeouts;
pub mod transport;
pub mod types;
pub mod validate;
pub mod value;

pub use async_trait::async_trait;
pub use context::{ApplyContext, ClientContext, Context, PlanContext, ReadContext};
pub use convert::{Attr, Object, Secret};
pub use data_source::{DataSource, data_source};
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use ephemeral::{Ephemeral, ephemeral};
pub use error::Error;
pub use function::{Function, function};
pub use path::Path;
pub use private::PrivateState;
pub use provider::Provider;
pub use server::{ProviderServer, run};
pub use resource::{Applied, ApplyFailed, Imported, Planned, Refreshed, Resource, resource};
pub use stop::StopSignal;
pub use transport::{ServeError, ServeOptions, serve};
pub use value::Value;
