//! How many instances a variant has, and who decides that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::endpoint::Period;

/// The block `autoscaling`: between which numbers the instances of a variant move, and by what.
///
/// It is no part of a revision: another number is no other version, and rolls nothing out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Autoscaling {
    /// The fewest instances.
    pub min: u32,
    /// The most instances.
    pub max: u32,
    /// What instances follow, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, ScalingPolicy>,
    /// When other numbers hold, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schedules: BTreeMap<String, ScalingSchedule>,
}

/// Keeps a metric at a value, by more or fewer instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalingPolicy {
    /// What is measured.
    pub metric: ScalingMetric,
    /// The value that it is kept at.
    pub target: f64,
    /// Time between two steps to fewer instances.
    #[serde(default = "default_cooldown")]
    pub scale_in_cooldown: Period,
    /// Time between two steps to more instances.
    #[serde(default = "default_cooldown")]
    pub scale_out_cooldown: Period,
}

/// The default of [`ScalingPolicy::scale_in_cooldown`] and [`ScalingPolicy::scale_out_cooldown`]: that of Application Auto Scaling.
pub const fn default_cooldown() -> Period {
    Period::seconds(300)
}

/// What a policy measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalingMetric {
    /// The instances' CPU, in percent, on average.
    Cpu,
    /// The instances' memory, in percent, on average.
    Memory,
    /// Requests that an instance gets in a minute, on average.
    RequestsPerTarget,
    /// Something that cannot be asked for here: somebody else made the policy.
    Other,
}

/// Other numbers from a moment on that comes again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingSchedule {
    /// When: `cron(…)` or `rate(…)`.
    pub schedule: String,
    /// Where the clock is that a `cron` goes by.
    #[serde(default = "default_timezone")]
    pub timezone: String,
    /// The fewest instances from then on, if that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The most instances from then on, if that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// The default of [`ScalingSchedule::timezone`].
pub fn default_timezone() -> String {
    "UTC".to_owned()
}

impl Autoscaling {
    /// Whether `seen` is what was asked for here. A schedule moves both numbers, so each is right that one of them sets.
    pub fn allows(&self, seen: &Self) -> bool {
        let mins = self.schedules.values().filter_map(|one| one.min);
        let maxs = self.schedules.values().filter_map(|one| one.max);
        mins.chain([self.min]).any(|min| min == seen.min)
            && maxs.chain([self.max]).any(|max| max == seen.max)
            && self.policies == seen.policies
            && self.schedules == seen.schedules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Autoscaling {
        serde_json::from_value(serde_json::json!({
            "min": 2, "max": 10,
            "policies": { "cpu": { "metric": "cpu", "target": 60.0 } },
            "schedules": { "night": { "schedule": "cron(0 22 * * ? *)", "min": 1 } },
        }))
        .unwrap()
    }

    #[test]
    fn what_a_schedule_sets_is_right_and_anything_else_is_not() {
        let asked = asked();
        let seen = |change: fn(&mut Autoscaling)| {
            let mut seen = asked.clone();
            change(&mut seen);
            asked.allows(&seen)
        };
        assert!(seen(|_| {}));
        assert!(seen(|seen| seen.min = 1), "as the schedule says");
        assert!(!seen(|seen| seen.min = 3));
        assert!(!seen(|seen| seen.max = 9), "no schedule changes it");
        assert!(!seen(|seen| seen.policies.clear()));
        assert!(!seen(|seen| seen.schedules.clear()));
        assert!(!seen(|seen| {
            if let Some(policy) = seen.policies.get_mut("cpu") {
                policy.scale_in_cooldown = Period::seconds(1);
            }
        }));
    }

    #[test]
    fn what_is_not_said_has_the_services_defaults() {
        let asked = asked();
        assert_eq!(asked.policies["cpu"].scale_out_cooldown.to_string(), "5m");
        assert_eq!(asked.schedules["night"].timezone, "UTC");
    }
}
