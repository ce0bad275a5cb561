//! The record of everything that was planned, applied and read: one JSON document in a line.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value as Json, json};
use tfplugin::schema::{AttributeType, Block, Nested};
use tfplugin::value::Value;

/// A file that lines are appended to; nothing is recorded without one.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    provider: String,
    file: Option<PathBuf>,
}

impl Transcript {
    /// The transcript of this provider, in the file that `TFPLUGIN_STUB_TRANSCRIPT` names.
    pub(crate) fn of(provider: &str) -> Self {
        let file = std::env::var_os("TFPLUGIN_STUB_TRANSCRIPT").filter(|file| !file.is_empty());
        Self {
            provider: provider.to_owned(),
            file: file.map(PathBuf::from),
        }
    }

    /// Records what happened to an object, and in the realizing mode whether it happened to a real one. Sensitive
    /// values are not written.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn record(
        &self,
        event: &str,
        type_name: &str,
        block: &Block,
        object: &Value,
        realized: Option<bool>,
    ) -> std::io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut line = json!({
            "provider": self.provider,
            "event": event,
            "type": type_name,
            "object": in_block(block, object),
        });
        if let Some(realized) = realized {
            line["realized"] = realized.into();
        }
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        // One write, so that lines of several providers do not mix.
        file.write_all(format!("{line}\n").as_bytes())
    }
}

fn in_block(block: &Block, value: &Value) -> Json {
    let Value::Object(fields) = value else {
        return json(value);
    };
    let mut written = serde_json::Map::new();
    for (name, attribute) in block.attributes() {
        let value = fields.get(name).unwrap_or(&Value::Null);
        let value = match attribute.of() {
            _ if value.is_null() => Json::Null,
            _ if attribute.is_sensitive() || attribute.is_write_only() => "(sensitive)".into(),
            AttributeType::Plain(_) => json(value),
            AttributeType::Nested(_, nested) => each(value, &|value| in_nested(nested, value)),
        };
        written.insert(name.to_owned(), value);
    }
    for (name, nested) in block.blocks() {
        let value = fields.get(name).unwrap_or(&Value::Null);
        written.insert(
            name.to_owned(),
            each(value, &|value| in_block(nested.block(), value)),
        );
    }
    Json::Object(written)
}

fn in_nested(nested: &Nested, value: &Value) -> Json {
    let block = nested
        .attributes()
        .fold(Block::new(), |block, (name, attribute)| {
            block.attribute(name, attribute.clone())
        });
    in_block(&block, value)
}

fn each(value: &Value, write: &dyn Fn(&Value) -> Json) -> Json {
    match value {
        Value::List(elements) | Value::Set(elements) => elements.iter().map(write).collect(),
        Value::Map(elements) => Json::Object(
            elements
                .iter()
                .map(|(key, value)| (key.clone(), write(value)))
                .collect(),
        ),
        value => write(value),
    }
}

/// A value as JSON; what is not known yet says so, as Terraform does.
pub(crate) fn json(value: &Value) -> Json {
    match value {
        Value::Unknown => "(known after apply)".into(),
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (
            number.as_i64(),
            serde_json::Number::from_f64(number.to_f64()),
        ) {
            (Some(whole), _) => whole.into(),
            (None, Some(number)) => number.into(),
            (None, None) => Json::Null,
        },
        Value::String(text) => text.clone().into(),
        Value::List(elements) | Value::Set(elements) | Value::Tuple(elements) => {
            elements.iter().map(json).collect()
        }
        Value::Map(elements) | Value::Object(elements) => Json::Object(
            elements
                .iter()
                .map(|(key, value)| (key.clone(), json(value)))
                .collect(),
        ),
    }
}
