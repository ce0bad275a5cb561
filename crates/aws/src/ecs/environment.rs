//! What a variant's `environment` and `secrets` may say on ECS: bounds of the server, and variables of the container.

use std::collections::BTreeMap;

use mlops_core::endpoint::spec::VariantSpec;
use mlops_core::serving::{RevisionLimits, TASK_VARIABLE};
use mlops_core::{Error, Result};

/// Tells the server's own client of S3 where it is.
pub(super) const REGION: &str = "AWS_REGION";
/// What ECS itself sets in a container.
const OF_ECS: [&str; 2] = ["AWS_CONTAINER_", "ECS_"];
/// Bounds of the server begin with it; they are in the task's configuration.
const BOUNDS: &str = "MLOPS_MAX_";

/// What is wrong with the variables of a variant, each with its attribute. An image of the user's gets nothing from this provider, so
/// that only what ECS sets is not the user's.
pub(super) fn problems(variant: &VariantSpec) -> Vec<(&'static str, Error)> {
    let mut variables = variant.environment.keys();
    let mut secrets = variant.container.secrets.keys();
    let (environment, secrets) = match variant.workload.served() {
        Some(_) => (
            limits(&variant.environment).map(drop),
            secrets.try_for_each(|name| secret(name)),
        ),
        None => (
            variables.try_for_each(|name| free(name, false, "environment")),
            secrets.try_for_each(|name| free(name, false, "secrets")),
        ),
    };
    let both = [("environment", environment), ("secrets", secrets)];
    both.into_iter()
        .filter_map(|(attribute, checked)| Some((attribute, checked.err()?)))
        .collect()
}

/// Whether a secret may have this name beside the model server.
fn secret(name: &str) -> Result<()> {
    free(name, true, "secrets")?;
    if is_bound(name) {
        return Err(Error::invalid(format!(
            "{name} is a setting of the model server and no secret; set it in environment"
        )));
    }
    Ok(())
}

/// Whether the variable is the user's to set.
fn free(name: &str, runs_server: bool, attribute: &str) -> Result<()> {
    let whose = if runs_server && (name.starts_with(TASK_VARIABLE) || name == REGION) {
        "this provider"
    } else if OF_ECS.iter().any(|prefix| name.starts_with(prefix)) {
        "ECS"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!(
        "{name} is set by {whose}; take it out of {attribute}"
    )))
}

/// The bounds that `environment` sets for the model server.
///
/// # Errors
/// `Invalid` for a bound that is none, and for a variable that is not the user's to set.
pub(super) fn limits(environment: &BTreeMap<String, String>) -> Result<RevisionLimits> {
    for name in environment.keys() {
        free(name, true, "environment")?;
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

    fn variant(json: serde_json::Value) -> VariantSpec {
        serde_json::from_value(json).expect("a variant")
    }

    #[test]
    fn an_image_has_all_variables_but_those_of_ecs_and_no_secret_hides_a_setting() {
        let said = |variant: &VariantSpec| -> Vec<String> {
            let told = problems(variant).into_iter();
            told.map(|(attribute, error)| format!("{attribute}: {error}"))
                .collect()
        };
        let mut image = variant(serde_json::json!({
            "image": "example.com/server@sha256:0", "traffic": 100.0,
            "environment": { "MLOPS_TASK": "x", "MLOPS_MAX_QUEUE": "many", "AWS_REGION": "eu-west-1" },
            "container": { "secrets": { "MLOPS_TIMEOUT_MS": "arn" } },
        }));
        assert_eq!(said(&image), Vec::<String>::new());
        let own = "ECS_CONTAINER_METADATA_URI";
        (image.environment).insert(own.to_owned(), "x".to_owned());
        (image.container.secrets).insert(own.to_owned(), "arn".to_owned());
        assert_eq!(
            said(&image),
            [
                format!("environment: {own} is set by ECS; take it out of environment"),
                format!("secrets: {own} is set by ECS; take it out of secrets"),
            ]
        );
        let with_secret = |name: &str| {
            variant(serde_json::json!({
                "model": "digits", "version": 1, "artifact_digest": "sha256:0", "traffic": 100.0,
                "container": { "secrets": { name: "arn" } },
            }))
        };
        assert_eq!(said(&with_secret("TOKEN")), Vec::<String>::new());
        for (name, why) in [
            ("MLOPS_TASK", "is set by this provider"),
            ("MLOPS_MAX_QUEUE", "set it in environment"),
        ] {
            let [told] = &said(&with_secret(name))[..] else {
                panic!("{name}")
            };
            assert!(told.contains(why), "{told}");
        }
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
