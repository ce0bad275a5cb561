use std::collections::{BTreeMap, BTreeSet};

use super::{ConvertError, FromValue, IntoValue, Shape};
use crate::path::Step;
use crate::value::Value;

/// Elements of a list, a tuple or a set, in the order of the wire.
impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::List(elements) | Value::Tuple(elements) => elements
                .into_iter()
                .enumerate()
                .map(|(index, element)| {
                    T::from_value(element).map_err(|error| error.within(Step::Index(index as u64)))
                })
                .collect(),
            Value::Set(elements) => elements
                .into_iter()
                .map(|element| T::from_value(element).map_err(|error| error.within(Step::Element)))
                .collect(),
            other => Err(ConvertError::expected("a list", &other)),
        }
    }

    fn shape() -> Shape {
        Shape::Sequence(Box::new(T::shape()))
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: FromValue + Ord> FromValue for BTreeSet<T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Set(_) | Value::List(_) => Ok(Vec::from_value(value)?.into_iter().collect()),
            other => Err(ConvertError::expected("a set", &other)),
        }
    }

    fn shape() -> Shape {
        Shape::Sequence(Box::new(T::shape()))
    }
}

impl<T: IntoValue> IntoValue for BTreeSet<T> {
    fn into_value(self) -> Value {
        Value::set(self.into_iter().map(T::into_value))
    }
}

impl<T: FromValue> FromValue for BTreeMap<String, T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Map(elements) | Value::Object(elements) => elements
                .into_iter()
                .map(|(key, element)| match T::from_value(element) {
                    Ok(element) => Ok((key, element)),
                    Err(error) => Err(error.within(Step::Key(key))),
                })
                .collect(),
            other => Err(ConvertError::expected("a map", &other)),
        }
    }

    fn shape() -> Shape {
        Shape::Keyed(Box::new(T::shape()))
    }
}

impl<T: IntoValue> IntoValue for BTreeMap<String, T> {
    fn into_value(self) -> Value {
        Value::Map(
            self.into_iter()
                .map(|(key, element)| (key, element.into_value()))
                .collect(),
        )
    }
}

impl<T: FromValue> FromValue for Box<T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        T::from_value(value).map(Self::new)
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: IntoValue> IntoValue for Box<T> {
    fn into_value(self) -> Value {
        (*self).into_value()
    }
}
