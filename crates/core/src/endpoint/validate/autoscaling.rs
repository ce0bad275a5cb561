//! What can be wrong with the block `autoscaling`. Limits are those of Application Auto Scaling's API reference.

use std::collections::BTreeMap;

use super::cron;
use crate::endpoint::spec::{Autoscaling, EndpointSpec, ScalingMetric, ScalingPolicy};
use crate::error::Error;

/// The most tasks that a service may ask for (Amazon ECS, service quotas).
const MOST_INSTANCES: u32 = 5_000;
/// The most scheduled actions of one service, of which AWS gives nobody more ("Quotas for Application Auto Scaling" in its user guide).
const MOST_SCHEDULES: usize = 200;

/// Every problem of the blocks `autoscaling` of `spec`.
pub(super) fn autoscaling(spec: &EndpointSpec) -> Vec<Error> {
    let blocks = all(spec);
    blocks
        .flat_map(|(path, wanted)| {
            let told = problems(wanted).into_iter();
            told.map(move |(at, message)| Error::invalid(message).at(format!("{path}.{at}")))
        })
        .collect()
}

/// There is one process on this machine, whatever it has to do.
pub(super) fn none(spec: &EndpointSpec) -> Vec<Error> {
    let refuse = |(path, _)| {
        Error::invalid(
            "autoscaling is for the tasks of an endpoint on ECS, and this endpoint runs in one process on this machine; leave it out",
        )
        .at(path)
    };
    all(spec).map(refuse).collect()
}

fn all(spec: &EndpointSpec) -> impl Iterator<Item = (String, &Autoscaling)> {
    let variants = spec.variants.iter();
    let own = variants.filter_map(|(name, variant)| {
        let wanted = variant.autoscaling.as_ref()?;
        Some((format!("variants.{name}.autoscaling"), wanted))
    });
    let of_all = spec.autoscaling.iter();
    of_all
        .map(|wanted| ("autoscaling".to_owned(), wanted))
        .chain(own)
}

fn problems(wanted: &Autoscaling) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut refuse = |at: &str, message: String| problems.push((at.to_owned(), message));
    let (min, max) = (wanted.min, wanted.max);
    if min == 0 {
        let message = "min 0 would leave nobody to answer while nobody asks, and nobody to notice the first who does; 1 is the least";
        refuse("min", message.to_owned());
    }
    if !(1..=MOST_INSTANCES).contains(&max) {
        refuse(
            "max",
            format!("max is 1 to {MOST_INSTANCES} instances, not {max}"),
        );
    }
    if min > max {
        refuse(
            "min",
            format!("min is {min} and max is {max}: raise max, or lower min"),
        );
    }
    if wanted.policies.is_empty() && wanted.schedules.is_empty() && min < max {
        refuse(
            "policies",
            format!(
                "nothing says when there are more than {min} instances: add policies or schedules, or make min and max the same"
            ),
        );
    }
    let schedules = wanted.schedules.len();
    if schedules > MOST_SCHEDULES {
        let message = format!(
            "a service has at most {MOST_SCHEDULES} scheduled actions, and these are {schedules}"
        );
        refuse("schedules", message);
    }
    for name in wanted.policies.keys() {
        if !is_name(name) {
            refuse("policies", naming(name));
        }
    }
    for (at, message) in policies(&wanted.policies) {
        refuse(&at, message);
    }
    for (name, one) in &wanted.schedules {
        if !is_name(name) {
            refuse("schedules", naming(name));
        }
        let at = |attribute: &str| format!("schedules.{name}.{attribute}");
        if let Some(problem) = cron::problem(&one.schedule) {
            refuse(&at("schedule"), problem);
        }
        if !is_timezone(&one.timezone) {
            refuse(
                &at("timezone"),
                format!(
                    "{:?} is not a time zone: write one as Europe/Zurich, or UTC",
                    one.timezone
                ),
            );
        }
        if one.min.is_none() && one.max.is_none() {
            refuse(
                &at("min"),
                format!("schedule {name} changes nothing: set its min, its max or both"),
            );
        }
        // What it leaves alone is what holds otherwise.
        let (low, high) = (one.min.unwrap_or(min), one.max.unwrap_or(max));
        if one.min == Some(0) {
            refuse(
                &at("min"),
                "min 0 would leave nobody to answer; 1 is the least".to_owned(),
            );
        }
        if one
            .max
            .is_some_and(|max| !(1..=MOST_INSTANCES).contains(&max))
        {
            refuse(
                &at("max"),
                format!("max is 1 to {MOST_INSTANCES} instances, not {high}"),
            );
        }
        if low > high {
            refuse(
                &at("min"),
                format!(
                    "from this schedule on min is {low} and max is {high}: raise max, or lower min"
                ),
            );
        }
    }
    problems
}

fn policies(policies: &BTreeMap<String, ScalingPolicy>) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut measured = BTreeMap::new();
    for (name, policy) in policies {
        let at = |attribute: &str| format!("policies.{name}.{attribute}");
        let legal = match policy.metric {
            ScalingMetric::Cpu | ScalingMetric::Memory => {
                policy.target > 0.0 && policy.target <= 100.0
            }
            ScalingMetric::RequestsPerTarget => policy.target > 0.0 && policy.target.is_finite(),
            ScalingMetric::Other => {
                problems.push((at("metric"), "\"other\" is what somebody else measures; use cpu, memory or requests_per_target".to_owned()));
                continue;
            }
        };
        for (attribute, cooldown) in [
            ("scale_in_cooldown", policy.scale_in_cooldown),
            ("scale_out_cooldown", policy.scale_out_cooldown),
        ] {
            if cooldown.duration().subsec_millis() > 0 {
                let message = format!("{attribute} is in whole seconds, not {cooldown}");
                problems.push((at(attribute), message));
            }
        }
        if !legal {
            let what = match policy.metric {
                ScalingMetric::RequestsPerTarget => "requests of one instance in a minute, above 0",
                _ => "percent, above 0 and at most 100",
            };
            problems.push((
                at("target"),
                format!("target is {what}, not {}", policy.target),
            ));
        }
        if let Some(other) = measured.insert(policy.metric, name) {
            problems.push((
                at("metric"),
                format!("policies {other} and {name} measure the same, and would undo each other's doing; keep one"),
            ));
        }
    }
    problems
}

fn naming(name: &str) -> String {
    format!("{name:?} is not a name here: use letters, digits, - and _, at most 64 of them")
}

fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=64).contains(&name.len()) && name.chars().all(legal)
}

fn is_timezone(name: &str) -> bool {
    let part = |part: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
        !part.is_empty() && part.chars().all(legal)
    };
    name.split('/').all(part) && name.starts_with(|c: char| c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests;
