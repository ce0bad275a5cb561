use async_trait::async_trait;

use super::{ImportRequest, Imported, MoveRequest};
use crate::context::{Context, ReadContext};
use crate::diagnostics::Diagnostics;
use crate::error::Error;
use crate::types::Type;
use crate::value::Value;

/// The power to import what exists already.
#[async_trait]
pub trait ImportState<C: Send + Sync + 'static, S>: Send + Sync {
    /// Finds the resource. Terraform reads it right after, so a state with what `read` needs is enough.
    ///
    /// # Errors
    /// Diagnostics for an id of the wrong format, which show the right one, and for what does not exist.
    async fn import_state(
        &self,
        cx: &ReadContext<C>,
        request: ImportRequest,
    ) -> Result<Imported<S>, Diagnostics>;
}

/// Rules over a whole configuration, beyond those of its schema. Called before the provider is
/// configured, often with unknown values; a rule that meets one says nothing.
pub trait ValidateConfig<S>: Send + Sync {
    /// Adds a diagnostic for each rule that is broken.
    fn validate_config(&self, cx: &Context, config: &S, problems: &mut Diagnostics);
}

/// The power to read states that an older version of the provider wrote.
pub trait UpgradeState<S>: Send + Sync {
    /// Reads a state of the schema version `from`, which is lower than the current one.
    ///
    /// # Errors
    /// Diagnostics if that version was never written or the state is broken.
    fn upgrade_state(&self, from: u64, state: &RawState) -> Result<S, Diagnostics>;
}

/// The power to take over the state of another resource type, as in a `moved` block.
pub trait MoveState<S>: Send + Sync {
    /// Reads the other resource's state; `None` if its type is not one that can be taken over.
    ///
    /// # Errors
    /// Diagnostics if the type could be taken over, but this state cannot.
    fn move_state(&self, request: &MoveRequest<'_>) -> Result<Option<Imported<S>>, Diagnostics>;
}

/// What identifies a resource outside of Terraform, such as an account and a name.
pub trait Identity<S>: Send + Sync {
    /// The parts of an identity.
    fn identity_schema(&self) -> IdentitySchema;

    /// The identity of the resource with this state, as an object of the schema's type; null while a
    /// part is not known.
    fn identity_of(&self, state: &S) -> Value;
}

/// The schema of a resource's identity.
#[derive(Clone, Debug, Default)]
pub struct IdentitySchema {
    version: u64,
    attributes: Vec<IdentityAttribute>,
}

/// One part of an identity.
#[derive(Clone, Debug)]
pub struct IdentityAttribute {
    /// Its name.
    pub name: String,
    /// Its type: a primitive, or a list of one.
    pub of: Type,
    /// Whether an import must name it; where not, an import may.
    pub required_for_import: bool,
    /// What it is.
    pub description: String,
}

impl IdentitySchema {
    /// A schema of version 0, without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the version.
    #[must_use]
    pub fn with_version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    /// Adds a part that an import must name.
    #[must_use]
    pub fn required(
        self,
        name: impl Into<String>,
        of: Type,
        description: impl Into<String>,
    ) -> Self {
        self.part(name, of, description, true)
    }

    /// Adds a part that an import may name.
    #[must_use]
    pub fn optional(
        self,
        name: impl Into<String>,
        of: Type,
        description: impl Into<String>,
    ) -> Self {
        self.part(name, of, description, false)
    }

    fn part(
        mut self,
        name: impl Into<String>,
        of: Type,
        description: impl Into<String>,
        required_for_import: bool,
    ) -> Self {
        let (name, description) = (name.into(), description.into());
        self.attributes.push(IdentityAttribute {
            name,
            of,
            required_for_import,
            description,
        });
        self
    }

    /// The version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The parts.
    pub fn attributes(&self) -> &[IdentityAttribute] {
        &self.attributes
    }

    /// The type of an identity.
    pub fn object_type(&self) -> Type {
        Type::object(
            self.attributes
                .iter()
                .map(|part| (part.name.as_str(), part.of.clone())),
        )
    }
}

/// A stored state in the JSON of Terraform's state file.
#[derive(Clone)]
pub struct RawState {
    json: Vec<u8>,
}

impl RawState {
    /// A state from its JSON.
    pub fn new(json: impl Into<Vec<u8>>) -> Self {
        Self { json: json.into() }
    }

    /// The state as a value of the type that its schema version had. Attributes that the type does not
    /// name are dropped, those that the state does not have are null.
    ///
    /// # Errors
    /// [`Error::Json`] or [`Error::Type`] for a broken state; neither repeats a value.
    pub fn decode(&self, of: &Type) -> Result<Value, Error> {
        crate::json::decode(&self.json, of)
    }

    /// The state as a JSON document. Numbers beyond 64 bits lose precision here, not in
    /// [`RawState::decode`].
    ///
    /// # Errors
    /// [`Error::Json`] for a broken state.
    pub fn to_json(&self) -> Result<serde_json::Value, Error> {
        serde_json::from_slice(&self.json).map_err(Error::Json)
    }
}

/// Does not show the state, which may hold secrets.
impl std::fmt::Debug for RawState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawState({} bytes)", self.json.len())
    }
}
