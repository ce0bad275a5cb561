use super::Violation;
use crate::path::{Path, Step};
use crate::value::Value;

/// Checks that `actual` is what `planned` promised: known values are the same, unknown ones are filled
/// in, nothing appears or goes.
///
/// It holds for a state after apply, and for a plan that is made a second time during apply.
pub fn completes(planned: &Value, actual: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    compare(planned, actual, &mut Path::root(), &mut found);
    found
}

fn compare(planned: &Value, actual: &Value, path: &mut Path, found: &mut Vec<Violation>) {
    let mut broken = |rule: &str| found.push(Violation::new(path, rule));
    match (planned, actual) {
        (Value::Unknown, _) => {}
        (Value::Null, Value::Null) => {}
        (Value::Null, _) => broken("it was planned null, and now has a value"),
        (_, Value::Null) => broken("it was planned to have a value, and now is null"),
        (_, Value::Unknown) => broken("it was planned known, and now is unknown"),
        (Value::List(planned), Value::List(actual))
        | (Value::Tuple(planned), Value::Tuple(actual)) => {
            if planned.len() != actual.len() {
                return broken("the number of elements is not the planned one");
            }
            for (index, (planned, actual)) in planned.iter().zip(actual).enumerate() {
                path.push(Step::Index(index as u64));
                compare(planned, actual, path, found);
                path.pop();
            }
        }
        (Value::Map(planned), Value::Map(actual)) => {
            if !planned.keys().eq(actual.keys()) {
                return broken("the keys are not the planned ones");
            }
            for ((key, planned), actual) in planned.iter().zip(actual.values()) {
                path.push(Step::Key(key.clone()));
                compare(planned, actual, path, found);
                path.pop();
            }
        }
        (Value::Object(planned), Value::Object(actual)) => {
            for (name, planned) in planned {
                path.push(name.as_str().into());
                compare(
                    planned,
                    actual.get(name).unwrap_or(&Value::Null),
                    path,
                    found,
                );
                path.pop();
            }
        }
        (Value::Set(planned), Value::Set(actual)) => {
            if planned.len() < actual.len() {
                return broken("the set has grown");
            }
            let matches = |planned: &Value, actual: &Value| {
                let mut unequal = Vec::new();
                compare(planned, actual, &mut Path::root(), &mut unequal);
                unequal.is_empty()
            };
            if !planned
                .iter()
                .all(|planned| actual.iter().any(|actual| matches(planned, actual)))
            {
                broken("a planned element of the set is missing");
            } else if !actual
                .iter()
                .all(|actual| planned.iter().any(|planned| matches(planned, actual)))
            {
                broken("the set has an element that was not planned");
            }
        }
        (planned, actual) if planned == actual => {}
        _ => broken("it was planned with another value"),
    }
}
