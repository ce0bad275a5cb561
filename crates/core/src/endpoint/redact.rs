//! What a user put into an environment, and what looks like a secret, goes into no journal, event, error or `--json`.

use serde_json::Value;

use super::spec::EndpointSpec;
use crate::redact::{self, STRUCK};

/// Shorter values are words and numbers that stand everywhere; striking them out would destroy a log and hide nothing.
const SHORTEST: usize = 6;

/// The values to strike out, the longest first.
pub(super) struct Redaction(Vec<String>);

impl Redaction {
    /// Of every environment in these specifications.
    pub(super) fn of<'a>(specs: impl IntoIterator<Item = &'a EndpointSpec>) -> Self {
        let variants = specs.into_iter().flat_map(|spec| spec.variants.values());
        let mut values: Vec<String> = variants
            .flat_map(|variant| variant.environment.values())
            .filter(|value| value.len() >= SHORTEST && value.parse::<f64>().is_err())
            .cloned()
            .collect();
        // A value that contains another is struck out as a whole.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values)
    }

    /// The text without them, and without what looks like a secret.
    pub(super) fn text(&self, text: String) -> String {
        let text = self
            .0
            .iter()
            .fold(text, |text, value| match text.contains(value.as_str()) {
                true => text.replace(value.as_str(), STRUCK),
                false => text,
            });
        redact::text(&text)
    }

    /// The document without them, in texts at any depth.
    pub(super) fn value(&self, value: Value) -> Value {
        redact::value(self.known(value))
    }

    fn known(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.known(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .into_iter()
                    .map(|(name, field)| (name, self.known(field)))
                    .collect(),
            ),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::saga::spec;
    use crate::endpoint::spec::RolloutSpec;

    fn redaction(values: &[&str]) -> Redaction {
        let mut spec = spec(1, RolloutSpec::default()).unwrap();
        let variant = spec.variants.values_mut().next().unwrap();
        for (i, value) in values.iter().enumerate() {
            variant
                .environment
                .insert(format!("V{i}"), (*value).to_owned());
        }
        Redaction::of([&spec])
    }

    #[test]
    fn every_place_of_a_value_is_struck_out_and_the_longer_value_first() {
        let redaction = redaction(&["hunter22", "hunter22-long"]);
        let text = redaction.text("a=hunter22 b=hunter22-long c=hunter22".to_owned());
        assert_eq!(text, "a=*** b=*** c=***");
    }

    #[test]
    fn evidence_loses_known_values_and_what_looks_like_a_secret() {
        let redaction = redaction(&["hunter22"]);
        let evidence = serde_json::json!({"log": ["a hunter22 b", {"password": "x y"}, 5]});
        let expected = serde_json::json!({"log": ["a *** b", {"password": "***"}, 5]});
        assert_eq!(redaction.value(evidence), expected);
    }

    #[test]
    fn words_and_numbers_stay_readable() {
        let redaction = redaction(&["", "true", "600000", "1.50000"]);
        let text = "true after 600000 of 1.50000";
        assert_eq!(redaction.text(text.to_owned()), text);
    }
}
