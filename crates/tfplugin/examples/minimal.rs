//! The smallest complete provider: notes, each a file in a directory.
//!
//! ```terraform
//! provider "minimal" {
//!   directory = "notes"
//! }
//!
//! resource "minimal_note" "hello" {
//!   name = "hello"
//!   text = "Hello, world"
//! }
//! ```
//!
//! A resource with import, a data source and a function; the tests run real terraform against it.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tfplugin::data_source::AnyDataSource;
use tfplugin::function::{AnyFunction, Arguments, FunctionError, Parameter, Signature};
use tfplugin::resource::{
    AnyResource, CreateRequest, DeleteRequest, ImportRequest, ImportState, ReadRequest,
    UpdateRequest,
};
use tfplugin::schema::{Attribute, Block, Schema};
use tfplugin::types::Type;
use tfplugin::{
    Applied, ApplyContext, ApplyFailed, Attr, Context, DataSource, Diagnostic, Diagnostics,
    Function, Imported, Provider, ReadContext, Refreshed, Resource, ServeOptions, Value,
    async_trait, validate,
};

tfplugin::object! {
    /// The provider block.
    pub struct Config {
        /// Where the notes lie.
        pub directory: Attr<String>,
    }

    /// A note.
    pub struct Note {
        /// Its name, which is its file's.
        pub name: Attr<String>,
        /// Its text.
        pub text: Attr<String>,
        /// Whether creating it waits until Terraform is interrupted.
        pub hold: Attr<bool>,
        /// The same as the name, but not known before it exists.
        pub id: Attr<String>,
        /// The length of the text in bytes.
        pub length: Attr<u64>,
    }

    /// What looking up a note gives.
    pub struct Found {
        /// Its name.
        pub name: Attr<String>,
        /// Its text.
        pub text: Attr<String>,
    }
}

/// The client: the directory.
struct Notes {
    directory: PathBuf,
}

impl Notes {
    fn path(&self, name: &Attr<String>) -> Result<PathBuf, Diagnostic> {
        name.require("name").map(|name| self.directory.join(name))
    }

    fn write(&self, note: &Note) -> Result<(), Diagnostic> {
        let (path, text) = (self.path(&note.name)?, note.text.require("text")?);
        assert_ne!(text, "panic", "this note asks for a crash");
        fs::create_dir_all(&self.directory)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| failed("write", &path, &error))
    }

    fn read(&self, name: &Attr<String>) -> Result<Option<String>, Diagnostic> {
        let path = self.path(name)?;
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    fn remove(&self, name: &Attr<String>) -> Result<(), Diagnostic> {
        let path = self.path(name)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("remove", &path, &error)),
        }
    }
}

fn failed(what: &str, path: &std::path::Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(
        format!("Cannot {what} the note"),
        format!(
            "{}: {error}. Check the provider's directory.",
            path.display()
        ),
    )
}

/// The planned note, with what only its creation can tell.
fn complete(mut note: Note) -> Note {
    note.id = note.name.clone();
    note.length = note.text.as_ref().map(|text| text.len() as u64);
    note
}

struct NoteResource;

#[async_trait]
impl Resource<Notes> for NoteResource {
    type State = Note;
    const TYPE: &'static str = "minimal_note";

    fn schema(&self) -> Schema {
        let text = "The text. Another text rewrites the file.";
        Block::new()
            .attribute(
                "name",
                Attribute::string()
                    .required()
                    .requires_replace()
                    .validate(validate::length(1..=32))
                    .describe("The note's name. Another name is another note."),
            )
            .attribute("text", Attribute::string().required().describe(text))
            .attribute(
                "hold",
                Attribute::bool()
                    .default(false)
                    .describe("Whether creating the note waits until Terraform is interrupted."),
            )
            .attribute(
                "id",
                Attribute::string()
                    .computed()
                    .use_state_for_unknown()
                    .describe("The name, once the note exists."),
            )
            .attribute(
                "length",
                Attribute::number()
                    .computed()
                    .describe("The length of the text in bytes."),
            )
            .into()
    }

    async fn create(
        &self,
        cx: &ApplyContext<Notes>,
        request: CreateRequest<Note>,
    ) -> Result<Applied<Note>, ApplyFailed<Note>> {
        let note = request.planned;
        tracing::info!(name = note.name.as_str(), "creating a note");
        cx.client().write(&note)?;
        if note.hold.known() == Some(&true) {
            cx.stop().cancelled().await;
            cx.client().remove(&note.name)?;
            return Err(Diagnostic::error(
                "Interrupted",
                "Terraform was interrupted; the note was removed again. Apply once more to create it.",
            )
            .into());
        }
        Ok(Applied::new(complete(note)))
    }

