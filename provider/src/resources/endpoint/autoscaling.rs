//! The block `autoscaling`, and a variant's own in its place.

use std::collections::BTreeMap;

use mlops_core::endpoint::EndpointRecord;
use mlops_core::endpoint::spec::{
    Autoscaling, ScalingPolicy, ScalingSchedule, default_cooldown, default_timezone,
};
use mlops_core::names::VariantName;
use tfplugin::schema::{Attribute, Block, Nested};
use tfplugin::{Attr, Diagnostics, validate};

use super::from_record::unless;
use super::model::parsed;
use super::schema::State;
use crate::resources::convert;

tfplugin::object! {
    /// The block `autoscaling`.
    pub(crate) struct Scaling {
        /// The fewest instances.
        pub(crate) min: Attr<u32>,
        /// The most instances.
        pub(crate) max: Attr<u32>,
        /// What they follow.
        pub(crate) policies: Attr<BTreeMap<String, Policy>>,
        /// When other numbers hold.
        pub(crate) schedules: Attr<BTreeMap<String, Schedule>>,
    }

    /// One policy.
    pub(crate) struct Policy {
        /// What is measured.
        pub(crate) metric: Attr<String>,
        /// What it is kept at.
        pub(crate) target: Attr<f64>,
        /// Time between two steps to fewer.
        pub(crate) scale_in_cooldown: Attr<String>,
        /// Time between two steps to more.
        pub(crate) scale_out_cooldown: Attr<String>,
    }

    /// One schedule.
    pub(crate) struct Schedule {
        /// When.
        pub(crate) schedule: Attr<String>,
        /// By which clock.
        pub(crate) timezone: Attr<String>,
        /// The fewest instances from then on.
        pub(crate) min: Attr<u32>,
        /// The most instances from then on.
        pub(crate) max: Attr<u32>,
    }
}

const WHAT: &str = "How many tasks a variant on ECS has, and what decides that. No plan shows how many there are, and no apply sets them back. \
     While a rollout moves traffic, none is taken away from the old revision or from the new one. Another number or policy is \
     no new revision.";

