//! `aws_iam_policy_document`, which is no fake: the document is made as the provider makes it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};
use tfplugin::value::Value;
use tfplugin::{Diagnostic, Diagnostics};

/// A document, with its members in the order in which they are written.
#[derive(Serialize)]
struct Document {
    #[serde(rename = "Version")]
    version: String,
    #[serde(rename = "Id", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "Statement")]
    statements: Vec<Json>,
}

/// The document that the configuration describes, as it is and without white space.
///
/// # Errors
/// If a source or override document is no policy document, or two source documents have a statement of one sid.
pub(crate) fn render(fields: &BTreeMap<String, Value>) -> Result<(String, String), Diagnostics> {
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let mut statements = Vec::new();
    for source in documents(fields, "source_policy_documents")? {
        for statement in source {
            if let Some(sid) = sid(&statement)
                && statements.iter().any(|known| self::sid(known) == Some(sid))
            {
                return Err(Diagnostic::error(
                    "Statements of one sid",
                    format!("Two of source_policy_documents have a statement {sid:?}. Use override_policy_documents to replace one."),
                )
                .at("source_policy_documents")
                .into());
            }
            statements.push(statement);
        }
    }
    let own = match fields.get("statement") {
        Some(Value::List(statements)) => statements.iter().map(statement).collect(),
        _ => Vec::new(),
    };
    let overriding = documents(fields, "override_policy_documents")?
        .into_iter()
        .flatten();
    for statement in own.into_iter().chain(overriding) {
        let same = sid(&statement).and_then(|sid| {
            statements
                .iter()
                .position(|known| self::sid(known) == Some(sid))
        });
        match same {
            Some(at) => statements[at] = statement,
            None => statements.push(statement),
        }
    }
    let document = Document {
        version: text("version").unwrap_or("2012-10-17").to_owned(),
        id: text("policy_id").map(str::to_owned),
        statements,
    };
    let broken = |error: serde_json::Error| Diagnostics::from(Diagnostic::bug(error));
    let pretty = serde_json::to_string_pretty(&document).map_err(broken)?;
    let minified = serde_json::to_string(&document).map_err(broken)?;
    Ok((pretty, minified))
}

/// Ten digits that stand for a document.
pub(crate) fn checksum(document: &str) -> String {
    let digest = Sha256::digest(document.as_bytes());
    let number = digest
        .iter()
        .take(4)
        .fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    number.to_string()
}

fn sid(statement: &Json) -> Option<&str> {
    statement.get("Sid")?.as_str().filter(|sid| !sid.is_empty())
}

/// The statements of each of several documents.
fn documents(fields: &BTreeMap<String, Value>, name: &str) -> Result<Vec<Vec<Json>>, Diagnostics> {
    let Some(Value::List(documents)) = fields.get(name) else {
        return Ok(Vec::new());
    };
    let texts = documents
        .iter()
        .filter_map(Value::as_str)
        .filter(|text| !text.is_empty());
    texts
        .map(|text| {
            let document: Json = serde_json::from_str(text).map_err(|error| {
                Diagnostic::error(
                    "Not a policy document",
                    format!("An element of {name} is no JSON document: {error}."),
                )
                .at(name)
            })?;
            Ok(match document.get("Statement") {
                Some(Json::Array(statements)) => statements.clone(),
                Some(statement) => vec![statement.clone()],
                None => Vec::new(),
            })
        })
        .collect()
}

fn statement(block: &Value) -> Json {
    let mut written = Map::new();
    if let Some(sid) = block.field("sid").as_str().filter(|sid| !sid.is_empty()) {
        written.insert("Sid".into(), sid.into());
    }
    let effect = block.field("effect").as_str().unwrap_or("Allow");
    written.insert("Effect".into(), effect.into());
    for (attribute, key) in [
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ] {
        if let Some(values) = one_or_many(block.field(attribute)) {
            written.insert(key.into(), values);
        }
    }
    for (attribute, key) in [
        ("principals", "Principal"),
        ("not_principals", "NotPrincipal"),
    ] {
        if let Value::Set(blocks) = block.field(attribute)
            && !blocks.is_empty()
        {
            written.insert(key.into(), principals(blocks));
        }
    }
    if let Value::Set(blocks) = block.field("condition")
        && !blocks.is_empty()
    {
        let mut tests: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
        for block in blocks {
            let (Some(test), Some(variable)) = (
                block.field("test").as_str(),
                block.field("variable").as_str(),
            ) else {
                continue;
            };
            // A condition's values are a list in the schema, and keep their order.
            let values = one_or_many(block.field("values")).unwrap_or_else(|| json!([]));
            tests
                .entry(test)
                .or_default()
                .insert(variable.into(), values);
        }
        written.insert("Condition".into(), json!(tests));
    }
    Json::Object(written)
}

/// `"*"` for everybody, else the identifiers by type.
fn principals(blocks: &[Value]) -> Json {
    let mut types: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for block in blocks {
        let of = block.field("type").as_str().unwrap_or_default();
        let Value::Set(identifiers) = block.field("identifiers") else {
            continue;
        };
        let identifiers = identifiers
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned);
        types.entry(of).or_default().extend(identifiers);
    }
    if types
        .get("*")
        .is_some_and(|identifiers| identifiers.iter().any(|one| one == "*"))
    {
        return "*".into();
    }
    let written = types.into_iter().map(|(of, mut identifiers)| {
        identifiers.sort_by(|one, other| other.cmp(one));
        (of.to_owned(), single(identifiers))
    });
    Json::Object(written.collect())
}

/// A value alone where there is one; sets in the provider's order, which is descending.
fn one_or_many(values: &Value) -> Option<Json> {
    let (mut texts, sorted): (Vec<String>, bool) = match values {
        Value::Set(values) => (
            values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            true,
        ),
        Value::List(values) => (
            values
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            false,
        ),
        _ => return None,
    };
    if sorted {
        texts.reverse();
    }
    (!texts.is_empty()).then(|| single(texts))
}

fn single(mut texts: Vec<String>) -> Json {
    if texts.len() == 1 {
        texts.remove(0).into()
    } else {
        json!(texts)
    }
}
