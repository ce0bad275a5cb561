use std::fmt;

use super::{ConvertError, FromValue, IntoValue, Shape};
use crate::value::Value;

/// A sensitive or write-only value: `Debug` and `Display` never show it.
///
/// A struct that holds a state must wrap every attribute that its schema marks sensitive or write-only,
/// and debug builds refuse to start otherwise: `pub token: Attr<Secret<String>>`.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one call that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The value itself.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: FromValue> FromValue for Secret<T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        T::from_value(value).map(Self)
    }

    fn shape() -> Shape {
        Shape::Secret(Box::new(T::shape()))
    }
}

impl<T: IntoValue> IntoValue for Secret<T> {
    fn into_value(self) -> Value {
        self.0.into_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Attr;

    #[test]
    fn a_secret_is_shown_by_no_formatter() {
        let secret = Attr::Known(Secret::new("hunter2".to_owned()));
        assert_eq!(format!("{secret:?}"), "Known([redacted])");
        assert_eq!(format!("{}", Secret::new("hunter2")), "[redacted]");
        assert_eq!(secret.into_value(), Value::from("hunter2"));
    }
}
