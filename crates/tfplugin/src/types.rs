//! Terraform's types, and how the protocol writes them.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::json;

use crate::error::Error;
use crate::path::Step;
use crate::value::Value;

/// How deep a type may nest when it is read from the wire.
pub const MAX_DEPTH: usize = 64;

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any type; each value on the wire carries its own.
    Dynamic,
    /// `true` or `false`.
    Bool,
    /// An exact number.
    Number,
    /// Text.
    String,
    /// Ordered elements.
    List(Box<Type>),
    /// Elements without order or duplicates.
    Set(Box<Type>),
    /// Elements under keys that the user chooses.
    Map(Box<Type>),
    /// Attributes under fixed names.
    Object(BTreeMap<String, Type>),
    /// Ordered elements, each of its own type.
    Tuple(Vec<Type>),
}

impl Type {
    /// A list of `element`.
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// A set of `element`.
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// A map of `element`.
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// An object with these attributes.
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(
            attributes
                .into_iter()
                .map(|(name, of)| (name.into(), of))
                .collect(),
        )
    }

    /// The type in the JSON form that schemas and dynamic values carry.
    pub fn to_json(&self) -> Vec<u8> {
        self.json_value().to_string().into_bytes()
    }

    fn json_value(&self) -> serde_json::Value {
        match self {
            Self::Dynamic => json!("dynamic"),
            Self::Bool => json!("bool"),
            Self::Number => json!("number"),
            Self::String => json!("string"),
            Self::List(element) => json!(["list", element.json_value()]),
            Self::Set(element) => json!(["set", element.json_value()]),
            Self::Map(element) => json!(["map", element.json_value()]),
            Self::Object(attributes) => {
                let attributes: serde_json::Map<_, _> = attributes
                    .iter()
                    .map(|(name, of)| (name.clone(), of.json_value()))
                    .collect();
                json!(["object", attributes])
            }
            Self::Tuple(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::json_value).collect();
                json!(["tuple", elements])
            }
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`Error::Json`] for what is no JSON, [`Error::Type`] for what names no type or nests deeper than
    /// [`MAX_DEPTH`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_json_value(
            &serde_json::from_slice(bytes).map_err(Error::Json)?,
            MAX_DEPTH,
        )
    }

    fn from_json_value(value: &serde_json::Value, depth: usize) -> Result<Self, Error> {
        use serde_json::Value as Json;
        let refuse = || Error::Type {
            path: crate::path::Path::root(),
            expected: "a type".to_owned(),
            found: "something else".to_owned(),
        };
        let depth = depth.checked_sub(1).ok_or_else(refuse)?;
        match value {
            Json::String(name) => match name.as_str() {
                "dynamic" => Ok(Self::Dynamic),
                "bool" => Ok(Self::Bool),
                "number" => Ok(Self::Number),
                "string" => Ok(Self::String),
                _ => Err(refuse()),
            },
            Json::Array(parts) => {
                // An object type may carry a third part, the names of its optional attributes.
                let (Some(Json::String(name)), Some(of)) = (parts.first(), parts.get(1)) else {
                    return Err(refuse());
                };
                match (name.as_str(), of) {
                    ("list", of) => Ok(Self::list(Self::from_json_value(of, depth)?)),
                    ("set", of) => Ok(Self::set(Self::from_json_value(of, depth)?)),
                    ("map", of) => Ok(Self::map(Self::from_json_value(of, depth)?)),
                    ("object", Json::Object(attributes)) => attributes
                        .iter()
                        .map(|(name, of)| Ok((name.clone(), Self::from_json_value(of, depth)?)))
                        .collect::<Result<_, _>>()
                        .map(Self::Object),
                    ("tuple", Json::Array(elements)) => elements
                        .iter()
                        .map(|of| Self::from_json_value(of, depth))
                        .collect::<Result<_, _>>()
                        .map(Self::Tuple),
                    _ => Err(refuse()),
                }
            }
            _ => Err(refuse()),
        }
    }

    /// The type that describes a value best. Nulls, unknowns and empty collections say nothing, and
    /// are [`Type::Dynamic`] where they stand alone.
    pub fn of(value: &Value) -> Self {
        let first = |elements: &mut dyn Iterator<Item = &Value>| {
            elements
                .map(Self::of)
                .find(|of| *of != Self::Dynamic)
                .unwrap_or(Self::Dynamic)
        };
        match value {
            Value::Unknown | Value::Null => Self::Dynamic,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::List(elements) => Self::list(first(&mut elements.iter())),
            Value::Set(elements) => Self::set(first(&mut elements.iter())),
            Value::Map(elements) => Self::map(first(&mut elements.values())),
            Value::Object(fields) => Self::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Self::of(value)))
                    .collect(),
            ),
            Value::Tuple(elements) => Self::Tuple(elements.iter().map(Self::of).collect()),
        }
    }

    /// The value in this type's own form: a list becomes the set or tuple that the type asks for, an
    /// object a map and the other way round, sets are sorted, and attributes that an object lacks are
    /// null.
    ///
    /// # Errors
    /// [`Error::Type`] with the path of the first part that does not fit. It never holds a value.
    pub fn conform(&self, value: Value) -> Result<Value, Error> {
        match (self, value) {
            (_, Value::Unknown) => Ok(Value::Unknown),
            (_, Value::Null) => Ok(Value::Null),
            (Self::Dynamic, value)
            | (Self::Bool, value @ Value::Bool(_))
            | (Self::Number, value @ Value::Number(_))
            | (Self::String, value @ Value::String(_)) => Ok(value),
            (
                Self::List(of),
                Value::List(elements) | Value::Set(elements) | Value::Tuple(elements),
            ) => conform_elements(of, elements).map(Value::List),
            (
                Self::Set(of),
                Value::List(elements) | Value::Set(elements) | Value::Tuple(elements),
            ) => {
                let elements = elements
                    .into_iter()
                    .map(|element| {
                        of.conform(element)
                            .map_err(|error| error.within(Step::Element))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(Value::set(elements))
            }
            (Self::Map(of), Value::Map(elements) | Value::Object(elements)) => elements
                .into_iter()
                .map(|(key, element)| match of.conform(element) {
                    Ok(element) => Ok((key, element)),
                    Err(error) => Err(error.within(Step::Key(key))),
                })
                .collect::<Result<_, _>>()
                .map(Value::Map),
            (Self::Object(attributes), Value::Object(fields) | Value::Map(fields)) => {
                conform_fields(attributes, fields).map(Value::Object)
            }
            (Self::Tuple(types), Value::List(elements) | Value::Tuple(elements))
                if types.len() == elements.len() =>
            {
                let conformed =
                    types
                        .iter()
                        .zip(elements)
                        .enumerate()
                        .map(|(index, (of, element))| {
                            of.conform(element)
                                .map_err(|error| error.within(Step::Index(index as u64)))
                        });
                conformed.collect::<Result<_, _>>().map(Value::Tuple)
            }
            (expected, found) => Err(expected.mismatch(found.kind())),
        }
    }

    /// The error for a value that is not of this type.
    pub(crate) fn mismatch(&self, found: impl Into<String>) -> Error {
        Error::Type {
            path: crate::path::Path::root(),
            expected: self.to_string(),
            found: found.into(),
        }
    }
}

fn conform_elements(of: &Type, elements: Vec<Value>) -> Result<Vec<Value>, Error> {
    let conformed = elements.into_iter().enumerate().map(|(index, element)| {
        of.conform(element)
            .map_err(|error| error.within(Step::Index(index as u64)))
    });
    conformed.collect()
}

fn conform_fields(
    attributes: &BTreeMap<String, Type>,
    mut fields: BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Error> {
    let complete = fields.len() == attributes.len() && fields.keys().eq(attributes.keys());
    if !complete {
        if let Some(name) = fields.keys().find(|name| !attributes.contains_key(*name)) {
            let error = Error::Type {
                path: crate::path::Path::root(),
                expected: "no such attribute".to_owned(),
                found: "one".to_owned(),
            };
            return Err(error.within(name.as_str()));
        }
        for name in attributes.keys() {
            if !fields.contains_key(name) {
                fields.insert(name.clone(), Value::Null);
            }
        }
    }
    for ((name, field), of) in fields.iter_mut().zip(attributes.values()) {
        let value = std::mem::replace(field, Value::Null);
        *field = of
            .conform(value)
            .map_err(|error| error.within(name.as_str()))?;
    }
    Ok(fields)
}

impl fmt::Display for Type {
    /// The type as a Terraform user writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dynamic => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Set(element) => write!(f, "set({element})"),
            Self::Map(element) => write!(f, "map({element})"),
            Self::Object(attributes) => {
                f.write_str("object({")?;
                for (index, (name, of)) in attributes.iter().enumerate() {
                    write!(f, "{}{name} = {of}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("})")
            }
            Self::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (index, of) in elements.iter().enumerate() {
                    write!(f, "{}{of}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("])")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested() -> Type {
        Type::object([
            ("a", Type::list(Type::object([("x", Type::Number)]))),
            ("b", Type::set(Type::String)),
            ("c", Type::map(Type::Bool)),
            ("d", Type::Tuple(vec![Type::String, Type::Dynamic])),
        ])
    }

    #[test]
    fn the_json_form_is_the_protocols() {
        assert_eq!(
            String::from_utf8(nested().to_json()).unwrap(),
            r#"["object",{"a":["list",["object",{"x":"number"}]],"b":["set","string"],"c":["map","bool"],"d":["tuple",["string","dynamic"]]}]"#,
        );
        assert_eq!(Type::from_json(&nested().to_json()).unwrap(), nested());
    }

    #[test]
    fn the_names_of_optional_attributes_are_accepted_and_ignored() {
        let of = Type::from_json(br#"["object",{"a":"string"},["a"]]"#).unwrap();
        assert_eq!(of, Type::object([("a", Type::String)]));
    }

    #[test]
    fn what_names_no_type_is_refused() {
        let deep = format!("{}\"string\"{}", "[\"list\",".repeat(100), "]".repeat(100));
        for text in [
            "",
            "null",
            "\"text\"",
            "[\"list\"]",
            "[\"object\",3]",
            "[3,3]",
            &deep,
        ] {
            assert!(Type::from_json(text.as_bytes()).is_err(), "{text} was read");
        }
    }

    #[test]
    fn conforming_gives_each_part_its_declared_form() {
        let loose = Value::object([
            (
                "a",
                Value::List(vec![Value::map([("x", Value::from(1_i64))])]),
            ),
            ("b", Value::List(vec!["z".into(), "a".into(), "z".into()])),
        ]);
        let conformed = nested().conform(loose).unwrap();
        assert_eq!(
            conformed.field("a"),
            &Value::List(vec![Value::object([("x", Value::from(1_i64))])])
        );
        assert_eq!(
            conformed.field("b"),
            &Value::Set(vec!["a".into(), "z".into()])
        );
        assert_eq!(conformed.as_object().unwrap().len(), 4);
    }

    #[test]
    fn a_mismatch_names_the_path_and_not_the_value() {
        let value = Value::object([(
            "a",
            Value::List(vec![Value::object([("x", "hunter2".into())])]),
        )]);
        let message = nested().conform(value).unwrap_err().to_string();
        assert_eq!(message, "at a[0].x: expected number, found a string");
        let message = nested()
            .conform(Value::object([("nope", Value::Null)]))
            .unwrap_err()
            .to_string();
        assert_eq!(message, "at nope: expected no such attribute, found one");
    }
}
