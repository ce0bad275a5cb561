//! One number of a JSON document.

use mlops_core::rollout::Answer;
use mlops_core::{Error, Result};
use serde_json::Value;

use crate::exchange::{self, Token};
use crate::trust::Trust;

pub(crate) async fn ask(
    trust: &Trust,
    address: &str,
    pointer: &str,
    token: Option<Token>,
) -> Result<Answer> {
    let received = exchange::get(trust, address, token).await?;
    if !received.status.is_success() {
        return Err(exchange::refusal(address, received.status, "address", ""));
    }
    let document: Value = serde_json::from_slice(&received.body)
        .map_err(|_| Error::invalid("the answer is not JSON").at("address"))?;
    read(&document, pointer)
}

/// What is not told: the rest of the document, in which there may be anything.
fn read(document: &Value, pointer: &str) -> Result<Answer> {
    let wrong = |what: &str| {
        Error::invalid(format!(
            "the answer has {what} at {pointer:?}, and one number is needed"
        ))
        .at("query")
    };
    let Some(found) = document.pointer(pointer) else {
        return Ok(Answer::Nothing(format!(
            "the answer has nothing at {pointer:?}"
        )));
    };
    let number = match found {
        Value::Null => None,
        Value::Number(number) => number.as_f64(),
        Value::String(text) => Some(text.trim().parse().map_err(|_| wrong("a text"))?),
        Value::Bool(_) => return Err(wrong("a truth value")),
        Value::Array(_) => return Err(wrong("a list")),
        Value::Object(_) => return Err(wrong("an object")),
    };
    Ok(match number.filter(|number| number.is_finite()) {
        Some(number) => Answer::Number(number),
        None => Answer::Nothing(format!("the answer has no finite number at {pointer:?}")),
    })
}
