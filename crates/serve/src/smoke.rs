//! Golden requests: asked of one revision before it gets weight.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mlops_core::serving::{SmokeReport, SmokeRequest};
use serde_json::{Value, json};

use crate::predict::{Ask, Kind, answer};
use crate::revision::{Accepted, Revision, Traffic};

/// Numbers differ if they are further apart than this part of the greater one (or of 1).
const TOLERANCE: f64 = 1e-4;

pub(crate) async fn run(revision: &Arc<Revision>, asked: &SmokeRequest) -> SmokeReport {
    let accepted = Accepted::new(Arc::clone(revision), Traffic::Live);
    let began = Instant::now();
    let question = ask(revision, &asked.inputs);
    let reply = answer(&accepted.revision, &question, began, None).await;
    let duration_micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    let mismatch = if reply.status != 200 {
        let said = body
            .get("error")
            .or(body.get("message"))
            .and_then(Value::as_str)
            .unwrap_or("no reason given");
        Some(format!("answered {}: {said}", reply.status))
    } else {
        asked.expect.as_ref().and_then(|expect| {
            let found = if expect.is_array() {
                values(revision, &body)
            } else {
                &body
            };
            differs("answer", expect, found)
        })
    };
    SmokeReport {
        passed: mismatch.is_none(),
        status: reply.status,
        answer: body,
        mismatch,
        duration_micros,
    }
}

fn ask(revision: &Revision, inputs: &Value) -> Ask {
    let is_infer = inputs["inputs"]
        .as_array()
        .is_some_and(|i| !i.is_empty() && i.iter().all(|t| t["name"].is_string()));
    let (kind, body) = match inputs {
        Value::Array(_) => (Kind::Invocations, json!({"instances": inputs})),
        object if is_infer => (
            Kind::Infer {
                model: revision.spec.model.clone(),
                header_length: None,
            },
            object.clone(),
        ),
        object => (Kind::Invocations, object.clone()),
    };
    Ask {
        kind,
        body: Bytes::from(body.to_string()),
    }
}

/// What a bare list is compared with: the predictions, or those of the first output.
fn values<'a>(revision: &Revision, body: &'a Value) -> &'a Value {
    let first = revision
        .engine()
        .and_then(|e| e.signature().outputs.first())
        .map_or("", |o| &o.name);
    match &body["predictions"] {
        Value::Null => &body["outputs"][0]["data"],
        Value::Object(by_name) => by_name.get(first).unwrap_or(&Value::Null),
        list => list,
    }
}

/// Where `found` lacks what is expected; `None` if it contains it.
fn differs(at: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().find_map(|(key, value)| {
                let at = format!("{at}.{key}");
                found.get(key).map_or_else(
                    || Some(format!("{at} is missing")),
                    |found| differs(&at, value, found),
                )
            })
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => expected
            .iter()
            .zip(found)
            .enumerate()
            .find_map(|(i, (expected, found))| differs(&format!("{at}[{i}]"), expected, found)),
        (Value::Array(expected), Value::Array(found)) => Some(format!(
            "{at} has {} items, expected {}",
            found.len(),
            expected.len()
        )),
        (Value::Number(e), Value::Number(f)) => {
            let (Some(a), Some(b)) = (e.as_f64(), f.as_f64()) else {
                return (e != f).then(|| format!("{at} is {found}, expected {expected}"));
            };
            let scale = a.abs().max(b.abs()).max(1.0);
            ((a - b).abs() > TOLERANCE * scale)
                .then(|| format!("{at} is {found}, expected {expected}"))
        }
        _ => (expected != found).then(|| format!("{at} is {found}, expected {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_hold_more_than_is_expected_but_not_less() {
        let answer = json!({"predictions": [{"label": 3, "p": 0.5}], "more": 1});
        let check = |expected: Value| differs("answer", &expected, &answer);
        assert_eq!(check(json!({"predictions": [{"label": 3}]})), None);
        assert_eq!(check(json!({"predictions": [{"p": 0.50004}]})), None);
        assert_eq!(
            check(json!({"predictions": [{"label": 4}]})).unwrap(),
            "answer.predictions[0].label is 3, expected 4"
        );
        assert_eq!(
            check(json!({"predictions": []})).unwrap(),
            "answer.predictions has 1 items, expected 0"
        );
        assert_eq!(
            check(json!({"labels": []})).unwrap(),
            "answer.labels is missing"
        );
    }
}
