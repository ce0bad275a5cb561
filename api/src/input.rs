//! The parameters of a request: of the query for GET, of a JSON object in the body otherwise.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::answer::Refusal;

/// Parameters by name. In a query each is a string, or a list of strings if it is repeated.
#[derive(Debug, Default)]
pub(crate) struct Input {
    fields: Map<String, Value>,
    of_query: bool,
}

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if request.method() == Method::GET {
            return Ok(Self::of_query(request.uri().query().unwrap_or_default()));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error: BytesRejection| {
                Refusal::unreadable_body(error.status(), error.body_text())
            })?;
        Self::of_body(&body)
    }
}

impl Input {
    pub(crate) fn of_query(query: &str) -> Self {
        let mut fields = Map::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), Value::String(decoded(value)));
            match fields.get_mut(&name) {
                None => drop(fields.insert(name, value)),
                Some(Value::Array(all)) => all.push(value),
                Some(one) => *one = Value::Array(vec![one.take(), value]),
            }
        }
        Self {
            fields,
            of_query: true,
        }
    }

    pub(crate) fn of_body(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self {
                fields,
                of_query: false,
            }),
            Ok(_) => Err(Refusal::invalid("the request body is not a JSON object")),
            Err(error) => Err(Refusal::invalid(format!(
                "the request body is not JSON: {error}"
            ))),
        }
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// The value itself, for parameters that are objects.
    pub(crate) fn raw(&self, name: &str) -> Option<&Value> {
        self.field(name)
    }

    /// A string; an empty one is one.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(name, other, "a string")),
        }
    }

    /// A string that must be there, and not empty.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| {
                Refusal::invalid(format!("Missing value for required parameter '{name}'."))
            })
    }

    /// A list of strings; none if it is absent.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<&str>, Refusal> {
        match self.field(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(all)) => all.iter().map(|value| text_of(name, value)).collect(),
            Some(one @ Value::String(_)) if self.of_query => Ok(vec![text_of(name, one)?]),
            Some(other) => Err(wrong(name, other, "a list of strings")),
        }
    }

    /// A whole number from 1 to `most`.
    pub(crate) fn count(&self, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
        let number = match self.field(name) {
            None => return Ok(default),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) if self.of_query => text.parse().ok(),
            Some(other) => return Err(wrong(name, other, "a whole number")),
        };
        number
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| {
                Refusal::invalid(format!("Parameter '{name}' must be from 1 to {most}."))
            })
    }

    /// Whether; false if it is absent.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.field(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong(name, other, "true or false")),
        }
    }

    /// `[{"key": …, "value": …}]`; the last of equal keys counts.
    pub(crate) fn tags(&self) -> Result<Vec<(String, String)>, Refusal> {
        let Some(tags) = self.field("tags") else {
            return Ok(Vec::new());
        };
        let Value::Array(tags) = tags else {
            return Err(wrong("tags", tags, "a list of objects with key and value"));
        };
        tags.iter()
            .map(|tag| {
                let part = |part: &str| match tag.get(part) {
                    Some(Value::String(text)) => Some(text.clone()),
                    None | Some(Value::Null) if part == "value" => Some(String::new()),
                    _ => None,
                };
                let key = part("key").filter(|key| !key.is_empty());
                key.zip(part("value"))
                    .ok_or_else(|| wrong("tags", tag, "an object with the strings key and value"))
            })
            .collect()
    }
}

fn text_of<'a>(name: &str, value: &'a Value) -> Result<&'a str, Refusal> {
    value.as_str().ok_or_else(|| wrong(name, value, "a string"))
}

fn wrong(name: &str, value: &Value, wanted: &str) -> Refusal {
    let mut shown = value.to_string();
    if let Some((cut, _)) = shown.char_indices().nth(60) {
        shown.truncate(cut);
        shown.push('…');
    }
    Refusal::invalid(format!(
        "Invalid value {shown} for parameter '{name}': it must be {wanted}."
    ))
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_repeats_lists_and_encodes_spaces_both_ways() {
        let input =
            Input::of_query("name=a%20b&order_by=name+ASC&order_by=timestamp&max_results=5");
        assert_eq!(input.text("name").unwrap(), Some("a b"));
        assert_eq!(input.list("order_by").unwrap(), ["name ASC", "timestamp"]);
        assert_eq!(input.count("max_results", 100, 1000).unwrap(), 5);
        assert_eq!(
            Input::of_query("stages=None").list("stages").unwrap(),
            ["None"]
        );
    }

    #[test]
    fn a_body_that_is_no_object_and_a_field_of_another_type_are_refused() {
        assert!(Input::of_body(b"x").is_err());
        assert!(Input::of_body(b"[1]").is_err());
        let input =
            Input::of_body(br#"{"name": 5, "max_results": "5", "stages": "None"}"#).unwrap();
        assert!(input.required("name").is_err());
        assert!(input.count("max_results", 1, 9).is_err());
        assert!(input.list("stages").is_err());
        assert!(input.required("absent").is_err());
    }

    #[test]
    fn tags_without_a_value_are_empty_and_without_a_key_are_refused() {
        let input = Input::of_body(br#"{"tags": [{"key": "a"}]}"#).unwrap();
        assert_eq!(input.tags().unwrap(), [("a".to_owned(), String::new())]);
        for wrong in [
            r#"{"tags": [{"value": "a"}]}"#,
            r#"{"tags": {"a": "b"}}"#,
            r#"{"tags": [{"key": 1}]}"#,
        ] {
            assert!(
                Input::of_body(wrong.as_bytes()).unwrap().tags().is_err(),
                "{wrong}"
            );
        }
    }
}
