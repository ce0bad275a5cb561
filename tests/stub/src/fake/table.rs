//! `facts/fakes.txt`, read once.

use std::collections::HashMap;
use std::sync::OnceLock;

use tfplugin::types::Type;
use tfplugin::value::Value;

type Table = HashMap<&'static str, HashMap<&'static str, &'static str>>;

/// The template for an attribute of a type, if there is one.
pub(crate) fn template(kind: &str, attribute: &str) -> Option<&'static str> {
    table().get(kind)?.get(attribute).copied()
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let lines = include_str!("../../facts/fakes.txt").lines();
        let rows = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        rows.filter_map(|line| {
            let (kind, rest) = line.split_once(' ')?;
            Some((
                kind,
                rest.split(' ')
                    .filter_map(|word| word.split_once('='))
                    .collect(),
            ))
        })
        .collect()
    })
}

/// A template's text as a value of the attribute's type.
pub(crate) fn typed(of: &Type, text: String) -> Value {
    match of {
        Type::Number => text.parse().map_or(Value::Null, Value::Number),
        Type::Bool => Value::Bool(text == "true"),
        _ => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;

    #[test]
    fn every_type_of_aws_has_a_row_for_its_id_and_its_arn() {
        let (facts, _) = Facts::about("aws").unwrap();
        let mut missing = Vec::new();
        for (name, entry) in &facts.resource_schemas {
            for attribute in ["id", "arn"] {
                let computed = entry
                    .block
                    .attributes
                    .get(attribute)
                    .is_some_and(|facts| facts.computed);
                if computed && template(name, attribute).is_none() {
                    missing.push(format!("{name} {attribute}"));
                }
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn every_row_is_about_an_attribute_that_a_facts_file_knows() {
        let mut wrong = Vec::new();
        let all: Vec<_> = Facts::names()
            .map(|name| Facts::about(name).unwrap().0)
            .collect();
        for (kind, row) in table() {
            let entry = all
                .iter()
                .find_map(|facts| match kind.strip_prefix("data.") {
                    Some(name) => facts.data_source_schemas.get(name),
                    None => facts.resource_schemas.get(*kind),
                });
            let Some(entry) = entry else {
                wrong.push((*kind).to_owned());
                continue;
            };
            let attributes = &entry.block.attributes;
            for (attribute, template) in row {
                if !attributes
                    .get(*attribute)
                    .is_some_and(|facts| facts.computed)
                {
                    wrong.push(format!("{kind} {attribute}, which is not computed"));
                }
                for name in template
                    .split('{')
                    .skip(1)
                    .filter_map(|part| part.split('}').next())
                {
                    let made = [
                        "region",
                        "account",
                        "lb_kind",
                        "partition",
                        "uuid",
                        "hex",
                        "digits",
                        "upper",
                        "lower",
                    ];
                    let made = made
                        .iter()
                        .any(|made| name.trim_end_matches(|c: char| c.is_ascii_digit()) == *made);
                    let name = name.split('>').next().unwrap_or(name);
                    if !made && !attributes.contains_key(name) {
                        wrong.push(format!("{kind} {attribute}: no attribute {name}"));
                    }
                }
            }
        }
        wrong.sort();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