    async fn read(
        &self,
        cx: &ReadContext<Notes>,
        request: ReadRequest<Note>,
    ) -> Result<Option<Refreshed<Note>>, Diagnostics> {
        let mut note = request.state;
        let Some(text) = cx.client().read(&note.name)? else {
            return Ok(None);
        };
        note.text = text.into();
        Ok(Some(complete(note).into()))
    }

    async fn update(
        &self,
        cx: &ApplyContext<Notes>,
        request: UpdateRequest<Note>,
    ) -> Result<Applied<Note>, ApplyFailed<Note>> {
        cx.client().write(&request.planned)?;
        Ok(Applied::new(complete(request.planned)))
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Notes>,
        request: DeleteRequest<Note>,
    ) -> Result<(), ApplyFailed<Note>> {
        Ok(cx.client().remove(&request.prior.name)?)
    }

    fn import(&self) -> Option<&dyn ImportState<Notes, Note>> {
        Some(self)
    }
}

#[async_trait]
impl ImportState<Notes, Note> for NoteResource {
    async fn import_state(
        &self,
        cx: &ReadContext<Notes>,
        request: ImportRequest,
    ) -> Result<Imported<Note>, Diagnostics> {
        let Some(id) = request.id() else {
            return Err(Diagnostics::error(
                "No id",
                "A note is imported by its name.",
            ));
        };
        let name = Attr::from(id);
        if cx.client().read(&name)?.is_none() {
            let detail = format!("There is no note {id:?}; import takes a note's name.");
            return Err(Diagnostics::error("No such note", detail));
        }
        Ok(Imported::new(Note {
            name,
            text: Attr::Null,
            hold: false.into(),
            id: Attr::Null,
            length: Attr::Null,
        }))
    }
}

struct NoteSource;

#[async_trait]
impl DataSource<Notes> for NoteSource {
    type State = Found;
    const TYPE: &'static str = "minimal_note";

    fn schema(&self) -> Schema {
        Block::new()
            .attribute(
                "name",
                Attribute::string().required().describe("The note's name."),
            )
            .attribute(
                "text",
                Attribute::string().computed().describe("The note's text."),
            )
            .into()
    }

    async fn read(&self, cx: &ReadContext<Notes>, config: Found) -> Result<Found, Diagnostics> {
        match cx.client().read(&config.name)? {
            Some(text) => Ok(Found {
                text: text.into(),
                ..config
            }),
            None => Err(
                Diagnostic::error("No such note", "Create it, or correct its name.")
                    .at("name")
                    .into(),
            ),
        }
    }
}

/// `provider::minimal::shout("hello")` is `"HELLO"`.
struct Shout;

#[async_trait]
impl Function for Shout {
    const NAME: &'static str = "shout";

    fn signature(&self) -> Signature {
        Signature::returning(Type::String)
            .parameter(Parameter::new("text", Type::String, "What to shout."))
            .describe("Shouts", "Turns a text into upper case.")
    }

    async fn call(&self, _: &Context, mut arguments: Arguments) -> Result<Value, FunctionError> {
        let text: String = arguments.take()?;
        Ok(text.to_uppercase().into())
    }
}

struct Minimal;

#[async_trait]
impl Provider for Minimal {
    type Config = Config;
    type Client = Notes;

    fn schema(&self) -> Schema {
        let directory = "Where the notes lie. Made when the first is written.";
        Block::new()
            .attribute(
                "directory",
                Attribute::string().required().describe(directory),
            )
            .into()
    }

    async fn configure(&self, _: &Context, config: Config) -> Result<Arc<Notes>, Diagnostics> {
        let directory = config.directory.require("directory")?.into();
        Ok(Arc::new(Notes { directory }))
    }

    fn resources(&self) -> Vec<Arc<dyn AnyResource<Notes>>> {
        vec![tfplugin::resource(NoteResource)]
    }

    fn data_sources(&self) -> Vec<Arc<dyn AnyDataSource<Notes>>> {
        vec![tfplugin::data_source(NoteSource)]
    }

    fn functions(&self) -> Vec<Arc<dyn AnyFunction>> {
        vec![tfplugin::function(Shout)]
    }
}

fn main() -> ExitCode {
    let options = ServeOptions::new("registry.terraform.io/example/minimal", "0.1.0")
        .debug(std::env::args().any(|argument| argument == "--debug"));
    tfplugin::run(options, Minimal)
}
