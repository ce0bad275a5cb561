//! Rules for what a configuration may say.
//!
//! A rule is only asked about a value that is known and set; what is unknown is checked once it is
//! known. Messages name the attribute and what it must be, and never repeat a sensitive value.

mod collection;
mod config;
mod number;
mod object;
mod string;

use std::fmt;

pub use collection::{each, keys, size};
pub(crate) use config::config;
pub use number::{at_least, at_most, between, whole};
pub use object::{at_least_one_of, at_most_one_of, conflicts_with, exactly_one_of, requires};
pub use string::{chars, duration, json, length, one_of};

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::path::{Path, Step};
use crate::value::Value;

/// A rule for an attribute, or for the object that a block or nested attribute holds.
pub trait Validator: Send + Sync + 'static {
    /// Adds an error for each way in which `subject` breaks the rule.
    ///
    /// The value is known and set as a whole; what is inside may be null or unknown, and a rule that
    /// meets an unknown says nothing.
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics);
}

/// What a rule looks at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Where the value is.
    pub path: &'a Path,
    /// The value: known, and not null.
    pub value: &'a Value,
    /// The object that holds the attribute, for rules about its neighbours.
    pub object: &'a Value,
    /// Whether messages must not show the value.
    pub sensitive: bool,
}

impl Subject<'_> {
    /// The error that says what the value must be: `"must be one of a, b"`.
    pub fn must(&self, rule: impl fmt::Display) -> Diagnostic {
        let seen = match self.value {
            _ if self.sensitive => String::new(),
            Value::String(text) => format!(", but is {text:?}"),
            Value::Number(number) => format!(", but is {number}"),
            Value::Bool(value) => format!(", but is {value}"),
            _ => String::new(),
        };
        Diagnostic::error("Invalid value", format!("{} must {rule}{seen}.", self.path))
            .at(self.path.clone())
    }

    /// The same rule's view of a part of the value.
    fn part<'b>(&'b self, path: &'b Path, value: &'b Value) -> Subject<'b> {
        Subject {
            path,
            value,
            object: self.object,
            sensitive: self.sensitive,
        }
    }
}

/// Never shows the value.
impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("path", self.path)
            .field("value", &self.value.kind())
            .finish_non_exhaustive()
    }
}

/// A rule from a function, which returns what the value must be: `Err("end with a slash".into())`.
pub fn check(
    rule: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static,
) -> impl Validator {
    Check(rule)
}

struct Check<F>(F);

impl<F: Fn(&Value) -> Result<(), String> + Send + Sync + 'static> Validator for Check<F> {
    fn validate(&self, subject: &Subject<'_>, problems: &mut Diagnostics) {
        if let Err(rule) = (self.0)(subject.value) {
            problems.push(subject.must(rule));
        }
    }
}

/// The elements of a collection with the step to each.
fn elements(value: &Value) -> Box<dyn Iterator<Item = (Step, &Value)> + '_> {
    match value {
        Value::List(elements) | Value::Tuple(elements) => Box::new(
            elements
                .iter()
                .enumerate()
                .map(|(index, element)| (Step::Index(index as u64), element)),
        ),
        Value::Set(elements) => Box::new(elements.iter().map(|element| (Step::Element, element))),
        Value::Map(elements) => Box::new(
            elements
                .iter()
                .map(|(key, element)| (Step::Key(key.clone()), element)),
        ),
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests;
