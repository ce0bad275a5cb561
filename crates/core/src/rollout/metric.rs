//! What a version's metric is called in an analysis by the registry.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The name of a metric of model versions. The registry takes any; none that a person writes is empty, or begins or ends with a space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetricName(String);

impl MetricName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for MetricName {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Err(Error::invalid(format!(
                "{name:?} is not the name of a metric that a version can have in the registry, such as accuracy: {why}"
            )))
        };
        if name.trim().is_empty() {
            return wrong("it is empty");
        }
        if name.trim() != name || name.contains(char::is_control) {
            return wrong("leave out spaces around it, and line breaks");
        }
        if name.contains("{{") {
            return wrong(
                "nothing is put in for {{ }} here, since the metric is that of the candidate's own version, and for baseline that of the old one",
            );
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for MetricName {
    type Error = Error;
    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<MetricName> for String {
    fn from(name: MetricName) -> Self {
        name.0
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_metric_has_is_refused() {
        for good in ["accuracy", "val/f1@10", "macro F1"] {
            assert_eq!(good.parse::<MetricName>().unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", "it is empty"),
            (" ", "it is empty"),
            (" accuracy", "leave out spaces around it"),
            ("accu\nracy", "line breaks"),
            ("accuracy_{{revision}}", "nothing is put in for {{ }}"),
        ] {
            let refused = bad.parse::<MetricName>().unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
