//! `aws_ecr_lifecycle_policy_document`, which is no fake: the document is made as the provider makes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use tfplugin::value::Value;

/// The document of the configuration's rules.
pub(super) fn lifecycle_policy(fields: &BTreeMap<String, Value>) -> String {
    let rules = match fields.get("rule") {
        Some(Value::List(rules)) => rules.iter().map(rule).collect(),
        _ => Vec::new(),
    };
    json!({ "rules": rules }).to_string()
}

fn rule(block: &Value) -> Json {
    let mut written = members(
        block,
        &[("priority", "rulePriority"), ("description", "description")],
    );
    for (name, attributes) in [
        (
            "selection",
            &[
                ("tag_status", "tagStatus"),
                ("tag_pattern_list", "tagPatternList"),
                ("tag_prefix_list", "tagPrefixList"),
                ("count_type", "countType"),
                ("count_unit", "countUnit"),
                ("count_number", "countNumber"),
            ][..],
        ),
        ("action", &[("type", "type")][..]),
    ] {
        if let Value::List(blocks) = block.field(name)
            && let Some(block) = blocks.first()
        {
            written.insert(name.to_owned(), members(block, attributes).into());
        }
    }
    written.into()
}

fn members(block: &Value, attributes: &[(&str, &str)]) -> Map<String, Json> {
    let set = attributes
        .iter()
        .filter(|(name, _)| !block.field(name).is_null());
    set.map(|(name, member)| {
        (
            (*member).to_owned(),
            crate::transcript::json(block.field(name)),
        )
    })
    .collect()
}
