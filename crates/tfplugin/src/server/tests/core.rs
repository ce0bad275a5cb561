//! The part of Terraform core that stands between a configuration and a plan request.

use std::collections::BTreeMap;

use crate::schema::{Attribute, AttributeType, Block, Nesting};
use crate::value::Value;

/// What core proposes: the configuration, with the prior value where a computed attribute is not set.
pub(super) fn proposed_new(block: &Block, config: &Value, prior: &Value) -> Value {
    let Value::Object(fields) = config else {
        return config.clone();
    };
    let mut proposed = fields.clone();
    for (name, attribute) in block.attributes() {
        proposed.insert(
            name.to_owned(),
            proposed_attribute(attribute, config.field(name), prior.field(name)),
        );
    }
    for (name, nested) in block.blocks() {
        let (config, prior) = (config.field(name), prior.field(name));
        let object = |config: &Value, prior: &Value| proposed_new(nested.block(), config, prior);
        proposed.insert(
            name.to_owned(),
            proposed_elements(nested.nesting(), config, prior, &object),
        );
    }
    Value::Object(proposed)
}

fn proposed_attribute(attribute: &Attribute, config: &Value, prior: &Value) -> Value {
    match (config, attribute.of()) {
        (Value::Null, _) if attribute.is_computed() => prior.clone(),
        (_, AttributeType::Plain(_)) => config.clone(),
        (_, AttributeType::Nested(nesting, nested)) => {
            let object = |config: &Value, prior: &Value| {
                let Value::Object(fields) = config else {
                    return config.clone();
                };
                let mut proposed = fields.clone();
                for (name, attribute) in nested.attributes() {
                    let value =
                        proposed_attribute(attribute, config.field(name), prior.field(name));
                    proposed.insert(name.to_owned(), value);
                }
                Value::Object(proposed)
            };
            proposed_elements(*nesting, config, prior, &object)
        }
    }
}

fn proposed_elements(
    nesting: Nesting,
    config: &Value,
    prior: &Value,
    object: &dyn Fn(&Value, &Value) -> Value,
) -> Value {
    match (nesting, config) {
        (Nesting::Single, config) => object(config, prior),
        (Nesting::List, Value::List(elements)) => {
            let prior = |index: usize| match prior {
                Value::List(prior) => prior.get(index).unwrap_or(&Value::Null),
                _ => &Value::Null,
            };
            Value::List(
                elements
                    .iter()
                    .enumerate()
                    .map(|(index, config)| object(config, prior(index)))
                    .collect(),
            )
        }
        (Nesting::Map, Value::Map(elements)) => {
            let none = BTreeMap::new();
            let prior = match prior {
                Value::Map(prior) => prior,
                _ => &none,
            };
            Value::map(elements.iter().map(|(key, config)| {
                (
                    key.as_str(),
                    object(config, prior.get(key).unwrap_or(&Value::Null)),
                )
            }))
        }
        // Without a name to find it by, core looks for an element that agrees; new is close enough.
        (Nesting::Set, Value::Set(elements)) => {
            Value::set(elements.iter().map(|config| object(config, &Value::Null)))
        }
        (_, config) => config.clone(),
    }
}
