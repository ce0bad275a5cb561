//! Parameters of calls from an object's attributes.

use serde_json::{Map, Value as Json, json};

use crate::base64::base64;

/// A template filled in; `None` where what it stands for is not set.
///
/// `{name}` alone is the attribute itself, within a text it is written out. `{a.0.b}` goes into blocks, `{.name}` is of the
/// element of an `each`. An object with `if` is there only where that is set; `{"each": …, "item": …}` is a list;
/// `{"file": name}` is the file that the attribute names, in base64.
///
/// # Errors
/// If a file cannot be read.
pub(super) fn fill(template: &Json, object: &Json, element: &Json) -> Result<Option<Json>, String> {
    match template {
        Json::String(text) => Ok(match whole(text) {
            Some(path) => Some(find(path, object, element).clone()).filter(set),
            None => Some(expand(text, object, element).into()),
        }),
        Json::Array(items) => {
            let filled = items.iter().map(|item| fill(item, object, element));
            let filled: Vec<_> = filled
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect();
            Ok((!filled.is_empty()).then_some(Json::Array(filled)))
        }
        Json::Object(fields) => {
            if let Some(path) = fields.get("if").and_then(Json::as_str)
                && !is_set(path, object, element)
            {
                return Ok(None);
            }
            if let (Some(Json::String(path)), Some(item)) = (fields.get("each"), fields.get("item"))
            {
                let elements = find(path, object, element)
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let filled = elements.iter().map(|element| fill(item, object, element));
                let filled: Vec<_> = filled
                    .collect::<Result<Vec<_>, _>>()?
                    .into_iter()
                    .flatten()
                    .collect();
                return Ok((!filled.is_empty()).then_some(Json::Array(filled)));
            }
            if let Some(Json::String(attribute)) = fields.get("file") {
                return file(find(attribute, object, element).as_str());
            }
            let mut filled = Map::new();
            for (name, field) in fields.iter().filter(|(name, _)| *name != "if") {
                if let Some(field) = fill(field, object, element)? {
                    filled.insert(name.clone(), field);
                }
            }
            Ok(Some(Json::Object(filled)))
        }
        other => Ok(Some(other.clone())),
    }
}

/// A text with the object's attributes in it.
pub(super) fn text(template: &str, object: &Json) -> String {
    expand(template, object, object)
}

/// Whether an attribute is set: neither null, nor unknown, nor empty, nor false, nor 0.
pub(super) fn is_set(path: &str, object: &Json, element: &Json) -> bool {
    let value = find(path, object, element);
    set(value) && *value != json!(false) && *value != json!(0)
}

fn set(value: &Json) -> bool {
    !value.is_null()
        && *value != json!("(known after apply)")
        && *value != json!("")
        && *value != json!([])
}

/// The path of a text that is one placeholder and nothing else.
fn whole(text: &str) -> Option<&str> {
    let path = text.strip_prefix('{')?.strip_suffix('}')?;
    (!path.contains(['{', '}'])).then_some(path)
}

pub(super) fn expand(template: &str, object: &Json, element: &Json) -> String {
    let mut written = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((path, after)) = after.split_once('}') else {
            break;
        };
        written.push_str(before);
        match find(path, object, element) {
            Json::String(text) => written.push_str(text),
            Json::Null => {}
            other => written.push_str(&other.to_string()),
        }
        rest = after;
    }
    written + rest
}

fn find<'a>(path: &str, object: &'a Json, element: &'a Json) -> &'a Json {
    let (from, path) = match path.strip_prefix('.') {
        Some(path) => (element, path),
        None => (object, path),
    };
    path.split('.')
        .fold(from, |at, step| match step.parse::<usize>() {
            Ok(index) => &at[index],
            Err(_) => &at[step],
        })
}

fn file(path: Option<&str>) -> Result<Option<Json>, String> {
    let Some(path) = path else {
        return Ok(None);
    };
    let bytes = std::fs::read(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    Ok(Some(base64(&bytes).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_with_what_is_set() {
        let object = json!({
            "name": "a", "range_key": null, "size": 3, "empty": "",
            "none": 0,
            "attribute": [{"name": "pk", "type": "S"}, {"name": "sk", "type": "N"}],
            "ttl": [{"enabled": false}],
        });
        let template = json!({
            "Name": "{name}", "Size": "{size}", "Empty": "{empty}", "Text": "is {name} of {size}",
            "Keys": [{"Name": "{name}"}, {"if": "range_key", "Name": "{range_key}"}],
            "Attributes": {"each": "attribute", "item": {"N": "{.name}", "Of": "{name}"}},
            "None": {"if": "none", "On": true},
            "Ttl": {"if": "ttl.0.enabled", "On": true},
        });
        let filled = fill(&template, &object, &object).unwrap().unwrap();
        let expected = json!({
            "Name": "a", "Size": 3, "Text": "is a of 3",
            "Keys": [{"Name": "a"}],
            "Attributes": [{"N": "pk", "Of": "a"}, {"N": "sk", "Of": "a"}],
        });
        assert_eq!(filled, expected);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let object = json!({"filename": "no/such.zip"});
        let error = fill(&json!({"file": "filename"}), &object, &object).unwrap_err();
        assert!(error.starts_with("no/such.zip cannot be read: "), "{error}");
    }
}
