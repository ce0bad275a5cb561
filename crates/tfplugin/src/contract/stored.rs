use super::Violation;
use crate::path::{Path, Step};
use crate::schema::{Attribute, AttributeType, Block, Nesting};
use crate::value::Value;

/// Checks a state that Terraform is to store, after apply, read, upgrade, import or move: nothing is
/// unknown, write-only values are null, and collections of blocks are not.
pub fn stored(block: &Block, state: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut path = Path::root();
    unknowns(state, &mut path, &mut found);
    in_block(block, state, &mut path, &mut found);
    found
}

fn unknowns(value: &Value, path: &mut Path, found: &mut Vec<Violation>) {
    let mut at = |step: Step, value: &Value| {
        path.push(step);
        unknowns(value, path, found);
        path.pop();
    };
    match value {
        Value::Unknown => found.push(Violation::new(path, "a stored value must be known")),
        Value::List(elements) | Value::Tuple(elements) => {
            for (index, element) in elements.iter().enumerate() {
                at(Step::Index(index as u64), element);
            }
        }
        Value::Set(elements) => elements
            .iter()
            .for_each(|element| at(Step::Element, element)),
        Value::Map(elements) => elements
            .iter()
            .for_each(|(key, element)| at(Step::Key(key.clone()), element)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, field)| at(name.as_str().into(), field)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn in_block(block: &Block, value: &Value, path: &mut Path, found: &mut Vec<Violation>) {
    let Value::Object(fields) = value else { return };
    let field = |name: &str| fields.get(name).unwrap_or(&Value::Null);
    for (name, attribute) in block.attributes() {
        path.push(name.into());
        in_attribute(attribute, field(name), path, found);
        path.pop();
    }
    for (name, nested) in block.blocks() {
        path.push(name.into());
        let value = field(name);
        if nested.nesting() == Nesting::Single {
            in_block(nested.block(), value, path, found);
        } else if value.is_null() {
            found.push(Violation::new(
                path,
                "a list, set or map of blocks must be empty where there are none, not null",
            ));
        } else {
            in_elements(value, path, &mut |value, path| {
                in_block(nested.block(), value, path, found)
            });
        }
        path.pop();
    }
}

fn in_attribute(attribute: &Attribute, value: &Value, path: &mut Path, found: &mut Vec<Violation>) {
    if attribute.is_write_only() && !value.is_null() {
        found.push(Violation::new(
            path,
            "a write-only value must never be stored",
        ));
        return;
    }
    let AttributeType::Nested(nesting, nested) = attribute.of() else {
        return;
    };
    let mut in_object = |value: &Value, path: &mut Path| {
        for (name, attribute) in nested.attributes() {
            path.push(name.into());
            in_attribute(attribute, value.field(name), path, found);
            path.pop();
        }
    };
    match nesting {
        Nesting::Single => in_object(value, path),
        _ => in_elements(value, path, &mut in_object),
    }
}

fn in_elements(value: &Value, path: &mut Path, each: &mut dyn FnMut(&Value, &mut Path)) {
    let mut at = |step: Step, value: &Value| {
        path.push(step);
        each(value, path);
        path.pop();
    };
    match value {
        Value::List(elements) => {
            for (index, element) in elements.iter().enumerate() {
                at(Step::Index(index as u64), element);
            }
        }
        Value::Set(elements) => elements
            .iter()
            .for_each(|element| at(Step::Element, element)),
        Value::Map(elements) => elements
            .iter()
            .for_each(|(key, element)| at(Step::Key(key.clone()), element)),
        _ => {}
    }
}
