//! What a user put into an environment does not go into the event log.

use super::spec::EndpointSpec;

/// Shorter values are words and numbers that stand everywhere; striking them out would destroy a log and hide nothing.
const SHORTEST: usize = 6;
const STRUCK: &str = "[redacted]";

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

    /// The text without them.
    pub(super) fn text(&self, text: String) -> String {
        self.0
            .iter()
            .fold(text, |text, value| match text.contains(value.as_str()) {
                true => text.replace(value.as_str(), STRUCK),
                false => text,
            })
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
        assert_eq!(text, "a=[redacted] b=[redacted] c=[redacted]");
    }

    #[test]
    fn words_and_numbers_stay_readable() {
        let redaction = redaction(&["", "true", "600000", "1.50000"]);
        let text = "true after 600000 of 1.50000";
        assert_eq!(redaction.text(text.to_owned()), text);
    }
}
