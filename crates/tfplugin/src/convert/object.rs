use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{ConvertError, FromValue, IntoValue};
use crate::value::Value;

/// A struct declared with [`object!`](crate::object).
pub trait Object:
    FromValue + IntoValue + Clone + Debug + PartialEq + Send + Sync + 'static
{
}

/// The attributes of an object while a struct takes them one by one.
#[derive(Debug)]
pub struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Opens an object.
    ///
    /// # Errors
    /// If the value is something else, null and unknown included.
    pub fn of(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Object(fields) | Value::Map(fields) => Ok(Self(fields)),
            other => Err(ConvertError::expected("an object", &other)),
        }
    }

    /// Takes one attribute; one that the object lacks is null.
    ///
    /// # Errors
    /// If it does not fit `T`, with the attribute's name in the path.
    pub fn take<T: FromValue>(&mut self, field: &'static str) -> Result<T, ConvertError> {
        let name = attribute_name(field);
        T::from_value(self.0.remove(name).unwrap_or(Value::Null))
            .map_err(|error| error.within(name))
    }
}

/// The attribute that a field stands for: `r#type` is `type`.
pub(super) fn attribute_name(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

/// Declares structs that convert to and from Terraform objects, field by field, and derives `Clone`,
/// `Debug` and `PartialEq`.
///
/// A field is named like its attribute (`r#type` for `type`). Null and unknown need an
/// [`Attr`](crate::Attr); sensitive and write-only attributes need a [`Secret`](crate::Secret).
/// Nested blocks and nested attributes are fields of further such structs, in `Attr`, `Vec` or
/// `BTreeMap`.
///
/// ```
/// use std::collections::BTreeMap;
/// use tfplugin::{Attr, convert::FromValue, value::Value};
///
/// tfplugin::object! {
///     /// One variant of an endpoint.
///     pub struct Variant {
///         /// Share of the traffic, in percent.
///         pub traffic: Attr<u8>,
///     }
///
///     /// An endpoint.
///     pub struct Endpoint {
///         /// Its name.
///         pub name: Attr<String>,
///         /// Its variants by name.
///         pub variants: Attr<BTreeMap<String, Variant>>,
///     }
/// }
///
/// let value = Value::object([
///     ("name", "fraud".into()),
///     ("variants", Value::map([("blue", Value::object([("traffic", "lots".into())]))])),
/// ]);
/// let error = Endpoint::from_value(value).unwrap_err();
/// assert_eq!(error.to_string(), r#"variants["blue"].traffic must be a number, but is a string"#);
/// ```
#[macro_export]
macro_rules! object {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[$field_meta:meta])* $field_vis:vis $field:ident : $type:ty ),* $(,)?
        }
    )+) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $( $(#[$field_meta])* $field_vis $field: $type, )*
        }

        impl $crate::convert::FromValue for $name {
            fn from_value(value: $crate::value::Value) -> ::std::result::Result<Self, $crate::convert::ConvertError> {
                #[allow(unused_mut, unused_variables)]
                let mut fields = $crate::convert::Fields::of(value)?;
                ::std::result::Result::Ok(Self {
                    $( $field: fields.take(stringify!($field))?, )*
                })
            }

            fn shape() -> $crate::convert::Shape {
                $crate::convert::Shape::Object(::std::vec![
                    $( $crate::convert::Field::new(stringify!($field), <$type as $crate::convert::FromValue>::shape()), )*
                ])
            }
        }

        impl $crate::convert::IntoValue for $name {
            fn into_value(self) -> $crate::value::Value {
                $crate::value::Value::object::<&str>([
                    $( (
                        $crate::convert::Field::attribute(stringify!($field)),
                        $crate::convert::IntoValue::into_value(self.$field),
                    ), )*
                ])
            }
        }

        impl $crate::convert::Object for $name {}
    )+ };
}

/// The object without attributes: the configuration of a provider that takes none.
impl FromValue for () {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        Fields::of(value).map(|_| ())
    }

    fn shape() -> super::Shape {
        super::Shape::Object(Vec::new())
    }
}

impl IntoValue for () {
    fn into_value(self) -> Value {
        Value::Object(BTreeMap::new())
    }
}

impl Object for () {}

/// A state without a struct, for resources whose schema is only known when they run.
impl Object for Value {}
