//! A thin framework for Terraform providers over plugin protocol 6.
//!
//! It knows the protocol and what Terraform core demands of a provider; it knows nothing about what a
//! provider is for. An author implements [`Provider`] and, for each thing the provider offers,
//! [`Resource`], [`DataSource`], [`Function`] or [`Ephemeral`], and calls [`run`] in `main`.
//!
//! | to read about | see |
//! |---|---|
//! | values, null and unknown | [`Attr`], [`object!`], [`value`] |
//! | declaring what a configuration may say | [`schema`], [`validate`], [`timeouts`] |
//! | the life of a resource | [`Resource`], [`resource`](mod@resource) |
//! | errors and warnings | [`Diagnostics`], [`path`] |
//! | what is checked in debug builds | [`contract`] |
//!
//! # A provider with one resource
//!
//! Files with a content, in a directory that the provider is configured with:
//!
//! ```
//! use std::path::PathBuf;
//! use std::sync::Arc;
//!
//! use tfplugin::resource::*;
//! use tfplugin::schema::{Attribute, Block, Schema};
//! use tfplugin::{
//!     ApplyContext, Attr, Context, Diagnostic, Diagnostics, Provider, ReadContext, async_trait, validate,
//! };
//!
//! tfplugin::object! {
//!     /// The `provider` block.
//!     pub struct Config {
//!         /// Where the files are.
//!         pub directory: Attr<String>,
//!     }
//!
//!     /// One file, as configured, planned and stored.
//!     pub struct FileState {
//!         /// Its name in the directory.
//!         pub name: Attr<String>,
//!         /// What is in it.
//!         pub content: Attr<String>,
//!         /// How long that is.
//!         pub bytes: Attr<u64>,
//!     }
//! }
//!
//! struct FileResource;
//!
//! fn failed(what: &str, error: std::io::Error) -> Diagnostic {
//!     Diagnostic::error(format!("Cannot {what} the file"), error.to_string()).at("name")
//! }
//!
//! impl FileResource {
//!     fn write(directory: &PathBuf, mut planned: FileState) -> Result<FileState, Diagnostic> {
//!         let content = planned.content.require("content")?;
//!         std::fs::write(directory.join(planned.name.require("name")?), content)
//!             .map_err(|error| failed("write", error))?;
//!         planned.bytes = (content.len() as u64).into();
//!         Ok(planned)
//!     }
//! }
//!
//! #[async_trait]
//! impl Resource<PathBuf> for FileResource {
//!     type State = FileState;
//!     const TYPE: &'static str = "example_file";
//!
//!     fn schema(&self) -> Schema {
//!         Block::new()
//!             .describe("A file with a content.")
//!             .attribute("name", Attribute::string().required().requires_replace()
//!                 .validate(validate::chars("a-z0-9._-"))
//!                 .describe("The file's name in the provider's directory."))
//!             .attribute("content", Attribute::string().default("").describe("What is in it."))
//!             .attribute("bytes", Attribute::number().computed().describe("Its size in bytes."))
//!             .into()
//!     }
//!
//!     async fn create(&self, cx: &ApplyContext<PathBuf>, request: CreateRequest<FileState>) -> Result<Applied<FileState>, ApplyFailed<FileState>> {
//!         Ok(Applied::new(Self::write(cx.client(), request.planned)?))
//!     }
//!
//!     async fn read(&self, cx: &ReadContext<PathBuf>, request: ReadRequest<FileState>) -> Result<Option<Refreshed<FileState>>, Diagnostics> {
//!         let mut state = request.state;
//!         match std::fs::read_to_string(cx.client().join(state.name.require("name")?)) {
//!             Ok(content) => {
//!                 state.bytes = (content.len() as u64).into();
//!                 state.content = content.into();
//!                 Ok(Some(state.into()))
//!             }
//!             Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
//!             Err(error) => Err(failed("read", error).into()),
//!         }
//!     }
//!
//!     async fn update(&self, cx: &ApplyContext<PathBuf>, request: UpdateRequest<FileState>) -> Result<Applied<FileState>, ApplyFailed<FileState>> {
//!         Ok(Applied::new(Self::write(cx.client(), request.planned)?))
//!     }
//!
//!     async fn delete(&self, cx: &ApplyContext<PathBuf>, request: DeleteRequest<FileState>) -> Result<(), ApplyFailed<FileState>> {
//!         match std::fs::remove_file(cx.client().join(request.prior.name.require("name")?)) {
//!             Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("delete", error).into()),
//!             _ => Ok(()),
//!         }
//!     }
//!
//!     fn import(&self) -> Option<&dyn ImportState<PathBuf, FileState>> {
//!         Some(self)
//!     }
//! }
//!
//! #[async_trait]
//! impl ImportState<PathBuf, FileState> for FileResource {
//!     async fn import_state(&self, _: &ReadContext<PathBuf>, request: ImportRequest) -> Result<Imported<FileState>, Diagnostics> {
//!         let name = request.id().map(str::to_owned).into();
//!         Ok(Imported::new(FileState { name, content: Attr::Null, bytes: Attr::Null }))
//!     }
//! }
//!
//! struct Files;
//!
//! #[async_trait]
//! impl Provider for Files {
//!     type Config = Config;
//!     type Client = PathBuf;
//!
//!     fn schema(&self) -> Schema {
//!         Block::new().attribute("directory", Attribute::string().required().describe("Where the files are.")).into()
//!     }
//!
//!     async fn configure(&self, _: &Context, config: Config) -> Result<Arc<PathBuf>, Diagnostics> {
//!         Ok(Arc::new(config.directory.require("directory")?.into()))
//!     }
//!
//!     fn resources(&self) -> Vec<Arc<dyn AnyResource<PathBuf>>> {
//!         vec![tfplugin::resource(FileResource)]
//!     }
//! }
//!
//! // In `main`: tfplugin::run(ServeOptions::new("registry.terraform.io/example/files", "0.1.0"), Files)
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! // A resource can be tested without Terraform:
//! let directory = Arc::new(std::env::temp_dir().join(format!("tfplugin-doc-{}", std::process::id())));
//! std::fs::create_dir_all(&*directory).unwrap();
//! let cx = ApplyContext::new(Context::detached(), Arc::clone(&directory));
//! let planned = FileState { name: "greeting".into(), content: "hello".into(), bytes: Attr::Unknown };
//! let request = CreateRequest { config: planned.clone(), planned, private: Default::default() };
//! let made = FileResource.create(&cx, request).await.unwrap();
//! assert_eq!(made.state.bytes, Attr::Known(5));
//! # std::fs::remove_dir_all(&*directory).unwrap();
//! # });
//! ```

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
pub use resource::{Applied, ApplyFailed, Imported, Planned, Refreshed, Resource, resource};
pub use server::{ProviderServer, run};
pub use stop::StopSignal;
pub use transport::{ServeError, ServeOptions, serve};
pub use value::Value;
