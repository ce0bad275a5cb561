//! What a variant's `environment` may say on ECS: bounds of the server, and variables of the container.

use std::collections::BTreeMap;

use mlops_core::serving::{RevisionLimits, TASK_VARIABLE};
use mlops_core::{Error, Result};

/// Tells the server's own client of S3 where it is.
pub(super) const REGION: &str = "AWS_REGION";
/// What ECS itself sets in a container.
const OF_ECS: [&str; 2] = ["AWS_CONTAINER_", "ECS_"];
/// Bounds of the server begin with it; they are in the task's configuration.
const BOUNDS: &str = "MLOPS_MAX_";

/// The bounds that `environment` sets.
///
/// # Errors
/// `Invalid` for a bound that is none, and for a variable that is not the user's to set.
pub(super) fn limits(environment: &BTreeMap<String, String>) -> Result<RevisionLimits> {
    for name in environment.keys() {
        let whose = if name.starts_with(TASK_VARIABLE) || name == REGION {
            "this provider"
        } else if OF_ECS.iter().any(|prefix| name.starts_with(prefix)) {
            "ECS"
        } else {
            continue;
        };
        return Err(Error::invalid(format!(
            "{name} is set by {whose}; take it out of environment"
        )));
    }
    let bounds = environment
        .iter()
        .filter(|(name, _)| is_bound(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    RevisionLimits::from_environment(&bounds)
}

/// What the container gets as it is.
pub(super) fn passed(environment: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    environment
        .iter()
        .filter(|(name, _)| !is_bound(name))
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

fn is_bound(name: &str) -> bool {
    name.starts_with(BOUNDS) || name == RevisionLimits::TIMEOUT_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn bounds_are_read_and_everything_else_is_passed_on() {
        let environment = environment(&[
            ("MLOPS_MAX_QUEUE", "3"),
            ("MLOPS_TIMEOUT_MS", "250"),
            ("RUST_LOG", "debug"),
            ("AWS_ENDPOINT_URL_S3", "http://s3"),
        ]);
        let limits = limits(&environment).expect("legal");
        assert_eq!((limits.max_queue, limits.timeout_ms), (3, 250));
        let passed: Vec<_> = passed(&environment).collect();
        assert_eq!(
            passed,
            [("AWS_ENDPOINT_URL_S3", "http://s3"), ("RUST_LOG", "debug")]
        );
    }

    #[test]
    fn a_variable_that_others_set_is_refused_and_no_value_is_shown() {
        for (name, said) in [
            ("MLOPS_TASK", "this provider"),
            ("MLOPS_TASK_MODELS", "this provider"),
            ("AWS_REGION", "this provider"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "ECS"),
            ("ECS_CONTAINER_METADATA_URI_V4", "ECS"),
            ("MLOPS_MAX_EVERYTHING", "reads no variable"),
            ("MLOPS_MAX_QUEUE", "not a whole number"),
        ] {
            let error = limits(&environment(&[(name, "hunter2")])).expect_err(name);
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(said), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
