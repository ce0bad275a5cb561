use super::{ConvertError, FromValue, IntoValue, Shape};
use crate::diagnostics::Diagnostic;
use crate::path::Path;
use crate::value::Value;

/// An attribute: a known value, null, or not known before apply. Three cases, never two.
///
/// ```
/// use tfplugin::Attr;
///
/// let name: Attr<String> = "fraud".into();
/// assert_eq!(name.known().map(String::as_str), Some("fraud"));
/// assert!(Attr::<String>::Null.known().is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attr<T> {
    /// Set, and known.
    Known(T),
    /// Not set.
    #[default]
    Null,
    /// Not known before apply.
    Unknown,
}

impl<T> Attr<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// The value to change in place, if it is known.
    pub fn known_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// The value itself, if it is known.
    pub fn into_known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// Whether there is a known value.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// Whether the attribute is not set.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether the value will only be known at apply.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The same case around a reference.
    pub fn as_ref(&self) -> Attr<&T> {
        match self {
            Self::Known(value) => Attr::Known(value),
            Self::Null => Attr::Null,
            Self::Unknown => Attr::Unknown,
        }
    }

    /// Applies `change` to a known value; null stays null and unknown stays unknown.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Attr<U> {
        match self {
            Self::Known(value) => Attr::Known(change(value)),
            Self::Null => Attr::Null,
            Self::Unknown => Attr::Unknown,
        }
    }

    /// The value where it must be known, as at apply.
    ///
    /// # Errors
    /// A diagnostic blaming `path`, if the value is null or unknown.
    pub fn require(&self, path: impl Into<Path>) -> Result<&T, Diagnostic> {
        let path = path.into();
        let problem = match self {
            Self::Known(value) => return Ok(value),
            Self::Null => "is not set",
            Self::Unknown => "is not known yet",
        };
        Err(Diagnostic::error(
            "Missing value",
            format!("The attribute {path} must have a value, but {problem}."),
        )
        .at(path))
    }

    /// The value for code that runs at apply, where nothing is unknown: null and unknown give `None`.
    pub fn to_option(&self) -> Option<T>
    where
        T: Clone,
    {
        self.known().cloned()
    }
}

impl Attr<String> {
    /// The text, if it is known.
    pub fn as_str(&self) -> Option<&str> {
        self.known().map(String::as_str)
    }
}

impl<T> From<T> for Attr<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl From<&str> for Attr<String> {
    fn from(value: &str) -> Self {
        Self::Known(value.to_owned())
    }
}

impl<T> From<Option<T>> for Attr<T> {
    /// `None` is null.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Known)
    }
}

impl<T: FromValue> FromValue for Attr<T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Null => Ok(Self::Null),
            Value::Unknown => Ok(Self::Unknown),
            value => T::from_value(value).map(Self::Known),
        }
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: IntoValue> IntoValue for Attr<T> {
    fn into_value(self) -> Value {
        match self {
            Self::Known(value) => value.into_value(),
            Self::Null => Value::Null,
            Self::Unknown => Value::Unknown,
        }
    }
}

/// `None` is null. An unknown value is an error: use [`Attr`] where one may stand.
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}
