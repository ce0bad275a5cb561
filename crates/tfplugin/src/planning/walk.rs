use std::collections::BTreeMap;

use crate::path::{Path, Step};
use crate::schema::{Attribute, AttributeType, Block, Nesting};
use crate::value::{Value, settle};

/// Something done to every attribute of a plan, outer ones before those inside them.
pub(super) trait Visitor {
    /// Looks at one attribute. Attributes inside it are visited next if its planned value is known.
    fn attribute(&mut self, attribute: &Attribute, at: Place<'_>);

    /// Whether to visit what is inside an object that the configuration has, or does not have: what the
    /// provider makes up as a whole is its own.
    fn enters(&self, config: &Value) -> bool {
        let _ = config;
        true
    }
}

/// One attribute in configuration, prior state and plan.
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) config: &'a Value,
    pub(super) prior: &'a Value,
    pub(super) planned: &'a mut Value,
}

/// Visits all attributes of a block and of everything in it.
pub(super) fn block(
    block: &Block,
    path: &mut Path,
    config: &Value,
    prior: &Value,
    planned: &mut Value,
    visitor: &mut impl Visitor,
) {
    let Value::Object(fields) = planned else {
        return;
    };
    attributes(block.attributes(), path, config, prior, fields, visitor);
    for (name, nested) in block.blocks() {
        let Some(value) = fields.get_mut(name) else {
            continue;
        };
        path.push(name.into());
        let (config, prior) = (config.field(name), prior.field(name));
        elements(
            nested.nesting(),
            path,
            config,
            prior,
            value,
            &mut |path, config, prior, planned| {
                self::block(nested.block(), path, config, prior, planned, visitor);
            },
        );
        path.pop();
    }
}

fn attributes<'a>(
    attributes: impl Iterator<Item = (&'a str, &'a Attribute)>,
    path: &mut Path,
    config: &Value,
    prior: &Value,
    planned: &mut BTreeMap<String, Value>,
    visitor: &mut impl Visitor,
) {
    for (name, attribute) in attributes {
        let Some(value) = planned.get_mut(name) else {
            continue;
        };
        path.push(name.into());
        let (config, prior) = (config.field(name), prior.field(name));
        visitor.attribute(
            attribute,
            Place {
                path,
                config,
                prior,
                planned: value,
            },
        );
        if let AttributeType::Nested(nesting, nested) = attribute.of() {
            elements(
                *nesting,
                path,
                config,
                prior,
                value,
                &mut |path, config, prior, planned| {
                    if let Value::Object(fields) = planned
                        && visitor.enters(config)
                    {
                        self::attributes(nested.attributes(), path, config, prior, fields, visitor);
                    }
                },
            );
        }
        path.pop();
    }
}

type EachElement<'a> = &'a mut dyn FnMut(&mut Path, &Value, &Value, &mut Value);

/// Calls `each` for every planned object of a collection, with its counterparts.
fn elements(
    nesting: Nesting,
    path: &mut Path,
    config: &Value,
    prior: &Value,
    planned: &mut Value,
    each: EachElement<'_>,
) {
    match (nesting, planned) {
        (Nesting::Single, planned) => each(path, config, prior, planned),
        (Nesting::List, Value::List(elements)) => {
            for (index, element) in elements.iter_mut().enumerate() {
                path.push(Step::Index(index as u64));
                each(
                    path,
                    at_index(config, index),
                    at_index(prior, index),
                    element,
                );
                path.pop();
            }
        }
        (Nesting::Map, Value::Map(elements)) => {
            for (key, element) in elements {
                path.push(Step::Key(key.clone()));
                each(path, at_key(config, key), at_key(prior, key), element);
                path.pop();
            }
        }
        (Nesting::Set, Value::Set(elements)) => {
            path.push(Step::Element);
            for element in elements.iter_mut() {
                let config = counterpart(config, element);
                let prior = counterpart(prior, element);
                each(path, config, prior, element);
            }
            path.pop();
            // Elements may have become equal, and their order is that of their content.
            settle(elements);
        }
        _ => {}
    }
}

fn at_index(value: &Value, index: usize) -> &Value {
    match value {
        Value::Unknown => &Value::Unknown,
        Value::List(elements) => elements.get(index).unwrap_or(&Value::Null),
        _ => &Value::Null,
    }
}

fn at_key<'a>(value: &'a Value, key: &str) -> &'a Value {
    match value {
        Value::Unknown => &Value::Unknown,
        Value::Map(elements) => elements.get(key).unwrap_or(&Value::Null),
        _ => &Value::Null,
    }
}

/// The element of a set that a planned element stems from: the first whose set attributes all agree.
/// Elements have no names, so this is the best that can be done.
fn counterpart<'a>(set: &'a Value, planned: &Value) -> &'a Value {
    match set {
        Value::Unknown => &Value::Unknown,
        Value::Set(elements) => elements
            .iter()
            .find(|element| agrees(element, planned))
            .unwrap_or(&Value::Null),
        _ => &Value::Null,
    }
}

fn agrees(element: &Value, planned: &Value) -> bool {
    match (element, planned) {
        (Value::Null, _) => true,
        (_, Value::Null) => true,
        (Value::Object(left), Value::Object(right)) => left.iter().all(|(name, value)| {
            right
                .get(name)
                .is_some_and(|planned| agrees(value, planned))
        }),
        (left, right) => left == right,
    }
}
