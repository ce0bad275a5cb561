//! Values as they travel between Terraform and a provider.

use std::collections::BTreeMap;

pub use crate::number::Number;

/// A value of any of Terraform's types, in which null and unknown may stand anywhere.
///
/// Sets are kept sorted and without duplicates by everything in this crate, so that two equal sets are
/// equal vectors. Elements that are not wholly known are no duplicates of one another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Not known before apply.
    Unknown,
    /// Absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An exact number.
    Number(Number),
    /// Text.
    String(String),
    /// Ordered elements of one type.
    List(Vec<Value>),
    /// Elements of one type without order or duplicates.
    Set(Vec<Value>),
    /// Elements of one type under keys that the user chooses.
    Map(BTreeMap<String, Value>),
    /// Attributes under names that the schema fixes.
    Object(BTreeMap<String, Value>),
    /// Ordered elements, each of its own type.
    Tuple(Vec<Value>),
}

impl Value {
    /// An object from its attributes.
    pub fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }

    /// A map from its elements.
    pub fn map<K: Into<String>>(elements: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(
            elements
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    /// A set from its elements, in any order.
    ///
    /// Two elements with something unknown in them may turn out to differ, so both stay.
    pub fn set(elements: impl IntoIterator<Item = Value>) -> Self {
        let mut elements: Vec<_> = elements.into_iter().collect();
        settle(&mut elements);
        Self::Set(elements)
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether this is unknown as a whole; see [`Value::is_wholly_known`] for what is inside.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Whether nothing in the value, at any depth, is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
            Self::List(elements) | Self::Set(elements) | Self::Tuple(elements) => {
                elements.iter().all(Self::is_wholly_known)
            }
            Self::Map(elements) | Self::Object(elements) => {
                elements.values().all(Self::is_wholly_known)
            }
        }
    }

    /// The text, if this is a known string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is a known one.
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The attributes, if this is a known object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// An object's attribute; null where the value is null or has no such attribute, unknown where the
    /// whole is unknown.
    pub fn field(&self, name: &str) -> &Value {
        match self {
            Self::Unknown => &Self::Unknown,
            Self::Object(fields) => fields.get(name).unwrap_or(&Self::Null),
            _ => &Self::Null,
        }
    }

    /// Every unknown, at any depth, replaced by null.
    ///
    /// What is unknown inside a set may fall together with another element; the set shrinks then.
    #[must_use]
    pub fn unknown_as_null(self) -> Self {
        let all = |elements: Vec<Value>| elements.into_iter().map(Value::unknown_as_null);
        let keyed = |elements: BTreeMap<String, Value>| {
            elements
                .into_iter()
                .map(|(key, value)| (key, value.unknown_as_null()))
                .collect()
        };
        match self {
            Self::Unknown => Self::Null,
            Self::List(elements) => Self::List(all(elements).collect()),
            Self::Tuple(elements) => Self::Tuple(all(elements).collect()),
            Self::Set(elements) => Self::set(all(elements)),
            Self::Map(elements) => Self::Map(keyed(elements)),
            Self::Object(fields) => Self::Object(keyed(fields)),
            leaf => leaf,
        }
    }

    /// What kind of value this is, in words, without the value itself.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unknown => "an unknown value",
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Tuple(_) => "a tuple",
        }
    }
}

/// Puts the elements of a set in order, and takes those away that are there twice.
pub(crate) fn settle(elements: &mut Vec<Value>) {
    elements.sort_unstable();
    elements.dedup_by(|one, other| one == other && one.is_wholly_known());
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {
        $(impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Number(value.into())
            }
        })*
    };
}
from_integers!(i8 i16 i32 i64 u8 u16 u32 u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_are_equal_whatever_order_they_came_in() {
        let left = Value::set(["b", "a", "b"].map(Value::from));
        assert_eq!(left, Value::set(["a", "b"].map(Value::from)));
    }

    #[test]
    fn elements_of_a_set_that_are_not_known_yet_are_not_taken_for_one() {
        let element = || Value::object([("id", Value::Unknown), ("name", "a".into())]);
        assert_eq!(
            Value::set([element(), Value::Unknown, element(), Value::Unknown]),
            Value::Set(vec![Value::Unknown, Value::Unknown, element(), element()])
        );
    }

    #[test]
    fn an_unknown_deep_inside_is_found_and_can_be_nulled() {
        let value = Value::object([("a", Value::List(vec![Value::map([("k", Value::Unknown)])]))]);
        assert!(!value.is_wholly_known());
        let nulled = value.unknown_as_null();
        assert!(nulled.is_wholly_known());
        assert_eq!(
            nulled,
            Value::object([("a", Value::List(vec![Value::map([("k", Value::Null)])]))])
        );
    }
}