/// The attributes of either, with their descriptions.
fn attributes() -> [(&'static str, Attribute); 4] {
    [
        (
            "min",
            count("The fewest tasks, at least `1`. A new revision starts with so many.").required(),
        ),
        (
            "max",
            count("The most tasks. During a rollout there may be more, if there were before.")
                .required(),
        ),
        (
            "policies",
            Attribute::map_nested(policy()).optional().validate(validate::size(1..=10)).describe(
                "What the number of tasks follows, by a name of your own: target tracking. Without any, `min` and `max` are the same, or \
                 `schedules` set them.",
            ),
        ),
        (
            "schedules",
            Attribute::map_nested(schedule()).optional().validate(validate::size(1..=10)).describe(
                "When other numbers hold, by a name of your own. They hold until another schedule sets others; a new revision begins \
                 with `min` and `max`.",
            ),
        ),
    ]
}

/// Declares the block.
pub(super) fn block() -> Block {
    let block = Block::new().describe(format!(
        "{WHAT} It is for every variant that has none of its own."
    ));
    (attributes().into_iter()).fold(block, |block, (name, attribute)| {
        block.attribute(name, attribute)
    })
}

/// Declares a variant's own.
pub(super) fn attribute() -> Attribute {
    let nested = (attributes().into_iter()).fold(Nested::new(), |nested, (name, attribute)| {
        nested.attribute(name, attribute)
    });
    Attribute::single_nested(nested)
        .optional()
        .describe("In place of the block `autoscaling`, for this variant alone.")
}

fn count(what: &str) -> Attribute {
    Attribute::number()
        .validate(validate::whole())
        .validate(validate::at_least(0))
        .describe(what)
}

fn policy() -> Nested {
    let cooldown = |what: &str| {
        Attribute::string()
            .optional()
            .validate(validate::duration())
            .describe(what)
    };
    Nested::new()
        .attribute(
            "metric",
            Attribute::string()
                .required()
                .validate(validate::one_of(METRICS))
                .describe(
                    "What is measured, on average over the revision's tasks: `cpu` or `memory` (percent of what a task has), or \
                     `requests_per_target` (requests of the load balancer in a minute). One policy for each.",
                ),
        )
        .attribute(
            "target",
            Attribute::number()
                .required()
                .describe("The value that it is kept at, above 0; `cpu` and `memory` at most 100."),
        )
        .attribute(
            "scale_in_cooldown",
            cooldown("Time between two steps to fewer tasks. Default `5m`."),
        )
        .attribute(
            "scale_out_cooldown",
            cooldown("Time between two steps to more tasks. Default `5m`."),
        )
}

const METRICS: [&str; 3] = ["cpu", "memory", "requests_per_target"];

fn schedule() -> Nested {
    Nested::new()
        .attribute(
            "schedule",
            Attribute::string().required().describe(
                "When: `cron(MINUTE HOUR DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR)`, such as `cron(0 8 ? * MON-FRI *)`, or `rate(1 day)`.",
            ),
        )
        .attribute(
            "timezone",
            Attribute::string()
                .optional()
                .describe("The time zone of a `cron`, such as `Europe/Zurich`. Default `UTC`."),
        )
        .attribute("min", count("`min` from then on. Default: as it is.").optional())
        .attribute("max", count("`max` from then on. Default: as it is.").optional())
}

/// What is asked for; `Some(None)` where nothing is. `None` while some of it is unknown or, with a problem noted, wrong.
pub(super) fn spec(
    scaling: &Attr<Scaling>,
    path: &str,
    problems: &mut Diagnostics,
) -> Option<Option<Autoscaling>> {
    let Some(scaling) = convert::known(scaling)? else {
        return Some(None);
    };
    let mut policies = Some(BTreeMap::new());
    for (name, policy) in convert::known(&scaling.policies)?.unwrap_or_default() {
        let at = |field: &str| format!("{path}.policies.{name}.{field}");
        let scale_in = parsed(
            &policy.scale_in_cooldown,
            &at("scale_in_cooldown"),
            problems,
        );
        let scale_out = parsed(
            &policy.scale_out_cooldown,
            &at("scale_out_cooldown"),
            problems,
        );
        let read = || {
            Some(ScalingPolicy {
                // The schema knows no other word.
                metric: convert::word(&convert::known(&policy.metric)??)?,
                target: convert::known(&policy.target)??,
                scale_in_cooldown: scale_in?.unwrap_or(default_cooldown()),
                scale_out_cooldown: scale_out?.unwrap_or(default_cooldown()),
            })
        };
        match (read(), &mut policies) {
            (Some(policy), Some(policies)) => {
                policies.insert(name, policy);
            }
            _ => policies = None,
        }
    }
    let schedules = convert::entries(&scaling.schedules, |schedule| {
        Some(ScalingSchedule {
            schedule: convert::known(&schedule.schedule)??,
            timezone: convert::known(&schedule.timezone)?.unwrap_or_else(default_timezone),
            min: convert::known(&schedule.min)?,
            max: convert::known(&schedule.max)?,
        })
    });
    Some(Some(Autoscaling {
        min: convert::known(&scaling.min)??,
        max: convert::known(&scaling.max)??,
        policies: policies?,
        schedules: schedules?,
    }))
}

/// As it would be written.
pub(super) fn state(wanted: &Autoscaling) -> Scaling {
    let cooldown = |period| unless(period, &default_cooldown()).map(|period| period.to_string());
    let policies = wanted.policies.iter().map(|(name, policy)| {
        let policy = Policy {
            metric: convert::text(&policy.metric).into(),
            target: policy.target.into(),
            scale_in_cooldown: cooldown(policy.scale_in_cooldown),
            scale_out_cooldown: cooldown(policy.scale_out_cooldown),
        };
        (name.clone(), policy)
    });
    let schedules = wanted.schedules.iter().map(|(name, schedule)| {
        let schedule = Schedule {
            schedule: schedule.schedule.clone().into(),
            timezone: unless(schedule.timezone.clone(), &default_timezone()),
            min: schedule.min.into(),
            max: schedule.max.into(),
        };
        (name.clone(), schedule)
    });
    Scaling {
        min: wanted.min.into(),
        max: wanted.max.into(),
        policies: unless(policies.collect(), &BTreeMap::new()),
        schedules: unless(schedules.collect(), &BTreeMap::new()),
    }
}

/// The same for a variant or an endpoint that may have none.
pub(super) fn state_of(wanted: Option<&Autoscaling>) -> Attr<Scaling> {
    wanted.map_or(Attr::Null, |wanted| Attr::Known(state(wanted)))
}

/// Puts into `state` what variants follow that do not follow what was asked for.
pub(super) fn drifted(
    state: &mut State,
    record: &EndpointRecord,
    drift: &BTreeMap<VariantName, Option<Autoscaling>>,
) {
    for (name, seen) in drift {
        let seen = seen.as_ref();
        let is_own = (record.spec.variants.get(name)).is_some_and(|one| one.autoscaling.is_some());
        if !is_own {
            state.autoscaling = state_of(seen);
        } else if let Attr::Known(variants) = &mut state.variants
            && let Some(variant) = variants.get_mut(name.as_str())
        {
            variant.autoscaling = state_of(seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use mlops_core::endpoint::spec::ScalingMetric;

    use super::*;

    #[test]
    fn every_metric_but_others_can_be_written() {
        let all = [
            ScalingMetric::Cpu,
            ScalingMetric::Memory,
            ScalingMetric::RequestsPerTarget,
        ];
        assert_eq!(all.map(|metric| convert::text(&metric)), METRICS);
    }

    #[test]
    fn what_is_written_and_what_is_read_are_the_same() {
        let wanted: Autoscaling = serde_json::from_value(serde_json::json!({
            "min": 2, "max": 10,
            "policies": { "cpu": { "metric": "cpu", "target": 60.5, "scale_out_cooldown": "1m" } },
            "schedules": { "night": { "schedule": "rate(1 day)", "timezone": "Europe/Zurich", "min": 1 } },
        }))
        .unwrap();
        let written = Attr::Known(state(&wanted));
        let mut problems = Diagnostics::new();
        let read = spec(&written, "autoscaling", &mut problems);
        assert_eq!(read, Some(Some(wanted)), "{problems:?}");
        assert_eq!(state_of(None), Attr::Null);
        assert_eq!(spec(&Attr::Null, "autoscaling", &mut problems), Some(None));
        assert_eq!(spec(&Attr::Unknown, "autoscaling", &mut problems), None);
    }
}
