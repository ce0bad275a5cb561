//! Values in the JSON of Terraform's state file.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::Error;
use crate::path::Step;
use crate::types::Type;
use crate::value::Value;

/// Reads a value of a type. Attributes that the type does not name are dropped, and those that are
/// absent are null: a schema may gain and lose optional attributes within one version.
///
/// Numbers are exact. State is never unknown, so neither is the result.
pub(crate) fn decode(bytes: &[u8], of: &Type) -> Result<Value, Error> {
    let raw: &RawValue = serde_json::from_slice(bytes).map_err(Error::Json)?;
    decode_raw(raw, of)
}

fn decode_raw(raw: &RawValue, of: &Type) -> Result<Value, Error> {
    let text = raw.get();
    if text == "null" {
        return Ok(Value::Null);
    }
    // What stands here is valid JSON, so a failure is one of kind.
    let mismatch = || of.mismatch(kind(text));
    match of {
        Type::Bool => serde_json::from_str(text)
            .map(Value::Bool)
            .map_err(|_| mismatch()),
        Type::String => serde_json::from_str(text)
            .map(Value::String)
            .map_err(|_| mismatch()),
        // Numbers beyond a double's range were once stored as strings.
        Type::Number => text
            .trim_matches('"')
            .parse()
            .map(Value::Number)
            .map_err(|_| mismatch()),
        Type::List(element) => {
            decode_elements(text, element, mismatch, |index| Step::Index(index as u64))
                .map(Value::List)
        }
        Type::Set(element) => {
            decode_elements(text, element, mismatch, |_| Step::Element).map(Value::set)
        }
        Type::Map(element) => {
            let members: BTreeMap<String, &RawValue> =
                serde_json::from_str(text).map_err(|_| mismatch())?;
            members
                .into_iter()
                .map(|(key, raw)| match decode_raw(raw, element) {
                    Ok(value) => Ok((key, value)),
                    Err(error) => Err(error.within(Step::Key(key))),
                })
                .collect::<Result<_, _>>()
                .map(Value::Map)
        }
        Type::Object(attributes) => {
            let members: BTreeMap<String, &RawValue> =
                serde_json::from_str(text).map_err(|_| mismatch())?;
            attributes
                .iter()
                .map(|(name, of)| {
                    let value = match members.get(name) {
                        Some(raw) => {
                            decode_raw(raw, of).map_err(|error| error.within(name.as_str()))?
                        }
                        None => Value::Null,
                    };
                    Ok((name.clone(), value))
                })
                .collect::<Result<_, _>>()
                .map(Value::Object)
        }
        Type::Tuple(types) => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| mismatch())?;
            if elements.len() != types.len() {
                return Err(mismatch());
            }
            let decoded = elements
                .iter()
                .zip(types)
                .enumerate()
                .map(|(index, (raw, of))| {
                    decode_raw(raw, of).map_err(|error| error.within(Step::Index(index as u64)))
                });
            decoded.collect::<Result<_, _>>().map(Value::Tuple)
        }
        Type::Dynamic => {
            #[derive(serde::Deserialize)]
            struct Typed<'a> {
                #[serde(borrow)]
                value: &'a RawValue,
                #[serde(borrow)]
                r#type: &'a RawValue,
            }
            let typed: Typed<'_> = serde_json::from_str(text).map_err(|_| mismatch())?;
            let of = Type::from_json(typed.r#type.get().as_bytes())?;
            if of == Type::Dynamic {
                return Err(mismatch());
            }
            decode_raw(typed.value, &of)
        }
    }
}

fn decode_elements(
    text: &str,
    of: &Type,
    mismatch: impl Fn() -> Error,
    step: impl Fn(usize) -> Step,
) -> Result<Vec<Value>, Error> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| mismatch())?;
    let decoded = elements
        .into_iter()
        .enumerate()
        .map(|(index, raw)| decode_raw(raw, of).map_err(|error| error.within(step(index))));
    decoded.collect()
}

fn kind(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a bool",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of() -> Type {
        Type::object([
            ("name", Type::String),
            ("size", Type::Number),
            ("tags", Type::map(Type::Bool)),
            ("names", Type::set(Type::String)),
            ("pair", Type::Tuple(vec![Type::String, Type::Number])),
            ("any", Type::Dynamic),
        ])
    }

    #[test]
    fn a_state_is_read_by_its_type_with_exact_numbers() {
        let json = br#"{"name":"a\u00e4","size":123456789012345678901234567890.5,"tags":{"x":true},"names":["b","a","b"],
            "pair":["p",1],"any":{"value":[1,2],"type":["list","number"]}}"#;
        let value = decode(json, &of()).unwrap();
        assert_eq!(value.field("name"), &Value::from("aä"));
        assert_eq!(
            value.field("size").as_number().unwrap().to_string(),
            "123456789012345678901234567890.5"
        );
        assert_eq!(
            value.field("names"),
            &Value::Set(vec!["a".into(), "b".into()])
        );
        assert_eq!(
            value.field("pair"),
            &Value::Tuple(vec!["p".into(), 1_i64.into()])
        );
        assert_eq!(
            value.field("any"),
            &Value::List(vec![1_i64.into(), 2_i64.into()])
        );
    }

    #[test]
    fn attributes_that_came_or_went_within_a_version_do_no_harm() {
        let value = decode(br#"{"name":"a","gone":{"x":[1]}}"#, &of()).unwrap();
        assert_eq!(value.field("size"), &Value::Null);
        assert_eq!(value.as_object().unwrap().len(), 6);
    }

    #[test]
    fn a_broken_state_is_refused_with_the_path_and_without_the_value() {
        for (json, message) in [
            (
                r#"{"tags":{"x":"hunter2"}}"#,
                "at tags[\"x\"]: expected bool, found a string",
            ),
            (
                r#"{"names":[1]}"#,
                "at names[*]: expected string, found a number",
            ),
            (
                r#"{"size":"hunter2"}"#,
                "at size: expected number, found a string",
            ),
            (
                r#"{"pair":["p"]}"#,
                "at pair: expected tuple([string, number]), found a list",
            ),
            (
                r#"[]"#,
                "at the whole object: expected object({any = any, name = string, names = set(string), pair = tuple([string, number]), size = number, tags = map(bool)}), found a list",
            ),
            (r#"{"#, "malformed JSON"),
        ] {
            assert_eq!(
                decode(json.as_bytes(), &of()).unwrap_err().to_string(),
                message,
                "{json}"
            );
        }
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        let deep = format!(
            r#"{{"gone":{}{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let _ = decode(deep.as_bytes(), &of());
        assert!(decode(&"[".repeat(100_000).into_bytes(), &of()).is_err());
    }
}
