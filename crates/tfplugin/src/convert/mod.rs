//! Between [`Value`]s and Rust types.
//!
//! A resource's state is a struct declared with [`object!`](crate::object). Its fields are [`Attr`]s
//! wherever null or unknown may stand, collections, or further such structs. Every error names the
//! attribute.

mod attr;
mod collection;
mod object;
mod scalar;
mod secret;
mod shape;

use std::fmt;

pub use attr::Attr;
pub use object::{Fields, Object};
pub use secret::Secret;
pub use shape::{Field, Leaf, Shape};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::{Path, Step};
use crate::value::Value;

/// A type that can be read from a [`Value`].
pub trait FromValue: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// A [`ConvertError`] with the path of the part that does not fit.
    fn from_value(value: Value) -> Result<Self, ConvertError>;

    /// What schema type this Rust type fits, so that a mismatch is found before the first user does.
    fn shape() -> Shape;
}

/// A type that can be written as a [`Value`].
pub trait IntoValue {
    /// Writes the value.
    fn into_value(self) -> Value;
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        Ok(value)
    }

    fn shape() -> Shape {
        Shape::Anything
    }
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

/// A value that a Rust type cannot hold, and where it stood. It never holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertError {
    path: Path,
    problem: String,
}

impl ConvertError {
    /// An error at the current place.
    pub fn new(problem: impl Into<String>) -> Self {
        Self {
            path: Path::root(),
            problem: problem.into(),
        }
    }

    /// The error for a value of the wrong kind.
    pub fn expected(expected: &str, found: &Value) -> Self {
        match found {
            Value::Null => Self::new(format!("must be {expected}, but is not set")),
            Value::Unknown => Self::new(format!("must be {expected}, but is not known yet")),
            found => Self::new(format!("must be {expected}, but is {}", found.kind())),
        }
    }

    /// The same error, seen from one level further out.
    #[must_use]
    pub fn within(mut self, step: impl Into<Step>) -> Self {
        self.path = self.path.within(step);
        self
    }

    /// What is wrong, without the path: `must be a string, but is not set`.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The attribute at fault.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.problem)
    }
}

impl std::error::Error for ConvertError {}

impl From<ConvertError> for Diagnostic {
    fn from(error: ConvertError) -> Self {
        Self::error("Invalid value", format!("The attribute {error}.")).at(error.path)
    }
}

impl From<ConvertError> for Diagnostics {
    fn from(error: ConvertError) -> Self {
        Diagnostic::from(error).into()
    }
}
