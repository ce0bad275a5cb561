//! Every resource of every provider can be planned and applied, with what it requires and with all that it takes, and
//! leaves nothing to plan.

use std::fs;
use std::path::Path;

use crate::host::Root;
use regex::Regex;
use serde_json::{Map, Value, json};

/// Texts to try, until one meets the rules.
const TEXTS: [&str; 17] = [
    "a",
    "abc",
    "g-0123456789",
    "o-0123456789",
    "123456789012",
    "us-east-1",
    "/a",
    "/",
    "arn:aws:iam::123456789012:role/a",
    "arn:aws:sqs:us-east-1:123456789012:abc",
    "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/abcdefgh-abcdef",
    "arn:aws:events:us-east-1:123456789012:connection/a/00000000-0000-4000-8000-000000000000",
    "aws.partner/a/b",
    "fs-0123456789abcdef0",
    "lambda:InvokeFunction",
    "https://example.com/",
];

/// A text that the rules allow, if one is known.
fn text(rules: &Value) -> Option<Value> {
    if let Some(word) = rules["enum"].get(0) {
        return Some(word.clone());
    }
    let pattern = rules["pattern"]
        .as_str()
        .map(|pattern| Regex::new(&format!("^(?:{pattern})$")).expect("a pattern"));
    let length = |at: usize, or: u64| {
        rules["length"]
            .get(at)
            .and_then(Value::as_u64)
            .unwrap_or(or)
    };
    let long = "a".repeat(usize::try_from(length(0, 1)).expect("a length"));
    let candidates = TEXTS.into_iter().chain([long.as_str()]);
    let fits = |text: &&str| {
        let count = text.chars().count() as u64;
        count >= length(0, 0)
            && count <= length(1, u64::MAX)
            && pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(text))
    };
    candidates.into_iter().find(fits).map(Value::from)
}

/// A value of a type, if one is known that the rules allow.
fn value(of: &Value, rules: &Value) -> Option<Value> {
    match of {
        Value::String(kind) => match kind.as_str() {
            "bool" => Some(true.into()),
            "number" => {
                let least = rules["numbers"]
                    .get(0)
                    .or(rules["range"].get(0))
                    .and_then(Value::as_i64);
                let most = rules["range"].get(1).and_then(Value::as_i64);
                Some(least.or(most).unwrap_or(1).into())
            }
            "dynamic" => Some(json!({"kind": "a"})),
            _ => text(rules),
        },
        Value::Array(parts) => match parts[0].as_str() {
            Some("map") => Some(json!({"key": value(&parts[1], &Value::Null)?})),
            Some("object") => {
                let fields = parts[1].as_object()?.iter();
                fields
                    .map(|(name, of)| Some((name.clone(), value(of, &Value::Null)?)))
                    .collect::<Option<Map<_, _>>>()
                    .map(Value::Object)
            }
            _ => Some(json!([value(&parts[1], &rules["each"])?])),
        },
        _ => None,
    }
}

fn nested(of: &Value, everything: bool) -> Option<Value> {
    let object = block(of, everything)?;
    Some(match of["nesting_mode"].as_str()? {
        "single" => object,
        "map" => json!({"key": object}),
        _ => json!([object]),
    })
}

/// A block with what it requires, or with everything. `None` if there is no value for something that it requires.
fn block(of: &Value, everything: bool) -> Option<Value> {
    let mut written = Map::new();
    for (name, of) in of["attributes"].as_object().into_iter().flatten() {
        let required = of["required"] == true;
        // An id that is set is no use; a write-only attribute is never stored, and its version is.
        if !(required
            || everything && of["optional"] == true && name != "id" && of["write_only"] != true)
        {
            continue;
        }
        let made = match of.get("nested_type") {
            Some(inner) => nested(inner, everything),
            None if name == "arn" => Some("arn:aws:sqs:us-east-1:123456789012:abc".into()),
            None => value(&of["type"], &of["rules"]),
        };
        match made {
            Some(made) => drop(written.insert(name.clone(), made)),
            None if required => return None,
            None => {}
        }
    }
    for (name, of) in of["block_types"].as_object().into_iter().flatten() {
        let needed = of["min_items"].as_u64().unwrap_or(0);
        if needed == 0 && !everything {
            continue;
        }
        let mut inner = of["block"].clone();
        inner["nesting_mode"] = of["nesting_mode"].clone();
        match nested(&inner, everything) {
            Some(Value::Array(blocks)) => {
                let repeated = blocks
                    .iter()
                    .cycle()
                    .take(usize::try_from(needed.max(1)).ok()?)
                    .cloned();
                written.insert(name.clone(), repeated.collect());
            }
            Some(made) => drop(written.insert(name.clone(), made)),
            None if needed > 0 => return None,
            None => {}
        }
    }
    Some(Value::Object(written))
}

/// One of each resource, or of each data source, of all providers; how many that are, and what there is none of.
fn configuration(kind: &str, everything: bool) -> (Map<String, Value>, usize, Vec<String>) {
    let (mut resources, mut count, mut left_out) = (Map::new(), 0, Vec::new());
    for provider in [
        "archive",
        "aws",
        "helm",
        "kubernetes",
        "null",
        "random",
        "time",
        "tls",
    ] {
        let facts = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("facts/{provider}.json"));
        let facts: Value =
            serde_json::from_str(&fs::read_to_string(facts).expect("a facts file")).expect("JSON");
        for (name, of) in facts[kind].as_object().into_iter().flatten() {
            let Some(of) = block(&of["block"], everything) else {
                left_out.push(name.clone());
                continue;
            };
            resources.insert(name.clone(), json!({"it": of}));
            count += 1;
        }
    }
    (resources, count, left_out)
}

fn applied_whole(test: &str, everything: bool) {
    let Some(root) = Root::of(test, "schemas") else {
        return;
    };
    let (resources, count, left_out) = configuration("resource_schemas", everything);
    assert!(
        left_out.is_empty(),
        "no configuration is known for {left_out:?}"
    );
    fs::write(
        root.path("all.tf.json"),
        json!({"resource": resources}).to_string(),
    )
    .expect("a writable directory");
    root.apply();
    let created = root
        .transcript()
        .iter()
        .filter(|line| line["event"] == "create")
        .count();
    assert_eq!(created, count);
    root.succeeds(&["plan", "-input=false", "-detailed-exitcode"]);
}

#[test]
fn every_resource_with_what_it_requires_is_applied_and_leaves_nothing_to_plan() {
    applied_whole(
        "every_resource_with_what_it_requires_is_applied_and_leaves_nothing_to_plan",
        false,
    );
}

#[test]
fn every_resource_with_all_that_it_takes_is_applied_and_leaves_nothing_to_plan() {
    applied_whole(
        "every_resource_with_all_that_it_takes_is_applied_and_leaves_nothing_to_plan",
        true,
    );
}

#[test]
fn every_data_source_finds_what_it_is_asked_for() {
    let Some(root) = Root::of("every_data_source_finds_what_it_is_asked_for", "schemas") else {
        return;
    };
    let (sources, count, left_out) = configuration("data_source_schemas", false);
    assert!(
        left_out.is_empty(),
        "no configuration is known for {left_out:?}"
    );
    fs::write(
        root.path("all.tf.json"),
        json!({"data": sources}).to_string(),
    )
    .expect("a writable directory");
    root.apply();
    let state = root.json(&["show", "-json"]);
    let found = state["values"]["root_module"]["resources"]
        .as_array()
        .map(Vec::len);
    assert_eq!(found, Some(count));
}
