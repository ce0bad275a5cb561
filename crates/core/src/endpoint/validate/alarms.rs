//! What can be wrong with the alarms of a rollout. Limits are those of CloudWatch's API reference.

use crate::endpoint::spec::RolloutSpec;
use crate::error::Error;

/// So many are described by one call, of which one is made for all of them.
const MOST: usize = 100;
/// Characters of a name.
const LONGEST: usize = 255;

/// Problems of the alarms of an endpoint on ECS.
pub(super) fn alarms(rollout: &RolloutSpec) -> Vec<Error> {
    let mut problems = Vec::new();
    let mut refuse = |text: String| problems.push(Error::invalid(text).at("rollout.alarms"));
    if rollout.alarms.len() > MOST {
        refuse(format!(
            "{} alarms are more than the {MOST} that a rollout looks at; have one composite alarm stand for many",
            rollout.alarms.len()
        ));
    }
    for name in &rollout.alarms {
        if let Some((_, own)) = name
            .split_once(":alarm:")
            .filter(|_| name.starts_with("arn:"))
        {
            refuse(format!(
                "{name:?} is the ARN of an alarm; write its name, {own:?}"
            ));
        } else if name.is_empty() || name.chars().count() > LONGEST {
            refuse(format!(
                "{name:?} is not the name of an alarm, which has 1 to {LONGEST} characters"
            ));
        }
    }
    problems
}

/// Nothing watches a process on this machine.
pub(super) fn none(rollout: &RolloutSpec) -> Option<Error> {
    let text = "alarms are those of CloudWatch, which knows endpoints on ECS; use analysis on this machine";
    (!rollout.alarms.is_empty()).then(|| Error::invalid(text).at("rollout.alarms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(names: impl IntoIterator<Item = String>) -> RolloutSpec {
        RolloutSpec {
            alarms: names.into_iter().collect(),
            ..RolloutSpec::default()
        }
    }

    #[test]
    fn names_are_taken_and_what_is_none_is_refused() {
        let long = |length| "ä".repeat(length);
        let many = |count: usize| with((0..count).map(|number| format!("alarm {number}")));
        for good in [
            with([]),
            with(["a: b/c".to_owned(), long(LONGEST)]),
            many(MOST),
        ] {
            assert!(alarms(&good).is_empty(), "{good:?}");
        }
        let arn = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:team: errors";
        for (bad, part) in [
            (with([arn.to_owned()]), "write its name, \"team: errors\""),
            (with([String::new()]), "1 to 255 characters"),
            (with([long(LONGEST + 1)]), "1 to 255 characters"),
            (many(MOST + 1), "101 alarms are more than the 100"),
        ] {
            let problems = alarms(&bad);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].attribute(), Some("rollout.alarms"));
            assert!(problems[0].to_string().contains(part), "{}", problems[0]);
        }
        assert!(none(&with([])).is_none());
        assert!(none(&many(1)).is_some());
    }
}
