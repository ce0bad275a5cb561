//! The one error of the core: what failed, of which class, and why.
//!
//! `Display` prints this level only; the cause is in [`std::error::Error::source`].
//! Callers match on [`Class`], never on text.

use std::fmt;

/// What kind of failure an [`Error`] is, and so what a caller may do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The object does not exist. A delete treats it as success, a read as "gone".
    NotFound,
    /// Somebody else changed or holds the object; read again and decide again.
    Conflict,
    /// The other side asked for less. Slow down and go on.
    Throttled,
    /// Not permitted, and a retry will not change that.
    Denied,
    /// The request can never succeed as it is.
    Invalid,
    /// The other side did not answer, or not in time. A retry may succeed.
    Unavailable,
    /// The running operation was cancelled by its caller.
    Cancelled,
    /// Stored data is damaged, or of a format this program does not read.
    Corrupt,
    /// A fault of this program. Report it.
    Bug,
}

/// A failed operation of the core or of one of its adapters.
///
/// The message names the object, what was tried and what to do next. `attribute` is the
/// configuration attribute at fault where a single one is to blame, as a dotted path
/// (`variants.main.model_version`).
#[derive(Debug)]
pub struct Error {
    class: Class,
    message: String,
    attribute: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The core's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $class:ident),* $(,)?) => {
        $(
            $(#[$doc])*
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(Class::$class, message)
            }
        )*
    };
}

impl Error {
    /// An error of `class`; `message` is one or two full sentences.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            attribute: None,
            source: None,
        }
    }

    constructors! {
        /// The object does not exist.
        not_found => NotFound,
        /// Somebody else changed or holds the object.
        conflict => Conflict,
        /// Not permitted.
        denied => Denied,
        /// The request can never succeed as it is.
        invalid => Invalid,
        /// The other side did not answer.
        unavailable => Unavailable,
        /// Cancelled by the caller.
        cancelled => Cancelled,
        /// Stored data is damaged or too new.
        corrupt => Corrupt,
        /// A fault of this program.
        bug => Bug,
    }

    /// Names the configuration attribute at fault, as a dotted path.
    #[must_use]
    pub fn at(mut self, attribute: impl Into<String>) -> Self {
        self.attribute = Some(attribute.into());
        self
    }

    /// Attaches the cause; it is printed by [`Chain`], not by `Display`.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same for one more who is told of it. Its causes become text: they cannot be copied.
    #[must_use]
    pub fn copy(&self) -> Self {
        let first = std::error::Error::source(self);
        let causes: Vec<String> = std::iter::successors(first, |cause| cause.source())
            .map(ToString::to_string)
            .collect();
        Self {
            class: self.class,
            message: self.message.clone(),
            attribute: self.attribute.clone(),
            source: (!causes.is_empty()).then(|| causes.join(": ").into()),
        }
    }

    /// The class.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The attribute at fault, if a single one is.
    pub fn attribute(&self) -> Option<&str> {
        self.attribute.as_deref()
    }

    /// Whether the object did not exist.
    pub fn is_not_found(&self) -> bool {
        self.class == Class::NotFound
    }

    /// Whether somebody else changed or holds the object.
    pub fn is_conflict(&self) -> bool {
        self.class == Class::Conflict
    }

    /// The whole chain of messages, for the edge that prints it.
    pub fn chain(&self) -> Chain<'_> {
        Chain(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Prints an error and its causes, `outer: cause: cause`.
#[derive(Debug)]
pub struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_prints_one_level_and_chain_prints_all() {
        let cause = Error::unavailable("the disk did not answer");
        let error = Error::invalid("model \"fraud\" could not be written").because(cause);
        assert_eq!(error.to_string(), "model \"fraud\" could not be written");
        assert_eq!(
            error.chain().to_string(),
            "model \"fraud\" could not be written: the disk did not answer"
        );
    }
}
